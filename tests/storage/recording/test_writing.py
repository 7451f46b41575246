"""Writing a results file, and reading it again after whatever happened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.elements.recorded import RecordedElement
from arkworker.elements.results import Transcription
from arkworker.errors import ConfigurationError
from arkworker.storage.recording.lines import Entry, dump
from arkworker.storage.recording.reading import read_recording
from arkworker.storage.recording.writing import Recorder, RecordingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.storage.recording.lines import Header

FULL = Path("/dev/full")


def entry(name: str, state: str = "processed", **values: Any) -> Entry:
    results = (Transcription(text="é" * 10, confidence=1),) if state == "processed" else ()
    return Entry(element=RecordedElement(id=name), state=state, results=results, **values)


def write(path: Path, header: Header, *entries: Entry) -> dict[str, str]:
    """Add entries; what was there before: state by element."""
    recorder = Recorder(str(path), header)
    for one in entries:
        recorder.write(one)
    recorder.close()
    return {name: place.state for name, place in recorder.found.items()}


def read(path: Path) -> dict[str, str]:
    with read_recording(str(path)) as found:
        return {name: place.state for name, place in found.places.items()}


def test_what_is_written_is_read(tmp_path: Path, header: Callable[..., Header]) -> None:
    """The header and each element come back, in order."""
    path = tmp_path / "results.jsonl"

    write(path, header(), entry("a"), entry("b", "error", reason="boom"))

    with read_recording(str(path)) as found:
        assert found.header == header()
        assert list(found.places) == ["a", "b"]
        assert found.entry("b") == entry("b", "error", reason="boom")
        assert found.entry("a") == entry("a")


def test_a_file_without_results_is_free(tmp_path: Path, header: Callable[..., Header]) -> None:
    """A run of another worker run has made it, and recorded nothing."""
    path = tmp_path / "r"
    write(path, header(worker_run_id="another"))

    write(path, header(), entry("a"))

    with read_recording(str(path)) as found:
        assert (found.header, list(found.places)) == (header(), ["a"])


def test_a_file_is_continued(tmp_path: Path, header: Callable[..., Header]) -> None:
    """The same run goes on where it stopped, and the last line of an element counts."""
    path = tmp_path / "results.jsonl"
    write(path, header(), entry("a", "error"), entry("b"))

    found = write(path, header(id="other", arkworker="2"), entry("a"))

    assert found == {"a": "error", "b": "processed"}
    assert read(path) == {"b": "processed", "a": "processed"}
    assert len(path.read_bytes().splitlines()) == 4


def test_every_cut_is_read_up_to_there(tmp_path: Path, header: Callable[..., Header]) -> None:
    """Cut anywhere, a file holds the elements before the cut, says so, and can be continued."""
    path = tmp_path / "results.jsonl"
    write(path, header(), entry("a"), entry("b"))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    second = whole.index(b"\n", first) + 1
    ends = {*range(0, len(whole), 7), *range(second - 3, second + 3), *range(len(whole) - 3, len(whole)), first}
    for end in sorted(ends):
        path.write_bytes(whole[:end])
        if end >= first:
            expected = ["a", "b"][: (end >= second - 1) + (end >= len(whole) - 1)]
            with read_recording(str(path)) as found:
                assert list(found.places) == expected
                is_whole = whole[:end].endswith((b"\n", b"}")) and end in {first, second - 1, second, len(whole) - 1}
                assert found.is_cut is not is_whole
        if end % 49 == 0:
            write(path, header(), entry("c"))
            assert "c" in read(path)
            assert path.read_bytes().endswith(dump(entry("c")))


@pytest.mark.parametrize("change", [{"worker_run_id": "run-2"}, {"worker_run_id": None}, {"worker": "w.py:Other"}])
def test_a_file_of_another_run_is_refused(
    tmp_path: Path, header: Callable[..., Header], change: dict[str, Any]
) -> None:
    """What belongs to different runs is not mixed; the file stays as it was."""
    path = tmp_path / "results.jsonl"
    write(path, header(), entry("a"))
    before = path.read_bytes()

    with pytest.raises(ConfigurationError, match="give another file"):
        Recorder(str(path), header(**change))

    assert path.read_bytes() == before


def test_other_files_are_refused(tmp_path: Path, header: Callable[..., Header]) -> None:
    """A file of something else is never changed."""
    path = tmp_path / "other"
    for content in (b"hello\n", b'{"a":1}\n', b"\0" * 10 + b"\n", b'[{"id": "x"}]', dump(header()) + b"x\n"):
        path.write_bytes(content)

        with pytest.raises(ConfigurationError, match="results"):
            Recorder(str(path), header())

        assert path.read_bytes() == content


def test_places_where_nothing_can_be_written(tmp_path: Path, header: Callable[..., Header]) -> None:
    """Directories, pipes, missing directories and full devices are refused before the first element."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (str(tmp_path), str(pipe), str(tmp_path / "missing" / "x"), str(FULL), "x\0y", ""):
        with pytest.raises(ConfigurationError):
            Recorder(path, header())


