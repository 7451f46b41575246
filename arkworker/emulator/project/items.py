"""What the file of a project can hold."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from arkworker.emulator.faults import EffectName, Fault, check_operation
from arkworker.emulator.resources import operation_names
from arkworker.emulator.resources.results import NewFact
from arkworker.emulator.values import (  # noqa: TC001 - pydantic reads them
    Angle,
    Confidence,
    Id,
    Name,
    Number,
    Orientation,
    Ring,
    Slug,
    Text,
)

if TYPE_CHECKING:
    from arkworker.emulator.faults import Faults
from arkworker.emulator.project.source import Loc, Source

Length = Annotated[int, Field(gt=0, le=20_000)]


def _color(value: Any) -> Any:
    """Six digits; what has no letter among them is a number for YAML."""
    text = str(value).removeprefix("#")
    if isinstance(value, bool | float) or not re.fullmatch("[0-9a-fA-F]{6}", text):
        raise ValueError("a colour is six hexadecimal digits, in quotes: '1f77b4'")
    return text


Color = Annotated[str, BeforeValidator(_color)]


class Part(BaseModel):
    """A part of the file: unknown keys are mistakes of the person who wrote it.

    Attributes:
        main: The key whose value alone may be written in the place of the part.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    main: ClassVar[str] = ""
    _loc: Loc = PrivateAttr(())

    def __init_subclass__(cls, main: str = "", **options: Any) -> None:
        cls.main = main
        super().__init_subclass__(**options)

    @model_validator(mode="before")
    @classmethod
    def expand(cls, value: Any) -> Any:
        """Read `slug` as `{slug: slug}`."""
        return value if isinstance(value, dict) or not cls.main else {cls.main: value}

    def at(self, loc: Loc) -> Self:
        """Itself, which stands there in the file."""
        self._loc = loc
        return self

    def place(self, *keys: str | int) -> Loc:
        """Where it stands in the file, or what is in it below these keys."""
        return (*self._loc, *keys)


def _words(value: Any) -> Any:
    return shlex.split(value) if isinstance(value, str) else value


class TypeItem(Part, main="slug"):
    slug: Slug
    name: str = ""
    folder: bool = False
    color: Color | None = None


class EntityTypeItem(Part, main="name"):
    name: Name
    color: Color | None = None


class RunName(Part, main="name"):
    """A worker run of the past, which signed what is there; others name it in `worker_run`."""

    name: str
    id: Id | None = None


class Result(Part):
    """What is on an element; without a `worker_run`, a person entered it."""

    worker_run: str | None = None


class EntityItem(Result):
    type: Name
    offset: int = Field(ge=0)
    length: int = Field(gt=0)
    confidence: Confidence | None = None


class TranscriptionItem(Result, main="text"):
    text: Text
    id: Id | None = None
    confidence: Confidence | None = None
    orientation: Orientation = "horizontal-lr"
    entities: list[EntityItem] = []


class ClassificationItem(Result, main="name"):
    name: Name
    confidence: Confidence = 1.0


class MetadataItem(NewFact, Result):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    type: Literal["text", "markdown", "date", "location", "reference", "numeric", "url"] = "text"


class EmbeddingItem(Result, main="value"):
    value: list[Number] = Field(min_length=1)


