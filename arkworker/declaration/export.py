"""From a worker's configuration in code, and the project it lies in, to its declaration on Arkindex."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticUndefined, to_jsonable_python

from arkworker.declaration.content import FieldContent, WorkerContent, to_yaml
from arkworker.declaration.expression import Expression, InexpressibleError, express, rules_of
from arkworker.declaration.metadata import NotDeclared, NotEditable, Required, display_name_of, label_of, slug_of
from arkworker.declaration.rules import validate
from arkworker.declaration.vocabulary import VALUE_TYPES
from arkworker.documents.text_file import TextFile
from arkworker.errors import ConfigurationError, Problem
from arkworker.options.options import Group, Option, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from arkworker.declaration.metadata import Declaration, FormRule


SOURCE = "code of the worker"
_OFF = "give it a default and annotate it with NotDeclared to keep it off Arkindex"


def export(
    model: type[BaseModel] | None, declaration: Declaration, *, name: str, description: str, command: str | None
) -> WorkerContent:
    """What the declaration file of a worker says.

    Args:
        model: Its configuration; None for a free mapping.
        declaration: What its author says of it.
        name: Of its class or function.
        description: Its docstring, without indentation; may be empty.
        command: Its console command, where it has one.

    Raises:
        ConfigurationError: With every option that Arkindex has no words for.
    """
    exporter = _Exporter(model)
    display_name = declaration.display_name or display_name_of(name)
    content = WorkerContent(
        slug=declaration.slug or slug_of(name),
        display_name=display_name,
        type=declaration.type,
        description=(declaration.description or description).strip() or display_name,
        gpu_usage=declaration.gpu_usage,
        model_usage=declaration.model_usage,
        docker_command=command if declaration.docker_command is None else declaration.docker_command,
        shm_size=declaration.shm_size,
        configuration=tuple(exporter.fields()) if model else (),
    )
    problems = exporter.problems or validate(TextFile("the declaration", to_yaml(content)))
    if problems:
        raise ConfigurationError(problems)
    return content


class _Exporter:
    """The options of one model as fields, and what cannot be one."""

    def __init__(self, model: type[BaseModel] | None) -> None:
        self.problems: list[Problem] = []
        self._model = model
        self._parts = list(walk(model)) if model else []

    def fields(self) -> Iterator[FieldContent]:
        for part in self._parts:
            if len(part.keys) == 1 and not self._is_hidden(part):
                field = self._group(part) if isinstance(part, Group) else self._option(part)
                if field is not None:
                    yield field

    def _refuse(self, part: Option | Group, message: str, hint: str) -> None:
        location = f"{self._model.__name__ if self._model else ''}.{part.name}"
        self.problems.append(Problem(f"config.{part.name}", SOURCE, location, message, hint))

    def _is_hidden(self, part: Option | Group) -> bool:
        if NotDeclared not in _rules(part):
            return False
        if part.field.is_required():
            self._refuse(part, "is not declared, so that Arkindex gives it no value", "give it a default")
        return True

    def _group(self, group: Group) -> FieldContent | None:
        if _rules(group):
            self._refuse(group, "a group on Arkindex is neither required nor fixed", "annotate the options in it")
        below = [part for part in self._parts if part.keys[:-1] == group.keys and not self._is_hidden(part)]
        # Where the group may be left out as a whole, so may each option in it.
        relaxed = group.accepts_null or not group.field.is_required()
        children = [field for part in below if (field := self._child(part, relaxed=relaxed))]
        if not below:
            self._refuse(group, "a group on Arkindex holds one option or more", f"remove it, or {_OFF}")
        return FieldContent(
            group.keys[-1],
            group.field.title or label_of(group.keys[-1]),
            "group",
            help_text=group.field.description or "",
            children=tuple(children),
        )

    def _child(self, part: Option | Group, *, relaxed: bool) -> FieldContent | None:
        if isinstance(part, Option):
            return self._option(part, relaxed=relaxed)
        self._refuse(part, "a group on Arkindex cannot hold a group", f"move it up by one level, or {_OFF}")
        return None

    def _option(self, option: Option, *, relaxed: bool = False) -> FieldContent | None:
        try:
            expression = express(option.annotation)
            default = _default(option, expression)
        except InexpressibleError as error:
            self._refuse(option, error.reason, error.hint)
            return None
        rules = _rules(option)
        is_open = option.default is PydanticUndefined and not relaxed and NotEditable not in rules
        return FieldContent(
            option.keys[-1],
            option.field.title or label_of(option.keys[-1]),
            expression.type,
            help_text=_help_text(option, expression),
            default=default if expression.type in VALUE_TYPES or default == [] else None,
            many=expression.many,
            editable=NotEditable not in rules,
            required=is_open or Required in rules,
            choices=expression.choices,
        )


def _rules(part: Option | Group) -> frozenset[FormRule]:
    on_field = frozenset(rule for rule in (NotEditable, Required, NotDeclared) if rule in part.field.metadata)
    return on_field | rules_of(part.annotation if isinstance(part, Option) else part.field.annotation)


def _default(option: Option, expression: Expression) -> Any:
    """The default as the file has it. A secret in code is not exported."""
    if option.default is PydanticUndefined or option.default is None or expression.type == "secret":
        return None
    value = to_jsonable_python(option.default, by_alias=True)
    if isinstance(option.default, (set, frozenset)):
        value = sorted(value)
    if expression.type == "float":
        return list(map(float, value)) if expression.many else float(value)
    return _texts(value) if expression.type == "dict" else value


def _texts(value: dict[str, Any]) -> dict[str, str]:
    if None in value.values():
        raise InexpressibleError("a dict on Arkindex holds text, and no null", "leave it out of the default")
    words = {True: "true", False: "false"}
    return {key: words[item] if isinstance(item, bool) else str(item) for key, item in value.items()}


def _help_text(option: Option, expression: Expression) -> str:
    """The description, then what the form cannot check or show."""
    description = option.field.description or ""
    limits = ", ".join(expression.limits)
    sentences = [f"{limits[0].upper()}{limits[1:]}."] if limits else []
    default = _default(option, expression)
    if expression.type not in (*VALUE_TYPES, "secret") and default and not option.accepts_null:
        sentences.append(f"When left empty: {', '.join(default) if isinstance(default, list) else default}.")
    if description and sentences and description[-1].isalnum():
        description += "."
    separator = "\n\n" if "\n" in description.strip() else " "
    return separator.join(filter(None, (description, " ".join(sentences))))


def console_command(worker: type[Any]) -> str | None:
    """The name in `[project.scripts]` of the nearest `pyproject.toml` whose object is the worker's `main`.

    Looked up in the project, not in what is installed, so that the answer is the same for everybody.
    """
    source = getattr(sys.modules.get(worker.__module__), "__file__", None)
    if source is None:
        return None
    file = Path(source).resolve()
    project = next((folder for folder in file.parents if (folder / "pyproject.toml").is_file()), None)
    if project is None:
        return None
    commands = [name for name, target in _scripts(project).items() if _is_main(target, worker, file)]
    return min(commands, default=None)


def _scripts(project: Path) -> dict[str, str]:
    try:
        table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
    project_table = table.get("project")
    scripts = project_table.get("scripts") if isinstance(project_table, dict) else None
    scripts = scripts if isinstance(scripts, dict) else {}
    return {name: target for name, target in scripts.items() if isinstance(target, str)}


def _is_main(target: str, worker: type[Any], file: Path) -> bool:
    """Whether `package.module:Worker.main`, or a name for it in the module, leads to this worker in this file."""
    module, _, attributes = target.partition(":")
    parts = tuple(module.strip().split("."))
    if file.with_suffix("").parts[-len(parts) :] != parts and (*file.parent.parts[-len(parts) :],) != parts:
        return False
    found: Any = sys.modules[worker.__module__]
    for name in attributes.strip().split("."):
        found = getattr(found, name, None)
    return getattr(found, "__self__", None) is worker and getattr(found, "__name__", "") == "main"