def test_two_writers_are_refused(tmp_path: Path, header: Callable[..., Header]) -> None:
    """One process at a time."""
    recorder = Recorder(str(tmp_path / "r"), header())

    with pytest.raises(ConfigurationError, match="another process"):
        Recorder(str(tmp_path / "r"), header())

    recorder.close()


LIMITED = """
import resource, sys
sys.path.insert(0, {root!r})
from arkworker.elements.results import Metadata
from arkworker.storage.recording.lines import *
from arkworker.storage.recording.writing import *
path = sys.argv[1]
recorder = Recorder(path, Header(id="r1", worker="w.py:W", arkworker="1"))
resource.setrlimit(resource.RLIMIT_FSIZE, (66_000, 66_000))
def entry(name, size):
    found = Metadata(type="text", name="m", value="x" * size)
    return Entry(element=RecordedElement(id=name), state="processed", results=[found])
recorder.write(entry("small", 10))
try:
    recorder.write(entry("large", 100_000))
except RecordingError as error:
    print(error)
recorder.write(entry("last", 10))
"""


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    """What does not fit is said, and nothing of it stays; what fits later is written."""
    path = tmp_path / "r"
    script = LIMITED.format(root=str(Path(__file__).parents[3]))

    ended = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)

    assert "cannot be written: File too large" in ended.stdout
    assert read(path) == {"small": "processed", "last": "processed"}


def test_no_room_is_noticed_at_once(tmp_path: Path) -> None:
    """Where the first lines would not fit, nothing starts, and a file that was there stays as it was."""
    path = tmp_path / "r"
    script = """
import resource, sys
sys.path.insert(0, {root!r})
from arkworker.errors import ConfigurationError
from arkworker.storage.recording.lines import *
from arkworker.storage.recording.writing import *
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Recorder(sys.argv[1], Header(id="r1", worker="w.py:W", arkworker="1"))
except ConfigurationError as error:
    print(error)
"""
    script = script.format(root=str(Path(__file__).parents[3]))

    ended = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)

    assert "cannot be written: File too large" in ended.stdout
    assert path.stat().st_size == 0


def test_a_closed_file_takes_no_more(tmp_path: Path, header: Callable[..., Header]) -> None:
    """An element that ends after the end is told so."""
    recorder = Recorder(str(tmp_path / "r"), header())
    recorder.close()

    with pytest.raises(RecordingError, match="closed"):
        recorder.write(entry("a"))


def test_a_file_has_one_reader(tmp_path: Path, header: Callable[..., Header]) -> None:
    """Under another name, it would have another journal, and be published twice at once."""
    path = tmp_path / "r"
    write(path, header(), entry("a"))
    (tmp_path / "link").symlink_to(path)

    with read_recording(str(path)), pytest.raises(ConfigurationError, match="another process is publishing it"):
        read_recording(str(tmp_path / "link"))

    read_recording(str(tmp_path / "link")).close()


def test_problems_name_their_lines(tmp_path: Path, header: Callable[..., Header]) -> None:
    """All lines are looked at, and each that is wrong is named with its number."""
    path = tmp_path / "r"
    write(path, header(), entry("a"))
    path.write_bytes(path.read_bytes() + b'{"x":1}\n' + dump(entry("b")) + b"oops\n")

    with pytest.raises(ConfigurationError) as caught:
        read_recording(str(path))

    assert [problem.location for problem in caught.value.problems] == [f"{path}:3", f"{path}:5"]


def count_open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_descriptors_are_returned(tmp_path: Path, header: Callable[..., Header]) -> None:
    """Refusals leave no file open."""
    path = tmp_path / "r"
    path.write_bytes(b"hello\n")
    before = count_open_files()
    for _ in range(5):
        with pytest.raises(ConfigurationError):
            Recorder(str(path), header())
        with pytest.raises(ConfigurationError):
            read_recording(str(path))

    assert count_open_files() == before
