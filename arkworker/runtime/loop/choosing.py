"""Which elements a run works on: what a person named, else what the mode of the process says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from arkworker.arkindex import sets
from arkworker.documents.text_file import TextFileError, read_text_file
from arkworker.errors import ArkworkerError, ConfigurationError, Problem
from arkworker.runtime.loop.sources import Listing, Queue
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.datasets import DatasetSet
    from arkworker.runtime.loop.sources import Source
    from arkworker.runtime.loop.tally import Tally
    from arkworker.settings.platform import Settings
    from arkworker.settings.sources.payload import Process

MODES = frozenset({"files", "workers", "template", "s3", "local", "dataset", "export"})
PAGE_SIZE = 500
LARGEST_LIST = 256 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Choice:
    """What decides which elements a run works on.

    Attributes:
        settings: The flags and variables.
        process: The process of the worker run; None in developer mode.
        origins: Where a setting came from, by its name: source and location.
        initial_ids: The elements that the cache marks as initial; asked for in developer mode only.
        is_reachable: Whether elements can be retrieved: somebody said where Arkindex is, or there is a cache.
    """

    settings: Settings
    process: Process | None
    origins: Mapping[str, tuple[str, str]]
    initial_ids: Callable[[], Sequence[str]]
    is_reachable: bool = True

    def source(self, client: Client, tally: Tally) -> Source:
        """Where the elements come from.

        Raises:
            ConfigurationError: The list or an id makes no sense, or there is nothing to work on.
            ArkworkerError: The list is empty.
            ApiError: The sets cannot be listed.
        """
        self.check()
        settings = self.settings
        if named := self._named():
            return named
        if settings.set or self._mode == "dataset":
            return self._of_sets(client)
        if self._mode == "export":
            return Listing(_process_elements(client, self.process.id if self.process else ""))
        if self.process is None:
            return self._of_cache()
        if getattr(self.process, "skip_elements_json", True) is False and not settings.no_elements_list:
            self._refuse(
                "elements_list",
                "this instance gives its workers a list of elements, and there is none",
                "set TASK_ELEMENTS, or pass --no-elements-list to take elements from the queue",
            )
        return Queue(client, tally)

    def _named(self) -> Source | None:
        """What a person named one by one; None where nobody did."""
        if self._list is not None:
            return self._of_ids(self._read_list(self._list), "elements_list")
        if self.settings.element:
            return self._of_ids(self.settings.element, "element")
        if self.settings.image:
            return self._of_images([Path(path) for path in self.settings.image])
        return None

    def check(self) -> None:
        """Refuse what cannot be, before anything starts.

        Raises:
            ConfigurationError: An unknown mode, a list beside ids, a set that is none.
        """
        if self.process is not None and self._mode not in MODES:
            self._refuse("process.mode", f"{printable(self._mode, 60)} is no mode of a process that is known here")
        if self._list is not None and self.settings.element:
            self._refuse(
                "element", "elements are given by a list already", "drop --element, or pass --no-elements-list"
            )
        if self.settings.image:
            self._check_images()
        self._parse_sets()

    @property
    def _mode(self) -> str:
        return self.process.mode if self.process is not None else ""

    @property
    def _list(self) -> str | None:
        return None if self.settings.no_elements_list else self.settings.elements_list

    def _read_list(self, path: str) -> list[str]:
        shape = "should be a JSON list of objects, each with an id"
        try:
            text = read_text_file(path, max_bytes=LARGEST_LIST).text
            data = json.loads(text)
        except TextFileError as error:
            self._refuse("elements_list", error.reason, error.hint, _Place(path, error.line, error.column))
        except json.JSONDecodeError as error:
            self._refuse("elements_list", shape, place=_Place(path, error.lineno, error.colno))
        except (ValueError, RecursionError):
            self._refuse("elements_list", shape, place=_Place(path))
        if not isinstance(data, list):
            self._refuse("elements_list", shape, place=_Place(path))
        return [self._id_of(item, position, path, text) for position, item in enumerate(data, 1)]

    def _id_of(self, item: Any, position: int, path: str, text: str) -> str:
        element_id = item.get("id") if isinstance(item, dict) else None
        if not isinstance(element_id, str):
            self._refuse("elements_list", f"item {position} of the list is no object with an id", place=_Place(path))
        try:
            return str(UUID(element_id))
        except ValueError:
            message = f"item {position} of the list: {printable(element_id, 60)!r} is no id of an element"
            self._refuse("elements_list", message, "ids are UUIDs", _place_of(element_id, path, text))

    def _of_ids(self, ids: Sequence[str], name: str) -> Source:
        if not ids:
            raise ArkworkerError(f"the list of elements is empty ({self._origin(name)[1]})")
        checked = [self._canonical(element_id, name) for element_id in ids]
        self._require_reach(name)
        return Listing(((element_id, None) for element_id in checked), len(set(checked)))

    def _canonical(self, element_id: str, name: str) -> str:
        try:
            return str(UUID(element_id))
        except ValueError:
            self._refuse(name, f"{printable(element_id, 60)!r} is no id of an element", "ids are UUIDs")

    def _check_images(self) -> None:
        if self.process is not None:
            self._refuse("image", "what is found on files of a desk can be published nowhere", "add --dev")
        if self._list is not None or self.settings.element or self.settings.set:
            self._refuse("image", "the elements are given already", "pass --image, or what names elements, not both")
        for path in self.settings.image:
            if not Path(path).is_file():
                self._refuse("image", f"there is no file {printable(path, 100)!r}")

    def _of_images(self, paths: Sequence[Path]) -> Source:
        from arkworker.elements.files import describe_file

        return Listing(map(describe_file, paths), len(set(paths)))

    def _parse_sets(self) -> list[tuple[str, str]]:
        parsed = []
        for text in self.settings.set:
            try:
                parsed.append(sets.parse_set(text))
            except ValueError:
                self._refuse("set", f"{printable(text, 60)!r} is no set of a dataset", "write DATASET-ID:NAME")
        return parsed

    def sets(self, client: Client) -> list[DatasetSet]:
        """The sets to work on.

        Raises:
            ConfigurationError: Nobody said where Arkindex is.
            ApiError: They cannot be listed.
        """
        if self.settings.set:
            self._require_reach("set")
            return sets.list_named_sets(client, list(dict.fromkeys(self._parse_sets())))
        return sets.list_process_sets(client, self.process.id) if self.process is not None else []

    def _of_sets(self, client: Client) -> Source:
        chosen = self.sets(client)
        return Listing(chain.from_iterable(sets.list_set_elements(client, one) for one in chosen))

    def _require_reach(self, name: str) -> None:
        if not self.is_reachable:
            hint = "set ARKINDEX_API_URL and ARKINDEX_API_TOKEN, or give a worker that uses one a cache"
            self._refuse(name, "these elements are on Arkindex, and nobody said where that is", hint)

    def _of_cache(self) -> Source:
        ids = self.initial_ids()
        if not ids:
            self._refuse(
                "element",
                "there are no elements to work on",
                "pass --element, --image, --elements-list, --set, or a cache",
            )
        return Listing(((element_id, None) for element_id in ids), len(ids))

    def _origin(self, name: str) -> tuple[str, str]:
        return self.origins.get(name, ("command line", "--" + name.replace("_", "-")))

    def _refuse(self, name: str, message: str, hint: str = "", place: _Place | None = None) -> NoReturn:
        source, location = self._origin(name) if not name.startswith("process.") else ("worker run", name)
        if place is not None:
            location = f"{location}, {place}"
        raise ConfigurationError([Problem(name, source, location, message, hint)])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a file; line and column from 1, or 0 for all of it."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([printable(self.path), *(str(number) for number in (self.line, self.column) if number)])


def _place_of(value: str, path: str, text: str) -> _Place:
    """The first place of a text in a JSON file, unless it is written with escapes."""
    position = text.find(f'"{value}"')
    if position < 0:
        return _Place(path)
    return _Place(path, text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position))


def _process_elements(client: Client, process_id: str) -> Iterator[tuple[str, Any]]:
    """Ids alone: what the process lists is less than an element."""
    operation = "ListProcessElements"
    for item in client.paginate(operation, id=process_id, page_size=PAGE_SIZE):
        yield sets.identified(operation, item)[0], None
