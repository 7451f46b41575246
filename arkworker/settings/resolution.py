"""From inputs to values with origins.

Resolving happens twice: without the payload, to learn how to reach Arkindex, and with it, for everything; validating
once, when the secrets are there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from arkworker.documents.text_file import TextFile, TextFileError, read_text_file
from arkworker.errors import ConfigurationError
from arkworker.options.configuration import BY_SETTINGS
from arkworker.options.options import DEBUG
from arkworker.options.secret import Secret, UnloadedSecret
from arkworker.settings.model import WorkerSettings, settings_model
from arkworker.settings.provenance import Ledger, Origin, Path, Sources
from arkworker.settings.reading import Reference, Refused, leaves_of, mapped
from arkworker.settings.sources.environment import EnvFileSource, EnvironmentSource

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from arkworker.errors import Problem
    from arkworker.settings.catalogue import WorkerOptions
    from arkworker.settings.report.complaints import Complaints
    from arkworker.settings.sources.configuration import Layer

#: Settings that a worker run brings itself.
_FROM_THE_RUN = ("corpus_id", "model_id", "model_version_id")
#: Settings that count although there is a problem with others.
_WITH_A_PROBLEM = ("dev", "worker_run_id", "summary")


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """All that the settings are made of, besides the payload.

    Attributes:
        flags: What a `Parser` made of the command line.
        environ: The environment variables.
        read_file: Reads a file that the person named.
    """

    flags: argparse.Namespace
    environ: Mapping[str, str] = field(repr=False)  # holds the token, and whatever else the process was given
    read_file: Callable[[str], TextFile] = read_text_file


class RunSays(NamedTuple):
    """What a worker run says of the settings.

    Attributes:
        layers: Of its configuration, by the name of the source.
        secret_names: Secrets to load, as older instances list them.
    """

    layers: Mapping[str, Layer]
    secret_names: tuple[str, ...] = ()


class SecretRequest(NamedTuple):
    """A secret that an option refers to.

    Attributes:
        path: The option, and what leads to the secret in its value.
        reference: What to load, and as which type.
        origin: Where the reference was given.
    """

    path: Path
    reference: Reference
    origin: Origin


@dataclass(slots=True, eq=False)
class Resolution:
    """Every value with its origin; options are not yet validated.

    Attributes:
        worker: What the worker declares.
        settings: The platform's side; its defaults where it could not be validated.
        sources: The sources, asked.
        run: What the worker run says, where it is known.
        secrets: The secrets that options refer to.
    """

    worker: WorkerOptions
    settings: WorkerSettings
    sources: Sources = field(repr=False)
    run: RunSays | None = None
    secrets: tuple[SecretRequest, ...] = ()

    @property
    def ledger(self) -> Ledger:
        """Who offered what, and every problem so far."""
        return self.sources.ledger

    @property
    def locations(self) -> dict[Path, str]:
        """Where each value was given: a flag, a variable, a place in a file."""
        return {path: claim.origin.location for path, claim in self.ledger.claims.items()}

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
        return tuple(dict.fromkeys([*named, *(self.run.secret_names if self.run else ())]))


def resolve(worker: WorkerOptions, inputs: Inputs, run: RunSays | None = None) -> Resolution:
    """Ask every source; the first that offers a value wins it.

    Args:
        worker: What the worker declares.
        inputs: The command line, the environment and the files.
        run: What the worker run says; None in developer mode, and the first time.
    """
    model = settings_model(worker)
    command_line = inputs.flags.source
    ledger = Ledger()
    environment = EnvironmentSource(model, inputs.environ)
    env_file = EnvFileSource(model, _read(ledger, inputs, "env_file"))
    sources = Sources(command_line, environment, env_file, ledger=ledger, layers=run.layers if run else {})
    if "dev" in command_line.typed or not any(
        ("worker_run_id",) in source.locations for source in (environment, env_file)
    ):
        sources.config_file = _read(ledger, inputs, "config_file")
    resolution = Resolution(worker, _settings(model, sources), sources, run)
    resolution.secrets = tuple(_secret_requests(ledger))
    for path, claim in ledger.claims.items():
        if isinstance(claim.value, Refused):
            lines = [line | {"loc": (*path[1:], *line["loc"])} for line in claim.value.lines]
            _complaints(resolution, path[0]).report(lines)
            claim.refused = True
    ledger.problems.sort(key=_order_of(sources))
    if not resolution.is_developer_mode:
        _warn_of_ignored(ledger, inputs)
    return resolution


def validate(resolution: Resolution, loaded: Mapping[Any, Secret[Any]] | None = None) -> WorkerSettings:
    """The settings as a whole, validated at once.

    Args:
        resolution: The values.
        loaded: The loaded secrets by their references. One that is not among them is replaced by a stand-in that says
            so when it is asked for its content.

    Raises:
        ConfigurationError: With every problem found while resolving and validating.
    """
    secrets: dict[Any, Secret[Any]] = {one.reference: UnloadedSecret(one.path[-1]) for one in resolution.secrets}
    secrets |= loaded or {}
    resolution.sources.secrets = lambda value: mapped(
        value, lambda _, leaf: secrets[leaf] if isinstance(leaf, Reference) else leaf
    )
    token = BY_SETTINGS.set(True)
    try:
        settings = settings_model(resolution.worker)(sources=resolution.sources)
    except ValidationError as error:
        lines = error.errors(include_url=False, include_input=False)
        for root in ("config", "arguments"):
            own = [line | {"loc": line["loc"][1:]} for line in lines if line["loc"][0] == root]
            _complaints(resolution, root, secrets.values()).report(own)
    except Exception as error:  # noqa: BLE001 - a validator of the author may raise anything
        root = "config" if resolution.worker.configuration else "arguments"
        _complaints(resolution, root, secrets.values()).report_failure(error)
    else:
        resolution.settings = settings
    finally:
        BY_SETTINGS.reset(token)
    if resolution.ledger.problems:
        raise ConfigurationError(resolution.ledger.problems)
    return resolution.settings


def _order_of(sources: Sources) -> Callable[[Problem], tuple[int, ...]]:
    """Problems stand by their sources, strongest first, and in the order of a file."""
    names = [recorded.name for recorded in sources.recorded]

    def order(problem: Problem) -> tuple[int, ...]:
        numbers = tuple(int(part) for part in problem.location.split(":")[1:] if part.isdecimal())
        return names.index(problem.source) if problem.source in names else -1, *numbers

    return order


def _read(ledger: Ledger, inputs: Inputs, name: str) -> TextFile | None:
    typed = inputs.flags.source.typed.get(name)
    if typed is None or not typed.texts[-1]:
        return None
    try:
        return inputs.read_file(typed.texts[-1])
    except TextFileError as error:
        place = f"{typed.spelling} {error.place(typed.texts[-1])}"
        source = "configuration file" if name == "config_file" else EnvFileSource.name
        ledger.report((name,), error.message, Origin(source, place), hint=error.hint)
    return None


def _settings(model: type[WorkerSettings], sources: Sources) -> WorkerSettings:
    """The platform's side, validated; its problems go to the ledger."""
    ledger = sources.ledger
    try:
        return model(sources=sources)
    except ValidationError as error:
        lines = error.errors(include_url=False, include_input=False)
    from arkworker.settings.report.messages import message_of

    told: set[Path] = {(problem.path,) for problem in ledger.problems}  # of a file that could not be read
    for line in lines:
        path = tuple(str(part) for part in line["loc"])
        field = path[: 2 if path[0] == "api" else 1]
        claim, _ = ledger.claim_for(path)
        if field not in told:
            told.add(field)
            ledger.report(field, message_of(line), claim.origin if claim else Origin("default", ""))
    # Enough to tell the mode from, and to sum the run up; it does not start with a problem anyhow.
    broken = {str(line["loc"][0]) for line in lines}
    sound = {name: ledger.claims[name,].value for name in _WITH_A_PROBLEM if (name,) in ledger.claims}
    return model.model_construct(**{name: value for name, value in sound.items() if name not in broken})


