"""The operations, one module for each kind of resource."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from arkworker.emulator.resources import corpora, datasets, elements, models, processes, results, transcriptions

if TYPE_CHECKING:
    from arkworker.emulator.endpoint import Operation

_MODULES = (processes, elements, corpora, transcriptions, results, datasets, models)


# What else faults apply to.
_OTHERS = ("GetDocument", "GetFile", "GetImage", "GetImageInformation", "PutFile")


def operation_names() -> list[str]:
    """Every operation that a fault can apply to."""
    return sorted({item.id for item in all_operations("enterprise")}.union(_OTHERS))


def all_operations(edition: str) -> list[Operation]:
    """The operations of an edition, `enterprise` or `community`."""
    every: list[Operation] = list(chain.from_iterable(module.operations for module in _MODULES))
    return [item for item in every if edition == "enterprise" or not item.enterprise_only]
