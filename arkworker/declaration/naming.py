"""Python names for keys that may hold anything."""

from __future__ import annotations

import keyword
import re
import unicodedata

from arkworker.declaration.metadata import words_of
from arkworker.options.configuration import UserConfiguration

_LONGEST = 30  # characters
_TYPES = {"bool", "int", "float", "str", "list", "dict"}
#: pydantic warns of fields whose names begin like its own methods.
_PROTECTED = ("model_validate", "model_dump")


class Names:
    """Hands out names, each once, whatever its case: variables of the environment have none."""

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = {name.upper() for name in taken}

    def field(self, key: str, prefix: str = "") -> str:
        """The name of an option: its key, where Python can hold it. `prefix` is the name of its group."""
        return self._unique(_field_name(key), f"{prefix}_" if prefix else "")

    def class_of(self, text: str, suffix: str, longest: int = 28) -> str:
        """`PageLines` for `page-lines`, at most so long; with the suffix where that is taken."""
        plain = re.sub(r"[^0-9A-Za-z]+", "_", to_ascii(text))
        name = "".join(word[0].upper() + word[1:] for word in words_of(plain))[:longest]
        name = name if name[:1].isalpha() else f"{suffix}{name}"
        is_free = name.upper() not in self._taken and not keyword.iskeyword(name)
        return self._unique(name if is_free else f"{name}{suffix}")

    def _unique(self, name: str, prefix: str = "") -> str:
        candidate, number = name, 2
        while f"{prefix}{candidate}".upper() in self._taken:
            candidate, number = f"{name.rstrip('_')}_{number}", number + 1
        self._taken.add(f"{prefix}{candidate}".upper())
        return candidate


def to_ascii(text: str) -> str:
    """The text without accents, and without what has no ASCII letter."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _field_name(key: str) -> str:
    is_fit = key.isidentifier() and key.isascii() and len(key) <= _LONGEST
    name = key if is_fit else re.sub(r"\W+", "_", to_ascii(key)).strip("_")[:_LONGEST].strip("_")
    if name.startswith("_"):
        name = name.strip("_")
    if not name or name[0].isdigit() or name.startswith(_PROTECTED):
        name = f"option_{name}".rstrip("_")
    # Names of classes begin with a capital, and options would hide them.
    name = name.lower() if name.isupper() else name[0].lower() + name[1:]
    return f"{name}_" if _is_reserved(name) else name


def _is_reserved(name: str) -> bool:
    return keyword.iskeyword(name) or name in _TYPES or name == "cls" or hasattr(UserConfiguration, name)
