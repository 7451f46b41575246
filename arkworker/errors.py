"""What can go wrong, and the exit code that each error leads to.

```
ArkworkerError                          1   FAILED
├── UsageError                          2   the command line cannot be parsed
│   └── TargetError                     2   the worker cannot be found or imported, or is not a worker
├── DeclarationError (also TypeError)   2   a mistake of the worker's author, found at class creation
├── ConfigurationError                 78   settings, payload or files: carries every problem at once
├── ApiError                           69   an operation of the Arkindex API did not do its work
│   ├── ApiUnavailableError            69   no answer: refused, reset, timed out
│   ├── ApiResponseError            69/78   an answer with a status of 400 or more
│   └── ApiContentError                69   an answer whose body is not what the operation promises
├── ReadOnlyError                       1   a write in read-only mode
├── SecretError                        78   a secret cannot be loaded
├── ExtrasDirNotFoundError             78   there is no directory of extra files
├── ArchiveError                       78   an archive is damaged, hostile or too large
├── CacheError                         78   a cache database is damaged, hostile or of another version
├── ImageError (also ValueError)        1   the image of an element cannot be opened
├── ResultError (also ValueError)       1   what a worker found cannot be published
├── PublicationError                    1   not all of what a worker found was accepted
└── StoppedError                    128+n   a signal stopped the run, which shut down cleanly
```

The class decides the exit code; nothing below the command line exits. Messages are one line, name the place and the
remedy, and hold no secret.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike


class ExitCode(enum.IntEnum):
    """The exit code of the process. A run that signal *n* stopped, and that shut down cleanly, exits with 128 + *n*."""

    OK = 0  # done; some elements may have failed, with a warning
    FAILED = 1  # user code raised, a list that a person gave is empty, or every element failed
    USAGE = 2  # the command line cannot be parsed, the target cannot be imported
    UNAVAILABLE = 69  # Arkindex cannot be reached or keeps failing: worth a retry
    UNCERTAIN = 75  # ended, but some claims or reports may have been lost on the way
    CONFIGURATION = 78  # something must be corrected: do not retry


class ArkworkerError(Exception):
    """Base of all errors that arkworker raises."""

    exit_code: int = ExitCode.FAILED


class UsageError(ArkworkerError):
    """A command line, or an argument of a call, that cannot be understood."""

    exit_code = ExitCode.USAGE


class TargetError(UsageError):
    """TARGET does not lead to a worker."""


class DeclarationError(ArkworkerError, TypeError):
    """A worker or its configuration is declared in a way that cannot work; raised when the class is created."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct.

    Attributes:
        path: The value concerned, as everywhere else: `config.threshold`, `corpus_id`; empty for a whole file.
        source: Where the value came from: `configuration file`, `environment`, `worker run`, …
        location: The place in that source: `worker.yml:4:12`, `ARKINDEX_CONFIG_THRESHOLD`, `--config.threshold`.
        message: What is wrong. Never holds the value itself.
        hint: The remedy; may be empty.
        excerpt: The offending line of a file, when it can be shown: no secret, no unknown option.
        line: The number of that line, from 1.
        column: Where the caret goes in it, from 1.
    """

    path: str
    source: str
    location: str
    message: str
    hint: str = ""
    excerpt: str = ""
    line: int = 0
    column: int = 0


class ConfigurationError(ArkworkerError):
    """Settings that a run cannot start with; `problems` holds all of them."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = (f"{p.path or p.source} ({p.location}): {p.message}" for p in self.problems)
        return "; ".join(lines)


class ApiError(ArkworkerError):
    """An operation of the Arkindex API failed.

    Attributes:
        operation: Its id, such as `RetrieveWorkerRun`.
        status: The HTTP status, where there was an answer.
        uncertain: How many attempts at something that writes the server may have acted upon although they failed.
    """

    exit_code = ExitCode.UNAVAILABLE
    uncertain: int = 0

    def __init__(self, operation: str, message: str, *, status: int | None = None) -> None:
        self.operation = operation
        self.status = status
        self.message = message
        super().__init__(operation, message, status)

    def __str__(self) -> str:
        status = "" if self.status is None else f" (status {self.status})"
        return f"{self.operation}{status}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle by their positional arguments; the status is a keyword.
        return _rebuild, (type(self), self.operation, self.message, dict(self.__dict__))


def _rebuild(kind: type[ApiError], operation: str, message: str, state: dict[str, object]) -> ApiError:
    error = kind.__new__(kind, operation, message)
    error.__dict__.update(state)
    return error


class ApiUnavailableError(ApiError):
    """No answer came: connection refused or reset, name unknown, time limit passed."""


