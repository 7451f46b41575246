"""What a source says of a value that no type could take."""

from __future__ import annotations


class UnreadableError(Exception):
    """A value that no type could take; its message holds nothing of it.

    Attributes:
        message: What is wrong, on one line.
        hint: The remedy; may be empty.
        line: Where in the file, from 1; 0 where the value has no place of its own.
        column: The same.
    """

    def __init__(self, message: str, hint: str = "", line: int = 0, column: int = 0) -> None:
        self.message = message
        self.hint = hint
        self.line = line
        self.column = column
        super().__init__(message, hint, line, column)
