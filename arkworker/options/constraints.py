"""The constraints of a type, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WORDS = {
    "ge": "at least {}",
    "gt": "more than {}",
    "le": "at most {}",
    "lt": "less than {}",
    "multiple_of": "multiple of {}",
    "min_length": "length at least {}",
    "max_length": "length at most {}",
    "max_digits": "at most {} digits",
    "decimal_places": "at most {} decimal places",
}


def constraints_of(metadata: Iterable[Any]) -> Iterator[str]:
    """`at least 0`, `matches [a-z]+` and so on, from what stands beside a type in `Annotated` or `Field`."""
    for constraint in metadata:
        for attribute, words in _WORDS.items():
            value = getattr(constraint, attribute, None)
            if value is not None:
                yield words.format(value)
        pattern = getattr(constraint, "pattern", None)
        if pattern is not None:
            yield f"matches `{getattr(pattern, 'pattern', pattern)}`"
