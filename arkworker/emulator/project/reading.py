"""From a file, a folder of images or a flag to the project that it describes."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from arkworker.emulator.arrange.corpora import spelled
from arkworker.emulator.faults import EffectName
from arkworker.emulator.project.items import FaultItem, Part, Project
from arkworker.emulator.project.source import SOURCE, Loc, Source, find, is_target, read_mapping
from arkworker.errors import ConfigurationError, Problem, UsageError
from arkworker.settings.report.messages import message_of
from arkworker.text import did_you_mean, printable, with_nearest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

EFFECTS: tuple[str, ...] = get_args(EffectName)


def read_project(path: Path) -> Project:
    """The project that a file or a folder of images describes.

    Raises:
        ConfigurationError: It is missing, or not a project; every problem with its place.
    """
    if os.path.isdir(path):  # noqa: PTH112 - false, too, of a name that no file can have
        project = Project(corpus=spelled(path.resolve().name) or "Corpus", images=".")
        project._source = Source(path)  # noqa: SLF001 - its own
        return project
    if is_target(str(path)) and not os.path.lexists(path):
        hint = "give its command after --, and as the project a folder of images, or a YAML file with it as `worker`"
        problem = Problem("project", SOURCE, printable(str(path)), "this is the code of a worker", hint)
        raise ConfigurationError([problem])
    content, root = read_mapping(path)
    try:
        project = Project.model_validate(content)
    except ValidationError as error:
        lines = error.errors(include_url=False)
        raise ConfigurationError([_problem(Source(path, root), line) for line in lines]) from None
    project._source = Source(path, root)  # noqa: SLF001 - its own
    _tell_places(project, ())
    return project


def _tell_places(value: Any, loc: Loc) -> None:
    """Tell each part of a project where it stands."""
    if isinstance(value, Part):
        value = dict(value.at(loc))
    inner: Iterable[tuple[int | str, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, item in inner:
        _tell_places(item, (*loc, key))


def read_fault(text: str) -> FaultItem:
    """A fault as it is written on a command line: `StartWorkerActivity:reset,acted=true,rate=0.3`.

    Raises:
        UsageError: It is not one; the message names the part.
    """
    name, colon, rest = text.partition(":")
    effect, *pairs = rest.split(",")
    options: dict[str, str] = {}
    for pair in pairs:
        option, _, value = pair.partition("=")
        if options.setdefault(option, value) is not value:
            raise UsageError(f"fault {printable(text, 100)!r}: {printable(option, 60)}: it is given twice")
    if not (colon and name.strip()):
        raise UsageError(f"a fault is written OPERATION:EFFECT[,NAME=VALUE…], not {printable(text, 100)!r}")
    try:
        return FaultItem.model_validate({**options, "operation": name.strip(), "effect": effect.strip()})
    except ValidationError as error:
        line = error.errors(include_url=False, include_input=False)[0]
        place = printable(".".join(str(part) for part in line["loc"]), 60) or "effect"
        typed = {"operation": name, "effect": effect}.get(place, place)
        alternatives = {"literal_error": EFFECTS, "extra_forbidden": tuple(FaultItem.model_fields)}
        known = alternatives.get(line["type"], ())
        message = with_nearest(message_of(line), typed, known)
        raise UsageError(f"fault {printable(text, 100)!r}: {place}: {message}") from None


def _keys(path: Loc) -> set[str]:
    """The keys that the part at a path may have: of all kinds of parts that may stand there."""
    parts: list[type[Part]] = [Project]
    for key in path:
        inner = [_parts_in(part.model_fields[key].annotation) for part in parts if key in part.model_fields]
        # Neither a number nor the name that a person chose, such as that of a dataset, leads elsewhere.
        parts = [*chain.from_iterable(inner)] or parts
    return set().union(*(part.model_fields for part in parts))


def _parts_in(annotation: Any) -> list[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    return [*chain.from_iterable(map(_parts_in, get_args(annotation)))]


def _problem(source: Source, line: Any) -> Problem:
    loc = tuple(part for part in line["loc"] if isinstance(part, int | str))
    hint = ""
    if line["type"] == "extra_forbidden":
        hint = did_you_mean(str(loc[-1]), _keys(loc[:-1]))
    elif line["type"] == "string_type" and isinstance(line["input"], int | float):
        hint = "put text in quotes"
    elif loc and loc[-1] == "effect" and source.root is not None:
        node = find(source.root, loc)
        hint = did_you_mean(getattr(node, "text", ""), EFFECTS)
    return source.refuse(loc, message_of(line), hint).problems[0]
