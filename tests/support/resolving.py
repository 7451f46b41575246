"""Whole resolutions without a process: a model, a command line, variables, files and a payload in; values out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arkindex_stub import worker_run

from arkworker.arkindex.payload import parse_payload
from arkworker.cli.parser import Parser
from arkworker.cli.problems import as_data, as_text
from arkworker.documents.text_file import TextFile, TextFileError
from arkworker.errors import ConfigurationError, Problem
from arkworker.runtime.origins import context_origins
from arkworker.settings.catalogue import WorkerOptions
from arkworker.settings.resolution import Inputs, Resolution, resolve, validate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from arkworker.options.secret import Secret

RUN_ID = "56785678-5678-5678-5678-567856785678"


@dataclass
class Outcome:
    """What came out: values, or problems."""

    resolution: Resolution
    config: Any = None
    arguments: Any = None
    problems: tuple[Problem, ...] = ()
    origins: Mapping[str, Any] = field(default_factory=dict)

    @property
    def warnings(self) -> list[Problem]:
        return self.resolution.ledger.warnings

    @property
    def told(self) -> dict[str, str]:
        """The message of each problem by its path."""
        return {problem.path: problem.message for problem in self.problems}

    @property
    def problem(self) -> Problem:
        """The only problem."""
        (problem,) = self.problems
        return problem

    @property
    def everything(self) -> str:
        """All that a person or a program could read of it."""
        parts = [self.problems, self.warnings, self.resolution, self.config, as_data(self.problems, "w:W")]
        return "\n".join([as_text(self.problems, "w:W"), *map(str, parts), *map(repr, parts)])


def settle(
    configuration: type[BaseModel] | None = None,
    *argv: str,
    environ: Mapping[str, str] | None = None,
    file: str | None = None,
    env_file: str | None = None,
    items: Sequence[Any] | None = None,
    run: Any = None,
    arguments: type[BaseModel] | None = None,
    elements: bool = False,
    loaded: Mapping[int, Secret[Any]] | None = None,
    arrange_sources: Any = None,
) -> Outcome:
    """Resolve and validate.

    Args:
        configuration: The model; None for a free mapping.
        argv: The command line after the target.
        environ: The variables.
        file: The text of `worker.yml`, given with `-c`.
        env_file: The text of `worker.env`, given with `--env-file`.
        items: The modern configuration of a worker run, which is then there.
        run: The worker run, for its legacy configuration unless there are `items`.
        arguments: The model of the extra flags.
        elements: Whether the worker processes elements.
        loaded: The loaded secrets by the number of their request.
        arrange_sources: The worker's hook for sources of its own.
    """
    files = {"worker.yml": file, "worker.env": env_file}
    flags = [*(["-c", "worker.yml"] if file is not None else []), *argv]
    flags += ["--env-file", "worker.env"] if env_file is not None else []

    def read_file(path: str) -> TextFile:
        text = files.get(path)
        if text is None:
            raise TextFileError("no such file")
        return TextFile(path, text)

    variables = dict(environ or {})
    payload = None
    if items is not None or run is not None:
        variables.setdefault("ARKINDEX_WORKER_RUN_ID", RUN_ID)
        configuration_answer = None if items is None else {"configuration": list(items)}
        payload = parse_payload(run or worker_run(), configuration_answer)
    worker = WorkerOptions(
        "w:W", configuration, arguments, processes_elements=elements, arrange_sources=arrange_sources
    )
    inputs = Inputs(Parser("w", worker, flags).parse(flags), variables, read_file)
    resolution = resolve(worker, inputs, payload.says(is_free=configuration is None) if payload else None)
    try:
        secrets = {resolution.secrets[number].reference: secret for number, secret in (loaded or {}).items()}
        values = validate(resolution, secrets)
    except ConfigurationError as error:
        return Outcome(resolution, problems=error.problems)
    return Outcome(resolution, values.config, values.arguments, origins=context_origins(resolution, values, payload))


def item(key: str, value: Any, *, secret: bool = False) -> dict[str, Any]:
    """An item of the modern configuration."""
    return {"key": key, "value": value, "secret": secret}
