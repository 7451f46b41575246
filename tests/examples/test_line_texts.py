"""The worker that puts texts on lines that exist, at a desk and on an emulated Arkindex."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from line_texts import LineTexts
from serving import serve

from arkworker import Element, On
from arkworker.emulator import Emulator, run_worker
from arkworker.testing import standard_tests

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.testing import Arkindex, MakeContext

FOLDER = Path(__file__).parents[2] / "examples" / "line_texts"
TARGET = f"{FOLDER / 'line_texts.py'}:LineTexts"
PAGE = "0c1fbe0e-54d9-4f25-8a28-0a5a4cd0a1b3"
LINE = "00000000-0000-0000-0000-%012d"

TestLineTexts = standard_tests(LineTexts, declaration=FOLDER / "arkindex" / "line-texts.yml")


def line(number: int, top: int) -> dict[str, Any]:
    outline = [[0, top], [0, top + 10], [90, top + 10], [90, top]]
    return {"id": LINE % number, "type": "text_line", "zone": {"polygon": outline}}


def test_lines_get_the_text_that_fits_from_top_to_bottom(
    make_context: MakeContext, cache: Session, arkindex: Arkindex
) -> None:
    """Blank lines of the text do not count; texts of other numbers of lines are left alone."""
    arkindex.expect("ListElementChildren", [line(2, 20), line(1, 0)], id=PAGE)
    arkindex.expect("ListTranscriptions", [{"id": "a", "text": "one"}, {"id": "b", "text": "one\n\n two\n"}], id=PAGE)
    context = make_context(LineTexts)

    found = list(LineTexts().process_element(context.bind_element(Element(id=PAGE)), context, cache))

    assert [(on.target.id, getattr(on.results[0], "text", "")) for on in found] == [
        (LINE % 1, "one"),
        (LINE % 2, "two"),
    ]
    assert all(isinstance(on, On) for on in found)


def test_the_lines_that_are_there_get_their_texts(tmp_path: Path) -> None:
    """Each of them its own, on a project of two files."""
    served = serve(tmp_path, FOLDER / "project.yml", TARGET)

    rows = served.rows(
        "SELECT element.name, text FROM transcriptions text JOIN elements element ON element.id = element_id "
        "WHERE text.worker_run_id IS NOT NULL ORDER BY element.name"
    )
    assert rows == [("1", "Dear friend,"), ("2", "I am in Paris."), ("3", "Yours")]
    assert served.states() == ["processed"]


def test_a_hundred_lines_take_two_requests() -> None:
    """Beside those that read the lines and the text."""
    with Emulator() as arkindex:
        arkindex.add_corpus()
        page = arkindex.add_element("page", "Page", image=(1000, 2000))
        arkindex.add_transcription(page, "\n".join(f"line {number}" for number in range(100)))
        for number in range(100):
            outline = line(number, 15 * number)["zone"]["polygon"]
            arkindex.add_element("text_line", str(number), parent=page, polygon=outline)
        run = arkindex.add_worker_run(elements=[page])

        code = run_worker(arkindex, run, [sys.executable, "-m", "arkworker", "run", TARGET])

        calls = Counter(str(call.operation) for call in arkindex.ledger.calls() if call.method != "GET")
    assert (code, calls["CreateTranscriptions"], calls.total()) == (0, 2, 2 + calls["StartWorkerActivity"] + 1)