class ElementItem(Result):
    """An element, or `count` of them alike.

    Attributes:
        image: A file beside the project's.
        url: The address of an image on a IIIF server, whose `size` must be given.
        size: Width and height of a page that is drawn.
        worker_run: The run that made it.
    """

    name: str = ""
    id: Id | None = None
    type: Slug = "page"
    image: str | None = None
    url: str | None = Field(None, pattern=r"^https?://[^\s?#]+$")
    size: tuple[Length, Length] | None = None
    polygon: Ring | None = None
    count: int = Field(1, ge=1, le=100_000)
    rotation_angle: Angle = 0
    mirrored: bool = False
    confidence: Confidence | None = None
    transcriptions: list[TranscriptionItem] = []
    classifications: list[ClassificationItem] = []
    metadata: list[MetadataItem] = []
    embeddings: list[EmbeddingItem] = []
    children: list[ElementItem] = []

    @model_validator(mode="after")
    def check(self) -> ElementItem:
        """One kind of pixels, and one id for one element."""
        if self.url is not None and self.size is None:
            raise ValueError("an image elsewhere needs its size: [width, height]")
        if self.image is not None and (self.size is not None or self.url is not None):
            raise ValueError("image, or url and size: an element gets its pixels from one place")
        if self.id is not None and self.count > 1:
            raise ValueError("several elements cannot have one id")
        return self

    @property
    def is_plain(self) -> bool:
        """Whether nothing but its name tells it from its likes."""
        special = {"children", "polygon", "transcriptions", "classifications", "metadata", "embeddings"}
        return not (self.model_fields_set & (special | {"rotation_angle", "mirrored", "confidence", "worker_run"}))


class ModelItem(Part, main="name"):
    """A model with a version.

    Attributes:
        id: Of the model, which options of the type `model` refer to.
        version: The tag of its version.
        version_id: The id of its version.
        files: A folder beside the project's file, which the worker finds as its model.
    """

    name: str = "Model"
    id: Id | None = None
    version: str | None = None
    version_id: Id | None = None
    configuration: dict[str, Any] = {}
    files: str | None = None


class ParentItem(Part, main="files"):
    """A task that has ended, whose files the worker's task finds.

    Attributes:
        files: A file, or a folder with files, beside the project's.
        cache: A cache, under whatever name, that is left as `db.sqlite`.
    """

    slug: Slug = "parent"
    files: str | None = None
    cache: str | None = None


class DatasetItem(Part):
    sets: dict[Name, list[str]]
    id: Id | None = None
    description: str = ""

    @model_validator(mode="before")
    @classmethod
    def expand(cls, value: Any) -> Any:
        """Read `{train: […]}` as `{sets: {train: […]}}`."""
        is_short = isinstance(value, dict) and not isinstance(value.get("sets"), dict)
        return {"sets": value} if is_short else value


class ExportItem(Part, main="name"):
    """An export that is done: of the corpus, or of a dataset."""

    name: str
    id: Id | None = None
    dataset: str | None = None


_ALWAYS_ACTED = ("cut", "slow", "malformed")
# The effects that an option of a fault has a meaning for.
_TAKERS: dict[str, tuple[str, ...]] = {
    "acted": ("delay", "answer", "close", "reset"),
    "seconds": ("delay", "slow"),
    "status": ("answer",),
    "retry_after": ("answer",),
}


class FaultItem(Part):
    """A fault on demand, in words: see `Fault` and `Faults.add`."""

    operation: str
    effect: EffectName
    acted: bool = False
    seconds: float = Field(0.0, ge=0)
    status: int = Field(503, ge=200, le=599)
    retry_after: str | None = None
    times: int | None = Field(None, ge=0)
    skip: int = Field(0, ge=0)
    rate: float = Field(1.0, ge=0, le=1)
    seed: int = 0

    @field_validator("operation")
    @classmethod
    def check_operation(cls, name: str) -> str:
        """A misspelt operation would never come."""
        check_operation(name, operation_names())
        return name

    @field_validator("acted", "seconds", "status", "retry_after")
    @classmethod
    def check_option(cls, value: Any, info: ValidationInfo) -> Any:
        """Only what is written comes here, and would have no effect with some effects."""
        effect = info.data.get("effect")  # absent where it is mistaken itself
        takers = _TAKERS[info.field_name or ""]
        if effect in takers or effect is None or (value is True and effect in _ALWAYS_ACTED):
            return value
        raise ValueError(f"{effect} has no such option; {', '.join(takers)} {'have' if takers[1:] else 'has'}")

    @model_validator(mode="after")
    def check_seconds(self) -> Self:
        """What takes no time is not slow."""
        if self.effect in _TAKERS["seconds"] and not self.seconds:
            raise ValueError(f"{self.effect} needs seconds=, more than 0")
        return self

    def fault(self) -> Fault:
        if self.effect == "expired_token":
            return Fault.expired_token()
        if self.effect == "answer":
            return Fault.answer(self.status, acted=self.acted, retry_after=self.retry_after)
        acted = self.acted or self.effect in _ALWAYS_ACTED
        return Fault(self.effect, acted, self.seconds)

    def add_to(self, faults: Faults) -> None:
        """Put it in force."""
        rule = self.model_dump(include={"times", "skip", "rate", "seed"})
        faults.add(self.operation, self.fault(), **rule)


