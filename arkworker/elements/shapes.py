"""The shapes in which elements arrive, brought to one: that of `RetrieveElement`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from arkworker.elements.records import Image

if TYPE_CHECKING:
    from collections.abc import Mapping

# Names in flat answers, and in the cache's table of images, for what RetrieveElement puts in `zone.image`.
_FLAT_IMAGE = {"image_id": "id", "image_url": "url", "image_width": "width", "image_height": "height"}


def gather(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer with its image where `RetrieveElement` has it, and without nulls that mean a default."""
    values = {key: value for key, value in answer.items() if value is not None or key not in _NULL_IS_DEFAULT}
    corpus, kind = values.get("corpus"), values.get("type")
    if isinstance(corpus, str):
        values["corpus"] = {"id": corpus}
    if isinstance(kind, dict):
        values["type"] = kind.get("slug")
    if isinstance(values.get("worker_run"), dict):
        values.setdefault("worker_run_id", values["worker_run"].get("id"))
    if values.get("zone") is None and (zone := _flat_zone(values)):
        values["zone"] = zone
    return values


_NULL_IS_DEFAULT = frozenset({"name", "rotation_angle", "mirrored"})


def _flat_zone(values: dict[str, Any]) -> dict[str, Any]:
    """The zone of an answer whose image and polygon are beside the name; they are taken out of it."""
    image = values.pop("image", None) if isinstance(values.get("image"), dict) else None
    if image is None and values.get("image_url"):
        image = {name: values.pop(flat) for flat, name in _FLAT_IMAGE.items() if flat in values}
        image["server"] = {"version": values.pop("image_version", None)}
    return {"polygon": values.pop("polygon", None), "image": image} if image else {}


def from_cache_row(row: Mapping[str, Any], image: Mapping[str, Any] | Image | None) -> dict[str, Any]:
    """A row of the cache's table `elements`, with its row of `images`, as an answer of the API.

    Raises:
        ValueError: The polygon is text that is not JSON, or an id is not valid.
    """
    values = {key: _with_dashes(value) if key.endswith("id") else value for key, value in row.items()}
    polygon = values.pop("polygon", None)
    values.pop("image_id", None)
    if image is not None:
        picture = image if isinstance(image, Image) else from_cache_image(image)
        values["zone"] = {"polygon": _decoded(polygon), "image": picture}
    return values


def from_cache_image(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the cache's table `images`, as the image of an answer of the API."""
    picture = {key: row.get(key) for key in ("url", "width", "height")}
    return picture | {"id": _with_dashes(row.get("id")), "server": {"version": row.get("version")}}


def _decoded(polygon: Any) -> Any:
    if not isinstance(polygon, (str, bytes)):
        return polygon
    try:
        return json.loads(polygon)
    except (ValueError, RecursionError):
        raise ValueError("the polygon is not JSON") from None


def _with_dashes(identifier: Any) -> Any:
    """The cache keeps ids as 32 hexadecimal characters, the API writes them with dashes."""
    if isinstance(identifier, UUID):
        return str(identifier)
    if not isinstance(identifier, str):
        return identifier
    return str(UUID(identifier)) if len(identifier) == 32 and identifier.isalnum() else identifier
