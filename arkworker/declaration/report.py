"""What is wrong with a declaration, in order of place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.errors import Problem

if TYPE_CHECKING:
    from arkworker.documents.nodes import Node, YamlError
    from arkworker.documents.text_file import TextFile

SOURCE = "declaration file"
_LONGEST_EXCERPT = 160  # characters


class Report:
    """Collects problems.

    Attributes:
        problems: What Arkindex refuses, and keys given twice.
        warnings: What Arkindex accepts but hardly as it was meant.
        shows_lines: Whether excerpts may be shown; not when one could hold a secret.
    """

    def __init__(self, file: TextFile) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.shows_lines = True
        self._name = file.name
        self._lines = file.text.removeprefix("\ufeff").splitlines()

    def unreadable(self, error: YamlError) -> None:
        self.hidden("", error, error.message, error.hint)

    def error(self, path: str, node: Node, message: str, hint: str = "") -> None:
        self.problems.append(self._problem(path, node, message, hint))

    def warn(self, path: str, node: Node, message: str, hint: str = "") -> None:
        self.warnings.append(self._problem(path, node, message, hint))

    def hidden(self, path: str, node: Node | YamlError, message: str, hint: str) -> None:
        """An error whose line is not shown: it may hold anything, or what is wrong is not on it."""
        location = f"{self._name}:{node.line}:{node.column}"
        self.problems.append(Problem(path, SOURCE, location, message, hint, "", node.line, node.column))

    def finished(self) -> Report:
        self.problems.sort(key=lambda problem: (problem.line, problem.column))
        self.warnings.sort(key=lambda problem: (problem.line, problem.column))
        return self

    def _problem(self, path: str, node: Node, message: str, hint: str) -> Problem:
        line = self._lines[node.line - 1] if self.shows_lines and node.line <= len(self._lines) else ""
        shown = "".join(character if character.isprintable() else " " for character in line[:_LONGEST_EXCERPT])
        excerpt = shown if node.column <= len(shown) else ""
        location = f"{self._name}:{node.line}:{node.column}"
        return Problem(path, SOURCE, location, message, hint, excerpt, node.line, node.column)


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
