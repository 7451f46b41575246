"""Elements as values, from each shape in which they arrive."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.elements.model import Element
from arkworker.elements.records import Zone
from arkworker.errors import ApiContentError, ArkworkerError, CacheError, ImageError
from arkworker.images.options import ImageOptions

if TYPE_CHECKING:
    from arkworker.images.options import Picture

IMAGE = {
    "id": "b7ba1c4b-3f2b-4a3d-9a53-56e7a2c0b2e0",
    "path": "page.jpg",
    "width": 300,
    "height": 200,
    "url": "https://iiif.example/page.jpg",
    "s3_url": "https://s3.example/page.jpg?X-Signature=canary",
    "status": "checked",
    "server": {
        "display_name": "IIIF",
        "url": "https://iiif.example",
        "max_width": None,
        "max_height": None,
        "version": 3,
    },
}
ANSWER = {
    "id": "5a3c5b9c-8d1c-4b0e-9a39-5a2a0c5a4a11",
    "name": "1r",
    "type": "page",
    "corpus": {"id": "c", "name": "Charters", "public": False},
    "zone": {"id": "z", "polygon": [[0, 0], [0, 200], [300, 200], [300, 0]], "url": "https://x/y", "image": IMAGE},
    "rotation_angle": 90,
    "mirrored": True,
    "confidence": 0.5,
    "notes": [{"name": "date", "value": [1, 2]}],
    "has_children": {"lines": [1]},
}


class Opener:
    """Remembers what it was asked for; cannot be pickled, as real ones."""

    def __init__(self) -> None:
        self.asked: list[tuple[Picture, ImageOptions]] = []
        self.unpicklable = lambda: None

    def open(self, picture: Picture, options: ImageOptions) -> Any:
        self.asked.append((picture, options))
        return "pixels"


def test_an_answer_is_typed() -> None:
    """Fields of RetrieveElement are attributes, polygons tuples."""
    element = Element.from_api(ANSWER)

    assert element.polygon == ((0, 0), (0, 200), (300, 200), (300, 0))
    assert (element.type, element.rotation_angle, element.mirrored, element.confidence) == ("page", 90, True, 0.5)
    assert element.zone is not None
    assert element.zone.image is not None
    assert element.zone.image.server is not None
    assert (element.zone.image.width, element.zone.image.server.version) == (300, 3)


def test_unknown_fields_are_kept() -> None:
    """What this release does not know stays an attribute."""
    assert Element.from_api(ANSWER).notes == [{"name": "date", "value": [1, 2]}]  # type: ignore[attr-defined]


def test_an_element_is_frozen_to_the_bottom() -> None:
    """No assignment, no change of what is in unknown fields."""
    element: Any = Element.from_api(ANSWER)

    with pytest.raises(ValueError, match="frozen"):
        element.name = "2"
    with pytest.raises(ValueError, match="frozen"):
        element.zone.image.url = "x"
    with pytest.raises(TypeError):
        element.notes.append(1)
    with pytest.raises(TypeError):
        element.notes[0]["value"][0] = 3
    with pytest.raises(TypeError):
        element.model_extra["notes"] = 1
    with pytest.raises(TypeError):
        element.has_children["lines"] += [2]


def test_the_answer_that_it_came_from_has_no_hold_on_it() -> None:
    """Changing the answer afterwards changes nothing."""
    answer = copy.deepcopy(ANSWER)
    element = Element.from_api(answer)
    answer["notes"][0]["value"].append(3)  # type: ignore[index]
    answer["zone"]["polygon"][0][0] = 9  # type: ignore[index]

    assert element == Element.from_api(ANSWER)


def test_elements_are_values() -> None:
    """Equal and hashable by content, also after pickling; every part has a hash."""
    element = Element.from_api(ANSWER)

    assert {element: 1}[pickle.loads(pickle.dumps(element))] == 1
    assert hash(element.zone) == hash(Element.from_api(ANSWER).zone)
    assert copy.deepcopy(element) is element
    assert element != Element.from_api({**ANSWER, "name": "2"})
    assert element != Element.from_api({**ANSWER, "metadata": []})
    assert element != "page 1r"


def test_the_opener_is_no_part_of_the_value() -> None:
    """Binding one changes neither comparison, hash nor pickle, and leaves the element bound from alone."""
    element = Element.from_api(ANSWER)
    bound = element.bind(Opener())

    assert (bound == element, hash(bound) == hash(element)) == (True, True)
    assert pickle.loads(pickle.dumps(bound)) == element
    assert (element._opener, pickle.loads(pickle.dumps(bound))._opener) == (None, None)


def test_open_image_hands_over_to_the_opener() -> None:
    """With the options, the ones not given at their defaults."""
    opener = Opener()
    element = Element.from_api(ANSWER).bind(opener)

    assert element.open_image(max_width=5, rotation_angle=0) == "pixels"
    assert opener.asked == [(element.picture(), ImageOptions(max_width=5, rotation_angle=0))]


@pytest.mark.parametrize(
    "options",
    [{"max_width": 0}, {"max_height": -1}, {"max_width": 1.5}, {"max_width": True}, {"max_image_pixels": -1}]
    + [{"extension": name} for name in ("", ".jpg", "../x", "jpg?x", "é")],
)
def test_options_that_make_no_sense_are_refused(options: Any) -> None:
    """Before anything is opened."""
    with pytest.raises(ValueError, match=r"max_|extension"):
        Element.from_api(ANSWER).open_image(**options)


def test_little_is_enough() -> None:
    """StartWorkerActivity may answer with hardly anything; null is the default where null means nothing."""
    element = Element.from_api({"id": "x", "type_id": "t", "name": None, "rotation_angle": None, "mirrored": None})

    assert element == Element(id="x", type_id="t")
    assert (element.type, element.name, element.rotation_angle, element.mirrored) == (None, "", 0, False)


FLAT = {
    "id": "x",
    "type_id": "t",
    "polygon": [[0, 0], [9, 0], [9, 9]],
    "image_id": "i",
    "image_url": "https://iiif.example/i",
    "image_width": 30,
    "image_height": 20,
    "image_version": 3,
}


@pytest.mark.parametrize(
    "answer",
    [
        FLAT,
        {
            "id": "x",
            "type_id": "t",
            "polygon": [[0, 0], [9, 0], [9, 9]],
            "image": {
                "id": "i",
                "url": "https://iiif.example/i",
                "width": 30,
                "height": 20,
                "server": {"version": 3},
            },
        },
    ],
)
def test_flat_answers_have_a_zone(answer: Any) -> None:
    """Lists of elements may have the image beside the polygon, or its fields beside each other."""
    image = {"id": "i", "url": "https://iiif.example/i", "width": 30, "height": 20, "server": {"version": 3}}

    assert Element.from_api(answer) == Element(
        id="x", type_id="t", zone=Zone.model_validate({"polygon": [[0, 0], [9, 0], [9, 9]], "image": image})
    )


def test_older_shapes_of_type_and_corpus() -> None:
    """A type as an object gives its slug, a corpus as an id is still a corpus."""
    element = Element.from_api({"id": "x", "type": {"slug": "page", "display_name": "Page"}, "corpus": "c"})

    assert element.corpus is not None
    assert (element.type, element.corpus.id) == ("page", "c")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "element without id: the answer: Input should be"),
        ([], "element without id: the answer: Input should be"),
        ({}, "element without id: id: Field required"),
        ({"id": 1}, "element 1: id: Input should be a valid string"),
        ({"id": "x", "zone": "canary"}, "element x: zone: Input should be"),
        (
            {"id": "x", "zone": {"polygon": [[0, "canary"]]}},
            "element x: zone.polygon: point 1 is not a pair of numbers",
        ),
        ({"id": "x", "zone": {"image": {"width": -1}}}, "element x: zone.image.width: Input should be greater"),
        ({"id": "x\x1b[2J", "type": 5, "name": 6}, r"element x\\x1b\[2J: name: .* \(and 1 more\)"),
    ],
)
def test_what_is_no_element_is_one_line(answer: Any, message: str) -> None:
    """It names element, field and problem, and holds nothing of the answer."""
    with pytest.raises(ApiContentError, match=message) as caught:
        Element.from_api(answer, operation="StartWorkerActivity")

    assert str(caught.value).startswith("StartWorkerActivity: ")
    assert ("\n" in str(caught.value), "canary" in str(caught.value), "\x1b" in str(caught.value)) == (False,) * 3


ROW = {
    "id": "5a3c5b9c8d1c4b0e9a395a2a0c5a4a11",
    "parent_id": None,
    "type": "page",
    "image_id": "b7ba1c4b3f2b4a3d9a5356e7a2c0b2e0",
    "polygon": "[[0, 0], [0, 200], [300, 200]]",
    "rotation_angle": 90,
    "mirrored": 1,
    "initial": 1,
    "worker_version_id": None,
    "worker_run_id": "b7ba1c4b3f2b4a3d9a5356e7a2c0b2e0",
    "confidence": None,
}
IMAGE_ROW = {"id": ROW["image_id"], "width": 300, "height": 200, "url": "https://iiif.example/page.jpg", "version": 3}


def test_a_row_of_the_cache_is_an_element() -> None:
    """Polygon from JSON, ids with dashes, the image in the zone, the other columns kept."""
    element = Element.from_cache(ROW, IMAGE_ROW)

    assert element.id == ANSWER["id"]
    assert (element.type, element.polygon, element.rotation_angle) == ("page", ((0, 0), (0, 200), (300, 200)), 90)
    assert element.zone is not None
    assert element.zone.image is not None
    assert (element.zone.image.id, element.zone.image.url) == (IMAGE["id"], IMAGE["url"])
    assert element.worker_run_id == IMAGE["id"]


def test_a_row_without_image_has_no_zone() -> None:
    """As a folder."""
    assert Element.from_cache({**ROW, "image_id": None, "polygon": None}).zone is None


@pytest.mark.parametrize("polygon", ["{", "[[0,", "[[1]]", '"x"', "[" * 100_000, b"\xff"])
def test_a_damaged_row_is_one_line(polygon: Any) -> None:
    """It names the element."""
    with pytest.raises(CacheError, match="element 5a3c5b9c"):
        Element.from_cache({**ROW, "polygon": polygon}, IMAGE_ROW)


def test_an_element_without_zone_has_no_image() -> None:
    """One line each, and a ValueError as with base-worker."""
    element = Element(id="x")
    for ask in (element.open_image, lambda: element.polygon, lambda: element.bounding_box):
        with pytest.raises(ValueError, match=r"^element x has no zone, hence no image$") as caught:
            ask()
        assert isinstance(caught.value, ArkworkerError)


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ({"polygon": [[0, 0], [9, 0], [9, 9]]}, "has no image"),
        ({"polygon": [[0, 0], [9, 9]], "image": IMAGE}, "2 points"),
        ({"polygon": [[0, 0], [9, 0], [5, 0]], "image": IMAGE}, "no area"),
        ({"polygon": [[900, 0], [990, 0], [990, 9]], "image": IMAGE}, "entirely outside"),
    ],
)
def test_a_zone_without_pixels_is_an_error(zone: Any, message: str) -> None:
    """Its element can be read, its image cannot be opened."""
    with pytest.raises(ImageError, match=f"element x.* {message}"):
        Element.from_api({"id": "x", "zone": zone}).open_image()


def test_revert_orientation_knows_the_part_that_was_opened() -> None:
    """The box of the polygon by default, the whole image with `use_full_image`."""
    element = Element.from_api(
        {
            "id": "x",
            "rotation_angle": 180,
            "zone": {"polygon": [[10, 10], [50, 10], [50, 40]], "image": IMAGE},
        }
    )
    corner = [[0, 0], [5, 0], [5, 5]]

    assert element.revert_orientation(corner)[0] == (50, 40)
    assert element.revert_orientation(corner, use_full_image=True)[0] == (300, 200)
    assert element.revert_orientation([[50, 40], [9, 9], [1, 1]], reverse=True)[0] == (0, 0)


def test_trim_polygon_knows_the_image() -> None:
    """Its size is that of the element's image."""
    element = Element.from_api(ANSWER)

    assert element.trim_polygon([[-1, 5], [500, 5], [500, 500]]) == ((0, 5), (300, 5), (300, 200))


