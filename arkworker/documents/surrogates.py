r"""JSON's way to write characters beyond U+FFFF, `"\ud83d\ude00"`, which libyaml refuses.

Each pair is replaced by two escapes of private characters that the text does not use, of the same length so that
every place stays true, and put back once the scalar was read: as the character where the escapes were read as such
(in double quotes), as it was written elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")
_PRIVATE = range(0xE000, 0xE040)
_FIRST_CODE, _CODES = 0x4E00, 0x5000  # any block of characters that is no surrogate


def replace_surrogate_pairs(text: str) -> tuple[str, Callable[[str], str]]:
    """`text` fit for libyaml, and what puts the pairs back into a scalar that was read from it."""
    mark = _unused_mark(text) if _PAIR.search(text) else None
    if mark is None:
        return text, str
    codes: dict[str, int] = {}

    def stand_in(match: re.Match[str]) -> str:
        code = codes.setdefault(match[2], _FIRST_CODE + len(codes) % _CODES)
        return f"{match[1]}\\u{mark:04x}\\u{code:04x}"

    replaced = _PAIR.sub(stand_in, text)
    if len(codes) > _CODES:
        return text, str
    pairs = {code: pair for pair, code in codes.items()}
    standing_in = re.compile(rf"{chr(mark)}(.)|\\u{mark:04x}\\u([0-9a-f]{{4}})")

    def put_back(found: re.Match[str]) -> str:
        return _character(pairs[ord(found[1])]) if found[1] else pairs[int(found[2], 16)]

    return replaced, lambda scalar: standing_in.sub(put_back, scalar)


def _unused_mark(text: str) -> int | None:
    """A private character that occurs in the text neither as itself nor in any escape."""
    lower = text.lower()
    return next((code for code in _PRIVATE if chr(code) not in text and f"{code:04x}" not in lower), None)


def _character(pair: str) -> str:
    high, low = int(pair[2:6], 16), int(pair[8:12], 16)
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
