"""The worker that puts entities on stored transcriptions, at a desk and on an emulated Arkindex."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from named_entities import NamedEntities, find
from serving import Served, serve

from arkworker.testing import standard_tests

FOLDER = Path(__file__).parents[2] / "examples" / "named_entities"
TARGET = f"{FOLDER / 'named_entities.py'}:NamedEntities"

TestNamedEntities = standard_tests(NamedEntities, declaration=FOLDER / "arkindex" / "named-entities.yml")


def words(text: str, *places: str) -> list[tuple[str, str]]:
    found = find(text, places)
    return [(entity.type, text[entity.offset : entity.offset + entity.length]) for entity in found]


def test_years_and_places_are_found() -> None:
    """Whole words, the longest name first, wherever they stand."""
    text = "Né à Évry en 1871, mort à New York; York, 18712"

    assert words(text, "York", "New York", "Évry") == [
        ("year", "1871"),
        ("place", "Évry"),
        ("place", "New York"),
        ("place", "York"),
    ]
    assert words(text) == [("year", "1871")]


def test_the_texts_that_are_there_get_entities(tmp_path: Path) -> None:
    """Those of the page and of its line, a request each; no text is there twice."""
    served = serve(tmp_path, FOLDER / "project.yml", TARGET)

    rows: list[Any] = served.rows(
        "SELECT text, type.name, substr(text, entity.offset + 1, entity.length) FROM transcription_entities entity "
        "JOIN transcriptions text ON text.id = transcription_id JOIN entity_types type ON type.id = type_id"
    )
    assert sorted(row[1:] for row in rows) == [
        *[("place", name) for name in ("Lyon", "New York", "Paris", "Paris")],
        *[("year", "1871")] * 2,
    ]
    assert [served.count("transcriptions"), served.states()] == [2, ["processed"]]
    assert isinstance(served, Served)
