from __future__ import annotations

import pytest

from arkworker.documents.nodes import Scalar, YamlError, resolve_scalar


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("yes", True),
        ("On", True),
        ("no", False),
        ("OFF", False),
        ("y", "y"),
        ("12", 12),
        ("-3", -3),
        ("010", 8),
        ("08", "08"),
        ("0x1F", 31),
        ("0b11", 3),
        ("0x_", "0x_"),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1.", 1.0),
        ("1.0e+3", 1000.0),
        ("1e3", "1e3"),
        ("12:30:45", "12:30:45"),
        ("1:30.5", "1:30.5"),
        ("2024-01-02", "2024-01-02"),
        ("9223372036854775807", 2**63 - 1),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_bare_text_is_read_by_yaml_1_1(text: str, expected: object) -> None:
    """Booleans, octal and grouped numbers as YAML 1.1 has them; dates and times stay text."""
    value = resolve_scalar(Scalar(text, True, 1, 1))
    assert (type(value), value) == (type(expected), expected)


@pytest.mark.parametrize("text", ["no", "12", "~", "", "1.5"])
def test_quoted_text_stays_text(text: str) -> None:
    """Quotes mean text."""
    assert resolve_scalar(Scalar(text, False, 1, 1)) == text


@pytest.mark.parametrize(
    "text",
    [".inf", "-.INF", ".nan", "9223372036854775808", "-9223372036854775809", "1.0e+999", "9" * 5000, "0x" + "f" * 5000],
)
def test_numbers_fit(text: str) -> None:
    """What is not finite or beyond 64 bits is refused, with its place."""
    with pytest.raises(YamlError) as caught:
        resolve_scalar(Scalar(text, True, 3, 7))
    assert (caught.value.line, caught.value.column) == (3, 7)
