"""Tables on standard output: by rich on a terminal, as aligned columns elsewhere."""

from __future__ import annotations

import json
import sys
from typing import Any

from arkworker.runtime.explanation import leaves
from arkworker.text import printable

Row = tuple[str, str, str]


def explanation_table(explanation: dict[str, Any], *, show_shadowed: bool) -> str:
    """What `explain` shows a person: each value, its source and location; with what it replaced below it."""
    rows = list(_rows(explanation, show_shadowed=show_shadowed))
    heading = f"{explanation['target']}, {explanation['mode']} mode\n"
    if sys.stdout.isatty():
        return heading + _rich(rows)
    widths = [min(max((len(row[column]) for row in rows), default=0), 40) for column in (0, 1)]
    lines = (f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}".rstrip() for name, value, origin in rows)
    return heading + "".join(f"{line}\n" for line in lines)


def _rows(explanation: dict[str, Any], *, show_shadowed: bool) -> list[Row]:
    rows = []
    for name, value in leaves(explanation["context"]).items():
        origin = _origin_of(name, explanation["origins"])
        where = " ".join(filter(None, (origin["source"], origin["location"]))) if origin else ""
        rows.append((name, _shown(value), printable(where)))
        for item in origin["shadowed"] if origin and show_shadowed and name in explanation["origins"] else ():
            rows.append(
                (f"  replaces {'':<2}", _shown(item["value"]), printable(f"{item['source']} {item['location']}"))
            )
    return rows


def _origin_of(name: str, origins: dict[str, Any]) -> dict[str, Any] | None:
    while name:
        if name in origins:
            return dict(origins[name])
        name = name.rpartition(".")[0]
    return None


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
        table.add_row(Text(name, "bold"), Text(value), Text(origin, "cyan"))
    stream = StringIO()
    Console(file=stream, force_terminal=True).print(table)
    return stream.getvalue()
