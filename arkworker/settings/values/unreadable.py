"""What a source says of a value that no type could take."""

from __future__ import annotations


class UnreadableError(Exception):
    """A value that no type could take; its message holds nothing of it.

    Attributes:
        message: What is wrong, on one line.
        hint: The remedy; may be empty.
        line: Where in the file, from 1; 0 where the value has no place of its own.
        column: The same.
        steps: The keys and indices that lead to it inside the value of its option.
        errors: Everything found wrong with the value of the option, this error included.
    """

    def __init__(
        self, message: str, hint: str = "", line: int = 0, column: int = 0, steps: tuple[str, ...] = ()
    ) -> None:
        self.message = message
        self.hint = hint
        self.line = line
        self.column = column
        self.steps = steps
        self.errors: tuple[UnreadableError, ...] = (self,)
        super().__init__(message, hint, line, column)

    @property
    def holds_unknown(self) -> bool:
        """Whether there are unknown names inside the value, which may hold secrets."""
        return any(isinstance(error, UnknownKeyError) for error in self.errors)


class UnknownKeyError(UnreadableError):
    """A name inside the value that none of its types knows."""
