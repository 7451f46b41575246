"""The lines of a results file: a header, then one for each element that ended.

JSON Lines, in UTF-8. An element that is there several times ended several times: its last line counts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

from arkworker.documents.json import JsonError, parse_json
from arkworker.elements.recorded import Recorded, RecordedElement, as_target
from arkworker.elements.results import On, Result, Transcription, Update
from arkworker.errors import ResultError
from arkworker.settings.platform import Identifier  # noqa: TC001 - pydantic reads it at run time
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

MOST_LEVELS = 40  # of children in children: more than any reader of JSON can be asked to follow


class RecordedCreates(Recorded):
    """As `arkworker.Creates`; a null stands for any."""

    element_types: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    entity_types: tuple[str, ...] | None = None


class Header(Recorded):
    """The first line: what the results belong to.

    Attributes:
        format: Tells this file from others.
        version: That of the format.
        id: Of this recording; the journal of its publication is known by it.
        worker: The worker, as the person who started it named it.
        arkworker: The version that wrote the file.
        worker_run_id: The worker run; None where it was recorded in developer mode: `publish` is then given one.
        corpus_id: The corpus of elements that do not say theirs; None when unknown.
        creates: What publishing may create where the corpus lacks it, as the worker declares it.
    """

    format: Literal["arkworker results"] = "arkworker results"
    version: Literal[1] = 1
    id: Identifier
    worker: str
    arkworker: str
    worker_run_id: Identifier | None = None
    corpus_id: Identifier | None = None
    creates: RecordedCreates = RecordedCreates()


class Part(Recorded):
    """What was found on an element that need not be the one of its line: `context.publish` takes any.

    Attributes:
        element: The element.
        results: What was found on it.
    """

    element: RecordedElement
    results: tuple[Result, ...]


class Entry(Recorded):
    """A line after the first: how one element ended, and what was found on it.

    Attributes:
        element: The element.
        state: How it ended.
        reason: Why it ended in error.
        claimed: Whether its activity is `started` on Arkindex already, because it came from the queue of a task.
        published: What `context.publish` was given meanwhile.
        results: What was found on it, as `process_element` gives it.
    """

    element: RecordedElement
    state: Literal["processed", "error"]
    reason: str = ""
    claimed: bool = False
    published: tuple[Part, ...] = ()
    results: tuple[Result, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that is to be published, in order."""
        return (*self.published, Part(element=self.element, results=self.results)) if self.results else self.published


def dump(line: Header | Entry) -> bytes:
    """The line, with its end.

    Raises:
        ResultError: Children lie too deep in each other.
    """
    if isinstance(line, Header):
        data = line.model_dump(mode="json")
    else:
        data = line.model_dump(mode="json", exclude={"results", "published"}, exclude_defaults=True)
        if line.published:
            data["published"] = [_part(part) for part in line.published]
        data["results"] = as_data(line.results)
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _part(part: Part) -> dict[str, Any]:
    element = part.element.model_dump(mode="json", exclude_defaults=True)
    return {"element": element, "results": as_data(part.results)}


def as_data(results: Sequence[Any], level: int = 0) -> list[Any]:
    """Results as JSON; what has no value is left out.

    Raises:
        ResultError: Children lie too deep in each other.
    """
    if level > MOST_LEVELS:
        raise ResultError(f"children lie more than {MOST_LEVELS} levels deep, which a results file cannot hold")
    return [_fields(result, level) for result in results]


def _fields(result: BaseModel, level: int) -> dict[str, Any]:
    values = {name: getattr(result, name) for name in type(result).model_fields}
    if isinstance(result, On):
        return {"kind": "on", "target": as_target(result.target), "results": as_data(result.results, level + 1)}
    if "results" in values:
        values["results"] = as_data(values["results"], level + 1)
    if isinstance(result, Transcription):
        values["entities"] = [entity.model_dump(exclude={"kind"}, exclude_none=True) for entity in result.entities]
    if isinstance(result, Update):
        # Where it is given, a null says something: it takes a value away.
        return {name: value for name, value in values.items() if name in {"kind", *result.model_fields_set}}
    return {name: value for name, value in values.items() if value is not None and value not in ((), [])}


def load_header(line: bytes) -> Header:
    """The first line.

    Raises:
        ValueError: It is not a header, or that of a later version; one sentence.
    """
    data = _parse(line)
    known = Header.model_fields
    if data.get("format") != known["format"].default:
        raise ValueError("this is not a results file of arkworker")
    if data.get("version") != known["version"].default:
        raise ValueError(f"version {printable(str(data.get('version')), 20)} of the format is not known: upgrade")
    return Header.model_validate(data)


def load_entry(line: bytes) -> Entry:
    """A line after the first.

    Raises:
        ValueError: It is not an entry; a pydantic ValidationError says where.
    """
    return Entry.model_validate(_parse(line))


def _parse(line: bytes) -> dict[str, Any]:
    try:
        data = parse_json(line.decode())
    except UnicodeDecodeError:
        raise ValueError("this is not UTF-8 text") from None
    except JsonError as error:
        raise ValueError(f"this {error}") from None
    if not isinstance(data, dict):
        raise ValueError("this is not a JSON object")  # noqa: TRY004 - one kind of error for all that a line can be
    return data


def line_schema() -> dict[str, Any]:
    """The JSON Schema of a line."""
    schema = TypeAdapter(Header | Entry).json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a results file",
        "description": "The first line is a Header, each other one an Entry.",
    } | schema
