"""What a run works on: the elements that a person named, else those that the mode of the process says."""

from __future__ import annotations

import logging
import os
import zlib
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from uuid import UUID

from arkworker.arkindex import datasets
from arkworker.documents.text_file import TextFileError
from arkworker.elements.elements_list import read_elements_list
from arkworker.errors import (
    ArkworkerError,
    ConfigurationError,
    Problem,
)
from arkworker.runtime.loop.worklist import Listing, Queue
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.datasets import DatasetSet
    from arkworker.arkindex.payload import Process
    from arkworker.runtime.loop.in_hand import InHand
    from arkworker.runtime.loop.outcome import Tally
    from arkworker.runtime.loop.worklist import Worklist
    from arkworker.settings.platform import Settings

logger = logging.getLogger("arkworker.elements")

MODES = frozenset({"files", "workers", "template", "s3", "local", "dataset", "export"})
PAGE_SIZE = 500


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts of what there is, which share nothing and leave nothing out.

    Attributes:
        index: Which, from 0.
        number: Of how many.
    """

    index: int = 0
    number: int = 1

    def has(self, element_id: str) -> bool:
        """Whether an element is in this part: always in the same one, wherever it stands in a list."""
        return zlib.crc32(element_id.encode()) % self.number == self.index


@dataclass(frozen=True, slots=True)
class Choice:
    """What decides which elements a run works on.

    Attributes:
        settings: The flags and variables.
        process: The process of the worker run; None in developer mode.
        origins: Where a setting came from, by its name: source and location.
        initial_ids: The elements that the cache marks as initial: a task that has such a cache works on these, as with
            the published library.
        is_reachable: Whether elements can be retrieved: the address of Arkindex is set, or the cache is a file.
    """

    settings: Settings
    process: Process | None
    origins: Mapping[str, tuple[str, str]]
    initial_ids: Callable[[], Sequence[str]]
    is_reachable: bool = True

    def worklist(self, client: Client, tally: Tally, in_hand: InHand) -> Worklist:
        """Where the elements come from.

        Raises:
            ConfigurationError: The list or an id makes no sense, or there is nothing to work on.
            ArkworkerError: The list is empty.
            ApiError: The sets cannot be listed.
        """
        source = self._source
        if source == "named":
            return self._of_named()
        if source == "sets":
            return self._of_sets(client)
        if source == "export":
            return self._listing(_process_elements(client, self.process.id if self.process else ""))
        if source == "initial":
            return self._of_known(self._initial())
        self._check_queue()
        if self.settings.shard is not None:
            logger.warning("--shard: ignored, as the queue of a task hands each element to one process only")
        return Queue(client, tally, in_hand)

    @property
    def is_queue(self) -> bool:
        """Whether elements are claimed from the queue of the task."""
        return self._source == "queue"

    @property
    def _source(self) -> Literal["named", "sets", "export", "initial", "queue"]:
        """What a person named goes before what the process says; in its place, the cache may mark elements."""
        settings = self.settings
        if self._list is not None or settings.element or settings.image:
            return "named"
        if settings.set or self._mode == "dataset":
            return "sets"
        if self._mode == "export":
            return "export"
        return "initial" if self.process is None or self.initial_ids() else "queue"

    def _of_named(self) -> Worklist:
        """What a person named one by one."""
        if ids := self._ids():
            self._require_reach("element" if self._list is None else "elements_list")
            return self._of_known(ids)
        return self._of_images()

    def tell_part(self) -> None:
        """Say which part of what there is this process works on, where it is not all.

        Raises:
            ConfigurationError: There is no such part.
        """
        if self.shard.number > 1 and not self.is_queue:
            logger.info("This process works on part %d of %d", self.shard.index + 1, self.shard.number)

    def check_names(self) -> None:
        """Refuse what cannot be, before anything starts: a model that takes minutes to load, too.

        Raises:
            ConfigurationError: An unknown mode, a list beside ids, a file that is missing, an invalid id or set.
            ArkworkerError: The list is empty.
        """
        if self.process is not None and self._mode not in MODES:
            self._refuse("process.mode", f"{printable(self._mode, 60)} is not a known mode of a process")
        if self._list is not None and self.settings.element:
            self._refuse("element", "a list already gives the elements", "drop --element, or pass --no-elements-list")
        if self.settings.image:
            self._check_images()
        self._parse_sets()
        self._ids()

    def check_work(self) -> None:
        """Refuse a run that has nothing to work on, as far as is known without asking Arkindex.

        Raises:
            ConfigurationError, ArkworkerError: As `worklist`.
        """
        source = self._source
        if self.settings.set:
            self._require_reach("set")
        elif source == "named":
            self._of_named()
        elif source == "initial":
            self._initial()
        elif source == "queue":
            self._check_queue()
        self.shard  # noqa: B018 - it refuses what cannot be

    def check_sets_only(self) -> None:
        """Refuse what a worker that works on sets would not look at.

        Raises:
            ConfigurationError: Elements or images are named.
        """
        hint = "pass --set DATASET-ID:NAME"
        if self.settings.element:
            self._refuse("element", "this worker works on the sets of datasets, not on single elements", hint)
        if self.settings.image:
            self._refuse("image", "this worker works on the sets of datasets, not on image files", hint)

    @property
    def _mode(self) -> str:
        return self.process.mode if self.process is not None else ""

    @property
    def _list(self) -> str | None:
        return None if self.settings.no_elements_list else self.settings.elements_list

    def _ids(self) -> list[str]:
        """Those that a person named, in the canonical form of UUIDs; none where no element was named by its id."""
        if self._list is None:
            return [self._canonical(element_id) for element_id in self.settings.element]
        try:
            ids = read_elements_list(self._list)
        except TextFileError as error:
            self._refuse("elements_list", error.message, error.hint, error.place(self._list))
        if not ids:
            raise ArkworkerError(f"the list of elements is empty ({self._origin('elements_list')[1]})")
        return ids

    def _canonical(self, element_id: str) -> str:
        try:
            return str(UUID(element_id))
        except ValueError:
            self._refuse("element", f"{printable(element_id, 60)!r} is not the id of an element", "ids are UUIDs")

    def _check_images(self) -> None:
        if self.process is not None:
            self._refuse("image", "results for local image files cannot be published", "add --dev")
        if self._list is not None or self.settings.element or self.settings.set:
            self._refuse("image", "the elements are already given", "pass --image, or name elements, not both")
        for path in self.settings.image:
            # pathlib raises where these answer, as at a name that is too long.
            if not (os.path.isfile(path) or os.path.isdir(path)):  # noqa: PTH112, PTH113
                self._refuse("image", f"there is no file or folder {printable(path, 500)!r}")
            if not self._images_at(path):
                self._refuse("image", f"there is no image in the folder {printable(path, 500)!r}")

    def _images_at(self, path: str) -> list[Path]:
        from arkworker.elements.image_files import image_files

        try:
            return image_files(Path(path))
        except OSError as error:
            self._refuse("image", f"{printable(str(error.filename), 500)!r} cannot be read: {error.strerror}")

    def _of_images(self) -> Worklist:
        from arkworker.elements.image_files import describe_file

        paths = (image for path in self.settings.image for image in self._images_at(path))
        # By their places: the ids of files are those of the machine.
        mine = list(dict.fromkeys(paths))[self.shard.index :: self.shard.number]
        return Listing(map(describe_file, mine), len(mine))

    def _parse_sets(self) -> list[tuple[str, str]]:
        parsed = []
        for text in self.settings.set:
            try:
                parsed.append(datasets.parse_set(text))
            except ValueError:
                self._refuse("set", f"{printable(text, 60)!r} is not a set of a dataset", "write DATASET-ID:NAME")
        return parsed

    def sets(self, client: Client) -> list[DatasetSet]:
        """The sets to work on.

        Raises:
            ConfigurationError: The address of Arkindex is not set.
            ApiError: They cannot be listed.
        """
        if self.settings.set:
            self._require_reach("set")
            return datasets.list_named_sets(client, list(dict.fromkeys(self._parse_sets())))
        return datasets.list_process_sets(client, self.process.id) if self.process is not None else []

    def _of_sets(self, client: Client) -> Worklist:
        chosen = self.sets(client)
        return self._listing(chain.from_iterable(datasets.list_set_elements(client, one) for one in chosen))

    def _require_reach(self, name: str) -> None:
        if not self.is_reachable:
            things, hint = (
                "elements",
                "set ARKINDEX_API_URL and ARKINDEX_API_TOKEN, or for a worker with a cache pass -d",
            )
            if name == "set":
                things, hint = "sets", "set ARKINDEX_API_URL and ARKINDEX_API_TOKEN"
            self._refuse(name, f"these {things} are on Arkindex, whose address is not set", hint)

    def _check_queue(self) -> None:
        if getattr(self.process, "skip_elements_json", True) is False and not self.settings.no_elements_list:
            self._refuse(
                "elements_list",
                "this instance gives its workers a list of elements, but this run has none",
                "set TASK_ELEMENTS, or pass --no-elements-list to take elements from the queue",
            )

    def _initial(self) -> Sequence[str]:
        ids = self.initial_ids()
        if not ids:
            # A misspelt name of a cache leads here, too: an absent one is made, or not looked for.
            cache = self.settings.database
            of_cache = f": the cache {printable(cache, 500)!r} holds none, or does not exist" if cache else ""
            self._refuse(
                "element",
                f"there are no elements to work on{of_cache}",
                "pass --element, --image, --elements-list, --set, or a cache",
            )
        return ids

    def _of_known(self, ids: Iterable[str]) -> Worklist:
        shard = self.shard
        mine = [element_id for element_id in ids if shard.has(element_id)]
        return Listing(((element_id, None) for element_id in mine), len(set(mine)))

    def _listing(self, items: Iterable[tuple[str, Any]]) -> Worklist:
        shard = self.shard
        return Listing(item for item in items if shard.has(item[0]))

    @property
    def shard(self) -> Shard:
        """Which part to work on: as a person says, else as the array job does."""
        settings = self.settings
        index, _, number = (settings.shard or "").partition("/")
        task = None
        if settings.slurm_array_task_id is not None:
            task = settings.slurm_array_task_id - settings.slurm_array_task_min
        elif settings.job_completion_index is not None:
            task = settings.job_completion_index
        if number and not index and task is None:
            message = "the number of this part is missing"
            self._refuse("shard", message, "write I/N, or start it as a task of an array job")
        if number:
            return self._checked(int(index) - 1 if index else task or 0, int(number))
        if settings.slurm_array_task_id is None or settings.slurm_array_task_count is None:
            return Shard()
        return self._checked(task or 0, settings.slurm_array_task_count)

    def _checked(self, index: int, number: int) -> Shard:
        if index not in range(number):
            message = f"task {index}, counted from the first as 0, is not one of {number}"
            self._refuse("shard", message, "pass --shard I/N where the numbers of an array job have gaps")
        return Shard(index, number)

    def share_of(self, sets: Sequence[DatasetSet]) -> list[DatasetSet]:
        """Those of some sets that are in the part to work on."""
        ordered = sorted(sets, key=lambda one: (one.dataset.id, one.name))
        mine = {id(one) for one in ordered[self.shard.index :: self.shard.number]}
        return [one for one in sets if id(one) in mine]

    def _origin(self, name: str) -> tuple[str, str]:
        return self.origins.get(name, ("command line", "--" + name.replace("_", "-")))

    def _refuse(self, name: str, message: str, hint: str = "", place: str = "") -> NoReturn:
        source, location = self._origin(name) if not name.startswith("process.") else ("worker run", name)
        if place:
            location = f"{location}, {place}"
        raise ConfigurationError([Problem(name, source, location, message, hint)])


def _process_elements(client: Client, process_id: str) -> Iterator[tuple[str, Any]]:
    """Ids alone: what the process lists is less than an element."""
    operation = "ListProcessElements"
    for item in client.paginate(operation, id=process_id, page_size=PAGE_SIZE):
        yield datasets.identified(operation, item)[0], None


def initial_ids(sessions: Callable[[], Any]) -> list[str]:
    """The ids of the elements that the cache marks as initial, in the order of their rows."""
    from sqlalchemy import select, text

    from arkworker.storage.cache import CachedElement

    with sessions() as session:
        rows = session.scalars(select(CachedElement.id).where(CachedElement.initial).order_by(text("rowid")))
        return [str(row) for row in rows]
