"""A new project around generated code: its test, declaration, image and checks."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from arkworker.declaration.content import FieldContent, WorkerContent, dump, to_yaml
from arkworker.declaration.generation import NOTHING_YET, Draft, generate
from arkworker.declaration.layout import Bracketed, imported, literal, prefixed, render, string, to_ascii
from arkworker.declaration.metadata import label_of, slug_of
from arkworker.errors import UsageError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The files that are much the same for all; each has a template.
_FILES = (
    *("tests/test_standards.py", "pyproject.toml", "Dockerfile", ".dockerignore", ".gitignore", "Makefile"),
    *(".gitlab-ci.yml", ".pre-commit-config.yaml", "README.md"),
)
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


_SHAPE = (
    "box = element.bounding_box",
    "if abs(box.width - box.height) <= context.config.tolerance * box.height:",
    '    shape = "square"',
    "else:",
    '    shape = "landscape" if box.width > box.height else "portrait"',
    'logger.info("%s is %s", element, shape)',
    "yield Classification(class_name=shape, confidence=1.0)",
)
# With a host, as pip requires of it, but for a file.
_ADDRESS = re.compile(r"(((git|hg|svn|bzr)\+[a-z]+|https?)://[^/\s\"'\\]|file:///)[^\s\"'\\]+")
_WHEEL = re.compile(r"arkworker-([^-]+)-.+\.whl")
_INSTALL_GIT = "apt-get update && apt-get install --yes --no-install-recommends git"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the environments of a project get arkworker from; by default from the index of pip.

    Attributes:
        address: Of a repository or a file, as pip takes it.
        wheel: A file that the project keeps a copy of, in `wheels`.
    """

    address: str = ""
    wheel: Path | None = None

    @classmethod
    def of(cls, text: str) -> Origin:
        """What a person names.

        Raises:
            UsageError: It is neither a wheel of arkworker nor an address.
        """
        if _ADDRESS.fullmatch(text):
            return cls(address=text)
        path = Path(text)
        try:
            if _WHEEL.fullmatch(path.name) and path.is_file():
                return cls(wheel=path)
        except (OSError, ValueError):  # no file can have such a name
            pass
        shown = printable(text)
        raise UsageError(f"{shown} is neither a wheel, arkworker-….whl, nor an address like git+https://… or https://…")

    def requirement(self, extra: str) -> str:
        """What a project depends on, as TOML."""
        name = f"arkworker[{extra}]"
        if self.wheel is not None and (found := _WHEEL.fullmatch(self.wheel.name)):
            return string(f"{name}=={found[1]}")
        return string(f"{name} @ {self.address}" if self.address else name)

    def values(self) -> dict[str, str]:
        """What the templates name."""
        is_repository = self.address.startswith("git+")
        return {
            "dependency": self.requirement("image"),
            "testing": self.requirement("testing"),
            "direct": "[tool.hatch.metadata]\nallow-direct-references = true\n\n" if self.address else "",
            "links": "--find-links wheels " if self.wheel else "",
            "wheels": "COPY wheels wheels\n" if self.wheel else "",
            "git": f"RUN {_INSTALL_GIT}\n\n" if is_repository else "",
            "gitstep": f"    - {_INSTALL_GIT}\n" if is_repository else "",
        }


@dataclass(frozen=True, slots=True)
class Project:
    """What a new project is made of.

    Attributes:
        files: The text of each file by its path.
        module: The path of the module that holds the workers.
        workers: The name of each worker's class by its slug.
    """

    files: dict[str, str]
    module: str
    workers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Part:
    """A worker of the project: what it declares, with its console command, and where it is."""

    content: WorkerContent
    command: str
    class_name: str


