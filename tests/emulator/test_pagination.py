from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import World


def test_pages_have_numbers(world: World) -> None:
    """Each page says how many there are, and where the next and the previous one is."""
    world.emulator.add_elements(3)
    path = f"/corpus/{world.corpus}/elements/"

    first = world.client.get(path, params={"page_size": 2, "name": "page"})
    second = world.client.get(first["next"])
    third = world.client.get(second["next"])

    assert [first["count"], first["number"], second["number"], third["number"]] == [5, 1, 2, 3]
    assert [len(page["results"]) for page in (first, second, third)] == [2, 2, 1]
    assert (first["previous"], third["next"]) == (None, None)
    assert world.client.get(third["previous"]) == second


@pytest.mark.parametrize(("page", "status"), [("0", 400), ("-1", 400), ("x", 400), ("3", 404), ("9" * 30, 404)])
def test_a_page_that_is_not_there(world: World, page: str, status: int) -> None:
    """Beyond the last page is 404, no number at all is 400."""
    assert world.client.send("GET", f"/corpus/{world.corpus}/elements/", params={"page": page}).status_code == status


def test_an_empty_list_has_one_page(world: World) -> None:
    """Nothing is found, and nothing is wrong."""
    answer = world.client.get(f"/corpus/{world.corpus}/classes/")

    expected: dict[str, object] = {"count": 0, "number": 1, "next": None, "previous": None, "results": []}
    assert answer == expected


def test_a_page_has_a_largest_size(world: World) -> None:
    """A larger one than the largest is the largest."""
    world.emulator.add_elements(600)

    answer = world.client.get(f"/corpus/{world.corpus}/elements/", params={"page_size": 10_000})

    assert (answer["count"], len(answer["results"])) == (602, 500)
