"""The help page of `run`, `check` and `explain`: every flag with its type, default and variable, for reading."""

from __future__ import annotations

import argparse
import inspect
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticUndefined, to_jsonable_python

from arkworker.cli.documentation import type_name
from arkworker.cli.terminal import styled
from arkworker.options.options import Group, Option, constraints_of, walk
from arkworker.settings.platform import variable_of
from arkworker.settings.sources.source import PLATFORM_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from arkworker.settings.catalogue import WorkerOptions

_WIDEST = 100
_INDENT = "      "
#: After the configuration; what is not named comes between, and `-h` at the end.
_ORDER = {"arguments of this worker": -1, "options": 1}


def help_page(parser: argparse.ArgumentParser, worker: WorkerOptions) -> str:
    """The page: usage, what the worker and the verb do, its configuration, and all other flags."""
    about = [_wrapped(part, "") for part in inspect.cleandoc(parser.description or "").split("\n\n")]
    blocks = [f"usage: {parser.prog} [flags]", *about, *_configuration(worker)]
    for group in sorted(parser._action_groups, key=lambda group: _ORDER.get(group.title or "", 0)):  # noqa: SLF001 - argparse gives them nowhere else
        actions = [action for action in group._group_actions if not action.dest.startswith("config.")]  # noqa: SLF001
        if actions:
            blocks.append(_heading(group.title or ""))
            blocks += [_flag(action, worker) for action in actions]
    return "\n\n".join(blocks) + "\n"


def _configuration(worker: WorkerOptions) -> Iterator[str]:
    yield _heading("configuration")
    if worker.configuration is None:
        yield _entry("--config.NAME VALUE", "Any option: this worker declares none.", "ARKINDEX_CONFIG_NAME")
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
    limits = {key: getattr(part, key) for part in field.metadata for key in ("ge", "le") if hasattr(part, key)}
    if len(limits) == 2:
        yield f"{_shown(limits['ge'])}…{_shown(limits['le'])}"
    others = (part for part in field.metadata if len(limits) < 2 or not (hasattr(part, "ge") or hasattr(part, "le")))
    yield from (words.replace("`", "") for words in constraints_of(others))


def _choices(field: FieldInfo) -> Iterator[str]:
    name = type_name(field.annotation).replace("`", "")
    if name.startswith("one of "):
        yield name


def _flag(action: argparse.Action, worker: WorkerOptions) -> str:
    names = ", ".join(action.option_strings) or str(action.metavar)
    path = tuple(action.dest.split("."))
    if path in PLATFORM_FIELDS:
        field = PLATFORM_FIELDS[path]
        facts = [*_limits(field), *_choices(field)]
        facts += [f"default {_shown(field.default)}"] if field.default not in (None, False, ()) else []
        facts += [variable] if (variable := variable_of(field)) else []
        values = f"{action.metavar} …" if action.nargs == "+" else action.metavar
        return _entry(f"{names} {values or ''}", field.description or "", *facts)
    if path[0] == "arguments" and worker.arguments is not None:
        parts = (part for part in walk(worker.arguments) if isinstance(part, Option))
        option = next((part for part in parts if part.keys == path[1:]), None)
        if option is not None:
            facts = [fact for fact in _facts(option) if fact != option.variable]
            text = _sentences(option.field.title, option.field.description)
            return _entry(f"{names} {_placeholder(option.annotation)}", text, *facts)
    return _entry(names, "Show this page." if action.dest == "help" else action.help or "")


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
