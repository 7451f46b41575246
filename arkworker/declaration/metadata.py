"""What a worker's author declares for Arkindex: about the worker itself, and about an option beyond its Python type.

```python
class Configuration(UserConfiguration):
    target: Model
    prompt: Text = "Read this page."
    language: Annotated[str, NotEditable] = "fr"
    padding: Annotated[int | None, NotEditable] = None  # the model version gives it
```
"""

from __future__ import annotations

import enum
import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, TypeAlias
from uuid import UUID

from arkworker.declaration import vocabulary
from arkworker.errors import DeclarationError

Usage: TypeAlias = Literal["disabled", "supported", "required"]

_BREAK = re.compile("(?<=l)(?=u)|(?<=u)(?=ul)|(?<=[lu])(?=d)|(?<=d)(?=[lu])|_+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Declaration:
    """What Arkindex knows of a worker besides its options; anything left out follows from the class.

    Attributes:
        slug: What identifies the worker; from its name: `page-lines` for `PageLines`.
        display_name: What users see; from its name: `Page lines`.
        type: A free category, such as `dla` or `recognizer`.
        description: Markdown; the docstring of the worker.
        gpu_usage: Whether the worker can, or must, have a GPU.
        model_usage: Whether users can, or must, choose a model.
        docker_command: The command line of the container; the console command of the worker in `pyproject.toml`, where
            there is one, else that of the image.
        shm_size: The size of `/dev/shm`, such as `512m` or `8g`; Docker's default is `64m`.

    Raises:
        DeclarationError: Arkindex would refuse it.
    """

    slug: str | None = None
    display_name: str | None = None
    type: str = "worker"
    description: str | None = None
    gpu_usage: Usage = "disabled"
    model_usage: Usage = "disabled"
    docker_command: str | None = None
    shm_size: str | None = None

    def __post_init__(self) -> None:
        if self.slug is not None and not vocabulary.SLUG.fullmatch(self.slug):
            raise DeclarationError(
                f"Declaration(slug={self.slug!r}): 1 to 100 letters without accents, digits, - and _"
            )
        if self.shm_size is not None and not vocabulary.SHM_SIZE.fullmatch(self.shm_size):
            raise DeclarationError(f"Declaration(shm_size={self.shm_size!r}): write it like 512m or 8g")
        for name in ("gpu_usage", "model_usage"):
            if getattr(self, name) not in vocabulary.USAGES:
                raise DeclarationError(f"Declaration({name}=…): one of {', '.join(vocabulary.USAGES)}")


class Control(NamedTuple):
    """The type of a field in the declaration file, where the Python type alone does not tell it."""

    type: str


class FormRule(enum.Enum):
    """Who may set an option on Arkindex; written in `Annotated`."""

    NOT_EDITABLE = "not editable"
    REQUIRED = "required"
    NOT_DECLARED = "not declared"


#: Users see the option and cannot change it: the value is its default or, where that is null, the model version's.
NotEditable = FormRule.NOT_EDITABLE
#: Users must give a value although there is a default.
Required = FormRule.REQUIRED
#: Arkindex does not know the option: it keeps its default there, and can be set in developer mode.
NotDeclared = FormRule.NOT_DECLARED

#: Text with several lines.
Text: TypeAlias = Annotated[str, Control("text")]
#: The id of a model.
Model: TypeAlias = Annotated[UUID, Control("model")]
#: The id of a worker version.
WorkerVersion: TypeAlias = Annotated[UUID, Control("worker_version")]
#: The slug of a type of element in the project.
ElementType: TypeAlias = Annotated[str, Control("element_type")]
#: The id of an export of the project.
CorpusExport: TypeAlias = Annotated[UUID, Control("corpus_export")]
#: A bucket, as Arkindex names it.
S3Bucket: TypeAlias = Annotated[str, Control("s3_bucket")]


def words_of(name: str) -> list[str]:
    """The words of a Python name: `PageLines` and `page_lines` have two."""
    kinds = "".join("d" if c.isdigit() else "u" if c.isupper() else "_" if c == "_" else "l" for c in name)
    bounds = [0, *(edge for found in _BREAK.finditer(kinds) for edge in found.span()), len(name)]
    return [word for start, end in pairwise(bounds) if (word := name[start:end].strip("_"))]


def slug_of(name: str) -> str:
    """`page-lines` for `PageLines`."""
    plain = unicodedata.normalize("NFKD", "-".join(words_of(name)).lower()).encode("ascii", "ignore").decode()
    return plain[: vocabulary.LONGEST_NAME].strip("-") or "worker"


def display_name_of(name: str) -> str:
    """`Page lines` for `PageLines`; capitals in a row stay."""
    words = [word if word.isupper() and len(word) > 1 else word.lower() for word in words_of(name)]
    return label_of("_".join(words))[: vocabulary.LONGEST_NAME] or "Worker"


def label_of(key: str) -> str:
    """`Batch size` for `batch_size`."""
    text = key.replace("_", " ").strip()
    return text[:1].upper() + text[1:] if text else key
