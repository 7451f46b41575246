"""A list that comes in pages, fetched one after the other as it is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from arkworker.errors import ApiContentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from arkworker.arkindex.client.operations import Operation

_NUMBER = re.compile(r"[0-9]{1,9}")
_REPEATED = "leads to a page that was read already, or to nothing"


class Paginator(Iterator[Any]):
    """The items of all pages; nothing is requested before the first is asked for."""

    def __init__(
        self, operation: Operation, parameters: Mapping[str, Any], request: Callable[[dict[str, Any]], Any]
    ) -> None:
        self._operation = operation
        self._parameters = dict(parameters)
        self._request = request
        self._items: Iterator[Any] = iter(())
        self._next: Mapping[str, Any] | None = self._start()
        self._seen = {""}
        self._pages: set[bytes] = set()
        self._count: int | None = None
        self._is_started = False

    @property
    def count(self) -> int | None:
        """How many items there are in all, as the first page says; None when it does not. Fetches that page."""
        if not self._is_started:
            self._fetch()
        return self._count

    def __next__(self) -> Any:
        while True:
            for item in self._items:
                return item
            if self._next is None:
                raise StopIteration
            self._fetch()

    def _start(self) -> dict[str, Any]:
        if self._operation.pages == "page":
            return {}
        has_count = "with_count" in self._operation.query and "cursor" not in self._parameters
        return {"with_count": "true"} if has_count else {}

    def _fetch(self) -> None:
        page = self._request(self._parameters | dict(self._next or {}))
        items, following = page.get("results"), page.get("next")
        if not isinstance(items, list) or not (following is None or isinstance(following, str)):
            raise self._error("is not a page: it needs a list `results` and an address `next`")
        if not self._is_started:
            count = page.get("count")
            self._count = count if isinstance(count, int) and not isinstance(count, bool) else None
            self._is_started = True
        if following and not items:
            raise self._error("is an empty page that is not the last")
        after = self._following(following) if following else None
        # By their ids where they have some: the rest, such as a signature, may differ each time.
        told = repr([item.get("id", item) if isinstance(item, dict) else item for item in items])
        digest = hashlib.sha256(told.encode("utf-8", "backslashreplace")).digest()
        if following and digest in self._pages:
            raise self._error("repeats a page that was read already")
        self._pages.add(digest)
        self._next = after
        self._items = iter(items)

    def _following(self, address: str) -> dict[str, Any]:
        """The parameter that leads to the next page; the rest of its address is not trusted."""
        name = "page" if self._operation.pages == "page" else "cursor"
        try:
            given = parse_qs(urlsplit(address).query).get(name, [""])[0]
        except ValueError:
            given = ""
        if name == "page":
            number = int((self._next or {}).get("page", self._parameters.get("page", 1))) + 1
            if _NUMBER.fullmatch(given) and int(given) < number:
                raise self._error(_REPEATED)  # something on the way answers each request with one page
            return {"page": number}
        if not given.isprintable() or given in self._seen:
            raise self._error(_REPEATED)
        self._seen.add(given)
        return {"cursor": given}

    def _error(self, reason: str) -> ApiContentError:
        return ApiContentError(self._operation.id, f"the answer {reason}", status=200)