@dataclass(frozen=True, slots=True)
class ApiMessage:
    """One message of the server, in either of its styles.

    Attributes:
        detail: The sentence.
        code: The machine-readable code of the newer style; empty in the older one.
        field: The dotted path of the field concerned; empty when there is none.
    """

    detail: str
    code: str = ""
    field: str = ""

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}" if self.field else self.detail


class ApiResponseError(ApiError):
    """The server answered with a status of 400 or more.

    Attributes:
        messages: What the server says, in order.
        existing_id: The id of the object that already exists, when the server names it (conflicts).
    """

    def __init__(
        self,
        operation: str,
        message: str,
        *,
        status: int,
        messages: Sequence[ApiMessage] = (),
        existing_id: str | None = None,
    ) -> None:
        super().__init__(operation, message, status=status)
        self.messages = tuple(messages)
        self.existing_id = existing_id
        # A refusal must be corrected; an overloaded or failing server is worth a retry.
        if status < 500 and status not in (408, 429):
            self.exit_code = ExitCode.CONFIGURATION


class ApiContentError(ApiError):
    """The body of an answer is not what the operation promises: not JSON, cut, of another shape, too large."""


class ReadOnlyError(ArkworkerError):
    """Something would have been written on Arkindex in read-only mode."""


class SecretError(ArkworkerError):
    """A secret cannot be loaded; `name` is the reference, the message says why."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(name, reason)

    def __str__(self) -> str:
        return f"secret {self.name!r}: {self.reason}"


class ExtrasDirNotFoundError(ArkworkerError):
    """There is no directory of extra (model) files."""

    exit_code = ExitCode.CONFIGURATION


class ArchiveError(ArkworkerError):
    """An archive is damaged, hostile or too large; the destination is unchanged.

    Attributes:
        archive: Its path.
        member: The name of the member concerned, escaped; None where it is the archive itself.
        reason: What is wrong.
    """

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, archive: str | PathLike[str], reason: str, *, member: str | None = None) -> None:
        self.archive = str(archive)
        self.reason = reason
        self.member = member
        super().__init__(self.archive, reason, member)

    def __str__(self) -> str:
        where = self.archive if self.member is None else f"{self.archive}, member {self.member}"
        return f"{where}: {self.reason}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_archive_error, (self.archive, self.reason, self.member)


def _rebuild_archive_error(archive: str, reason: str, member: str | None) -> ArchiveError:
    return ArchiveError(archive, reason, member=member)


class CacheError(ArkworkerError):
    """A cache database is damaged, hostile or of another version; `path` names it, `reason` says what is wrong."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        self.path = str(path)
        self.reason = reason
        super().__init__(self.path, reason)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class ImageError(ArkworkerError, ValueError):
    """The image of an element cannot be opened: there is none, it cannot be downloaded, it is damaged or too large.

    Attributes:
        status: The HTTP status of the server that refused it, where one did.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class ResultError(ArkworkerError, ValueError):
    """What a worker found cannot be published; the message names the field. Nothing of it was sent."""


class PublicationError(ArkworkerError):
    """Some results of an element were not accepted.

    Attributes:
        reason: Why it went no further.
        accepted: How many of each kind are on Arkindex: `{"text_line": 50, "transcriptions": 50}`.
        uncertain: How many of each kind may be there although the answer was lost.
        missing: How many of each kind are not there.
    """

    def __init__(
        self, reason: str, accepted: Mapping[str, int], uncertain: Mapping[str, int], missing: Mapping[str, int]
    ) -> None:
        self.reason = reason
        self.accepted = dict(accepted)
        self.uncertain = dict(uncertain)
        self.missing = dict(missing)
        super().__init__(reason, self.accepted, self.uncertain, self.missing)

    def __str__(self) -> str:
        parts = [f"accepted: {_counted(self.accepted)}", f"not accepted: {_counted(self.missing)}"]
        if self.uncertain:
            parts.insert(1, f"perhaps accepted: {_counted(self.uncertain)}")
        return f"{'; '.join(parts)}; {self.reason}"


def _counted(kinds: Mapping[str, int]) -> str:
    return ", ".join(map(counted, kinds, kinds.values())) or "nothing"


def counted(kind: str, count: int) -> str:
    """`1 transcription`, `2 transcriptions`; slugs of element types stay as they are."""
    return f"{count} {_ONE_OF.get(kind, kind) if count == 1 else kind}"


_ONE_OF = {
    "transcriptions": "transcription",
    "classifications": "classification",
    "entities": "entity",
    "embeddings": "embedding",
}


class StoppedError(ArkworkerError):
    """A signal stopped the run, which shut down cleanly."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
        super().__init__(signal_number)

    def __str__(self) -> str:
        return f"stopped by signal {self.signal_number}"
