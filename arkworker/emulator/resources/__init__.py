"""The operations, one module for each resource."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from arkworker.emulator.resources import (
    activities,
    artifacts,
    classifications,
    corpora,
    datasets,
    element_lists,
    elements,
    embeddings,
    entities,
    exports,
    images,
    metadata,
    models,
    multipart,
    processes,
    tasks,
    transcriptions,
    worker_runs,
)

if TYPE_CHECKING:
    from arkworker.emulator.operations import Operation

_MODULES = (
    worker_runs,
    tasks,
    activities,
    processes,
    elements,
    element_lists,
    corpora,
    transcriptions,
    classifications,
    metadata,
    entities,
    embeddings,
    exports,
    datasets,
    artifacts,
    models,
    multipart,
    images,
)


def all_operations(edition: str) -> list[Operation]:
    """The operations of an edition, `enterprise` or `community`."""
    every: list[Operation] = list(chain.from_iterable(module.operations for module in _MODULES))
    return [item for item in every if edition == "enterprise" or not item.enterprise_only]
