"""What is wrong with an answer that should describe something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from arkworker.text import printable

if TYPE_CHECKING:
    from pydantic import ValidationError


def named(kind: str, answer: Any) -> str:
    """`element 7c5f…`, as far as the answer says."""
    identifier = answer.get("id") if isinstance(answer, Mapping) else None
    return f"{kind} {printable(str(identifier), 60)}" if identifier else f"{kind} without id"


def first_problem(kind: str, answer: Any, error: ValidationError) -> str:
    """One line: the first field that is wrong, and how many more are."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    place = printable(".".join(str(part) for part in problems[0]["loc"]) or "the answer", 80)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{named(kind, answer)}: {place}: {problems[0]['msg'].removeprefix('Value error, ')}{more}"