def _complaints(resolution: Resolution, root: str, secrets: Iterable[Secret[Any]] = ()) -> Complaints:
    from arkworker.settings.report.complaints import Complaints

    file, at_desk = resolution.sources.config_file, resolution.is_developer_mode
    return Complaints(root, resolution.worker, secrets, resolution.ledger, at_desk, file.name if file else "")


def _secret_requests(ledger: Ledger) -> Iterator[SecretRequest]:
    for path, claim in ledger.claims.items():
        if isinstance(claim.value, str) and any(isinstance(other.value, Reference) for other in claim.shadowed):
            # A secret of a free mapping, which only the platform can tell; a stronger source names it, too.
            claim.value = Reference(claim.value, Any)
        for steps, leaf in leaves_of(claim.value):
            if isinstance(leaf, Reference):
                rest = tuple(map(str, steps))
                yield SecretRequest((*path, *rest), leaf, Origin(claim.origin.source, claim.place(rest).location))


def _warn_of_ignored(ledger: Ledger, inputs: Inputs) -> None:
    for name in _FROM_THE_RUN:
        claim = ledger.claims.get((name,))
        if claim is not None:
            ledger.warn((name,), "ignored: the worker run brings its own", claim.origin)
    typed = inputs.flags.source.typed.get("config_file")
    if typed is not None:
        origin = Origin("command line", typed.spelling)
        ledger.warn(("config_file",), "ignored when there is a worker run", origin, "add --dev to use it")
