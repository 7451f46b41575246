"""The instance: its edition, its addresses, its style, its storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from arkworker.emulator.authentication import Tokens
    from arkworker.emulator.storage import Storage

Edition: TypeAlias = Literal["enterprise", "community"]
ErrorStyle: TypeAlias = Literal["standard", "legacy"]


@dataclass
class Site:
    """What is true of the whole instance.

    Attributes:
        edition: `community` has no secrets of its own.
        error_style: The style of failures that are not bound to one.
        iiif_version: 2 or 3, of the image server.
        max_image_size: The largest width and height that the image server gives; clients must ask for tiles above.
        direct_images: Give images a `s3_url`, by which workers go around the image server.
        url: Of the API and the page, without a path.
        storage_url: Of files and images: another origin, as in production, so that a token that leaks is seen.
    """

    tokens: Tokens
    storage: Storage
    edition: Edition = "enterprise"
    error_style: ErrorStyle = "standard"
    iiif_version: Literal[2, 3] = 2
    max_image_size: tuple[int, int] | None = None
    direct_images: bool = False
    url: str = field(default="", init=False)
    storage_url: str = field(default="", init=False)
    storage_port: int = field(default=0, init=False)
