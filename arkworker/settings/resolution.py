"""From inputs to values with origins: all sources, in the order of their precedence.

Resolving happens twice: without the payload, to learn how to reach Arkindex, and with it, for everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from arkworker.documents.text_file import TextFile, TextFileError, read_text_file
from arkworker.options.options import DEBUG
from arkworker.settings.platform import Settings, variable_of
from arkworker.settings.provenance import Ledger, Origin, Path
from arkworker.settings.report.messages import message_of
from arkworker.settings.sources.command_line import CommandLineSource
from arkworker.settings.sources.env_file import EnvFileSource
from arkworker.settings.sources.environment import EnvironmentSource
from arkworker.settings.sources.source import PLATFORM_FIELDS, Bench, Source
from arkworker.settings.sources.worker_run import payload_sources
from arkworker.settings.values.reading import Reference
from arkworker.text import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping

    from arkworker.settings.catalogue import WorkerOptions
    from arkworker.settings.sources.payload import Payload

#: Settings that a worker run brings itself.
_FROM_THE_RUN = ("corpus_id", "model_id", "model_version_id")


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that the settings are made of, besides the payload.

    Attributes:
        flags: The parsed command line.
        environ: The environment variables.
        read_file: Reads a file that the person named.
    """

    flags: argparse.Namespace
    environ: Mapping[str, str]
    read_file: Callable[[str], TextFile] = read_text_file


@dataclass(frozen=True, slots=True)
class SecretRequest:
    """A secret that an option refers to.

    Attributes:
        marker: The key of what is loaded for it.
        path: The option.
        reference: What to load, and as which type.
        origin: Where the reference was given.
    """

    marker: str
    path: Path
    reference: Reference
    origin: Origin


@dataclass(slots=True)
class Resolution:
    """Every value with its origin, not yet validated by the worker's models.

    Attributes:
        worker: What the worker declares.
        settings: The platform's side; its defaults where it could not be validated.
        ledger: Who offered what, and every problem so far.
        payload: The worker run, where it is known.
        secrets: The secrets that options refer to.
    """

    worker: WorkerOptions
    settings: Settings
    ledger: Ledger
    payload: Payload | None
    secrets: tuple[SecretRequest, ...] = ()

    @property
    def is_developer_mode(self) -> bool:
        return self.settings.dev or self.settings.worker_run_id is None

    @property
    def wants_debug(self) -> bool:
        """Whether a flag, a variable, or the key `debug` of a worker that does not declare it asks for DEBUG."""
        claim = self.ledger.claims.get((DEBUG,))
        return self.settings.verbose or bool(claim and claim.value)

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Secrets to load by name, besides those that options refer to."""
        listed = self.ledger.claims.get(("secrets",))
        named: list[str] = list(listed.value) if listed else []
        if self.payload and self.payload.legacy:
            named += self.payload.legacy.worker_version.configuration.secrets
        return tuple(dict.fromkeys(named))


def resolve(worker: WorkerOptions, inputs: Inputs, payload: Payload | None = None) -> Resolution:
    """Ask every source; the first that offers a value wins it.

    Args:
        worker: What the worker declares.
        inputs: The command line, the environment and the files.
        payload: The worker run; None in developer mode, and the first time.
    """
    bench = Bench(worker)
    settings = _settings(bench.ledger, _sources(bench, inputs, payload))
    resolution = Resolution(worker, settings, bench.ledger, payload)
    resolution.secrets = tuple(_secret_requests(bench.ledger))
    if not resolution.is_developer_mode:
        _warn_of_ignored(bench.ledger, inputs)
    return resolution


def _sources(bench: Bench, inputs: Inputs, payload: Payload | None) -> list[Source]:
    """The sources, strongest first."""
    command_line = CommandLineSource(bench, inputs.flags)
    environment = EnvironmentSource(bench, inputs.environ)
    sources: list[Source] = [command_line, environment]
    env_file = _read(bench.ledger, inputs, command_line, "env_file")
    if env_file is not None:
        sources.append(EnvFileSource(bench, env_file))
    if "dev" in command_line.typed or not _names_a_worker_run(sources):
        config_file = _read(bench.ledger, inputs, command_line, "config_file")
        if config_file is not None:
            from arkworker.settings.sources.yaml_file import YamlFileSource

            sources.append(YamlFileSource(bench, config_file))
    return [*sources, *(payload_sources(bench, payload) if payload else [])]


def _names_a_worker_run(sources: list[Source]) -> bool:
    variable = variable_of(PLATFORM_FIELDS["worker_run_id",])
    return any(variable in source.variables for source in sources if isinstance(source, EnvironmentSource))


def _read(ledger: Ledger, inputs: Inputs, command_line: CommandLineSource, name: str) -> TextFile | None:
    typed = command_line.typed.get(name)
    if typed is None or not typed.texts[-1]:
        return None
    try:
        return inputs.read_file(typed.texts[-1])
    except TextFileError as error:
        place = f"{typed.spelling} {_spot(typed.texts[-1], error)}"
        source = "configuration file" if name == "config_file" else EnvFileSource.name
        ledger.report((name,), error.reason, Origin(source, place), hint=error.hint)
    return None


def _spot(path: str, error: TextFileError) -> str:
    where = f":{error.line}:{error.column}" if error.line else ""
    return printable(path) + where


def _settings(ledger: Ledger, sources: list[Source]) -> Settings:
    """The platform's side, validated; its problems go to the ledger."""
    try:
        return Settings(sources=sources)
    except ValidationError as error:
        lines = error.errors(include_url=False, include_input=False)
    told: set[Path] = {(problem.path,) for problem in ledger.problems}  # of a file that could not be read
    for line in lines:
        path = tuple(str(part) for part in line["loc"])
        field = path[: 2 if path[0] == "api" else 1]
        claim, _ = ledger.claim_for(path)
        origin = claim.origin if claim else Origin("default", "")
        if field not in told:
            told.add(field)
            ledger.report(field, message_of(line), origin)
    broken = {str(line["loc"][0]) for line in lines}
    return Settings.model_construct(**_sound_values(ledger, broken))


def _sound_values(ledger: Ledger, broken: set[str]) -> dict[str, Any]:
    # Enough to tell the mode from; a run does not start with a problem anyhow.
    wanted = ("dev", "worker_run_id")
    return {name: ledger.claims[name,].value for name in wanted if (name,) in ledger.claims and name not in broken}


def _secret_requests(ledger: Ledger) -> Iterator[SecretRequest]:
    number = 0
    for path, claim in ledger.claims.items():
        for reference in references_in(claim.value):
            # Secrets are also loaded by names, which hold no such character.
            yield SecretRequest(f"\0secret {number}", path, reference, claim.origin)
            number += 1


def references_in(value: object) -> Iterator[Reference]:
    """The secrets that a value refers to."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from references_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from references_in(item)


def _warn_of_ignored(ledger: Ledger, inputs: Inputs) -> None:
    for name in _FROM_THE_RUN:
        claim = ledger.claims.get((name,))
        if claim is not None:
            ledger.warn((name,), "ignored: the worker run brings its own", claim.origin)
    typed = vars(inputs.flags).get("config_file")
    if typed is not None:
        origin = Origin("command line", typed.spelling)
        ledger.warn(("config_file",), "ignored beside a worker run", origin, "add --dev to use it")
