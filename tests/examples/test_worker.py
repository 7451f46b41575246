"""The worker of the demo, tested with the test kit as any worker can be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw
from worker import PageLines

from arkworker import Child, Classification, Element, Metadata, Result, Transcription
from arkworker.testing import standard_tests

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.images.options import ImageOptions, Picture
    from arkworker.testing import Arkindex, MakeContext

DECLARATION = Path(__file__).parents[2] / "examples" / "page_lines" / "arkindex" / "page-lines.yml"
PAGE: dict[str, Any] = {
    "id": "0c1fbe0e-54d9-4f25-8a28-0a5a4cd0a1b3",
    "type": "page",
    "name": "Sheet 1/2",
    "zone": {"polygon": [], "image": {"width": 400, "height": 300, "url": "https://images.example/1"}},
}

TestPageLines = standard_tests(PageLines, declaration=DECLARATION)


class Drawing:
    """A page with two lines of four and eight letters, opened whatever is asked for."""

    def open(self, _picture: Picture, _options: ImageOptions) -> Image.Image:
        page = Image.new("RGB", (400, 300), "white")
        draw = ImageDraw.Draw(page)
        for line, letters in enumerate((4, 8)):
            for number in range(letters):
                left, top = 40 + 20 * number, 100 + 40 * line
                draw.rectangle((left, top, left + 11, top + 15), outline="black", width=3)
        return page


def find(answer: dict[str, Any], context: Any, cache: Session) -> list[Result]:
    return list(PageLines().process_element(Element.from_api(answer).bind(Drawing()), context, cache))


def test_lines_are_children(make_context: MakeContext, cache: Session) -> None:
    """Each line is a child with an outline; the page gets its slope and the number of its columns."""
    context = make_context(PageLines)
    slope, columns, *lines = find(PAGE, context, cache)

    assert (isinstance(slope, Metadata), columns) == (True, Classification(class_name="1 column", confidence=1))
    assert [(line.type, line.results) for line in lines if isinstance(line, Child)] == [("text_line", ())] * 2
    with Image.open(context.work_dir / "Sheet_1_2.png") as picture:
        assert picture.format == "PNG"


def test_a_known_text_is_put_on_its_lines(make_context: MakeContext, cache: Session, arkindex: Arkindex) -> None:
    """Of the texts of the page, the first with as many lines as were found; its letters fit, or not so well."""
    texts = [{"text": "one line"}, {"text": "abcd\n\nefghijkl\n"}, {"text": "not\nthis"}]
    arkindex.expect("ListTranscriptions", texts, id=PAGE["id"])
    found = find({**PAGE, "corpus": {"id": "c"}}, make_context(PageLines, {"draw": False}), cache)
    read = [part for line in found if isinstance(line, Child) for part in line.results]

    assert [part.text for part in read if isinstance(part, Transcription)] == ["abcd", "efghijkl"]
    assert all(part.confidence > 0.9 for part in read if isinstance(part, Transcription))


def test_a_text_with_other_lines_is_left_alone(make_context: MakeContext, cache: Session, arkindex: Arkindex) -> None:
    """What does not fit is on no line."""
    arkindex.expect("ListTranscriptions", [{"text": "one\ntwo\nthree"}], id=PAGE["id"])
    found = find({**PAGE, "corpus": {"id": "c"}}, make_context(PageLines, {"draw": False}), cache)

    assert [line.results for line in found if isinstance(line, Child)] == [(), ()]
