"""Elements and stored transcriptions as a results file says them: what publishing needs, without retrieving them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from arkworker.elements.model import Element
from arkworker.elements.stored import StoredTranscription
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

# It becomes part of a URL; all else about it is the server's business.
Id = Annotated[str, Field(pattern=r"^[-_A-Za-z0-9]([-_.A-Za-z0-9]*[-_A-Za-z0-9])?$", max_length=255)]


class Recorded(BaseModel):
    """A part of a line of a results file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


class ImageSize(Recorded):
    """The image that an element is on; in pixels, where they are known."""

    width: int | None = Field(None, ge=0)
    height: int | None = Field(None, ge=0)


class RecordedElement(Recorded):
    """An element.

    Attributes:
        id: Its id on Arkindex.
        type: The slug of its type; None when unknown.
        name: Its name, for messages.
        corpus_id: Its corpus; None when unknown.
        image: The image that it is on; None for an element without one.
    """

    id: Id
    type: str | None = None
    name: str = ""
    corpus_id: Id | None = None
    image: ImageSize | None = None

    @classmethod
    def of(cls, element: Element) -> RecordedElement:
        """What a line says of an element."""
        image = element.zone.image if element.zone is not None else None
        return cls(
            id=element.id,
            type=None if element.type is None else printable(element.type, 60),
            name=printable(element.name, 250),
            corpus_id=element.corpus.id if element.corpus is not None else None,
            image=ImageSize(width=image.width, height=image.height) if image is not None else None,
        )

    def to_element(self) -> Element:
        """The element, as far as planning a publication needs it."""
        answer: dict[str, Any] = {"id": self.id, "type": self.type, "name": self.name}
        if self.corpus_id is not None:
            answer["corpus"] = {"id": self.corpus_id}
        if self.image is not None:
            answer["zone"] = {"image": {"width": self.image.width, "height": self.image.height}}
        return Element.model_validate(answer)


class RecordedTranscription(Recorded):
    """A transcription that is stored.

    Attributes:
        transcription_id: Its id on Arkindex.
        text: Its text, which entities must lie in.
        element_id: The element that it is on; None when unknown.
    """

    transcription_id: Id
    text: str
    element_id: Id | None = None


def as_target(target: Element | StoredTranscription) -> dict[str, Any]:
    """What a line says of what results are put on."""
    if isinstance(target, Element):
        return RecordedElement.of(target).model_dump(mode="json", exclude_defaults=True)
    said = RecordedTranscription(transcription_id=target.id, text=target.text, element_id=target.element_id)
    return said.model_dump(mode="json", exclude_defaults=True)


def target_of(said: Mapping[str, Any]) -> Element | StoredTranscription:
    """What a line says that results are put on.

    Raises:
        ValidationError: It says no such thing.
    """
    if "transcription_id" not in said:
        return RecordedElement.model_validate(said).to_element()
    known = RecordedTranscription.model_validate(said)
    return StoredTranscription(id=known.transcription_id, text=known.text, element_id=known.element_id)
