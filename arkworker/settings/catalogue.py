"""What a worker can be configured with: its options under their names, for every source to look up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from arkworker.options.mistakes import require_complete
from arkworker.options.options import Group, Option, fields_of, keys_of, walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from arkworker.options.creates import Creates, Requires


@dataclass(frozen=True)
class WorkerOptions:
    """The worker's side of its settings.

    Attributes:
        target: How the person who starts it names it: `page_lines:PageLines`.
        configuration: The model of `config`; None for a free mapping.
        arguments: The model of its extra flags, if it has any.
        processes_elements: Whether the flags that choose elements are its own.
        processes_sets: Whether it works on the sets of datasets, not on single elements.
        creates: What it may create in a corpus; None where it does not say.
        requires: What the corpus must have; None where it does not say.
        arrange_sources: Takes the settings model and the sources, strongest first; gives them with its own among them.

    Raises:
        DeclarationError: A model names a type that is nowhere to be found.
    """

    target: str
    configuration: type[BaseModel] | None = None
    arguments: type[BaseModel] | None = None
    processes_elements: bool = False
    processes_sets: bool = False
    creates: Creates | None = None
    requires: Requires | None = None
    arrange_sources: Callable[[Any, tuple[Any, ...]], tuple[Any, ...]] | None = None

    def __post_init__(self) -> None:
        for model in filter(None, (self.configuration, self.arguments)):
            require_complete(model)

    @property
    def is_free(self) -> bool:
        return self.configuration is None

    @cached_property
    def _parts(self) -> list[Option | Group]:
        return list(walk(self.configuration)) if self.configuration else []

    @cached_property
    def options(self) -> dict[str, Option]:
        return {part.name: part for part in self._parts if isinstance(part, Option)}

    @cached_property
    def by_name(self) -> dict[str, Option | Group]:
        """Options and groups by all dotted names that they may be given by."""
        return {name: part for part in self._parts for name in part.names}

    @cached_property
    def by_variable(self) -> dict[str, Option]:
        """The options by the environment variable of each."""
        return {option.variable: option for option in self.options.values()}

    @cached_property
    def parts(self) -> dict[tuple[str, ...], Option | Group]:
        """Options and groups, and extra flags, by their paths: `("config", "threshold")`."""
        extra = fields_of(self.arguments) if self.arguments else ()
        options = {("config", *part.keys): part for part in self._parts}
        return options | {("arguments", *option.keys): option for option in extra}

    @cached_property
    def flags(self) -> dict[tuple[str, ...], Option]:
        """What has a flag of its own, by its path: options and extra flags."""
        return {path: part for path, part in self.parts.items() if isinstance(part, Option)}

    @cached_property
    def paths(self) -> dict[tuple[str, ...], tuple[str, ...]]:
        """The path of each option, group and extra flag by what it may be called in the place where it lies."""
        paths = {(*path[:-1], part.fields[-1]): path for path, part in self.parts.items()}
        for path, part in self.parts.items():  # an alias may be the name of another field
            paths |= {(*path[:-1], name): path for name in keys_of(part.fields[-1], part.field)}
        return paths


def flag_name(field_name: str) -> str:
    return "--" + field_name.replace("_", "-")
