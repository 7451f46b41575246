"""What can be asked for of what belongs to an element."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypedDict, TypeVar
from uuid import UUID

from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

P = ParamSpec("P")
T = TypeVar("T")

Source: TypeAlias = Literal["cache", "api"]
#: What may come with each element of a list.
INCLUDED = ("with_classes", "with_metadata", "with_has_children", "with_corpus", "with_zone")
_SWITCHES = ("recursive", "folder", *INCLUDED)
#: A worker run by its id; `False` for what was made by hand; None for all.
MadeBy: TypeAlias = str | UUID | Literal[False] | None


class ElementFilters(TypedDict, total=False):
    """Which elements of a list to return, and what to return with each; what is left out does not filter.

    The cache has no names, no folders and no authors of transcriptions: with one of these filters, it is not read. The
    filters `with_…` only matter to Arkindex.

    Attributes:
        type: Slug of their element type.
        name: A part of their name, in any case.
        folder: Whether their type is a folder.
        recursive: Include those at any depth.
        worker_run: Id of the worker run that made them; False for those made by hand.
        transcription_worker_run: Id of a worker run that has made a transcription on them; False for one made by hand.
        with_classes: Whether they come with their classes: `classifications()` then sends no request.
        with_metadata: Whether they come with their metadata: `metadata()` then sends no request.
        with_has_children: Whether they say if there are elements below them, as the attribute `has_children`.
        with_corpus: Whether they come with their corpus, as they do unless told not to.
        with_zone: Whether they come with their place on an image, as they do unless told not to.
        source: Where to look, and nowhere else: "cache" or "api".
    """

    type: str | None
    name: str | None
    folder: bool | None
    recursive: bool
    worker_run: MadeBy
    transcription_worker_run: MadeBy
    with_classes: bool | None
    with_metadata: bool | None
    with_has_children: bool | None
    with_corpus: bool | None
    with_zone: bool | None
    source: Source | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked for, checked; the filters are those of `ElementFilters`, and None does not ask.

    Of transcriptions, `type` is the type of the elements that they are on.

    Raises:
        ValueError: One of them makes no sense.
    """

    type: str | None = None
    name: str | None = None
    recursive: bool = False
    worker_run: MadeBy = None
    source: Source | None = None
    folder: bool | None = None
    transcription_worker_run: MadeBy = None
    with_classes: bool | None = None
    with_metadata: bool | None = None
    with_has_children: bool | None = None
    with_corpus: bool | None = None
    with_zone: bool | None = None

    def __post_init__(self) -> None:
        for field, meaning in (("type", "the slug of an element type"), ("name", "a part of a name")):
            value = getattr(self, field)
            if value is not None and not (isinstance(value, str) and value):
                raise ValueError(f"{field} should be {meaning}")
        for field in _SWITCHES:
            allowed = bool if field == "recursive" else bool | None
            if not isinstance(getattr(self, field), allowed):
                raise ValueError(f"{field} should be True or False")  # noqa: TRY004 - one kind for all of them
        if self.source not in (None, "cache", "api"):
            raise ValueError('source should be "cache" or "api"')
        if self.source == "cache" and self.unknown:
            raise ValueError(f"the cache has no {self.unknown}: they can only be looked up on Arkindex")
        for field in ("worker_run", "transcription_worker_run"):
            object.__setattr__(self, field, _identified(getattr(self, field)))

    @property
    def unknown(self) -> str:
        """What only Arkindex knows of what is asked for; empty for nothing."""
        asked = {
            "names": self.name,
            "folders": self.folder,
            "authors of transcriptions": self.transcription_worker_run,
        }
        return next((what for what, value in asked.items() if value is not None), "")


def called_as(owner: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a method's TypeError name the class that users know, and the nearest parameter to a misspelt one.

    Args:
        owner: The name of the class.
    """

    def renamed(method: Callable[P, T]) -> Callable[P, T]:
        method.__qualname__ = f"{owner}.{method.__name__}"  # which Python's own messages begin with
        parameters = inspect.signature(method).parameters
        known = [name for name, parameter in parameters.items() if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
        if len(known) < len(parameters):
            known += ElementFilters.__annotations__

        @functools.wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            require_known(method.__qualname__, kwargs, known[1:])
            return method(*args, **kwargs)

        return call

    return renamed


def require_known(method: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Refuse a name that is not one of a method's parameters.

    Raises:
        TypeError: It names the method, and the nearest parameter; all of them where none is near.
    """
    for name in given:
        if name not in known:
            remedy = did_you_mean(name, known) or f"it takes {', '.join(known) or 'none'}"
            raise TypeError(f"{method}() got an unexpected keyword argument {name!r}; {remedy}")


def _identified(worker_run: Any) -> str | Literal[False] | None:
    if worker_run is None or worker_run is False:
        return worker_run
    try:
        return str(worker_run if isinstance(worker_run, UUID) else UUID(worker_run))
    except (ValueError, TypeError, AttributeError):
        message = "worker_run should be the id of a worker run, or False for what was made by hand"
        raise ValueError(f"{message}, not {printable(repr(worker_run), 60)}") from None
