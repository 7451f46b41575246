from __future__ import annotations

import inspect

import pytest

from arkworker.cli.descriptions import descriptions
from arkworker.settings.platform import platform_fields


@pytest.mark.parametrize("path", [".".join(path) for path in platform_fields()])
def test_field_has_a_description(path: str) -> None:
    """It is the help of the flag, the documentation and the schema."""
    assert descriptions()[tuple(path.split("."))].endswith(".")


def test_descriptions_need_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is installed without its source, flags work and are shown without their help."""

    def refuse(module: object) -> str:
        raise OSError(module)

    monkeypatch.setattr(inspect, "getsource", refuse)

    assert descriptions.__wrapped__() == {}
