"""The help page of each verb, for reading: every flag with its limits, choices, default and variable."""

from __future__ import annotations

import argparse
import inspect
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, get_args

from pydantic_core import PydanticUndefined, to_jsonable_python

from arkworker.cli.descriptions import descriptions
from arkworker.cli.documentation import type_name
from arkworker.cli.parser import Within
from arkworker.cli.terminal import styled
from arkworker.options.options import Group, Option, constraints_of, walk
from arkworker.settings.platform import variable_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

    from arkworker.settings.catalogue import WorkerOptions

#: Stands where a worker would be named.
TARGET = "TARGET"
_WIDEST = 100
_INDENT = "      "
#: The sections, in their order.
_SECTIONS = ("arguments", "configuration", "flags of this worker", "running", "flags", "showing")


def help_page(
    parser: argparse.ArgumentParser, fields: Mapping[str, FieldInfo], worker: WorkerOptions | None = None
) -> str:
    """The page of a verb: usage, what it does, then its arguments, the configuration of the worker, and all flags.

    Args:
        parser: The parser of the verb.
        fields: The settings that its flags set, by the name that the parser keeps a value under.
        worker: For a verb about a worker.
    """
    blocks = [_usage(parser)]
    blocks += [_wrapped(part, "") for part in inspect.cleandoc(parser.description or "").split("\n\n")]
    entries: dict[str, list[str]] = {section: [] for section in _SECTIONS}
    if parser.prog.endswith(f" {TARGET}"):
        entries["arguments"].append(_entry("TARGET", "The worker: module:name, or path/to/file.py:name."))
    if worker is not None:
        entries["configuration"] += _configuration(worker)
    for group in parser._action_groups:  # noqa: SLF001 - argparse gives them nowhere else
        for action in group._group_actions:  # noqa: SLF001 - the same
            if action.dest.startswith("config."):
                continue
            section = group.title if group.title in entries else "flags"
            if not action.option_strings:
                section = "arguments"
            elif action.dest == "help" or "--json" in action.option_strings:
                section = "showing"
            entries[section] += _flag(action, fields, worker)
    for section in filter(entries.get, _SECTIONS):
        # `-h` is the first that argparse knows.
        blocks += [_heading(section), *sorted(entries[section], key=lambda entry: "-h, --help" in entry)]
    return "\n\n".join(blocks) + "\n"


def _usage(parser: argparse.ArgumentParser) -> str:
    if parser.usage:
        return f"usage: {parser.usage % {'prog': parser.prog}}"
    forms = {"?": "[{}]", "+": "{} …", "*": "[{} …]"}
    positional = (action for action in parser._actions if not action.option_strings)  # noqa: SLF001
    given = [forms.get(str(action.nargs), "{}").format(_name(action)) for action in positional]
    return f"usage: {' '.join((parser.prog, *given))} [flags]"


def _name(action: argparse.Action) -> str:
    return str(action.metavar or (action.dest if action.choices is None else "|".join(action.choices)))


def _configuration(worker: WorkerOptions) -> Iterator[str]:
    if worker.configuration is None:
        text = "Any option: this worker declares none." if worker.target != TARGET else "An option of the worker."
        yield _entry("--config.NAME VALUE", text, "ARKINDEX_CONFIG_NAME")
        return
    for part in walk(worker.configuration):
        if argparse.SUPPRESS in part.field.metadata:  # `CliSuppress`
            continue
        if isinstance(part, Group):
            if part.field.title or part.field.description:
                yield _wrapped(f"{part.name}: {_sentences(part.field.title, part.field.description)}", "  ")
        else:
            text = _sentences(part.field.title, part.field.description)
            yield _entry(f"{part.flag} {_placeholder(part.annotation)}", text, *_facts(part))


def _facts(option: Option) -> Iterator[str]:
    yield type_name(option.annotation).replace("`", "")
    yield from _limits(option.field)
    if option.default is PydanticUndefined:
        yield "required"
    elif option.default is not None and not option.is_secret:
        yield f"default {_shown(option.default)}"
    yield option.variable


