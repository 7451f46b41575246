"""The pixels and polygons of base-worker's helpers, on generated elements and a IIIF server on 127.0.0.1.

Where arkworker differs on purpose, a test at the end shows both behaviours, with the reason.
"""

from __future__ import annotations

import hashlib
import json
import random
import runpy
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.elements.model import Element
from arkworker.errors import ImageError
from arkworker.geometry import trim_polygon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import PIL.Image

    Case = dict[str, Any]
    Ask = Callable[[list[Case]], list[Case]]

pytestmark = pytest.mark.compat

HERE = Path(__file__).parent
WIDTH, HEIGHT = 300, 200
WHOLE = [[0, 0], [0, HEIGHT], [WIDTH, HEIGHT], [WIDTH, 0], [0, 0]]


@pytest.fixture
def server() -> Iterator[Any]:
    """Serves one image without loss, so that equal pixels mean equal requests."""
    module = runpy.run_path(str(HERE.parent / "image_server.py"))
    images = module["ImageServer"]()
    images.images["page"] = module["drawing"](WIDTH, HEIGHT)
    yield images
    images.close()


@contextmanager
def running(python: Path) -> Iterator[Ask]:
    """What a published package answers to some cases, in one process for all of them."""
    with subprocess.Popen(
        [python, HERE / "peer_images.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:

        def ask(cases: list[Case]) -> list[Case]:
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps(cases), file=process.stdin, flush=True)
            results: list[Case] = json.loads(process.stdout.readline())
            return results

        yield ask  # its input is closed at the end, which ends it


@pytest.fixture(scope="module")
def ask(peer: Callable[[str], Path]) -> Iterator[Ask]:
    with running(peer("base-worker-0.6.0")) as answers:
        yield answers


def describe(image: PIL.Image.Image) -> Case:
    return {"size": list(image.size), "mode": image.mode, "pixels": hashlib.sha256(image.tobytes()).hexdigest()}


def element(server: Any, polygon: list[list[int]], **values: Any) -> Case:
    """What RetrieveElement answers; `largest` and `s3_url` say more of the image."""
    xs, ys = [x for x, _ in polygon], [y for _, y in polygon]
    box = f"{min(xs)},{min(ys)},{max(xs) - min(xs)},{max(ys) - min(ys)}"
    url = f"{server.url}/iiif/page"
    largest, s3_url = values.pop("largest", None), values.pop("s3_url", None)
    iiif = {"url": server.url, "version": server.version, "max_width": largest, "max_height": largest}
    return {
        "id": "11111111-1111-1111-1111-111111111111",
        "type": "page",
        "name": "1",
        "rotation_angle": 0,
        "mirrored": False,
        "zone": {
            "polygon": polygon,
            "url": f"{url}/{box}/{'max' if server.version == 3 else 'full'}/0/default.jpg",
            "image": {"url": url, "s3_url": s3_url, "width": WIDTH, "height": HEIGHT, "server": iiif},
        },
        **values,
    }


def rectangle(draw: random.Random) -> list[list[int]]:
    left, top = draw.randrange(WIDTH - 10), draw.randrange(HEIGHT - 10)
    right, bottom = draw.randrange(left + 5, WIDTH + 1), draw.randrange(top + 5, HEIGHT + 1)
    return [[left, top], [left, bottom], [right, bottom], [right, top], [left, top]]


def polygon(draw: random.Random) -> list[list[int]]:
    """Any polygon inside the image, with an area."""
    points = rectangle(draw)[draw.randrange(2) :]
    return points + [[draw.randrange(WIDTH + 1), draw.randrange(HEIGHT + 1)] for _ in range(draw.randrange(4))]


def orientation(draw: random.Random, *, right_angles: bool = False) -> Case:
    angles = [0, 90, 180, 270] if right_angles or draw.random() < 0.7 else [draw.randrange(360)]
    return {"rotation_angle": draw.choice(angles), "mirrored": draw.random() < 0.5}


def compare(ask: Ask, cases: list[Case]) -> None:
    """Ours against theirs, for cases that open an element's image."""
    ours = [{"result": describe(Element.from_api(case["element"]).open_image(**case["options"]))} for case in cases]

    assert ours == ask(cases)


@pytest.mark.parametrize("version", [2, 3])
def test_parts_of_images_have_the_same_pixels(server: Any, ask: Ask, version: int) -> None:
    """The box of any polygon, mirrored and turned by any angle, is the same image."""
    draw, server.version = random.Random(version), version
    compare(
        ask,
        [
            {"do": "open", "element": element(server, polygon(draw), **orientation(draw)), "options": {}}
            for _ in range(40)
        ],
    )


@pytest.mark.parametrize("version", [2, 3])
def test_whole_images_have_the_same_pixels(server: Any, ask: Ask, version: int) -> None:
    """With `use_full_image` the polygon plays no part, whatever the size limits."""
    draw, server.version = random.Random(version), version
    compare(
        ask,
        [
            {
                "do": "open",
                "element": element(server, polygon(draw), **orientation(draw)),
                "options": {"use_full_image": True, "max_width": draw.choice([None, 120, WIDTH, 900])},
            }
            for _ in range(20)
        ],
    )


@pytest.mark.parametrize("version", [2, 3])
def test_shrunk_pages_have_the_same_pixels(server: Any, ask: Ask, version: int) -> None:
    """Limits of width and height ask the server for the same sizes."""
    draw, server.version = random.Random(version), version
    sizes = [None, 1, 77, 150, 199, 200]
    compare(
        ask,
        [
            {
                "do": "open",
                "element": element(server, WHOLE, **orientation(draw)),
                "options": {"max_width": wide, "max_height": high, "preserve_ratio": draw.random() < 0.7},
            }
            for wide in sizes
            for high in sizes
        ],
    )


def test_modes_are_converted_alike(server: Any, ask: Ask) -> None:
    """The mode asked for is that of the image."""
    modes = ["RGB", "L", "1", "RGBA", "CMYK", "HSV"]
    compare(ask, [{"do": "open", "element": element(server, WHOLE), "options": {"mode": mode}} for mode in modes])


def test_direct_addresses_give_the_same_pixels(server: Any, ask: Ask) -> None:
    """A valid S3 address is used for the whole image."""
    page = element(server, WHOLE, s3_url=f"{server.url}/s3/page?signature=valid", rotation_angle=90)
    compare(ask, [{"do": "open", "element": page, "options": {"use_full_image": True}}])


@pytest.mark.parametrize("version", [2, 3])
def test_tiles_give_the_same_pixels(server: Any, ask: Ask, version: int) -> None:
    """A page beyond the server's limits is put together from the same tiles."""
    server.version, server.max_size = version, 100
    page = element(server, WHOLE, largest=100)
    compare(ask, [{"do": "open", "element": page, "options": {}}])


def test_a_refused_full_size_is_asked_as_the_maximum(server: Any, ask: Ask) -> None:
    """Servers of IIIF 3 that an instance takes for IIIF 2 still answer."""
    page = element(server, WHOLE)
    server.version = 3
    compare(ask, [{"do": "open", "element": page, "options": {}}])


def test_bounding_boxes_are_the_same(ask: Ask) -> None:
    """Boxes of integers and of fractions."""
    draw = random.Random(5)
    polygons = [
        [[draw.choice([draw.randrange(-500, 500), draw.uniform(-500, 500)]) for _ in "xy"] for _ in range(6)]
        for _ in range(50)
    ]
    ours = [
        {"result": list(Element.from_api({"id": "x", "zone": {"polygon": points}}).bounding_box)} for points in polygons
    ]

    assert ours == ask([{"do": "box", "polygon": points} for points in polygons])


def trimmed(case: Case) -> Case:
    try:
        return {"result": [list(p) for p in trim_polygon(case["polygon"], case["width"], case["height"])]}
    except ValueError:
        return {"error": "AssertionError"}


def test_trimmed_polygons_are_the_same(ask: Ask) -> None:
    """Polygons inside, across and beyond the image; refusals included."""
    draw = random.Random(6)
    cases = [
        {
            "do": "trim",
            "width": WIDTH,
            "height": HEIGHT,
            "polygon": [[draw.randrange(-60, 600), draw.randrange(-60, 600)] for _ in range(draw.randrange(1, 6))],
        }
        for _ in range(200)
    ]
    cases += [{**cases[0], "polygon": wrong} for wrong in ([[0, 0], [1], [2, 2]], [1, 2, 3])]

    assert [trimmed(case) for case in cases] == ask(cases)


@pytest.mark.parametrize("reverse", [False, True])
def test_reverted_polygons_are_the_same(server: Any, ask: Ask, reverse: bool) -> None:  # noqa: FBT001 -- a parameter
    """For any polygon and right angle, and for rectangles at any angle."""
    draw = random.Random(7)
    cases: list[Case] = []
    for number in range(300):
        shape = rectangle(draw) if number % 2 else polygon(draw)
        turned = orientation(draw, right_angles=number % 2 == 0)
        child = [[draw.randrange(-5, 200), draw.randrange(-5, 200)] for _ in range(draw.randrange(3, 7))]
        cases.append(
            {"do": "revert", "element": element(server, shape, **turned), "polygon": child, "reverse": reverse}
        )
    ours = [
        {
            "result": [
                list(p) for p in Element.from_api(c["element"]).revert_orientation(c["polygon"], reverse=c["reverse"])
            ]
        }
        for c in cases
    ]

    assert ours == ask(cases)


def test_elements_of_the_cache_have_the_same_pixels(server: Any, peer: Callable[[str], Path]) -> None:
    """Rows written by base-worker 0.5.1, the last one with a cache."""
    draw, identifier = random.Random(8), "22222222222222222222222222222222"
    image = {"id": identifier, "width": WIDTH, "height": HEIGHT, "url": f"{server.url}/iiif/page", "version": 2}
    cases: list[Case] = [
        {
            "do": "open cached",
            "row": {"id": identifier, "type": "page", "polygon": shape, **orientation(draw)},
            "image": image,
            "options": options,
        }
        for _ in range(20)
        for shape, options in ((polygon(draw), {}), (WHOLE, {"max_width": draw.randrange(1, 400)}))
    ]
    ours = []
    for case in cases:
        row = {**case["row"], "polygon": json.dumps(case["row"]["polygon"])}
        opened = Element.from_cache(row, image).open_image(**case["options"])
        ours.append({"result": describe(opened)})

    with running(peer("base-worker-0.5.1")) as answers:
        assert ours == answers(cases)


def sizes(ask: Ask, page: Case, **options: Any) -> tuple[list[int], Any]:
    """Our size, and theirs or their error."""
    (theirs,) = ask([{"do": "open", "element": page, "options": options}])
    ours = Element.from_api(page).open_image(**options)
    return list(ours.size), theirs.get("error") or theirs["result"]["size"]


def test_a_small_part_is_not_enlarged(server: Any, ask: Ask) -> None:
    """Difference: a maximum is a maximum. base-worker compares it with the page, and enlarges the part."""
    part = element(server, [[0, 0], [50, 0], [50, 40], [0, 40]])

    assert sizes(ask, part, max_width=100) == ([50, 40], [100, 80])


def test_tiles_are_cropped_and_oriented(server: Any, ask: Ask) -> None:
    """Difference: base-worker gives the whole page, unturned, for which the element's polygons are wrong."""
    server.max_size = 100
    part = element(server, [[10, 10], [160, 10], [160, 60], [10, 60]], largest=100, rotation_angle=90)

    assert sizes(ask, part) == ([50, 150], [WIDTH, HEIGHT])


def test_tiles_are_not_needed_for_a_small_size(server: Any, ask: Ask) -> None:
    """Difference: base-worker gives up on a limited server when a smaller size is asked for."""
    server.max_size = 100

    assert sizes(ask, element(server, WHOLE, largest=100), max_width=90) == ([90, 60], "NotImplementedError")


def test_an_expired_address_is_no_end(server: Any, ask: Ask) -> None:
    """Difference: base-worker raises when an S3 address has expired."""
    page = element(server, WHOLE, s3_url=f"{server.url}/s3/page?signature=expired")

    assert sizes(ask, page, use_full_image=True) == ([WIDTH, HEIGHT], "NotImplementedError")


def test_sizes_hold_for_direct_addresses(server: Any, ask: Ask) -> None:
    """Difference: base-worker forgets the limits when there is an S3 address."""
    page = element(server, WHOLE, s3_url=f"{server.url}/s3/page?signature=valid")

    assert sizes(ask, page, use_full_image=True, max_width=150) == ([150, 100], [WIDTH, HEIGHT])


def test_an_image_of_another_scale_is_an_error(server: Any, ask: Ask) -> None:
    """Difference: polygons found on an image that the server shrank without being asked would be wrong unnoticed."""
    server.max_size, server.tile_size = 100, None
    page = element(server, WHOLE)

    assert ask([{"do": "open", "element": page, "options": {}}])[0]["result"]["size"] == [100, 67]
    with pytest.raises(ImageError, match="neither the whole image nor tiles"):
        Element.from_api(page).open_image()


def test_a_turned_shape_is_found_where_it_is(server: Any, ask: Ask) -> None:
    """Difference: at no right angle, base-worker takes the turned polygon's corner for that of the turned image."""
    triangle = element(server, [[200, 0], [200, 200], [0, 200]], rotation_angle=45)
    child = [[141, 0], [282, 141], [141, 282]]
    (theirs,) = ask([{"do": "revert", "element": triangle, "polygon": child, "reverse": False}])
    ours = Element.from_api(triangle).revert_orientation(child)

    # The upper corner of the view is the upper left one of the box.
    assert (ours[0], theirs["result"][0]) == ((0, 0), [99, 100])


def test_a_polygon_with_negative_coordinates_only_is_outside(ask: Ask) -> None:
    """Difference: base-worker makes a line on the border of it."""
    case = {"do": "trim", "polygon": [[-9, 1], [-8, 50], [-5, 20]], "width": WIDTH, "height": HEIGHT}

    assert (trimmed(case), ask([case])[0]) == ({"error": "AssertionError"}, {"result": [[0, 1], [0, 50], [0, 20]]})
