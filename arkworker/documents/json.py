"""JSON, read strictly."""

from __future__ import annotations

import json
import math
from typing import Any


class JsonError(ValueError):
    """A text is not sound JSON; the message says in which way, and holds nothing of it."""


def parse_json(text: str) -> Any:
    """The value of a JSON text: no key twice, every number finite.

    Raises:
        JsonError: It is not such a text; says in which way, such as `holds a key twice`.
    """
    try:
        return _decode(text)
    except JsonError as error:
        reason = str(error)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text.strip() else ""  # one line may be any of a larger file
        reason = f"is not JSON ({line}column {error.colno})"
    except ValueError:
        reason = "is not JSON (a number is far too long)"
    except RecursionError:
        reason = "is not JSON (it nests too deep)"
    raise JsonError(reason)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise JsonError("holds a key twice")
    return data


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise JsonError("holds a number that is not finite")
    return number


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite).decode
