"""From what a declaration says to a Python module: the typed configuration, and a worker to fill in."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arkworker.declaration.layout import Bracketed, imported, literal, render, string
from arkworker.declaration.metadata import display_name_of, slug_of
from arkworker.declaration.naming import Names
from arkworker.declaration.options_code import HOMES, OptionsCode, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from arkworker.declaration.content import FieldContent, WorkerContent

_LONGEST = 40  # characters, in the names of workers


@dataclass(frozen=True, slots=True)
class Draft:
    """A worker to write code for.

    Attributes:
        content: What its declaration says.
        constants: Values that only code can hold, by their keys: options that Arkindex does not know.
    """

    content: WorkerContent
    constants: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Module:
    """Generated code.

    Attributes:
        text: The module, formatted.
        workers: The names of its worker classes, in the order of the drafts.
    """

    text: str
    workers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """What the generated workers do.

    Attributes:
        lines: Those of `process_element`; they may use `logger`.
        names: What they use of arkworker besides the annotations.
    """

    lines: tuple[str, ...]
    names: frozenset[str] = frozenset()


NOTHING_YET = Body(('raise NotImplementedError("this worker does nothing yet")',))


def generate(drafts: Sequence[Draft], notes: Iterable[str] = (), body: Body = NOTHING_YET) -> Module:
    """A module with a worker over elements for each draft.

    Args:
        drafts: The workers.
        notes: What is left to do by hand; becomes comments.
        body: What they do.
    """
    generator = _Generator(body)
    workers = tuple(generator.add(draft) for draft in drafts)
    summary = ", ".join(draft.content.slug for draft in drafts)
    return Module(generator.text(f"Worker for Arkindex: {summary}.", notes), workers)


class _Generator:
    """Collects classes, and what they need."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._names = Names(frozenset(HOMES) | {"Iterator", "Session", "logger", "logging"})
        self._code = OptionsCode(self._names)
        self._code.imports |= {"TYPE_CHECKING", "UserConfiguration", "WorkerContext", *body.names}
        self._code.imports |= {"Element", "ElementsWorker", "Result"}

    def add(self, draft: Draft) -> str:
        content = draft.content
        name = self._names.class_of(content.slug, "Worker", _LONGEST)
        configuration = self._names.class_of(f"{name}Configuration", "Options", _LONGEST)
        names = Names()
        lines = [self._field(option, names) for option in content.configuration]
        lines += [self._constant(key, value, names, "", marked=True) for key, value in draft.constants.items()]
        self._class(configuration, lines or [f'    """The options of {content.slug}: none yet."""'])
        self._worker(name, configuration, content)
        return name

    def _field(self, option: FieldContent, names: Names) -> str:
        name = names.field(option.key)
        if option.type != "group":
            return self._code.leaf(option, name)
        class_name = self._names.class_of(option.key, "Group")
        lines = [self._code.leaf(child, names.field(child.key, name)) for child in option.children]
        self._class(class_name, lines)
        return self._code.group(option, name, class_name)

    def _constant(self, key: str, value: Any, names: Names, prefix: str, *, marked: bool) -> str:
        name = names.field(key, prefix)
        if not isinstance(value, dict) or not value:
            kind = "dict[str, Any]" if isinstance(value, dict) else kind_of(value)
            if "Any]" in kind:
                self._code.imports.add("Any")
            return self._code.constant(key, name, kind, literal(value), marked=marked)
        class_name = self._names.class_of(key, "Constants")
        path = f"{prefix}_{name}" if prefix else name
        lines = [self._constant(inner, item, names, path, marked=False) for inner, item in value.items()]
        self._class(class_name, lines)
        return self._code.constant(key, name, class_name, f"{class_name}()", marked=marked)

    def _class(self, name: str, lines: list[str]) -> None:
        self._code.blocks.append("\n".join([f"class {name}(UserConfiguration):", *lines]))

    def _worker(self, name: str, configuration: str, content: WorkerContent) -> None:
        declared = _declaration(name, content)
        blocks = [_docstring(content)]
        if declared:
            self._code.imports.add("Declaration")
            blocks.append(render(Bracketed("Declaration(", tuple(declared), ")"), 1, before="declaration = "))
        context = f"context: WorkerContext[{configuration}]"
        arguments = ("self", "element: Element", context, "cache: Session")
        signature = Bracketed("def process_element(", arguments, ") -> Iterator[Result]:")
        blocks.append("\n".join([render(signature, 1), *(f"        {line}" for line in self._body.lines)]))
        head = render(Bracketed(f"class {name}(", (f"ElementsWorker[{configuration}]",), "):"))
        self._code.blocks.append(f"{head}\n" + "\n\n".join(blocks))

    def text(self, summary: str, notes: Iterable[str]) -> str:
        uses_logger = any("logger." in line for line in self._body.lines)
        standard = ["import logging"] if uses_logger else []
        comments = [f"# {note}" for note in notes]
        top = [
            f'"""{summary}"""',
            *(["\n".join(["# To be checked by hand:", *comments])] if comments else []),
            "from __future__ import annotations",
            "\n".join([*standard, self._import("typing")]),
            "\n".join(filter(None, (self._import("arkworker"), self._import("pydantic")))),
            "if TYPE_CHECKING:\n    from collections.abc import Iterator\n\n    from sqlalchemy.orm import Session",
            *(["logger = logging.getLogger(__name__)"] if uses_logger else []),
        ]
        return "\n\n\n".join(["\n\n".join(top), *self._code.blocks]) + "\n"

    def _import(self, home: str) -> str:
        names = {name for name in self._code.imports if HOMES[name] == home}
        return imported(home, names) if names else ""


def _declaration(name: str, content: WorkerContent) -> list[str]:
    """What the class and its docstring do not tell."""
    derived = {
        "slug": slug_of(name),
        "display_name": display_name_of(name),
        "type": "worker",
        "description": content.description if _fits_docstring(content.description) else None,
        "gpu_usage": "disabled",
        "model_usage": "disabled",
        "docker_command": None,
        "shm_size": None,
    }
    values = {key: getattr(content, key) for key in derived}
    return [f"{key}={string(value)}" for key, value in values.items() if value != derived[key]]


def _docstring(content: WorkerContent) -> str:
    if not _fits_docstring(content.description):
        return f'    """The worker {content.slug}."""'
    lines = content.description.split("\n")
    indented = [f"    {line}" if line else "" for line in lines[1:]]
    closing = ["    "] if indented else []
    return "\n".join([f'    """{lines[0]}', *indented, *closing]) + '"""'


def _fits_docstring(text: str) -> bool:
    """Whether a docstring gives the text back, and formatters leave it alone."""
    lines = text.split("\n")
    indented = "\n".join([lines[0], *(f"    {line}" if line else "" for line in lines[1:]), ""])
    return (
        all(line.isprintable() and line == line.rstrip() for line in lines)
        and "\\" not in text
        and '"""' not in text
        and text[:1] != '"'
        and text[-1:] != '"'
        and inspect.cleandoc(indented) == text
    )
