"""Run by a published package's interpreter: a line of cases on standard input, a line of its helpers' results."""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, BLE001, T201 -- a script for another environment, whose packages are not ours

import hashlib
import json
import sys

import arkindex_worker.image as helpers
from arkindex_worker.models import Element

helpers._retried_request.retry.sleep = lambda _seconds: None


def describe(image):
    return {"size": list(image.size), "mode": image.mode, "pixels": hashlib.sha256(image.tobytes()).hexdigest()}


def cached(row, image):
    """An element of the cache, which lives in its database only."""
    from arkindex_worker.cache import CachedElement, CachedImage

    return CachedElement(**row, image=CachedImage(**image))


def run(case):
    if case["do"] == "open":
        return describe(Element(case["element"]).open_image(**case["options"]))
    if case["do"] == "open cached":
        return describe(cached(case["row"], case["image"]).open_image(**case["options"]))
    if case["do"] == "box":
        return list(helpers.polygon_bounding_box(case["polygon"]))
    if case["do"] == "trim":
        return helpers.trim_polygon(case["polygon"], case["width"], case["height"])
    return helpers.revert_orientation(Element(case["element"]), case["polygon"], reverse=case["reverse"])


def attempt(case):
    try:
        return {"result": run(case)}
    except Exception as error:
        return {"error": type(error).__name__}


for line in sys.stdin:
    print(json.dumps([attempt(case) for case in json.loads(line)]), flush=True)
