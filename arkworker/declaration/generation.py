"""From what a declaration says to a Python module: the typed configuration, and a worker to fill in."""

from __future__ import annotations

import ast
import inspect
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arkworker.declaration.layout import WIDTH, Bracketed, Names, imported, literal, prefixed, render, string, width
from arkworker.declaration.metadata import display_name_of, label_of, slug_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from arkworker.declaration.content import FieldContent, WorkerContent
    from arkworker.declaration.layout import Part


#: Where the names come from that generated code uses.
HOMES = {
    **dict.fromkeys(("Annotated", "Any", "Literal", "TYPE_CHECKING"), "typing"),
    "Field": "pydantic",
    **dict.fromkeys(("CorpusExport", "Declaration", "ElementType", "Model", "NotDeclared", "NotEditable"), "arkworker"),
    **dict.fromkeys(("Required", "S3Bucket", "Secret", "Text", "UserConfiguration", "WorkerVersion"), "arkworker"),
    **dict.fromkeys(("Classification", "Element", "ElementsWorker", "Result", "WorkerContext"), "arkworker"),
}
_TYPES = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "string": "str",
    "text": "Text",
    "dict": "dict[str, str]",
    "model": "Model",
    "worker_version": "WorkerVersion",
    "element_type": "ElementType",
    "corpus_export": "CorpusExport",
    "s3_bucket": "S3Bucket",
    "secret": "Secret[str]",
}


def kind_of(value: Any) -> str:
    """The annotation of plain data that is not a mapping with parts."""
    if isinstance(value, list):
        kinds = {kind_of(item) for item in value}
        return f"list[{kinds.pop()}]" if len(kinds) == 1 and not any("[" in kind for kind in kinds) else "list[Any]"
    return type(value).__name__ if isinstance(value, (bool, int, float, str)) else "Any"


