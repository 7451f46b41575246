"""What reports are made of: text as HTML, tables, sections, charts, figures in words.

Text from outside (names, messages, values) is escaped wherever it is put: only `Html`, which is made here, is markup.
"""

from __future__ import annotations

import html
import string
from importlib import resources
from typing import TYPE_CHECKING

from arkworker.runtime.explanation import STARS
from arkworker.runtime.log_lines import mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from arkworker.geometry import Polygon

LONGEST_TEXT = 500  # characters


class Html(str):
    """Markup that was made here; any other text is escaped."""

    __slots__ = ()


class Sheet:
    """A page of a report: the template, filled with text that is fit to be shown.

    Args:
        secrets: What must not be shown, the longest first.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = secrets

    def filled(self, target: str, **parts: str) -> str:
        """The template with its parts; `numbers` and `sections` are markup, `outcome` and `when` text."""
        template = resources.files("arkworker.runtime").joinpath("report.html").read_text(encoding="utf-8")
        return string.Template(template).substitute(
            title=self.text(f"{target}: report of a run"),
            **(parts | {name: self.text(parts[name]) for name in ("outcome", "when")}),
        )

    def text(self, value: object, limit: int = LONGEST_TEXT) -> Html:
        """Any text, as text: escaped, with no control character, no known secret, no signature of an address."""
        text = mask(str(value))
        for secret in self._secrets:
            text = text.replace(secret, STARS)
        shown = "".join(
            c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text[:limit]
        )
        return Html(html.escape(shown if len(text) <= limit else f"{shown}…"))

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
        """A table; numbers are to the right, and so is the head of the columns that begin with `#`."""
        kinds = [' class="number"' if name.startswith("#") else "" for name in head]
        top = "".join(f"<th{kind}>{self.text(name.lstrip('#'))}</th>" for kind, name in zip(kinds, head, strict=True))
        lines = (
            "".join(
                f"<td{kind}>{cell if isinstance(cell, Html) else self.text(cell)}</td>"
                for kind, cell in zip(kinds, row, strict=True)
            )
            for row in rows
        )
        top = f"<thead><tr>{top}</tr></thead>" if any(head) else ""
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        return Html(f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>')


def section(title: str, content: str, *, is_wide: bool = False) -> str:
    kind = ' class="wide"' if is_wide else ""
    return f"<section{kind}><h2>{html.escape(title)}</h2>{content}</section>"


def chart(width: float, shapes: str, label: str) -> str:
    view = f'viewBox="0 0 {width:.2f} 100" preserveAspectRatio="none" role="img" aria-label="{html.escape(label)}"'
    return f'<svg class="chart" {view}>{shapes}</svg>'


def axis(*labels: str) -> str:
    return f'<div class="axis">{"".join(f"<span>{html.escape(label)}</span>" for label in labels)}</div>'


def share_bar(share: float) -> Html:
    bar = f'<path class="bar" d="M0,0 h{100 * share:.2f} v10 H0 Z"/>'
    return Html(f'<svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{bar}</svg>')


def outline_path(outline: Polygon) -> str:
    return f'<path d="M{" L".join(f"{x:.1f},{y:.1f}" for x, y in outline)} Z"/>'


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
