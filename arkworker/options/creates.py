"""What a worker may create in a corpus that lacks it, and what must be there already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from arkworker.errors import DeclarationError
from arkworker.text import CONTROLS, printable

_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,50}")
_LONGEST_NAME = 250
_EXAMPLE = 'creates = ("text_line",)'


class _Declared:
    """Names of each kind, checked."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for known in fields(self):  # type: ignore[arg-type]  # the classes below are dataclasses
            given = getattr(self, known.name)
            if given is not None or known.default is not None:
                names = _names(given, known.name, is_slug=known.name == "element_types")
                object.__setattr__(self, known.name, names)

    @classmethod
    def of(cls, declared: Any, owner: str) -> Self:
        """What an author wrote: such an object, or the slugs of element types alone.

        Raises:
            DeclarationError: It is neither; the message begins with `owner`.
        """
        try:
            return declared if isinstance(declared, cls) else cls(element_types=declared)  # type: ignore[call-arg]
        except DeclarationError as error:
            raise DeclarationError(f"{owner}.{cls.__name__.lower()}: {error}") from None


@dataclass(frozen=True, slots=True)
class Creates(_Declared):
    """The names that a worker brings to the corpora it works on.

    Each is looked up before the first element, and created where the corpus lacks it.

    Attributes:
        element_types: Slugs of element types. No others are ever created: one that is not named here is usually a
            mistake.
        classes: Names of classes. None, the default, creates any that a result names, when it comes; a closed list
            creates these and no others, and an empty one none at all.
        entity_types: Names of entity types, in the same way.

    Raises:
        DeclarationError: One of them is not a collection of names.
    """

    element_types: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    entity_types: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Requires(_Declared):
    """The names that a corpus must have for a worker to run on it; they are looked up first, and never created.

    Attributes:
        element_types: Slugs of element types.
        classes: Names of classes.
        entity_types: Names of entity types.

    Raises:
        DeclarationError: One of them is not a collection of names.
    """

    element_types: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    entity_types: tuple[str, ...] = ()


def _names(given: Any, field: str, *, is_slug: bool) -> tuple[str, ...]:
    if isinstance(given, str | bytes):
        raise DeclarationError(f"{field} should be a tuple of names, not text: write {_EXAMPLE}, with the comma")
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise DeclarationError(f"{field} should be a tuple of names, such as {_EXAMPLE}, not {type(given).__name__}")
    names = tuple(given)
    for number, name in enumerate(names):
        mistake = _mistake(name, is_slug=is_slug)
        if mistake:
            raise DeclarationError(f"{field}.{number} {mistake}")
    return tuple(dict.fromkeys(names))


def _mistake(name: Any, *, is_slug: bool) -> str:
    if not isinstance(name, str):
        return f"should be text, not {type(name).__name__}"
    if is_slug and not _SLUG.fullmatch(name):
        return f"should be the slug of an element type, letters, digits, - and _, at most 50: {printable(name, 60)!r}"
    if not name.strip() or len(name) > _LONGEST_NAME or CONTROLS.search(name):
        return f"should be a name of 1 to {_LONGEST_NAME} characters, none of them a control character"
    return ""