def new_project(name: str, origin: Origin = Origin()) -> Project:
    """A project with a small worker that works.

    Args:
        name: Of the project; becomes its slug.
        origin: Where it gets arkworker from.
    """
    slug = _slug_of_project(name)
    content = WorkerContent(
        slug,
        label_of(slug.replace("-", "_")),
        "classifier",
        "Tell the shape of pages: portrait, landscape or square.",
        configuration=(FieldContent("tolerance", "Tolerance", "float", help_text=_TOLERANCE, default=0.05),),
    )
    return _project(slug, [Draft(content)], (), origin, _SHAPE)


def project_from(
    name: str,
    drafts: Sequence[Draft],
    notes: Iterable[str],
    origin: Origin = Origin(),
) -> Project:
    """A project for workers that are declared already."""
    return _project(_slug_of_project(name), drafts, notes, origin)


def _slug_of_project(name: str) -> str:
    return slug_of(re.sub(r"[^0-9A-Za-z]+", "_", to_ascii(name)))


def _project(
    slug: str,
    drafts: Sequence[Draft],
    notes: Iterable[str],
    origin: Origin,
    body: tuple[str, ...] = NOTHING_YET,
) -> Project:
    package = "worker_" + slug.replace("-", "_").removeprefix("worker_")
    commands = _commands(drafts)
    # The project says the command, so that code need not say it again.
    in_code = [_without_command(draft, command) for draft, command in zip(drafts, commands, strict=True)]
    module = generate(in_code, notes, body)
    parts = [
        _Part(_with_command(draft.content, command), command, class_name)
        for draft, command, class_name in zip(drafts, commands, module.workers, strict=True)
    ]
    values = _values(package, parts) | origin.values()
    files = {f"{package}/__init__.py": "", f"{package}/worker.py": module.text}
    own_tests = ["tests/test_worker.py"] if body is _SHAPE else []
    files |= {path: _filled(path, values) for path in (*_FILES, *own_tests)}
    for part in parts:
        files |= _files_of(part.content)
    workers = {part.content.slug: part.class_name for part in parts}
    return Project(files, f"{package}/worker.py", workers)


def _values(package: str, parts: Sequence[_Part]) -> dict[str, str]:
    """What the templates name, by its name."""
    first = parts[0]
    written = [
        (f"schema {package}.worker:{part.class_name}", path)
        for part in parts
        for path in (f"arkindex/{part.content.slug}.yml", schema_path(part.content.slug))
    ]
    hooks = (f"          python -m arkworker {verb} --check {path}" for verb, path in written)
    schemas = [f"arkworker {verb} --output {path}" for verb, path in written]
    return {
        "name": package.replace("_", "-"),
        "package": package,
        "command": first.command,
        "target": f"{package}.worker:{first.class_name}",
        "first": first.content.slug,
        "scripts": "\n".join(f'{part.command} = "{package}.worker:{part.class_name}.main"' for part in parts),
        "hooks": " &&\n".join(hooks),
        "schemas": "\n".join(schemas),
        "recipe": "\n".join(f"\t{line}" for line in schemas),
        "class": first.class_name,
        "imports": imported(f"{package}.worker", [part.class_name for part in parts]),
        "workers": _workers(parts),
        "tests": "\n".join(map(_standard_tests, parts)),
    }


def schema_path(slug: str) -> str:
    """The file that tells editors what a worker's configuration may hold."""
    return f"config/{slug}.schema.json"


def _files_of(worker: WorkerContent) -> dict[str, str]:
    """The declaration of a worker, a configuration to start with, and an emulated Arkindex to try it on."""
    modeline = f"# yaml-language-server: $schema={worker.slug}.schema.json\n"
    return {
        f"arkindex/{worker.slug}.yml": to_yaml(worker),
        f"config/{worker.slug}.yml": modeline + dump(_examples(worker.configuration, "env:SECRET")),
        f"desk/{worker.slug}.yml": dump(_desk(worker)),
    }


def _filled(path: str, values: dict[str, str]) -> str:
    """The template of a file, with what it names."""
    name = f"{Path(path).name.removeprefix('.')}.template"
    template = resources.files("arkworker.declaration").joinpath("templates", name).read_text(encoding="utf-8")
    return Template(template).substitute(values)


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
