"""What a worker can be configured with: its options under their names, for every source to look up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from arkworker.options.mistakes import require_complete
from arkworker.options.options import Group, Option, walk

if TYPE_CHECKING:
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
        creates: What it may create in a corpus; None where it does not say.
        requires: What the corpus must have; None where it does not say.

    Raises:
        DeclarationError: A model names a type that is nowhere to be found.
    """

    target: str
    configuration: type[BaseModel] | None = None
    arguments: type[BaseModel] | None = None
    processes_elements: bool = False
    creates: Creates | None = None
    requires: Requires | None = None

    def __post_init__(self) -> None:
        for model in filter(None, (self.configuration, self.arguments)):
            require_complete(model)

    @property
    def is_free(self) -> bool:
        return self.configuration is None

    @cached_property
    def options(self) -> dict[str, Option]:
        parts = walk(self.configuration) if self.configuration else ()
        return {part.name: part for part in parts if isinstance(part, Option)}

    @cached_property
    def groups(self) -> dict[str, Group]:
        parts = walk(self.configuration) if self.configuration else ()
        return {part.name: part for part in parts if isinstance(part, Group)}

    @cached_property
    def by_variable(self) -> dict[str, Option]:
        """The options by the environment variable of each."""
        return {option.variable: option for option in self.options.values()}

    @property
    def names(self) -> list[str]:
        """What the nearest match of a misspelt name is looked for in."""
        return [*self.options, *self.groups]


def flag_name(field_name: str) -> str:
    return "--" + field_name.replace("_", "-")