class RunItem(Part):
    """A worker, and what it works on.

    Attributes:
        worker: `file.py:Name` or `module:Name`; or a declaration file; or the declaration itself.
        command: What `serve` runs.
        values: What users saved for the worker's options; options of groups as mappings or as `group.name`.
        mode: Of the process; `dataset` works on `sets`.
        sets: `Dataset/set`, or `Dataset` for all of its sets; all there are, unless some are named.
        queue: The type of the elements to work on; by default all whose type is not a folder.
        chunks: How many tasks share the queue.
        jobs: Given to the command as `--jobs`.
        model: The model that the run has: the name of one of `models`, or the model itself.
        parents: Tasks that ended before, with their files.
        cache: Whether the worker finds a first cache, which is empty, as the platform once made one.
    """

    worker: Any = None
    command: Annotated[list[str] | None, BeforeValidator(_words)] = Field(None, min_length=1)
    values: dict[str, Any] | None = None
    mode: Literal["workers", "dataset", "export"] = "workers"
    sets: list[str] = []
    queue: Slug | None = None
    chunks: int = Field(1, ge=1, le=100)
    jobs: int | None = Field(None, ge=1)
    model: ModelItem | None = None
    parents: list[ParentItem] = []
    cache: bool = False
    run_id: Id | None = None

    @field_validator("worker")
    @classmethod
    def check_worker(cls, worker: Any) -> Any:
        """Text or a mapping."""
        if worker is not None and not isinstance(worker, str | dict):
            raise ValueError("worker is file.py:Name, or the name of a declaration file, or the declaration itself")
        return worker


class Project(RunItem):
    """The whole file: a corpus, and one worker; or several `workers`, one after the other.

    Attributes:
        corpus: The name of the corpus.
        corpus_id: Its id.
        types: Its element types; those that elements have need not be named.
        classes: Names of its classes; those that elements have need not be named.
        entity_types: Those of entities that are there need not be named.
        images: A folder beside the file: each image in it is a page, each folder in it a volume.
        elements: Further elements.
        runs: Worker runs of the past.
        models: Models that options and runs refer to by name.
        workers: Run one after the other; each finds what those before it left.
        secrets: Their contents by their names.
        datasets: Names of elements, by the names of dataset and set.
        exports: Of the corpus, or of a dataset.
    """

    corpus: str = "Corpus"
    corpus_id: Id | None = None
    edition: Literal["enterprise", "community"] = "enterprise"
    types: list[TypeItem] = []
    classes: list[Name] = []
    entity_types: list[EntityTypeItem] = []
    images: str | None = None
    elements: list[ElementItem] = []
    runs: list[RunName] = []
    models: list[ModelItem] = []
    workers: list[RunItem] = []
    secrets: dict[str, str] = {}
    datasets: dict[Name, DatasetItem] = {}
    exports: list[ExportItem] = []
    faults: list[FaultItem] = []

    _source: Source | None = PrivateAttr(None)

    @model_validator(mode="after")
    def check_workers(self) -> Project:
        """One way to say what is run."""
        both = self.model_fields_set & RunItem.model_fields.keys()
        if self.workers and both:
            raise ValueError(f"give {min(both)} for each of the workers, or once without `workers`, not both")
        return self

    @property
    def source(self) -> Source:
        """Where it is written."""
        return self._source or Source(Path())
