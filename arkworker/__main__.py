"""`python -m arkworker`."""

from __future__ import annotations

from arkworker.cli import main

if __name__ == "__main__":
    main()
