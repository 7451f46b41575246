"""What Arkindex shows of an option beyond its Python type: which control it gets, and who may set it.

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
from dataclasses import dataclass
from typing import Annotated, TypeAlias
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Control:
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
