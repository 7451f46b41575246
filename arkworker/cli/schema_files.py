"""Writes the schemas in `schemas/`, or checks that they are up to date.

`python -m arkworker.cli.schema_files --write schemas`
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from arkworker.cli.input_schemas import platform_schemas
from arkworker.runtime.explanation import context_schema
from arkworker.settings.schema import to_text
from arkworker.storage import files
from arkworker.storage.recording.lines import line_schema


def texts() -> dict[str, str]:
    """The content of each file by its name."""
    schemas = platform_schemas() | {
        "context.schema.json": context_schema(),
        "results.schema.json": line_schema(),
    }
    return {name: to_text(schema) for name, schema in sorted(schemas.items())}


def main() -> int:
    parser = argparse.ArgumentParser(prog="schema_files", description="Write the schemas, or check them.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", metavar="DIR", type=Path)
    action.add_argument("--check", metavar="DIR", type=Path)
    flags = parser.parse_args()
    if flags.write:
        for name, text in texts().items():
            files.replace(flags.write / name, text.encode())
        return 0
    stale = stale_files(flags.check)
    for name in stale:
        sys.stderr.write(f"{flags.check / name} is not up to date: run `make schemas`\n")
    return int(bool(stale))


def stale_files(directory: Path) -> list[str]:
    """The files that are missing, different, or no longer generated."""
    expected = texts()
    found = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.json")}
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


if __name__ == "__main__":
    sys.exit(main())
