"""The fixture `invoke`: the real command line, in this process, with an environment of its own."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import tempfile
import types
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import pytest

from arkworker.cli import invoke as invoke_command_line
from arkworker.settings.platform import platform_fields, variable_of
from arkworker.testing.contexts import isolation

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from arkworker.elements.model import Element
    from arkworker.elements.results import Created, ResultModel
    from arkworker.runtime.loop.share_process import Carried, Share
    from arkworker.settings.catalogue import WorkerOptions
    from arkworker.testing.expectations import Arkindex

R = TypeVar("R", bound="ResultModel")

# The id of an element, and what was published for it at once.
Published: TypeAlias = tuple[str, tuple[Any, ...]]

# Beside the variables of settings: options, and what could lead a run out of its folder, or to a real instance.
_FOREIGN = ("ARKINDEX_", "PONOS_", "TASK_", "XDG_", "SLURM_", "VAST_", "CONTAINER_")
_CONFIGURATION = "invoked-configuration.yml"


@dataclass(frozen=True)
class Invocation:
    """What a command line left behind.

    Attributes:
        code: The exit code.
        out: Standard output.
        err: Standard error, where the log goes.
        work_dir: The directory where the worker left its files.
    """

    code: int
    out: str
    err: str
    work_dir: Path
    _published: tuple[Published, ...] = field(default=(), repr=False)

    def published(self, kind: type[R], *, element: str | None = None) -> list[R]:
        """What the worker published, as it made it; in a read-only run, what it would have published.

        What the processes of `--jobs` and of an `--executor` of this machine published comes process by process.

        Args:
            kind: A class of results, such as `Transcription`; those on children and entities in texts are there, too.
            element: Only what was published for the element with this id.

        Raises:
            TypeError: It is not a class of results.
        """
        from arkworker.elements.results import ResultModel, all_of

        if not issubclass(kind, ResultModel):
            raise TypeError(f"published takes a class of results, such as Transcription, not {kind!r}")
        return [
            result for owner, results in self._published if element in (None, owner) for result in all_of(results, kind)
        ]

    @cached_property
    def data(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


class Invoke:
    """Runs command lines of one test; the fixture makes it."""

    def __init__(self, folder: Path, arkindex: Arkindex | None, get_arkindex: Callable[[], Arkindex]) -> None:
        """Take what the test has.

        Args:
            folder: The current directory meanwhile.
            arkindex: The one that the test asked for, which is then the instance.
            get_arkindex: Gives one where it did not, for a payload.
        """
        self._folder = folder
        self._arkindex = arkindex
        self._get_arkindex = get_arkindex

    def __call__(
        self,
        *argv: Any,
        config: Mapping[str, Any] | None = None,
        payload: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        files: Mapping[str, Any] | None = None,
        stdin: str | bytes = "",
    ) -> Invocation:
        """Run a command line.

        Args:
            argv: The words of the command line, with a worker class or a function as TARGET.
            config: Values of options, as with `-c`; the content of a secret, not a reference. Developer mode.
            payload: Values of options, as Arkindex sends them with a worker run; the content of a secret, too.
            environ: Variables to add. Variables of your own environment that would affect the run are hidden.
            files: Contents by name, written into `tmp_path`, which is the current directory: text, bytes, or data as
                JSON, which is YAML.
            stdin: Standard input.
        """
        for name, content in (files or {}).items():
            self._write(name, content)
        words = [target_of(word) if callable(word) else str(word) for word in argv]
        variables = dict(isolation(self._folder))
        if self._arkindex is not None:
            variables |= self._arkindex.environment
        if config is not None:
            words += ["-c", _CONFIGURATION]
            variables |= self._configure(words, config)
        if payload is not None:
            variables |= self._serve(words, payload)
        with (
            self._surroundings(variables | dict(environ or {}), stdin) as (out, err),
            _noting(self._folder) as published,
        ):
            code = int(invoke_command_line(_absolute(words)))
        return Invocation(code, _text(out), _text(err), self._folder / "ponos" / "current", tuple(published))

    def _configure(self, words: list[str], config: Mapping[str, Any]) -> dict[str, str]:
        from arkworker.testing.values import FileValues

        given = FileValues.of(_options(words), config)
        self._write(_CONFIGURATION, given.text)
        return given.environ

    def _serve(self, words: list[str], payload: Mapping[str, Any]) -> dict[str, str]:
        from arkworker.testing.values import PayloadValues, serve_worker_run

        arkindex = self._get_arkindex()
        run_id = str(uuid.uuid4())
        serve_worker_run(arkindex, run_id, PayloadValues.of(_options(words), payload))
        return arkindex.environment | {"ARKINDEX_WORKER_RUN_ID": run_id}

    def _write(self, name: str, content: Any) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")

    @contextmanager
    def _surroundings(
        self, variables: Mapping[str, str], stdin: str | bytes
    ) -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
        """The environment, the current directory and the streams of the run; all else is put back after it."""
        out, err = _stream(), _stream()
        with pytest.MonkeyPatch.context() as patch:
            settings = set(map(variable_of, platform_fields().values()))
            for name in [name for name in os.environ if name.startswith(_FOREIGN) or name in settings]:
                patch.delenv(name)
            for name, value in variables.items():
                patch.setenv(name, value)
            patch.setattr(sys, "path", [*sys.path, str(Path.cwd())])
            patch.chdir(self._folder)
            patch.setattr(sys, "stdin", _stream(stdin.encode() if isinstance(stdin, str) else stdin))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            yield out, err


@contextmanager
def _noting(place: Path) -> Iterator[list[Published]]:
    """What is published meanwhile: in this process, and once it is over in others of this machine."""
    noted: list[Published] = []
    with tempfile.TemporaryDirectory(prefix=".arkworker-published-", dir=place) as folder:
        with _telling(noted.append), pytest.MonkeyPatch.context() as patch:
            patch.setattr("arkworker.runtime.lifecycle.run_job", partial(run_noted_job, folder))
            patch.setattr("arkworker.runtime.loop.shares.carry_out", partial(carry_out_noted, folder))
            yield noted
        for path in sorted(Path(folder).iterdir(), key=lambda path: int(path.name)):
            # One that was killed may have left half a note.
            with path.open("rb") as file, suppress(EOFError, pickle.UnpicklingError):
                while True:
                    noted.append(pickle.load(file))  # noqa: S301 - of our own processes


def run_noted_job(folder: str, connection: socket.socket) -> None:
    """The life of a process of `--jobs`, which leaves in a file of `folder` what it publishes."""
    from arkworker.runtime.lifecycle import run_job

    def tell(published: Published) -> None:
        file.write(pickle.dumps(published))

    with Path(folder, str(os.getpid())).open("ab", buffering=0) as file, _telling(tell):
        run_job(connection)


def carry_out_noted(folder: str, share: Share) -> Carried:
    """What an engine of `--executor` runs, with processes that leave in `folder` what they publish."""
    from arkworker.runtime.loop.share_process import carry_out

    return carry_out(share, f"from {__name__} import run_noted_share; run_noted_share({folder!r}, {{}})")


def run_noted_share(folder: str, descriptor: int) -> None:
    """The life of a process of a share, whose processes leave in files of `folder` what they publish."""
    from arkworker.runtime.loop.share_process import work_on

    work_on(descriptor, partial(run_noted_job, folder))


@contextmanager
def _telling(tell: Callable[[Published], object]) -> Iterator[None]:
    """Tell what is published: all of it passes here, whether a run sends it, records it or only checks it."""
    from arkworker.runtime.services import LatePublisher

    publish = LatePublisher.publish

    def told(self: LatePublisher, element: Element, results: Sequence[Any]) -> tuple[Created, ...]:
        created = publish(self, element, results)
        tell((element.id, tuple(results)))
        return created

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LatePublisher, "publish", told)
        yield


def _stream(content: bytes = b"") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="backslashreplace", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)  # noqa: S101 - what it was made of
    return buffer.getvalue().decode()


def target_of(worker: Any) -> str:
    """TARGET of a worker class or a function; one that lives inside of a function gets a module to be found in."""
    place, name = worker.__module__, worker.__qualname__
    if "<locals>" not in name and place in sys.modules:
        return f"{place}:{name}"
    module = types.ModuleType(f"{place.rpartition('.')[2]}_inner")
    setattr(module, worker.__name__, worker)
    sys.modules[module.__name__] = module
    return f"{module.__name__}:{worker.__name__}"


def _options(words: list[str]) -> WorkerOptions:
    """What the worker of a command line declares."""
    from arkworker.runtime.target import load_target
    from arkworker.runtime.worker import options_of

    target = _absolute(words)[1] if len(words) > 1 else ""
    return options_of(load_target(target), target)


def _absolute(words: list[str]) -> list[str]:
    """TARGET may be a file, named from where the tests are run."""
    place, colon, name = words[1].rpartition(":") if len(words) > 1 else ("", "", "")
    if place.endswith(".py") and Path(place).is_file():
        return [words[0], f"{Path(place).absolute()}{colon}{name}", *words[2:]]
    return words
