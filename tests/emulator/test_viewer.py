"""The data behind the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from arkworker.emulator import Fault

if TYPE_CHECKING:
    from tests.emulator.conftest import World


def view(world: World, path: str, **query: Any) -> Any:
    answer = requests.get(f"{world.emulator.url}/viewer/{path}", params=query, timeout=30)
    assert answer.status_code == 200
    return answer.json()


def test_the_version_changes_with_every_change(world: World) -> None:
    """The page asks again only when something happened."""
    before, again = (view(world, "summary")["version"] for _ in range(2))
    world.emulator.add_element()
    after = view(world, "summary")["version"]

    assert before == again != after


def test_the_page_is_not_in_the_ledger_and_knows_no_faults(world: World) -> None:
    """Looking changes nothing."""
    world.emulator.faults.add("*", Fault.answer(503))
    view(world, "summary")
    view(world, f"elements/{world.pages[0]}")

    assert world.emulator.ledger.count == 0


def test_elements_come_in_pieces(world: World) -> None:
    """A corpus of thousands is shown bit by bit."""
    world.emulator.add_elements(300)

    first = view(world, "elements")
    second = view(world, "elements", offset=len(first["elements"]))

    assert (first["total"], len(first["elements"]), len(second["elements"])) == (302, 200, 102)
    assert first["elements"][0]["state"] == "queued"


def test_an_element_is_shown_with_all_that_was_found(world: World) -> None:
    """Its way down, children, texts with entities, and history."""
    page = world.pages[0]
    volume = world.emulator.add_element("paragraph", "Volume")
    world.client.post(f"/element/{page}/parent/{volume}/")
    world.client.post("/process/start-activity/", run=world.run, status=200)
    text = world.client.post(f"/element/{page}/transcription/", {"text": "À Paris"})["id"]
    kind = world.client.post("/entity/types/", {"name": "place", "corpus": world.corpus})["id"]
    world.client.post(f"/transcription/{text}/entities/", {"type_id": kind, "offset": 2, "length": 5})

    shown = view(world, f"elements/{page}")

    assert [item["name"] for item in shown["path"]] == ["Volume"]
    assert shown["transcriptions"][0]["entities"][0]["type"]["name"] == "place"
    assert [change["state"] for change in shown["history"]] == ["queued", "started"]


def test_what_is_not_there_is_404(world: World) -> None:
    """An unknown element, an unknown image, a file outside of the page's folder."""
    unknown = "00000000-0000-0000-0000-000000000000"
    paths = [f"viewer/elements/{unknown}", f"viewer/images/{unknown}", "page/../viewer.py", "page/%2e%2e/viewer.py"]

    statuses = [requests.get(f"{world.emulator.url}/{path}", timeout=30).status_code for path in paths]

    assert statuses == [404] * 4


@pytest.mark.parametrize("offset", ["-1", "x", "9" * 40, "²"])
def test_a_strange_offset_is_none(world: World, offset: str) -> None:
    """Nothing that a link could hold makes the page fail."""
    assert view(world, "elements", offset=offset)["offset"] == 0


def test_only_our_own_script_runs_in_the_page(world: World) -> None:
    """The page says so to the browser."""
    answer = requests.get(world.emulator.url, timeout=30)

    assert "default-src 'self'" in answer.headers["content-security-policy"]
