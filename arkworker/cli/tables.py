"""Tables on standard output: by rich on a terminal, as aligned columns elsewhere."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from arkworker.cli.terminal import is_colourful
from arkworker.errors import UsageError
from arkworker.runtime.explanation import leaves
from arkworker.text import printable, with_nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Row = tuple[str, str, str]

_UNKNOWN = "?"
_WIDEST = 40  # characters of a column that others stand to the right of


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which values are shown.

    Attributes:
        pattern: A part of the name, or the whole of it with `*` and `?`; empty for all.
        is_changed: Whether defaults are left out.
    """

    pattern: str = ""
    is_changed: bool = False

    def check(self, explanation: dict[str, Any]) -> None:
        """Refuse a pattern that no name matches.

        Raises:
            UsageError: It is misspelt.
        """
        names = list(leaves(explanation["context"]))
        if not any(Chosen(self.pattern).holds(name, None) for name in names):
            known = {*names, *(name.rpartition(".")[2] for name in names)}
            # Not the pattern itself: a stray word may be a secret.
            raise UsageError(with_nearest("no value has this name", self.pattern, known))

    def holds(self, name: str, origin: dict[str, Any] | None) -> bool:
        is_default = origin is None or origin["source"] == "default"
        return fnmatch(name, self.pattern if "*" in self.pattern or "?" in self.pattern else f"*{self.pattern}*") and (
            not (self.is_changed and is_default)
        )


_ALL = Chosen()


def explanation_table(explanation: dict[str, Any], only: Chosen = _ALL, *, show_shadowed: bool) -> str:
    """What `explain` shows a person: each value, its source and location; with what it replaced below it."""
    rows = list(_rows(explanation, only, show_shadowed=show_shadowed))
    heading = f"{explanation['target']}, {_mode(explanation)}\n"
    if sys.stdout.isatty():
        return heading + _rich(rows)
    widths = [min(max((len(row[column]) for row in rows), default=0), _WIDEST) for column in (0, 1)]
    lines = (f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}".rstrip() for name, value, origin in rows)
    return heading + "".join(f"{line}\n" for line in lines)


def _mode(explanation: dict[str, Any]) -> str:
    if explanation["mode"] == "developer":
        return "developer mode"
    run = printable(f"worker run {explanation['context']['worker_run_id']}")
    return f"{run}, offline: {_UNKNOWN} stands for what Arkindex may provide" if explanation.get("unknown") else run


def _rows(explanation: dict[str, Any], only: Chosen, *, show_shadowed: bool) -> Iterator[Row]:
    for name, value in leaves(explanation["context"]).items():
        origin = _origin_of(name, explanation["origins"])
        if not only.holds(name, origin):
            continue
        if _is_inside(name, explanation.get("unknown", ())):
            shown = f"{_shown(value)} {_UNKNOWN}" if value is not None and name.startswith("config.") else _UNKNOWN
            yield name, shown, "worker run"
        else:
            yield name, _shown(value), _where(origin)
        for item in origin["shadowed"] if origin and show_shadowed and name in explanation["origins"] else ():
            yield "  replaces", _shown(item["value"]), _where(item)


def _where(origin: dict[str, Any] | None) -> str:
    if origin is None:
        return "default"
    # Names of our own models say nothing to people; those of the worker's author do.
    location = "" if origin["location"].startswith("Settings.") else origin["location"]
    return printable(f"{origin['source']} {location}".strip())


def _origin_of(name: str, origins: dict[str, Any]) -> dict[str, Any] | None:
    while name:
        if name in origins:
            return dict(origins[name])
        name = name.rpartition(".")[0]
    return None


def _is_inside(name: str, names: Iterable[str]) -> bool:
    return any(name == other or name.startswith(f"{other}.") for other in names)


def _shown(value: Any) -> str:
    if value is None:
        return "—"
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 80)


def _rich(rows: list[Row]) -> str:
    from io import StringIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("name", "value", "origin"):
        table.add_column(title, overflow="fold")
    for name, value, origin in rows:
        styles = ("dim", "dim") if name.startswith("  ") else ("bold", "")
        table.add_row(Text(name, styles[0]), Text(value, styles[1]), Text(origin, "cyan"))
    stream = StringIO()
    colour = is_colourful(sys.stdout)
    Console(file=stream, force_terminal=colour, no_color=not colour).print(table)
    return stream.getvalue()
