"""What a merge makes of its parents, and what it leaves alone."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import CacheError, ExitCode
from arkworker.storage.cache import Limits, merge, open_cache, session_scope
from arkworker.storage.cache.models import CachedElement, CachedImage, CachedTranscription, CachedTranscriptionEntity

if TYPE_CHECKING:
    from pathlib import Path


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["id"], 16) for row in rows]


def test_parents_are_merged_in_order(write_cache: Any, rows: Any, read_cache: Any, tmp_path: Path) -> None:
    """The result has the rows of all parents; where ids meet, those of the later parent."""
    first = write_cache("1.sqlite", rows.element(1, type="page"), rows.element(2, type="page"))
    second = write_cache("2.sqlite", rows.element(2, type="line"), rows.element(3), rows.transcription(7, 3))
    merge([first, second], tmp_path / "out.sqlite")
    result = read_cache(tmp_path / "out.sqlite")
    assert ids(result["elements"]) == [1, 2, 3]
    assert [row["type"] for row in result["elements"]] == ["page", "line", "page"]
    assert ids(result["transcriptions"]) == [7]


def test_the_report_counts_rows_and_conflicts(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """Equal rows do not conflict; rows of the same id with other content are, in every table alike."""
    first = write_cache("1.sqlite", rows.element(1), rows.element(2), rows.classification(5, 1))
    second = write_cache("2.sqlite", rows.element(1), rows.element(2, initial=1), rows.classification(5, 2))
    report = merge([first, second], tmp_path / "out.sqlite")
    assert (report.rows["elements"], report.rows["classifications"], report.conflicts) == (2, 1, 2)


def test_conflicts_are_logged_once(
    write_cache: Any, rows: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line counts the rows that were replaced."""
    first = write_cache("1.sqlite", *(rows.element(number) for number in range(9)))
    second = write_cache("2.sqlite", *(rows.element(number, initial=1) for number in range(9)))
    with caplog.at_level(logging.WARNING, "arkworker"):
        merge([first, second], tmp_path / "out.sqlite")
    (record,) = caplog.records
    assert record.getMessage().endswith("9 rows of the parents replaced a row with the same id and other content")


