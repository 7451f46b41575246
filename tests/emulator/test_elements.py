from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import World

SQUARE = [[0, 0], [0, 10], [10, 10], [10, 0]]
NOWHERE = "00000000-0000-0000-0000-000000000000"


def child(**changes: Any) -> dict[str, Any]:
    return {"type": "text_line", "name": "1", "polygon": SQUARE, **changes}


def names(answer: Any) -> list[str]:
    return [item["name"] for item in answer["results"]]


def test_an_element_has_its_zone_and_its_image(world: World) -> None:
    """What a worker needs to open the image is in the element."""
    element = world.client.get(f"/element/{world.pages[0]}/")

    zone = element["zone"]
    assert (element["type"], element["corpus"]["name"]) == ("page", "Letters")
    assert zone["polygon"] == [[0, 0], [0, 1400], [1000, 1400], [1000, 0], [0, 0]]
    assert zone["url"] == f"{zone['image']['url']}/0,0,1000,1400/full/0/default.jpg"
    assert zone["image"]["url"].startswith(world.emulator.site.storage_url)


@pytest.mark.parametrize("identifier", [NOWHERE, "not-a-uuid", "..%2f..", "%00"])
def test_an_unknown_element_answers_404(world: World, identifier: str) -> None:
    """An id that leads nowhere, or is not an id, is not found."""
    assert world.client.send("GET", f"/element/{identifier}/").status_code == 404


def test_a_child_takes_its_parents_image(world: World) -> None:
    """A polygon without an image stands on the image of the parent, and is closed."""
    body = {"type": "text_line", "name": "1", "corpus": world.corpus, "parent": world.pages[0], "polygon": SQUARE}

    made = world.client.post("/elements/create/", {**body, "worker_run_id": world.run, "confidence": 0.5})

    assert made["zone"]["polygon"] == [*SQUARE, SQUARE[0]]
    assert made["zone"]["image"]["width"] == 1000
    assert made["worker_run"]["id"] == world.run
    assert names(world.client.get(f"/elements/{world.pages[0]}/children/")) == ["1"]


def test_many_children_keep_their_order(world: World) -> None:
    """Ids come in the order of the request, and so do the children."""
    children = [child(name=str(number)) for number in range(30)]
    made = world.client.post(f"/element/{world.pages[0]}/children/bulk/", {"elements": children})

    listed = world.client.get(f"/elements/{world.pages[0]}/children/", params={"page_size": 100})
    assert [item["id"] for item in listed["results"]] == [item["id"] for item in made]
    assert names(listed) == [str(number) for number in range(30)]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"type": "nothing"}, ["type"]),
        ({"name": ""}, ["elements", 1, "name"]),
        ({"name": "a\0b"}, ["elements", 1, "name"]),
        ({"name": "\ud800"}, ["elements", 1, "name"]),
        ({"name": "x" * 251}, ["elements", 1, "name"]),
        ({"polygon": [[0, 0], [1, 1]]}, ["elements", 1, "polygon"]),
        ({"polygon": [[0, 0], [1, 1], [0, 0], [1, 1]]}, ["elements", 1, "polygon"]),
        ({"polygon": [[0, 0], [0, 10], [1001, 10]]}, ["elements", 1, "polygon"]),
        ({"polygon": [[0, 0], [0, -1], [10, 10]]}, ["elements", 1, "polygon"]),
        ({"confidence": 1.5}, ["elements", 1, "confidence"]),
        ({"confidence": True}, ["elements", 1, "confidence"]),
    ],
)
def test_one_bad_child_refuses_them_all(world: World, changes: dict[str, Any], place: list[str | int]) -> None:
    """The error leads to the place in the body, and nothing of the request is kept."""
    body = {"elements": [child(), child(**changes)]}

    status, attr, _ = world.client.refusal("POST", f"/element/{world.pages[0]}/children/bulk/", body)

    assert (status, attr) == (400, place)
    assert world.client.get(f"/elements/{world.pages[0]}/children/")["count"] == 0


