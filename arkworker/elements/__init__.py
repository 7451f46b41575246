"""An element of Arkindex and its image, as values: frozen to the bottom, hashable, comparable, picklable."""

from arkworker.elements.model import Element
from arkworker.elements.query import Query, Source
from arkworker.elements.readable import ReadsElements
from arkworker.elements.records import Corpus, Image, ImageServer, Zone
from arkworker.elements.stored import (
    StoredClassification,
    StoredEmbedding,
    StoredEntity,
    StoredMetadata,
    StoredTranscription,
)
from arkworker.images.options import ImageOptions, OpensImages
from arkworker.images.orientation import Orientation

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
