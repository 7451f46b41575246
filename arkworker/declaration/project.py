"""A new project around generated code: its test, declaration, image and checks."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from arkworker.declaration.content import FieldContent, WorkerContent
from arkworker.declaration.generation import Draft, generate
from arkworker.declaration.layout import Bracketed, render, string
from arkworker.declaration.metadata import label_of, slug_of
from arkworker.declaration.project_files import (
    CI,
    DOCKERFILE,
    GITIGNORE,
    GREETING_BODY,
    GREETING_TEST,
    PRE_COMMIT,
    PYPROJECT,
    README,
    TESTS,
)
from arkworker.declaration.writing import dump, to_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_COMMAND = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,60}")
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
    "secret": "env:SECRET",
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
    slug = slug_of(re.sub(r"[^0-9A-Za-z]+", "_", name))
    content = WorkerContent(
        slug,
        label_of(slug.replace("-", "_")),
        "worker",
        "Write a greeting to the working directory.",
        configuration=(
            FieldContent("greeting", "Greeting", "string", help_text="What to write.", default="Hello"),
            FieldContent("times", "Times", "int", help_text="How often.", default=1),
        ),
    )
    return _files(slug, [Draft(content)], (), GREETING_BODY, GREETING_TEST)


def project_from(name: str, drafts: Sequence[Draft], notes: Iterable[str]) -> dict[str, str]:
    """The files of a project for workers that are declared already."""
    return _files(slug_of(re.sub(r"[^0-9A-Za-z]+", "_", name)), drafts, notes, (), "")


def _files(
    slug: str, drafts: Sequence[Draft], notes: Iterable[str], body: Sequence[str], own_test: str
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
    first = parts[0]
    values = {
        "name": package.replace("_", "-"),
        "package": package,
        "command": first.command,
        "target": f"{package}.worker:{first.class_name}",
        "first": first.content.slug,
        "scripts": "\n".join(f'{part.command} = "{package}.worker:{part.class_name}.main"' for part in parts),
        "hooks": "\n".join(
            f"          python -m arkworker schema {package}.worker:{part.class_name} "
            f"--check arkindex/{part.content.slug}.yml{' &&' if part is not parts[-1] else ''}"
            for part in parts
        ),
        "workers": _workers(package, parts),
    }
    files = {
        f"{package}/__init__.py": "",
        f"{package}/worker.py": module.text,
        "tests/test_worker.py": _filled(TESTS + own_test, values),
        "pyproject.toml": _filled(PYPROJECT, values),
        "Dockerfile": _filled(DOCKERFILE, values),
        ".dockerignore": ".git\n.venv\n__pycache__\n",
        ".gitignore": GITIGNORE,
        ".gitlab-ci.yml": CI,
        ".pre-commit-config.yaml": _filled(PRE_COMMIT, values),
        "README.md": _filled(README, values),
    }
    for part in parts:
        files[f"arkindex/{part.content.slug}.yml"] = to_yaml(part.content)
        files[f"config/{part.content.slug}.yml"] = dump(_examples(part.content.configuration))
    return files


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


def _workers(package: str, parts: Sequence[_Part]) -> str:
    pairs = [
        Bracketed("(", (string(f"{package}.worker:{part.class_name}"), string(part.content.slug)), ")")
        for part in parts
    ]
    return render(Bracketed("[", tuple(pairs), "]"), before="WORKERS = ")


def _examples(fields: Iterable[FieldContent]) -> dict[str, Any]:
    """A value for each option that has a default or needs a value."""
    found: dict[str, Any] = {}
    for field in fields:
        if field.type == "group":
            inner = _examples(field.children)
            found |= {field.key: inner} if inner else {}
        elif field.default is not None:
            found[field.key] = field.default
        elif field.required and field.editable:
            value = field.choices[0] if field.type == "enum" else _EXAMPLES[field.type]
            found[field.key] = [value] if field.many else value
    return found