def test_a_task_signs_with_its_own_run_only(world: World) -> None:
    """A task cannot sign with another worker run."""
    other = world.emulator.add_worker_run()
    body = {"elements": [child()], "worker_run_id": other}

    refusal = world.client.refusal("POST", f"/element/{world.pages[0]}/children/bulk/", body, run=world.run)

    assert refusal == (400, ["worker_run_id"], "permission_denied")


def test_an_element_is_changed_in_part(world: World) -> None:
    """Only what the body names changes."""
    changed = world.client.json(200, "PATCH", f"/element/{world.pages[0]}/", {"name": "New", "rotation_angle": 90})

    assert (changed["name"], changed["rotation_angle"], changed["type"]) == ("New", 90, "page")


@pytest.mark.parametrize("name", ["type", "name", "rotation_angle", "mirrored"])
def test_what_every_element_has_cannot_be_taken_away(world: World, name: str) -> None:
    """A null is refused where it stands."""
    refusal = world.client.refusal("PATCH", f"/element/{world.pages[0]}/", {name: None})

    assert refusal[:2] == (400, [name])


def test_elements_are_linked_once_and_never_in_a_circle(world: World) -> None:
    """A second link, and one that puts an element below itself, are refused."""
    first, second = world.pages
    linked = world.client.post(f"/element/{second}/parent/{first}/")

    assert linked == {"parent": first, "child": second}
    assert world.client.refusal("POST", f"/element/{second}/parent/{first}/")[2] == "unique"
    assert world.client.refusal("POST", f"/element/{first}/parent/{second}/")[2] == "cycle"
    assert world.client.refusal("POST", f"/element/{first}/parent/{first}/")[2] == "cycle"


def test_several_children_are_linked_at_once(world: World) -> None:
    """The answer names them in the order of the request."""
    volume = world.emulator.add_element("paragraph")

    linked = world.client.post(f"/element/parent/{volume}/", {"children": world.pages[::-1]})

    assert linked == {"children": world.pages[::-1]}


def test_lists_are_filtered(world: World) -> None:
    """By name, type, folder, level and the run that made them."""
    world.client.post(f"/element/{world.pages[0]}/children/bulk/", {"elements": [child()], "worker_run_id": world.run})
    path = f"/corpus/{world.corpus}/elements/"

    def ask(**query: Any) -> list[str]:
        return names(world.client.get(path, params=query))

    assert ask() == ["Page 1", "Page 2", "1"]
    assert ask(name="page") == ["Page 1", "Page 2"]
    assert ask(type="text_line") == ask(worker_run=world.run) == ["1"]
    assert ask(worker_run="False") == ask(top_level=True) == ["Page 1", "Page 2"]
    assert ask(folder=True) == []


def test_lists_have_what_is_asked_for(world: World) -> None:
    """Classes, metadata and has_children cost time, and come on demand; the zone and the corpus can be left out."""
    path = f"/corpus/{world.corpus}/elements/"
    plain = world.client.get(path)["results"][0]
    query = {"with_classes": 1, "with_metadata": 1, "with_has_children": 1, "with_zone": 0, "with_corpus": 0}
    full = world.client.get(path, params=query)["results"][0]

    parts = ("classes", "metadata", "has_children", "zone", "corpus")
    assert [plain[part] for part in parts[:3]] == [None, None, None]
    assert [full[part] for part in parts] == [[], [], False, None, None]


def test_relatives_are_found_at_any_depth(world: World) -> None:
    """Recursive lists go all the way down, and all the way up."""
    page = world.pages[0]
    (paragraph,) = world.client.post(
        f"/element/{page}/children/bulk/", {"elements": [child(type="paragraph", name="p")]}
    )
    (line,) = world.client.post(f"/element/{paragraph['id']}/children/bulk/", {"elements": [child(name="l")]})

    below = world.client.get(f"/elements/{page}/children/", params={"recursive": True})
    above = world.client.get(f"/elements/{line['id']}/parents/", params={"recursive": True})
    parent = world.client.get(f"/elements/{line['id']}/parents/")

    assert (names(below), names(above), names(parent)) == (["p", "l"], ["Page 1", "p"], ["p"])
