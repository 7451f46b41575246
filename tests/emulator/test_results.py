"""Transcriptions, classifications, metadata, entities and embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import World

SQUARE: list[list[int | float]] = [[0, 0], [0, 10], [10, 10], [10, 0]]
OTHER = [[0, 20], [0, 30], [10, 30], [10, 20]]


def test_a_transcription_is_listed_with_its_element(world: World) -> None:
    """What was created is listed, signed by its run."""
    page = world.pages[0]
    body = {"text": "Bonjour", "confidence": 0.5, "worker_run_id": world.run}
    made = world.client.post(f"/element/{page}/transcription/", body)

    (listed,) = world.client.get(f"/element/{page}/transcriptions/")["results"]

    assert listed == {**made, "element": listed["element"]}
    assert (made["text"], made["worker_run"]["id"], listed["element"]["id"]) == ("Bonjour", world.run, page)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"text": ""}, ["text"]),
        ({"text": 3}, ["text"]),
        ({"orientation": "upwards"}, ["orientation"]),
        ({"confidence": -0.1}, ["confidence"]),
        ({"worker_run_id": "00000000-0000-0000-0000-000000000000"}, ["worker_run_id"]),
    ],
)
def test_a_bad_transcription_is_refused(world: World, changes: dict[str, Any], place: list[str]) -> None:
    """The error leads to the place in the body."""
    body = {"text": "Bonjour", **changes}

    status, attr, _ = world.client.refusal("POST", f"/element/{world.pages[0]}/transcription/", body)

    assert (status, attr) == (400, place)


def test_transcriptions_on_many_elements_are_all_or_none(world: World) -> None:
    """One element that does not exist refuses the whole request."""
    good = [{"element_id": page, "text": "x"} for page in world.pages]
    bad = {"element_id": "00000000-0000-0000-0000-000000000000", "text": "x"}

    refusal = world.client.refusal("POST", "/transcription/bulk/", {"transcriptions": [*good, bad]})
    kept = world.client.get(f"/element/{world.pages[0]}/transcriptions/")["count"]
    made = world.client.post("/transcription/bulk/", {"transcriptions": good})["transcriptions"]

    assert (refusal, kept) == ((400, ["transcriptions", 2, "element_id"], "does_not_exist"), 0)
    assert [item["element_id"] for item in made] == world.pages


def test_transcriptions_with_polygons_create_the_children_that_are_missing(world: World) -> None:
    """A polygon that a child of the type has already is used again; answers keep the order."""
    items = [{"polygon": polygon, "text": text} for polygon, text in ((SQUARE, "a"), (OTHER, "b"), (SQUARE, "c"))]
    body = {"element_type": "text_line", "transcriptions": items, "return_elements": True}

    made = world.client.post(f"/element/{world.pages[0]}/transcriptions/bulk/", body)

    assert [item["created"] for item in made] == [True, True, False]
    assert made[0]["element_id"] == made[2]["element_id"] != made[1]["element_id"]
    listed = world.client.get(
        f"/element/{world.pages[0]}/transcriptions/", params={"recursive": True, "element_type": "text_line"}
    )
    assert [item["text"] for item in listed["results"]] == ["a", "b", "c"]


def test_a_polygon_that_was_given_open_is_the_closed_one(world: World) -> None:
    """A line of a project or a test is the one that a worker sends with its first point again at the end."""
    line = world.emulator.add_element("text_line", "1", parent=world.pages[0], polygon=[*SQUARE])
    item = {"polygon": [*SQUARE, SQUARE[0]], "text": "a"}
    body = {"element_type": "text_line", "transcriptions": [item], "return_elements": True}

    (made,) = world.client.post(f"/element/{world.pages[0]}/transcriptions/bulk/", body)

    assert (made["element_id"], made["created"]) == (line, False)


def test_a_class_is_created_once(world: World) -> None:
    """The second creation is refused, and the class is listed once."""
    path = f"/corpus/{world.corpus}/classes/"
    world.client.post(path, {"name": "cat"})

    assert world.client.refusal("POST", path, {"name": "cat"}) == (400, None, "unique")
    assert [item["name"] for item in world.client.get(path)["results"]] == ["cat"]


def test_a_second_classification_is_refused_in_the_older_style(world: World) -> None:
    """Published clients read that very sentence, in that very style, as `it is there already`."""
    ml_class = world.client.post(f"/corpus/{world.corpus}/classes/", {"name": "cat"})["id"]
    body = {"element": world.pages[0], "ml_class": ml_class, "confidence": 0.5, "worker_run_id": world.run}
    world.client.post("/classifications/", body)

    again = world.client.json(400, "POST", "/classifications/", body)

    assert again == {"non_field_errors": ["The fields element, worker_run, ml_class must make a unique set."]}


def test_classifications_are_part_of_their_element(world: World) -> None:
    """Created in bulk, they are seen on the element."""
    path = f"/corpus/{world.corpus}/classes/"
    ids = [world.client.post(path, {"name": name})["id"] for name in ("cat", "dog")]
    items = [{"ml_class": identifier, "confidence": 0.5} for identifier in ids]

    world.client.post("/classification/bulk/", {"parent": world.pages[0], "classifications": items})

    found = world.client.get(f"/element/{world.pages[0]}/")["classifications"]
    assert [item["ml_class"]["name"] for item in found] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("kind", "value", "status"),
    [
        ("text", "x", 201),
        ("numeric", "3.5", 201),
        ("numeric", 3, 201),
        ("numeric", "three", 400),
        ("numeric", "nan", 400),
        ("url", "https://example.org/", 201),
        ("url", "javascript:alert(1)", 400),
        ("colour", "x", 400),
        ("text", "", 400),
    ],
)
def test_metadata_are_checked_by_their_type(world: World, kind: str, value: Any, status: int) -> None:
    """A number is a number, an address one of the web."""
    body = {"type": kind, "name": "n", "value": value}

    assert world.client.send("POST", f"/element/{world.pages[0]}/metadata/", body).status_code == status


def test_metadata_of_parents_are_listed_on_demand(world: World) -> None:
    """The list is plain, not in pages."""
    parent, child = world.pages
    world.client.post(f"/element/{child}/parent/{parent}/")
    for page in world.pages:
        item = {"type": "text", "name": "n", "value": page}
        world.client.post(f"/element/{page}/metadata/bulk/", {"metadata_list": [item]})

    own = world.client.get(f"/element/{child}/metadata/")
    all_ = world.client.get(f"/element/{child}/metadata/", params={"load_parents": True})

    assert ([item["value"] for item in own], [item["value"] for item in all_]) == ([child], [parent, child])


def test_entities_stay_inside_of_their_transcription(world: World) -> None:
    """An entity beyond the text, or given twice, is refused."""
    kind = world.client.post("/entity/types/", {"name": "place", "corpus": world.corpus})["id"]
    text = world.client.post(f"/element/{world.pages[0]}/transcription/", {"text": "À Paris"})["id"]
    path = f"/transcription/{text}/entities/"
    paris = {"type_id": kind, "offset": 2, "length": 5}
    world.client.post(path, paris)

    assert world.client.refusal("POST", path, {**paris, "length": 6})[2] == "out_of_bounds"
    assert world.client.refusal("POST", f"{path}bulk/", {"transcription_entities": [paris]})[2] == "unique"
    assert [item["type"]["name"] for item in world.client.get(path)["results"]] == ["place"]


def test_types_are_unique_in_their_corpus(world: World) -> None:
    """Element types and entity types exist once; a slug has no spaces."""
    kind = {"slug": "stain", "display_name": "Stain", "folder": False, "corpus": world.corpus}
    world.client.post("/elements/type/", kind)

    assert world.client.refusal("POST", "/elements/type/", kind)[2] == "unique"
    assert world.client.refusal("POST", "/elements/type/", {**kind, "slug": "a b"})[:2] == (400, ["slug"])
    assert "stain" in [item["slug"] for item in world.client.get(f"/corpus/{world.corpus}/")["types"]]


def test_embeddings_are_lists_of_numbers(world: World) -> None:
    """They come back as they were sent."""
    path = f"/element/{world.pages[0]}/embedding/"
    world.client.post(path, {"value": [1, 0.5], "worker_run_id": world.run})

    assert [item["value"] for item in world.client.get(path)["results"]] == [[1.0, 0.5]]
    assert world.client.send("POST", path, {"value": []}).status_code == 400
