"""A project as a person describes it: one YAML file, or a folder of images."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from arkworker.documents.text_file import TextFileError, read_text_file
from arkworker.documents.yaml import Mapping, Node, Sequence, YamlError, parse_yaml, to_python
from arkworker.emulator.faults import Fault
from arkworker.emulator.values import Ring, Slug  # noqa: TC001 - pydantic reads them
from arkworker.errors import ConfigurationError, Problem, UsageError
from arkworker.settings.report.messages import message_of
from arkworker.text import printable

if TYPE_CHECKING:
    from arkworker.emulator.faults import Faults

SOURCE = "project"


class Part(BaseModel):
    """A part of the file: unknown keys are mistakes of the person who wrote it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class TypeItem(Part):
    slug: Slug
    name: str = ""
    folder: bool = False


class ElementItem(Part):
    """An element, or `count` of them alike.

    Attributes:
        image: A file beside the project's.
        size: Width and height of a page that is drawn.
        transcriptions: What a person has entered before.
    """

    name: str = ""
    type: Slug = "page"
    image: str | None = None
    size: tuple[Annotated[int, Field(gt=0, le=20_000)], Annotated[int, Field(gt=0, le=20_000)]] | None = None
    polygon: Ring | None = None
    count: int = Field(1, ge=1, le=100_000)
    rotation_angle: int = Field(0, ge=0, lt=360)
    mirrored: bool = False
    transcriptions: list[str] = Field(default_factory=list)
    children: list[ElementItem] = Field(default_factory=list)


class ModelItem(Part):
    name: str = "Model"
    configuration: dict[str, Any] = Field(default_factory=dict)


class FaultItem(Part):
    """A fault on demand, in words: see `Fault` and `Faults.add`."""

    operation: str
    effect: Literal["delay", "answer", "close", "reset", "cut", "slow", "malformed", "expired_token"]
    acted: bool = False
    seconds: float = Field(0.0, ge=0)
    status: int = Field(503, ge=200, le=599)
    retry_after: str | None = None
    times: int | None = Field(None, ge=0)
    skip: int = Field(0, ge=0)
    rate: float = Field(1.0, ge=0, le=1)
    seed: int = 0

    def fault(self) -> Fault:
        if self.effect == "expired_token":
            return Fault.expired_token()
        if self.effect == "answer":
            return Fault.answer(self.status, acted=self.acted, retry_after=self.retry_after)
        acted = self.acted or self.effect in ("cut", "slow", "malformed")
        return Fault(self.effect, acted, self.seconds)

    def add_to(self, faults: Faults) -> None:
        """Put it in force."""
        rule = self.model_dump(include={"times", "skip", "rate", "seed"})
        faults.add(self.operation, self.fault(), **rule)


def read_fault(text: str) -> FaultItem:
    """A fault as it is written on a command line: `StartWorkerActivity:reset,acted=true,rate=0.3`.

    Raises:
        UsageError: It is none; the message names the part.
    """
    name, colon, rest = text.partition(":")
    effect, *pairs = rest.split(",")
    options = dict(pair.partition("=")[::2] for pair in pairs)
    if not (colon and name.strip()):
        raise UsageError(f"a fault is written OPERATION:EFFECT[,NAME=VALUE…], not {printable(text, 100)!r}")
    try:
        return FaultItem.model_validate({**options, "operation": name.strip(), "effect": effect.strip()})
    except ValidationError as error:
        line = error.errors(include_url=False, include_input=False)[0]
        place = printable(".".join(str(part) for part in line["loc"]), 60)
        raise UsageError(f"fault {printable(text, 100)!r}: {place}: {message_of(line)}") from None


def _named(value: Any) -> Any:
    return {"slug": value} if isinstance(value, str) else value


class Project(Part):
    """The whole file.

    Attributes:
        corpus: The name of the corpus.
        types: Its element types; those that elements have need not be named.
        images: A folder beside the file: each image in it is a page, each folder in it a volume.
        elements: Further elements.
        worker: The declaration of the worker: a file beside this one, or the mapping itself.
        values: What users saved for the worker's options.
        queue: The type of the elements to work on; by default all whose type is no folder.
        secrets: Their contents by their names.
        datasets: Names of elements, by the names of dataset and set.
    """

    corpus: str = "Corpus"
    edition: Literal["enterprise", "community"] = "enterprise"
    types: list[Annotated[TypeItem, BeforeValidator(_named)]] = Field(default_factory=list)
    images: str | None = None
    elements: list[ElementItem] = Field(default_factory=list)
    worker: Any = None
    values: dict[str, Any] | None = None
    queue: Slug | None = None
    chunks: int = Field(1, ge=1, le=100)
    model: ModelItem | None = None
    secrets: dict[str, str] = Field(default_factory=dict)
    datasets: dict[str, dict[str, list[str]]] = Field(default_factory=dict)
    faults: list[FaultItem] = Field(default_factory=list)

    @model_validator(mode="after")
    def check_worker(self) -> Project:
        if self.worker is not None and not isinstance(self.worker, str | dict):
            raise ValueError("worker is the name of a declaration file, or the declaration itself")
        return self


def read_project(path: Path) -> Project:
    """The project that a file or a folder of images describes.

    Raises:
        ConfigurationError: It is missing, or no project; every problem with its place.
    """
    if path.is_dir():
        return Project(corpus=path.resolve().name or "Corpus", images=str(path.resolve()))
    root = read_mapping(path)
    try:
        return Project.model_validate(to_python(root))
    except ValidationError as error:
        lines = error.errors(include_url=False, include_input=False)
        raise ConfigurationError([_problem(path, root, line) for line in lines]) from None


def read_mapping(path: Path) -> Mapping:
    """The mapping that a YAML file holds.

    Raises:
        ConfigurationError: It is missing, no YAML, or something else.
    """
    try:
        root = parse_yaml(read_text_file(str(path)).text)
    except TextFileError as error:
        raise refuse(path, str(error), error.line, error.column, error.hint) from None
    except YamlError as error:
        raise refuse(path, error.message, error.line, error.column, error.hint) from None
    if not isinstance(root, Mapping):
        raise refuse(path, "a mapping is needed, such as `corpus: Letters`")
    return root


def refuse(path: Path, message: str, line: int = 0, column: int = 0, hint: str = "") -> ConfigurationError:
    """One problem of a file as a whole, or at a place in it."""
    place = f"{printable(str(path))}:{line}:{column}" if line else printable(str(path))
    return ConfigurationError([Problem("", SOURCE, place, message, hint)])


def _problem(path: Path, root: Node, line: Any) -> Problem:
    loc = [part for part in line["loc"] if isinstance(part, int | str)]
    node = _find(root, loc)
    place = f"{printable(str(path))}:{node.line}:{node.column}"
    name = printable(".".join(str(part) for part in loc))
    return Problem(name, SOURCE, place, message_of(line))


def _find(node: Node, loc: list[int | str]) -> Node:
    """The node that a path leads to, or the last one on the way."""
    for part in loc:
        if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        elif isinstance(node, Mapping):
            found = [entry.value for entry in node.entries if entry.key.text == part]
            if not found:
                return node
            node = found[0]
        else:
            return node
    return node