def _limits(field: FieldInfo) -> Iterator[str]:
    """`1…255` for numbers between two limits; else each limit in words."""
    metadata = [*field.metadata]
    for member in get_args(field.annotation):  # of `Annotated[int, …] | None`
        metadata += [item for part in getattr(member, "__metadata__", ()) for item in getattr(part, "metadata", [part])]
    limits = {key: getattr(part, key) for part in metadata for key in ("ge", "le") if hasattr(part, key)}
    if len(limits) == 2:
        yield f"{_shown(limits['ge'])}…{_shown(limits['le'])}"
    others = (part for part in metadata if len(limits) < 2 or not (hasattr(part, "ge") or hasattr(part, "le")))
    yield from (words.replace("`", "") for words in constraints_of(others))


def _choices(field: FieldInfo) -> Iterator[str]:
    name = type_name(field.annotation).replace("`", "")
    if name.startswith("one of "):
        yield name


def _flag(action: argparse.Action, fields: Mapping[str, FieldInfo], worker: WorkerOptions | None) -> Iterator[str]:
    names = ", ".join(action.option_strings) or _name(action)
    path = action.dest.split(".")
    if action.dest in fields:
        field = fields[action.dest]
        facts = [*_limits(field), *_choices(field)]
        facts += [f"default {_shown(field.default)}"] if field.default not in (None, False, ()) else []
        facts += [variable] if (variable := variable_of(field)) else []
        values = f"{action.metavar} …" if action.nargs == "+" else action.metavar
        text = action.help or descriptions().get(tuple(path), "")
        yield _entry(f"{names} {values or ''}", text, *facts)
    elif path[0] == "arguments" and worker is not None and worker.arguments is not None:
        parts = (part for part in walk(worker.arguments) if isinstance(part, Option))
        option = next((part for part in parts if part.keys == tuple(path[1:])), None)
        if option is not None:
            facts = [fact for fact in _facts(option) if fact != option.variable]
            text = _sentences(option.field.title, option.field.description)
            yield _entry(f"{names} {_placeholder(option.annotation)}", text, *facts)
    elif isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - it has no other name
        for choice in action._choices_actions:  # noqa: SLF001
            yield _entry(choice.dest, choice.help or "")
    elif action.dest == "help":
        yield _entry(names, "Show this page.")
    else:
        value = action.metavar if action.option_strings and action.nargs != 0 else ""
        yield _entry(f"{names} {value or ''}", action.help or "", *_plain_facts(action))


def _plain_facts(action: argparse.Action) -> Iterator[str]:
    """What argparse knows of the flag of a verb."""
    if isinstance(action.type, Within):
        yield f"{action.type.lowest}…{action.type.highest}"
    if action.choices is not None:
        yield f"one of {', '.join(action.choices)}"
    if action.option_strings and action.nargs != 0 and action.default not in (None, []):
        yield f"default {action.default}"


def _placeholder(annotation: Any) -> str:
    name = type_name(annotation).replace("`", "")
    words = {"true or false": "[true|false]", "anything": "VALUE"}
    if name.startswith("one of ") and len(name) < 50:
        return "{" + name.removeprefix("one of ").replace(", ", ",") + "}"
    first = name.partition(",")[0].partition(" ")[0]
    return words.get(name, first.upper() if name == first or "of" in name or "secret" in name else "VALUE")


def _shown(value: Any) -> str:
    import json

    plain = to_jsonable_python(value, fallback=str)
    return plain if isinstance(plain, str) and plain else json.dumps(plain, ensure_ascii=False)


def _sentences(title: str | None, description: str | None) -> str:
    parts = [title if title is None or title.endswith(".") else f"{title}.", description]
    return " ".join(filter(None, parts))


def _heading(text: str) -> str:
    return styled(text.upper() if text.islower() else text, "path", sys.stdout)


def _entry(flag: str, text: str, *facts: str) -> str:
    lines = [styled(f"  {flag.strip()}", "place", sys.stdout)]
    if text:
        lines.append(_wrapped(text, _INDENT))
    if facts:
        lines.append(_wrapped(" · ".join(facts), _INDENT))
    return "\n".join(lines)


def _wrapped(text: str, indent: str) -> str:
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    return textwrap.fill(
        " ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