def is_plain(value: Any) -> bool:
    """Whether a value from YAML can stand in code as it is."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (bool, int, str))


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


NOTHING_YET = ('raise NotImplementedError("this worker does nothing yet")',)


def generate(drafts: Sequence[Draft], notes: Iterable[str] = (), body: tuple[str, ...] = NOTHING_YET) -> Module:
    """A module with a worker over elements for each draft.

    Args:
        drafts: The workers.
        notes: What is left to do by hand; becomes comments.
        body: What they do: the lines of `process_element`, which may use `logger`.
    """
    generator = _Generator(body)
    workers = tuple(generator.add(draft) for draft in drafts)
    summary = ", ".join(draft.content.slug for draft in drafts)
    return Module(generator.text(f"Worker for Arkindex: {summary}.", notes), workers)


class _Generator:
    """Collects classes, and types that have a name because they are long, in the order in which they are needed."""

    def __init__(self, body: tuple[str, ...]) -> None:
        self._body = body
        self._names = Names(frozenset(HOMES) | {"Iterator", "Session", "logger", "logging"})
        self._blocks: list[str] = []

    def add(self, draft: Draft) -> str:
        content = draft.content
        name = self._names.class_of(content.slug, "Worker", _LONGEST)
        configuration = self._names.class_of(f"{name}Configuration", "Options", _LONGEST)
        names = Names()
        lines = [self._option(option, names) for option in content.configuration]
        lines += [self._constant(key, value, names, "", marked=True) for key, value in draft.constants.items()]
        self._class(configuration, lines or [f'    """The options of {content.slug}: none yet."""'])
        self._worker(name, configuration, content)
        return name

    def _option(self, option: FieldContent, names: Names) -> str:
        name = names.field(option.key)
        if option.type != "group":
            return self._leaf(option, name)
        class_name = self._names.class_of(option.key, "Group")
        self._class(class_name, [self._leaf(child, names.field(child.key, name)) for child in option.children])
        # It has a default where each of its options has one.
        must_be_given = any(child.required and child.editable and child.default is None for child in option.children)
        return self._field(name, option, class_name, None if must_be_given else f"{class_name}()")

    def _leaf(self, field: FieldContent, name: str) -> str:
        is_open = field.required and field.editable and field.default is None
        flags = {"NotEditable": not field.editable, "Required": field.required and not is_open}
        rules = tuple(rule for rule, applies in flags.items() if applies)
        nullable = field.default is None and not is_open
        marked = _marked(_kind(field), rules, nullable=nullable)
        if field.type == "enum" and width(f"    {name}: ") + width(marked) + width(" = Field(") > WIDTH:
            choices = Bracketed("Literal[", tuple(map(string, field.choices)), "]")
            marked = _marked(self._alias(field.key, choices), rules, nullable=nullable)
        return self._field(name, field, marked, None if is_open else literal(field.default))

    def _field(self, name: str, field: FieldContent, kind: Part, default: Part | None) -> str:
        arguments = []
        if field.display_name != label_of(field.key):
            arguments.append(f"title={string(field.display_name)}")
        if field.help_text:
            arguments.append(f"description={string(field.help_text)}")
        return self._line(field.key, name, kind, default, arguments)

    def _constant(self, key: str, value: Any, names: Names, prefix: str, *, marked: bool) -> str:
        """A value that only code can hold; `marked` where it would otherwise be declared on Arkindex."""
        name = names.field(key, prefix)
        default: Part
        if isinstance(value, dict) and value:
            kind = self._names.class_of(key, "Constants")
            path = f"{prefix}_{name}" if prefix else name
            self._class(kind, [self._constant(inner, item, names, path, marked=False) for inner, item in value.items()])
            default = f"{kind}()"
        else:
            kind, default = "dict[str, Any]" if isinstance(value, dict) else kind_of(value), literal(value)
        return self._line(key, name, _marked(kind, ("NotDeclared",) if marked else ()), default, [])

    def _line(self, key: str, name: str, kind: Part, default: Part | None, arguments: list[str]) -> str:
        if key != name:
            arguments = [f"alias={string(key)}", *arguments]
        annotation = render(kind)
        if "\n" in annotation or width(f"    {name}: {annotation} = Field(") > WIDTH:
            annotation = self._alias(key, kind)
        # Lists and dicts are copied by pydantic, which readers and linters only believe of `Field`; and what does not
        # fit its line can stand on its own within the brackets.
        is_wide = default is not None and width(f"    {name}: {annotation} = ") + width(default) > WIDTH
        if arguments or is_wide or isinstance(default, Bracketed):
            given = () if default is None else (prefixed("default=", default),)
            default = Bracketed("Field(", (*given, *arguments), ")")
        before = f"{name}: {annotation}"
        return render(default, 1, before=f"{before} = ") if default is not None else f"    {before}"

    def _alias(self, key: str, kind: Part) -> str:
        """A name for a type that does not fit its line."""
        alias = self._names.class_of(key, "Option")
        self._blocks.append(render(kind, before=f"{alias} = "))
        return alias

    def _class(self, name: str, lines: list[str]) -> None:
        self._blocks.append("\n".join([f"class {name}(UserConfiguration):", *lines]))

    def _worker(self, name: str, configuration: str, content: WorkerContent) -> None:
        declared = _declaration(name, content)
        blocks = [_docstring(content)]
        if declared:
            blocks.append(render(Bracketed("Declaration(", tuple(declared), ")"), 1, before="declaration = "))
        context = f"context: WorkerContext[{configuration}]"
        arguments = ("self", "element: Element", context, "cache: Session")
        signature = Bracketed("def process_element(", arguments, ") -> Iterator[Result]:")
        blocks.append("\n".join([render(signature, 1), *(f"        {line}" for line in self._body)]))
        head = render(Bracketed(f"class {name}(", (f"ElementsWorker[{configuration}]",), "):"))
        self._blocks.append(f"{head}\n" + "\n\n".join(blocks))

    def text(self, summary: str, notes: Iterable[str]) -> str:
        code = "\n\n\n".join(self._blocks)
        nodes = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name))
        used = {node.id for node in nodes if isinstance(node.ctx, ast.Load)} | {"TYPE_CHECKING"}
        homes = {
            home: imported(home, names)
            for home in ("typing", "arkworker", "pydantic")
            if (names := {n for n in used if HOMES.get(n) == home})
        }
        uses_logger = "logger" in used
        standard = ["import logging"] if uses_logger else []
        comments = [f"# {note}" for note in notes]
        top = [
            f'"""{summary}"""',
            *(["\n".join(["# To be checked by hand:", *comments])] if comments else []),
            "from __future__ import annotations",
            "\n".join([*standard, homes.pop("typing")]),
            "\n".join(homes.values()),
            "if TYPE_CHECKING:\n    from collections.abc import Iterator\n\n    from sqlalchemy.orm import Session",
            *(["logger = logging.getLogger(__name__)"] if uses_logger else []),
        ]
        return "\n\n".join(top) + f"\n\n\n{code}\n"


def _kind(field: FieldContent) -> str:
    if field.type == "enum":
        return f"Literal[{', '.join(map(string, field.choices))}]"
    return f"list[{_TYPES[field.type]}]" if field.many else _TYPES[field.type]


def _marked(kind: str, rules: tuple[str, ...], *, nullable: bool = False) -> Part:
    kind = f"{kind} | None" if nullable else kind
    return Bracketed("Annotated[", (kind, *rules), "]") if rules else kind


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
