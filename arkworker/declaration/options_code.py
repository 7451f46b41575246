"""One option of a declaration as a line of a configuration class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from arkworker.declaration.layout import WIDTH, Bracketed, literal, prefixed, render, string, width
from arkworker.declaration.metadata import label_of

if TYPE_CHECKING:
    from arkworker.declaration.content import FieldContent
    from arkworker.declaration.layout import Part
    from arkworker.declaration.naming import Names

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


class OptionsCode:
    """Writes options.

    Attributes:
        imports: The names of `HOMES` that the code needs.
        blocks: Classes, and types that have a name because they are long, in the order in which they are needed.
    """

    def __init__(self, class_names: Names) -> None:
        self.imports: set[str] = set()
        self.blocks: list[str] = []
        self._class_names = class_names

    def leaf(self, field: FieldContent, name: str) -> str:
        """A field that is no group."""
        is_open = field.required and field.editable and field.default is None
        kind = self._kind(field)
        rules = [rule for rule, applies in self._rules(field, is_open=is_open) if applies]
        self.imports.update(rules)
        nullable = field.default is None and not is_open
        marked = self._marked(kind, rules, nullable=nullable)
        if field.type == "enum" and width(f"    {name}: ") + width(marked) + width(" = Field(") > WIDTH:
            marked = self._marked(self._named(field), rules, nullable=nullable)
        return self._field(name, field, marked, None if is_open else literal(field.default))

    def group(self, field: FieldContent, name: str, class_name: str) -> str:
        """A group, whose class exists already; it has a default where each of its options has one."""
        must_be_given = any(child.required and child.editable and child.default is None for child in field.children)
        return self._field(name, field, class_name, None if must_be_given else f"{class_name}()")

    def constant(self, key: str, name: str, kind: str, value: Part | None, *, marked: bool) -> str:
        """A value that only code can hold; `marked` where Arkindex would otherwise be told."""
        annotation: Part = kind
        if marked:
            self.imports |= {"Annotated", "NotDeclared"}
            annotation = Bracketed("Annotated[", (kind, "NotDeclared"), "]")
        self.imports.update(imported for imported in ("Any",) if kind == imported or f"[{imported}]" in kind)
        arguments = [] if key == name else [f"alias={string(key)}"]
        return self._line(name, annotation, value, arguments, key)

    def _field(self, name: str, field: FieldContent, kind: Part, default: Part | None) -> str:
        arguments = []
        if field.key != name:
            arguments.append(f"alias={string(field.key)}")
        if field.display_name != label_of(field.key):
            arguments.append(f"title={string(field.display_name)}")
        if field.help_text:
            arguments.append(f"description={string(field.help_text)}")
        return self._line(name, kind, default, arguments, field.key)

    def _line(self, name: str, kind: Part, default: Part | None, arguments: list[str], key: str) -> str:
        annotation = render(kind)
        if "\n" in annotation or width(f"    {name}: {annotation} = Field(") > WIDTH:
            alias = self._class_names.class_of(key, "Option")
            self.blocks.append(render(kind, before=f"{alias} = "))
            annotation = alias
        # Lists and dicts are copied by pydantic, which readers and linters only believe of `Field`; and what does not
        # fit its line can stand on its own within the brackets.
        is_wide = default is not None and width(f"    {name}: {annotation} = ") + width(default) > WIDTH
        if arguments or is_wide or isinstance(default, Bracketed):
            self.imports.add("Field")
            given = () if default is None else (prefixed("default=", default),)
            default = Bracketed("Field(", (*given, *arguments), ")")
        before = f"{name}: {annotation}"
        return render(default, 1, before=f"{before} = ") if default is not None else f"    {before}"

    def _kind(self, field: FieldContent) -> str:
        if field.type == "enum":
            self.imports.add("Literal")
            return f"Literal[{', '.join(map(string, field.choices))}]"
        kind = _TYPES[field.type]
        self.imports.update(imported for imported in HOMES if imported == kind.partition("[")[0])
        return f"list[{kind}]" if field.many else kind

    def _named(self, field: FieldContent) -> str:
        """A name for the choices of an enum that does not fit its line."""
        alias = self._class_names.class_of(field.key, "Option")
        choices = Bracketed("Literal[", tuple(map(string, field.choices)), "]")
        self.blocks.append(render(choices, before=f"{alias} = "))
        return alias

    def _rules(self, field: FieldContent, *, is_open: bool) -> tuple[tuple[str, bool], ...]:
        return ("NotEditable", not field.editable), ("Required", field.required and not is_open)

    def _marked(self, kind: str, rules: list[str], *, nullable: bool) -> Part:
        if nullable:
            kind = f"{kind} | None"
        if not rules:
            return kind
        self.imports.add("Annotated")
        return Bracketed("Annotated[", (kind, *rules), "]")


def kind_of(value: Any) -> str:
    """The annotation of plain data that is no mapping with parts."""
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
    return value is None or (isinstance(value, (bool, int, float, str)) and not _is_endless(value))


def _is_endless(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
