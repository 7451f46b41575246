from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.emulator.conftest import World


def test_a_dataset_is_created_with_its_sets(world: World) -> None:
    """Sets are known by their names."""
    body = {"name": "D", "description": "d", "set_names": ["train", "test"]}
    made = world.client.post(f"/corpus/{world.corpus}/datasets/", body)

    assert [item["name"] for item in made["sets"]] == ["train", "test"]
    assert world.client.get(f"/datasets/{made['id']}/") == made
    assert world.client.get(f"/datasets/{made['id']}/sets/test/") == made["sets"][1]
    assert world.client.send("GET", f"/datasets/{made['id']}/sets/none/").status_code == 404
    assert world.client.refusal("POST", f"/corpus/{world.corpus}/datasets/", body)[2] == "unique"


def test_elements_are_added_once_and_removed(world: World) -> None:
    """A dataset with unique elements has each in one set only."""
    dataset = world.emulator.add_dataset("D", {"train": [], "test": []})
    path = f"/datasets/{dataset}/elements/"
    page = world.pages[0]
    world.client.post(path, {"set": "train", "element_id": page})

    assert world.client.refusal("POST", path, {"set": "test", "element_id": page})[2] == "unique"
    assert world.client.refusal("POST", path, {"set": "none", "element_id": page})[:2] == (400, ["set"])
    removed = [world.client.send("DELETE", f"{path}{page}/", params={"set": "train"}).status_code for _ in "ab"]
    assert removed == [204, 404]


def test_elements_of_a_dataset_are_listed_by_cursor(world: World) -> None:
    """Each page names the next, until there is none; the set can be chosen."""
    pages = world.emulator.add_elements(7)
    dataset = world.emulator.add_dataset("D", {"train": pages[:5], "test": pages[5:]})
    path = f"/datasets/{dataset}/elements/"

    answer = world.client.get(path, params={"page_size": 2, "set": "train", "with_count": "true"})
    sizes, found = [], []
    count = answer["count"]
    while True:
        sizes.append(len(answer["results"]))
        found += [item["element"]["id"] for item in answer["results"]]
        if answer["next"] is None:
            break
        answer = world.client.get(answer["next"])

    assert (count, sizes, found) == (5, [2, 2, 1], pages[:5])


def test_a_process_lists_its_sets(world: World) -> None:
    """A run on datasets has sets, and no activities."""
    dataset = world.emulator.add_dataset("D", {"train": world.pages, "test": []})
    run = world.emulator.add_worker_run(mode="dataset", sets=[(dataset, "train")], elements=[])
    process = world.client.get(f"/process/workers/{run}/")["process"]

    (listed,) = world.client.get(f"/process/{process['id']}/sets/")["results"]

    assert (process["mode"], process["activity_state"]) == ("dataset", "disabled")
    assert (listed["set_name"], listed["dataset"]["id"]) == ("train", dataset)


def test_a_process_lists_its_elements(world: World) -> None:
    """By cursor, with the image on demand."""
    process = world.client.get(f"/process/workers/{world.run}/")["process"]["id"]
    path = f"/process/{process}/elements/"

    plain = world.client.get(path, params={"page_size": 500})["results"]
    full = world.client.get(path, params={"with_image": True})["results"]

    assert [item["id"] for item in plain] == world.pages
    assert set(plain[0]) == {"id", "type_id", "name", "confidence"}
    assert full[0]["image_height"] == 1400


def export_of(world: World, body: Any, path: Path) -> sqlite3.Connection:
    made = world.client.post(f"/corpus/{world.corpus}/export/", body)
    answer = world.client.send("GET", f"/export/{made['id']}/", allow_redirects=False)
    location = answer.headers["Location"]
    path.write_bytes(world.client.session.get(location, timeout=30).content)
    return sqlite3.connect(path)


def test_an_export_is_a_database_of_the_corpus(world: World, tmp_path: Path) -> None:
    """It is found behind a redirection, and holds the elements with their texts."""
    world.client.post(f"/element/{world.pages[0]}/transcription/", {"text": "Bonjour"})

    with closing(export_of(world, {}, tmp_path / "export.sqlite")) as file:
        elements = file.execute("SELECT name, type FROM element").fetchall()
        texts = file.execute("SELECT element_id, text FROM transcription").fetchall()

    assert elements == [("Page 1", "page"), ("Page 2", "page")]
    assert texts == [(world.pages[0], "Bonjour")]


def test_an_export_of_a_dataset_has_its_elements_only(world: World, tmp_path: Path) -> None:
    """With the set that each element is in."""
    dataset = world.emulator.add_dataset("D", {"train": world.pages[:1]})

    with closing(export_of(world, {"dataset_id": dataset}, tmp_path / "export.sqlite")) as file:
        rows = file.execute("SELECT element_id, set_name FROM dataset_element").fetchall()
        count = file.execute("SELECT count(*) FROM element").fetchone()

    assert (rows, count) == ([(world.pages[0], "train")], (1,))


def test_a_second_export_finds_the_first(world: World) -> None:
    """A done one and a running one are refused with codes of their own."""
    path = f"/corpus/{world.corpus}/export/"
    world.client.post(path, {})
    assert world.client.refusal("POST", path, {})[2] == "existing_export"

    waiting = world.emulator.add_export(state="running")
    assert world.client.refusal("POST", path, {})[2] == "running_export"
    assert world.client.send("GET", f"/export/{waiting}/").status_code == 404
    assert [item["state"] for item in world.client.get(path)["results"]] == ["running", "done"]