def test_conflicts_can_be_refused(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """The error names the later parent, the table and the id, and there is no output."""
    first = write_cache("1.sqlite", rows.element(1))
    second = write_cache("2.sqlite", rows.element(1, type="line"))
    with pytest.raises(CacheError, match=rf"2\.sqlite: table elements, id {1:032x}: an earlier parent has it"):
        merge([first, second], tmp_path / "out.sqlite", on_conflict="refuse")
    assert not (tmp_path / "out.sqlite").exists()


def test_equal_rows_are_not_refused(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """Parents that share rows merge even where conflicts are refused."""
    parents = [write_cache(name, rows.element(1, confidence=None)) for name in ("1.sqlite", "2.sqlite")]
    assert merge(parents, tmp_path / "out.sqlite", on_conflict="refuse").rows["elements"] == 1


def test_no_parents_make_an_empty_cache(tmp_path: Path, read_cache: Any) -> None:
    """The result is a cache that can be opened."""
    merge([], tmp_path / "out.sqlite")
    assert not any(read_cache(tmp_path / "out.sqlite").values())
    open_cache(tmp_path / "out.sqlite").dispose()


def test_what_the_output_held_is_replaced(write_cache: Any, rows: Any, read_cache: Any) -> None:
    """A task that starts again reaches the same result."""
    parent = write_cache("1.sqlite", rows.element(1))
    output = write_cache("out.sqlite", rows.element(2))
    merge([parent], output)
    assert ids(read_cache(output)["elements"]) == [1]


def test_more_parents_than_can_be_attached(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """Each parent is detached after use."""
    parents = [write_cache(f"{number}.sqlite", rows.element(number)) for number in range(14)]
    assert merge(parents, tmp_path / "out.sqlite").rows["elements"] == 14


@pytest.mark.parametrize("version", [3, 4])
def test_older_versions_have_images_of_the_second_protocol(
    write_cache: Any, rows: Any, read_cache: Any, tmp_path: Path, version: int
) -> None:
    """Versions 3 and 4 know no `images.version`."""
    table, image = rows.image(1)
    del image["version"]
    parent = write_cache("1.sqlite", (table, image), rows.element(2, image_id=f"{1:032x}"), version=version)
    merge([parent], tmp_path / "out.sqlite")
    assert read_cache(tmp_path / "out.sqlite")["images"] == [{**image, "version": 2}]


def version_3(write_cache: Any, rows: Any, name: str, *types: str) -> Path:
    """A transcription with an entity of each type."""
    entities = [
        ("entities", {"id": f"{number:032x}", "type": kind, "name": "x", "validated": 0})
        for number, kind in enumerate(types, 50)
    ]
    links = [
        ("transcription_entities", {"transcription_id": f"{2:032x}", "entity_id": row["id"], "offset": n, "length": 1})
        for n, (_, row) in enumerate(entities)
    ]
    path: Path = write_cache(name, rows.element(1), rows.transcription(2, 1), *entities, *links, version=3)
    return path


def test_entities_of_version_3_become_types(write_cache: Any, rows: Any, read_cache: Any, tmp_path: Path) -> None:
    """The type of the entity takes the place of its id."""
    merge([version_3(write_cache, rows, "1.sqlite", "person", "place")], tmp_path / "out.sqlite")
    links = read_cache(tmp_path / "out.sqlite")["transcription_entities"]
    assert [(link["type"], link["offset"]) for link in links] == [("person", 0), ("place", 1)]


def test_one_entity_of_each_type_is_kept(write_cache: Any, rows: Any, read_cache: Any, tmp_path: Path) -> None:
    """Version 5 has room for one entity of a type in a transcription: the last, and the others are counted."""
    parent = version_3(write_cache, rows, "1.sqlite", "person", "place", "person")
    report = merge([parent], tmp_path / "out.sqlite")
    links = read_cache(tmp_path / "out.sqlite")["transcription_entities"]
    assert [(link["type"], link["offset"]) for link in links] == [("person", 2), ("place", 1)]
    assert report.conflicts == 1


def test_entities_that_meet_can_be_refused(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """With conflicts refused, two entities of one type in one transcription are."""
    parent = version_3(write_cache, rows, "1.sqlite", "person", "person")
    with pytest.raises(CacheError, match="table transcription_entities: 1 rows replace rows of this same parent"):
        merge([parent], tmp_path / "out.sqlite", on_conflict="refuse")


def test_versions_mix(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """Parents of versions 3, 4 and 5 make one result, whichever is first."""
    three = version_3(write_cache, rows, "3.sqlite", "person")
    four = write_cache("4.sqlite", rows.element(1), rows.element(11), version=4)
    five = write_cache("5.sqlite", rows.element(12), rows.image(13, version=3))
    for order in ([three, four, five], [five, three, four], [four, five, three]):
        report = merge(order, tmp_path / "out.sqlite")
        assert (report.rows["elements"], report.rows["images"], report.conflicts) == (3, 1, 0)


def test_columns_are_matched_by_name(write_cache: Any, rows: Any, read_cache: Any, tmp_path: Path) -> None:
    """A parent with its columns in another order, and a constraint of its own, is merged by name."""
    reordered = (
        'CREATE TABLE "transcriptions" ("orientation" VARCHAR(50) NOT NULL, "text" TEXT NOT NULL, '
        '"worker_run_id" TEXT, "confidence" REAL, "id" TEXT NOT NULL PRIMARY KEY, "worker_version_id" TEXT, '
        '"element_id" TEXT NOT NULL);'
    )
    parent = write_cache("1.sqlite", rows.element(1), extra=f'DROP TABLE "transcriptions"; {reordered}')
    with closing(sqlite3.connect(parent)) as connection:
        connection.execute(
            "INSERT INTO transcriptions VALUES ('vertical-rl', 'text', NULL, 0.25, ?, NULL, ?)",
            (f"{9:032x}", f"{1:032x}"),
        )
        connection.commit()
    merge([parent], tmp_path / "out.sqlite")
    (row,) = read_cache(tmp_path / "out.sqlite")["transcriptions"]
    assert (row["text"], row["orientation"], row["confidence"]) == ("text", "vertical-rl", 0.25)


def test_a_reference_into_another_parent_is_sound(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """What counts is the result: the row may come from any parent."""
    first = write_cache("1.sqlite", rows.transcription(9, 1))
    second = write_cache("2.sqlite", rows.element(1))
    assert merge([first, second], tmp_path / "out.sqlite").rows["transcriptions"] == 1


@pytest.mark.parametrize("others", [0, 1])
def test_a_reference_to_nothing_is_refused(write_cache: Any, rows: Any, tmp_path: Path, others: int) -> None:
    """The error names the table, the id and the parent, also of one that is copied."""
    good = [write_cache(f"good-{number}.sqlite", rows.element(number)) for number in range(others)]
    bad = write_cache("bad.sqlite", rows.element(5), rows.transcription(9, 6))
    with pytest.raises(CacheError, match=rf"bad\.sqlite: table transcriptions, id {9:032x}: its element_id {6:032x}"):
        merge([*good, bad], tmp_path / "out.sqlite")


def test_an_entity_that_is_not_there_is_refused(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """A link of version 3 to no entity has no type, and must not vanish."""
    link = {"transcription_id": f"{2:032x}", "entity_id": f"{3:032x}", "offset": 0, "length": 1}
    content = (rows.element(1), rows.transcription(2, 1), ("transcription_entities", link))
    parent = write_cache("1.sqlite", *content, version=3)
    with pytest.raises(CacheError, match=rf"id {2:032x}: its entity_id {3:032x} is not in entities"):
        merge([parent], tmp_path / "out.sqlite")


@pytest.mark.parametrize("version", [3, 4, 5])
def test_parents_stay_as_they_are(write_cache: Any, rows: Any, tmp_path: Path, version: int) -> None:
    """Every byte of a parent, and its directory, is as before."""
    write_cache("1.sqlite", rows.element(1), version=version)
    (tmp_path / "parent").mkdir()
    parent = (tmp_path / "1.sqlite").rename(tmp_path / "parent" / "db.sqlite")
    before = parent.read_bytes()
    merge([parent], tmp_path / "out.sqlite")
    assert [path.read_bytes() for path in parent.parent.iterdir()] == [before]


def test_the_exact_schema_is_taken_as_it_is(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """A first parent of version 5 with exactly our tables is copied: its pages come out in the same places."""
    merge([write_cache("1.sqlite", rows.element(1))], tmp_path / "first.sqlite")
    merge([tmp_path / "first.sqlite"], tmp_path / "second.sqlite")
    assert (tmp_path / "second.sqlite").read_bytes() == (tmp_path / "first.sqlite").read_bytes()


@pytest.mark.parametrize(
    "extra",
    [
        "CREATE TRIGGER t AFTER INSERT ON elements BEGIN DELETE FROM elements; END;",
        "CREATE VIEW v AS SELECT * FROM elements;",
        "CREATE TABLE mine (x); INSERT INTO mine VALUES (1);",
        "CREATE INDEX mine ON elements (type);",
        "CREATE VIRTUAL TABLE found USING fts5(x);",
    ],
)
def test_what_is_not_ours_is_left_out(write_cache: Any, rows: Any, read_cache: Any, tmp_path: Path, extra: str) -> None:
    """Triggers, views, tables and indexes of a parent never reach the result, and never run."""
    parent = write_cache("1.sqlite", rows.element(1), extra=extra)
    merge([parent, write_cache("2.sqlite", rows.element(2))], tmp_path / "out.sqlite")
    with closing(sqlite3.connect(tmp_path / "out.sqlite")) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert not names & {"t", "v", "mine", "found"}
    assert ids(read_cache(tmp_path / "out.sqlite")["elements"]) == [1, 2]


def test_the_models_read_the_result(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """Every row comes out typed."""
    content = [rows.image(1), rows.element(2, image_id=f"{1:032x}"), rows.transcription(3, 2), rows.entity(3)]
    merge([write_cache("1.sqlite", *content)], tmp_path / "out.sqlite")
    engine = open_cache(tmp_path / "out.sqlite")
    with session_scope(engine) as session:
        element = session.query(CachedElement).one()
        assert element.image is session.query(CachedImage).one()
        assert element.polygon == [[0, 0], [9, 0], [9, 9]]
        assert element.transcriptions == session.query(CachedTranscription).all()
        assert element.transcriptions[0].transcription_entities == session.query(CachedTranscriptionEntity).all()
    engine.dispose()


def test_a_refusal_leaves_the_cache_alone(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """The task's own cache is untouched, nothing is left beside it, and the exit code says: correct something."""
    output = write_cache("out.sqlite", rows.element(1))
    bad = tmp_path / "bad.sqlite"
    bad.write_text("<html>Bad gateway</html>")
    before, files = output.read_bytes(), sorted(tmp_path.iterdir())
    with pytest.raises(CacheError, match=r"bad\.sqlite: is not an SQLite database") as caught:
        merge([write_cache("out.sqlite.2", rows.element(2)), bad], output)
    (tmp_path / "out.sqlite.2").unlink()
    assert (output.read_bytes(), sorted(tmp_path.iterdir())) == (before, files)
    assert caught.value.exit_code == ExitCode.CONFIGURATION


def test_the_output_cannot_be_a_parent(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """A parent must stay as it is."""
    parent = write_cache("1.sqlite", rows.element(1))
    with pytest.raises(CacheError, match="both a parent and the output"):
        merge([parent], tmp_path / "." / "1.sqlite")


def test_a_parent_given_twice_counts_once(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """Its rows are equal to themselves."""
    parent = write_cache("1.sqlite", rows.element(1))
    report = merge([parent, parent], tmp_path / "out.sqlite")
    assert (report.rows["elements"], report.conflicts) == (1, 0)


@pytest.mark.parametrize("output", ["", ".", "missing/out.sqlite", "out\0.sqlite"])
def test_an_impossible_output_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    """A directory, a path into none, no path at all."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CacheError):
        merge([], output)
    assert list(tmp_path.iterdir()) == []


def test_the_time_is_limited(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """A merge that takes too long ends with an error that says the limit."""
    parent = write_cache("1.sqlite", *(rows.element(number) for number in range(20000)))
    with pytest.raises(CacheError, match="not done within the limit of 0 s"):
        merge([parent], tmp_path / "out.sqlite", limits=Limits(max_seconds=0))
    assert not (tmp_path / "out.sqlite").exists()


def test_the_size_of_a_parent_is_limited(write_cache: Any, tmp_path: Path) -> None:
    """A parent above the limit is not read."""
    with pytest.raises(CacheError, match="larger than the limit of 1000 bytes"):
        merge([write_cache("1.sqlite")], tmp_path / "out.sqlite", limits=Limits(max_bytes=1000))


def test_the_size_of_a_value_is_limited(write_cache: Any, rows: Any, tmp_path: Path) -> None:
    """A text above the limit is refused; many below it, together above, are not."""
    short = [rows.transcription(number, 1, text="a" * 900) for number in range(10, 200)]
    good = write_cache("1.sqlite", rows.element(1), *short)
    assert merge([good], tmp_path / "out.sqlite", limits=Limits(max_value_bytes=4000)).rows["transcriptions"] == 190
    bad = write_cache("2.sqlite", rows.element(1), rows.transcription(2, 1, text="a" * 5000))
    with pytest.raises(CacheError, match=r"2\.sqlite: string or blob too big"):
        merge([good, bad], tmp_path / "out.sqlite", limits=Limits(max_value_bytes=4000))


def test_another_rule_for_conflicts_is_a_mistake(tmp_path: Path) -> None:
    """A misspelt rule must not replace anything."""
    rule: Any = "skip"
    with pytest.raises(ValueError, match="on_conflict should be replace or refuse, not 'skip'"):
        merge([], tmp_path / "out.sqlite", on_conflict=rule)
