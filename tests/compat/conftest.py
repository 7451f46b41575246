"""The published packages, each in an environment of its own (`make compat` installs them)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ENVIRONMENTS = Path(__file__).parents[2] / ".venv-compat"


@pytest.fixture(scope="session")
def peer() -> Callable[[str], Path]:
    """The Python interpreter of a published package's environment, such as `base-worker-0.6.0`."""

    def find(name: str) -> Path:
        python = ENVIRONMENTS / name / "bin" / "python"
        if not python.exists():
            pytest.fail(f"{python} is missing: run `make compat`")
        return python

    return find
