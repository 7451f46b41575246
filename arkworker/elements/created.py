"""What came of results that were published."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arkworker.errors import ArkworkerError

if TYPE_CHECKING:
    from arkworker.elements.results import Entity, Result


@dataclass(frozen=True, slots=True)
class Created:
    """What came of one result.

    Attributes:
        result: The result.
        results: What came of what it holds, in order: the results of a child, the entities of a transcription, the
            results of an `On`.
    """

    result: Result | Entity
    results: tuple[Created, ...] = ()
    _id: str | None = None
    _reason: str = field(default="", repr=False, compare=False)

    @property
    def id(self) -> str:
        """The id that it has on Arkindex; in a read-only run one that is made up.

        Raises:
            ArkworkerError: It has none, or none is known: a change or a link, a classification that had been made
                before, and all that is recorded in a file, to be published later.
        """
        if self._id is None:
            raise ArkworkerError(f"there is no id of this {type(self.result).__name__}: {self._reason}")
        return self._id
