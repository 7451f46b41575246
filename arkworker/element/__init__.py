"""An element of Arkindex and its image, as values: frozen to the bottom, hashable, comparable, picklable."""

from arkworker.element.model import Element
from arkworker.element.options import ImageOptions, OpensImages
from arkworker.element.orientation import Orientation
from arkworker.element.reading import Query, ReadsElements, Source
from arkworker.element.records import Corpus, Image, ImageServer, Zone
from arkworker.element.stored import (
    StoredClassification,
    StoredEmbedding,
    StoredEntity,
    StoredMetadata,
    StoredTranscription,
)

__all__ = [
    "Corpus",
    "Element",
    "Image",
    "ImageOptions",
    "ImageServer",
    "OpensImages",
    "Orientation",
    "Query",
    "ReadsElements",
    "Source",
    "StoredClassification",
    "StoredEmbedding",
    "StoredEntity",
    "StoredMetadata",
    "StoredTranscription",
    "Zone",
]
