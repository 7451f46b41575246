"""Several extracted archives into one tree, the later over the earlier."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

from arkworker.text import printable

from .merging import plan

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("arkworker.archives")

_NAMED = 20  # replaced files that are named; the others are counted


class Overlay:
    """One tree of what several archives hold.

    Args:
        tree: Where it is made; the first archive becomes it.
    """

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._owners: dict[str, Path] = {}

    def add(self, layer: Path, archive: Path) -> None:
        """Move what an archive holds over all before, and warn of each file that replaces an earlier archive's.

        Args:
            layer: What was extracted; it is gone afterwards, or left as it comes after an error.
            archive: Its path, for the warnings.

        Raises:
            Refusal: A name is a directory in one and a file in another.
        """
        if not self._owners:
            layer.rename(self._tree)
            self._owners[""] = archive
            return
        replaced = 0
        for move in list(plan(layer, self._tree)):
            if move.replaces:
                replaced += 1
                if replaced <= _NAMED:
                    _warn(move.path, archive, self._owner(move.path))
            (layer / move.path).rename(self._tree / move.path)
            self._owners[move.path] = archive
        shutil.rmtree(layer)
        if replaced > _NAMED:
            logger.warning("%s replaces %d more files of earlier archives", _shown(archive), replaced - _NAMED)

    def _owner(self, path: str) -> Path:
        """The archive that a file came from: the one that brought it, or the nearest directory above it."""
        while path not in self._owners:
            path = path.rpartition("/")[0]
        return self._owners[path]


def _warn(path: str, later: Path, earlier: Path) -> None:
    name = printable(path)
    logger.warning("%s of %s replaces the one of %s", name, _shown(later), _shown(earlier))


def _shown(archive: Path) -> str:
    return printable(str(archive), limit=4096)
