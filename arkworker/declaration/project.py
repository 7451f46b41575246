"""A new project around generated code: its test, declaration, image and checks."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from arkworker.declaration.content import FieldContent, WorkerContent
from arkworker.declaration.generation import NOTHING_YET, Body, Draft, generate
from arkworker.declaration.layout import Bracketed, imported, literal, prefixed, render, string
from arkworker.declaration.metadata import label_of, slug_of
from arkworker.declaration.naming import to_ascii
from arkworker.declaration.project_files import (
    CI,
    DOCKERFILE,
    GITIGNORE,
    PRE_COMMIT,
    PYPROJECT,
    README,
    SHAPE_BODY,
    SHAPE_TESTS,
    STANDARD_TESTS,
)
from arkworker.declaration.writing import dump, to_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_COMMAND = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,60}")
_TOLERANCE = "Width and height may differ by this share of the height in a square."
_NIL = "00000000-0000-0000-0000-000000000000"
#: Something to start with, where a worker needs a value and has no default.
_EXAMPLES: dict[str, Any] = {
    "bool": True,
    "int": 1,
    "float": 1.0,
    "string": "text",
    "text": "text",
    "dict": {"name": "text"},
    "model": _NIL,
    "worker_version": _NIL,
    "corpus_export": _NIL,
    "element_type": "page",
    "s3_bucket": "bucket",
}


@dataclass(frozen=True, slots=True)
class _Part:
    """A worker of the project: what it declares, with its console command, and where it is."""

    content: WorkerContent
    command: str
    class_name: str


def new_project(name: str) -> dict[str, str]:
    """The files of a project with a small worker that works, by their paths.

    Args:
        name: Of the project; becomes its slug.
    """
    slug = _slug_of_project(name)
    content = WorkerContent(
        slug,
        label_of(slug.replace("-", "_")),
        "classifier",
        "Tell the shape of pages: portrait, landscape or square.",
        configuration=(FieldContent("tolerance", "Tolerance", "float", help_text=_TOLERANCE, default=0.05),),
    )
    return _files(slug, [Draft(content)], (), SHAPE_BODY, SHAPE_TESTS)


def project_from(name: str, drafts: Sequence[Draft], notes: Iterable[str]) -> dict[str, str]:
    """The files of a project for workers that are declared already."""
    return _files(_slug_of_project(name), drafts, notes)


def _slug_of_project(name: str) -> str:
    return slug_of(re.sub(r"[^0-9A-Za-z]+", "_", to_ascii(name)))


def _files(
    slug: str, drafts: Sequence[Draft], notes: Iterable[str], body: Body = NOTHING_YET, own_tests: str = ""
) -> dict[str, str]:
    package = "worker_" + slug.replace("-", "_").removeprefix("worker_")
    commands = _commands(drafts)
    # The project says the command, so that code need not say it again.
    in_code = [_without_command(draft, command) for draft, command in zip(drafts, commands, strict=True)]
    module = generate(in_code, notes, body)
    parts = [
        _Part(_with_command(draft.content, command), command, class_name)
        for draft, command, class_name in zip(drafts, commands, module.workers, strict=True)
    ]
    values = _values(package, parts)
    files = {
        f"{package}/__init__.py": "",
        f"{package}/worker.py": module.text,
        "tests/test_standards.py": _filled(STANDARD_TESTS, values),
        "pyproject.toml": _filled(PYPROJECT, values),
        "Dockerfile": _filled(DOCKERFILE, values),
        ".dockerignore": ".git\n.venv\n__pycache__\n",
        ".gitignore": GITIGNORE,
        ".gitlab-ci.yml": CI,
        ".pre-commit-config.yaml": _filled(PRE_COMMIT, values),
        "README.md": _filled(README, values),
    }
    if own_tests:
        files["tests/test_worker.py"] = _filled(own_tests, values)
    for part in parts:
        files |= _files_of(part.content)
    return files


def _values(package: str, parts: Sequence[_Part]) -> dict[str, str]:
    """What the templates name, by its name."""
    first = parts[0]
    hooks = (
        f"          python -m arkworker schema {package}.worker:{part.class_name} "
        f"--check arkindex/{part.content.slug}.yml"
        for part in parts
    )
    return {
        "name": package.replace("_", "-"),
        "package": package,
        "command": first.command,
        "target": f"{package}.worker:{first.class_name}",
        "first": first.content.slug,
        "scripts": "\n".join(f'{part.command} = "{package}.worker:{part.class_name}.main"' for part in parts),
        "hooks": " &&\n".join(hooks),
        "class": first.class_name,
        "imports": imported(f"{package}.worker", [part.class_name for part in parts]),
        "workers": _workers(parts),
        "tests": "\n".join(map(_standard_tests, parts)),
    }


def _files_of(worker: WorkerContent) -> dict[str, str]:
    """The declaration of a worker, a configuration to start with, and an emulated Arkindex to try it on."""
    return {
        f"arkindex/{worker.slug}.yml": to_yaml(worker),
        f"config/{worker.slug}.yml": dump(_examples(worker.configuration, "env:SECRET")),
        f"desk/{worker.slug}.yml": dump(_desk(worker)),
    }


def _filled(template: str, values: dict[str, str]) -> str:
    """The template, with `@name@` replaced."""
    return re.sub(r"@([a-z]+)@", lambda found: values[found.group(1)], template)


def _commands(drafts: Sequence[Draft]) -> list[str]:
    commands: list[str] = []
    for draft in drafts:
        declared = draft.content.docker_command or ""
        usual = declared if _COMMAND.fullmatch(declared) else f"worker-{draft.content.slug.strip('-_')[:60] or 'main'}"
        commands.append(usual if usual not in commands else f"{usual}-{len(commands) + 1}")
    return commands


def _without_command(draft: Draft, command: str) -> Draft:
    if draft.content.docker_command not in (None, command):
        return draft
    return replace(draft, content=replace(draft.content, docker_command=None))


def _with_command(content: WorkerContent, command: str) -> WorkerContent:
    return content if content.docker_command is not None else replace(content, docker_command=command)


def _workers(parts: Sequence[_Part]) -> str:
    pairs = [Bracketed("(", (part.class_name, string(part.content.slug)), ")") for part in parts]
    return render(Bracketed("[", tuple(pairs), "]"), before="WORKERS = ")


def _standard_tests(part: _Part) -> str:
    """The tests of one worker, with the values that it cannot do without."""
    needed = [option for option in part.content.configuration if _has_need(option)]
    values = _examples(needed, "a secret of the tests")
    given = (prefixed("config=", literal(values)),) if values else ()
    declaration = f"declaration={string(f'arkindex/{part.content.slug}.yml')}"
    call = Bracketed("standard_tests(", (part.class_name, *given, declaration), ")")
    return render(call, before=f"Test{part.class_name} = ")


def _has_need(field: FieldContent) -> bool:
    return any(map(_has_need, field.children)) or (field.required and field.default is None)


def _desk(content: WorkerContent) -> dict[str, Any]:
    """An emulated Arkindex: two pages that are drawn, and a worker run."""
    pages = [{"name": "Letter", "size": [1000, 1400]}, {"name": "Map", "size": [1400, 1000]}]
    values: dict[str, Any] = {}
    for key, value in _examples(content.configuration, "SECRET").items():
        values |= {f"{key}.{name}": item for name, item in value.items()} if _is_group(content, key) else {key: value}
    described = {"corpus": "Desk", "elements": pages, "worker": f"../arkindex/{content.slug}.yml", "values": values}
    return described | ({"secrets": {"SECRET": "text"}} if "SECRET" in values.values() else {})


def _is_group(content: WorkerContent, key: str) -> bool:
    return any(field.key == key and field.type == "group" for field in content.configuration)


def _examples(fields: Iterable[FieldContent], secret: str) -> dict[str, Any]:
    """A value for each option that has a default or needs a value; `secret` for those that are one."""
    found: dict[str, Any] = {}
    for field in fields:
        if field.type == "group":
            inner = _examples(field.children, secret)
            found |= {field.key: inner} if inner else {}
        elif field.default is not None:
            found[field.key] = field.default
        elif field.required and field.editable:
            value = field.choices[0] if field.type == "enum" else {**_EXAMPLES, "secret": secret}[field.type]
            found[field.key] = [value] if field.many else value
    return found