def test_an_image_of_unknown_size_cannot_be_trimmed_to() -> None:
    """One line says so."""
    element = Element.from_api({"id": "x", "zone": {"image": {"url": "https://x"}}})

    with pytest.raises(ImageError, match=r"^element x: the size of its image is unknown$"):
        element.trim_polygon([[0, 0], [1, 0], [1, 1]])


def test_addresses_are_shown_without_their_signature() -> None:
    """In `repr` of the element and of each part."""
    element = Element.from_api({**ANSWER, "thumbnail_url": "https://user:canary@x/t?canary#canary", "other": "canary"})

    assert "canary" not in repr(element) + str(element) + repr(element.zone) + str(element.zone)
    assert "https://x/t?…" in repr(element)


def test_the_text_of_an_element_is_one_line() -> None:
    """Type, name and id, with nothing that a terminal would obey."""
    assert str(Element(id="x", type="page", name="é\n\x1b[2J")) == r"page é\n\x1b[2J (x)"
    assert str(Element(id="x")) == "element (x)"


def test_elements_import_nothing_heavy() -> None:
    """Neither requests nor Pillow nor SQLAlchemy, before an image is opened."""
    code = "import sys, arkworker.elements.model; print({'requests', 'PIL', 'sqlalchemy', 'numpy'} & set(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert finished.stdout == "set()\n"


def test_a_missing_pillow_is_one_line() -> None:
    """It says what to install."""
    code = f"""
import sys; sys.modules["PIL"] = None
from arkworker.elements.model import Element
from arkworker.errors import ImageError
try: Element.from_api({ANSWER!r}).open_image()
except ImageError as error: print(error)
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "pip install 'arkworker[image]'" in finished.stdout
    assert finished.stdout.count("\n") == 1
