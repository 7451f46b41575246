"""Operations of the Arkindex API, and the address that one leads to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlencode

from arkworker.errors import UsageError
from arkworker.text import CONTROLS, did_you_mean

Promise = Literal["object", "list", "nothing", "anything"]
Pages = Literal["page", "cursor"]

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110, section 9.2.2
_PLAIN = re.compile(r"[0-9A-Za-z-]+")  # as ids are, and most of what else is part of a path
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

# Parameters of a path that are paths themselves.
_PATHS = frozenset({("DownloadArtifact", "path"), ("RetrieveSecret", "name")})


class Operation(NamedTuple):
    """One operation.

    Attributes:
        id: Its operation id, such as `RetrieveWorkerRun`.
        method: The HTTP method.
        path: Absolute, with its parameters in braces.
        query: Names of the query parameters.
        pages: How a list is cut into pages; None where it is not.
        answer: The JSON that a success promises; `nothing` promises only the status.
    """

    id: str
    method: str
    path: str
    query: tuple[str, ...] = ()
    pages: Pages | None = None
    answer: Promise = "object"

    @property
    def writes(self) -> bool:
        """Whether it changes something on Arkindex."""
        return self.method not in ("GET", "HEAD", "OPTIONS")

    @property
    def is_claim(self) -> bool:
        """Whether it hands out an element: a repeat gets another one."""
        return self.id == "StartWorkerActivity"

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again when its first answer was lost (a claim may: the loss is counted)."""
        return self.method in _IDEMPOTENT or self.is_claim

    def accepts(self, parameters: Mapping[str, Any]) -> bool:
        """Whether it knows all these parameters."""
        return all(name in self.query or name in _path_names(self.path) for name in parameters)

    def locate(self, parameters: Mapping[str, Any]) -> str:
        """Its path and query for these parameters; a query parameter of None is left out.

        Raises:
            UsageError: A parameter is missing, unknown, or cannot be part of an address.
        """
        names = _path_names(self.path)
        for name in parameters:
            if name not in names and name not in self.query:
                raise UsageError(f"{self.id} has no parameter {name!r}{nearest(name, (*names, *self.query))}")
        path = self.path
        for name in names:
            path = path.replace(f"{{{name}}}", self._part(name, parameters.get(name)))
        query = [(n, v) for n in self.query if n in parameters for v in self._values(n, parameters[n])]
        return f"{path}?{urlencode(query, quote_via=quote)}" if query else path

    def _part(self, name: str, value: Any) -> str:
        if value is None:
            raise UsageError(f"{self.id} needs the parameter {name!r}")
        text = self._text(name, value)
        if _PLAIN.fullmatch(text):
            return text
        parts = text.split("/") if (self.id, name) in _PATHS else [text]
        if any(part in ("", ".", "..") or "/" in part for part in parts):
            raise UsageError(f"{self.id}: the parameter {name!r} is empty, or not a valid part of an address")
        # A slash is sent as %2F, as the published client does: the server decodes it.
        return quote(text, safe="")

    def _values(self, name: str, value: Any) -> list[str]:
        values = value if isinstance(value, list | tuple | set | frozenset) else (value,)
        return [self._text(name, item) for item in values if item is not None]

    def _text(self, name: str, value: Any) -> str:
        if isinstance(value, Mapping | bytes):
            raise UsageError(f"{self.id}: the parameter {name!r} cannot be a {type(value).__name__}")
        text = str(value)
        if CONTROLS.search(text):
            raise UsageError(f"{self.id}: the parameter {name!r} holds a control character")
        return text


@cache
def _path_names(path: str) -> tuple[str, ...]:
    return tuple(_PLACEHOLDER.findall(path))


def nearest(name: str, known: tuple[str, ...]) -> str:
    """The end of a message about an unknown name: the one that was probably meant."""
    hint = did_you_mean(name, known)
    return f"; {hint}" if hint else ""
