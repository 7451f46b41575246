"""Notes of what is in hand, which the next run reads after a kill."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from arkworker.runtime.loop.in_hand import PATTERN, InHand, Left, Stage, new_path, recover

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def notes_in(folder: Path, owner: str) -> InHand:
    return InHand(new_path(folder), owner)


def kill(notes: InHand) -> None:
    """Leave the file behind, as a process that is no more."""
    os.close(notes._descriptor)


def test_what_a_killed_run_had_in_hand(tmp_path: Path) -> None:
    """Elements with their stages, claims under way and answers that were lost."""
    killed = notes_in(tmp_path, "run")
    for number, stage in enumerate([Stage.HELD, Stage.WORKING, Stage.PROCESSED, Stage.STARTING]):
        killed.note(f"{number}", stage)
    killed.note("ended", Stage.WORKING)
    killed.forget("ended")
    killed.note_lost(2)
    killed.note_lost(1)
    with killed.claiming():
        kill(killed)
        notes = notes_in(tmp_path, "run")
        left = recover(tmp_path, "run", notes)
        killed._path = None

    stages = {"0": Stage.HELD, "1": Stage.WORKING, "2": Stage.PROCESSED, "3": Stage.STARTING}
    assert left == Left(stages, uncertain=4)


def test_killed_twice(tmp_path: Path) -> None:
    """What a run has recovered, and not ended, is left to the run after it."""
    killed = notes_in(tmp_path, "run")
    killed.note("1", Stage.HELD)
    killed.note_lost(1)
    kill(killed)
    again = notes_in(tmp_path, "run")
    recover(tmp_path, "run", again)
    kill(again)

    assert recover(tmp_path, "run", notes_in(tmp_path, "run")) == Left({"1": Stage.HELD}, uncertain=1)


def test_notes_of_another_run_and_of_a_living_one(tmp_path: Path) -> None:
    """The first make no sense here; the second belong to a process that lives."""
    other, living = notes_in(tmp_path, "another run"), notes_in(tmp_path, "run")
    other.note("1", Stage.HELD)
    living.note("2", Stage.HELD)
    kill(other)

    assert recover(tmp_path, "run", notes_in(tmp_path, "run")) == Left()


def test_nothing_is_left_when_all_has_ended(tmp_path: Path) -> None:
    """Lost answers were told in the summary; an element whose end could not be reported is kept."""
    first, second = notes_in(tmp_path, "run"), notes_in(tmp_path, "run")
    for notes in (first, second):
        notes.note("1", Stage.ERROR)
        notes.note_lost(1)
    first.forget("1")

    first.close()
    second.close()

    assert len(list(tmp_path.glob(PATTERN))) == 1
    assert recover(tmp_path, "run", notes_in(tmp_path, "run")) == Left({"1": Stage.ERROR})


def test_a_disk_with_too_little_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes a part of the file, which is not an error of the system's; nothing is left of it."""
    monkeypatch.setattr(os, "pwrite", lambda *_: 100)

    notes = notes_in(tmp_path, "run")

    assert (notes.is_kept, list(tmp_path.iterdir())) == (False, [])
    assert "no journal can be kept there: [Errno 28]" in caplog.text


def test_a_directory_that_becomes_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stays, and that does not fail the run; what it says is told to the next one, too."""
    killed, notes = notes_in(tmp_path, "run"), notes_in(tmp_path, "run")
    killed.note("1", Stage.HELD)
    kill(killed)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.unlink", refuse)

    assert recover(tmp_path, "run", notes) == Left({"1": Stage.HELD})
    notes.forget("1")
    notes.close()


def test_a_file_that_user_code_opened_instead(tmp_path: Path) -> None:
    """Every descriptor was closed, and the number of this one given to another file: nothing is written there."""
    notes = notes_in(tmp_path, "run")
    with (tmp_path / "mine").open("wb") as mine:
        os.dup2(mine.fileno(), notes._descriptor)
        notes.note("1", Stage.HELD)

    assert (tmp_path / "mine").read_bytes() == b""
    notes.close()
