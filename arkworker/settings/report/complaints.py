"""From what pydantic says of a model's values to problems: each once, at its place, with its remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

from arkworker.options.options import (
    Option,
    alternatives,
    choices_of,
    group_of,
    is_list,
    is_secret_type,
    key_of,
)
from arkworker.options.secret import SecretNotLoadedError
from arkworker.settings.catalogue import flag_name
from arkworker.settings.provenance import Claim, Ledger, Origin, Path, Place
from arkworker.settings.reading import Refused, leads_into
from arkworker.settings.report.messages import is_of_author, message_of
from arkworker.settings.report.redaction import REFUSED, Redaction, place_in_code
from arkworker.text import Suggestions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from arkworker.options.secret import Secret
    from arkworker.settings.catalogue import WorkerOptions

_SHOULD = "Input should be "
_MOST_ALTERNATIVES = 4  # of a union, told of in one message
_MOST_QUOTED = 100  # messages of validators, each of which is searched for all values


@dataclass
class Complaints:
    """Says what is wrong with the values of one model.

    Attributes:
        root: `config` or `arguments`.
        worker: What it may hold.
        secrets: The loaded secrets.
        ledger: Who gave the values; takes the problems.
        at_desk: Whether values may be corrected in a file.
        file: The name of that file, where there is one.
    """

    root: str
    worker: WorkerOptions
    secrets: Iterable[Secret[Any]]
    ledger: Ledger
    at_desk: bool
    file: str = ""
    _suggest: Suggestions = field(default_factory=Suggestions)
    _quoted: int = 0
    _unknown: dict[int, bool] = field(default_factory=dict)

    @cached_property
    def _document(self) -> dict[str, Any]:
        return self.ledger.document(self.root)

    @cached_property
    def _redact(self) -> Redaction:
        parts = self.worker.parts.values()
        choices = (str(choice) for part in parts for choice in choices_of(alternatives(part.annotation)))
        return Redaction(self._document, self.secrets, {key for part in parts for key in part.keys}.union(choices))

    def report(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Report the lines of a `ValidationError`, taken without input."""
        located = [(line, *self._steps(line)) for line in lines]
        members: dict[Path, set[Any]] = {}
        for _, steps, member, _ in located:
            members.setdefault(steps, set()).add(member)
        # Several messages where a value fits no member of a union; each once. Where a tag chose the member, each of its
        # mistakes has a place of its own.
        complaints: dict[tuple[Path, bool, Path], tuple[Mapping[str, Any], dict[str, None]]] = {}
        for line, steps, member, rest in located:
            inside = rest if len(members[steps]) == 1 else ()
            _, messages = complaints.setdefault((steps, member is not None, inside), (line, {}))
            message = self._message(line)
            messages[f"{'.'.join(rest)}: {message}" if rest else message] = None
        for (steps, _, inside), (line, messages) in complaints.items():
            self._report_one(steps, inside, line, messages)

    def report_failure(self, error: Exception) -> None:
        """Report a validator of the author that raised what no validator should."""
        message = f"a validator of the worker failed with {type(error).__name__}{place_in_code(error)}"
        said = self._redact(str(error))
        if said and said != REFUSED:
            message += f": {said}"
        self.ledger.report((self.root,), message, self._origin_in_code)

    def _steps(self, line: Mapping[str, Any]) -> tuple[Path, Any, Path]:
        """The path of a value; where it has a union for a type, one member of that and the path inside the member.

        pydantic's own paths also name types: members of unions, functions, `[key]`.
        """
        value: Any = self._document
        steps: list[str] = []
        inner: list[str] = []
        member: Any = None
        for index, part in enumerate(line["loc"]):
            is_last = index == len(line["loc"]) - 1
            known = (self.root, *steps, str(part)) in self.worker.parts or (is_last and line["type"] == "missing")
            if leads_into(value, part):
                value = value[part]
            elif not known:
                member = member or part
                continue
            (steps if member is None else inner).append(str(part))
        return tuple(steps), member, tuple(inner)

    def _report_one(self, steps: Path, inside: Path, line: Mapping[str, Any], messages: Iterable[str]) -> None:
        path = (self.root, *steps)
        claim, rest = self.ledger.claim_for(path)
        if claim is not None and claim.refused:
            return
        part = self.worker.parts.get(path[: len(path) - len(rest)])
        is_secret = isinstance(part, Option) and part.is_secret
        kind = line["type"]
        if kind == "missing" and claim is None and self._is_file_unknown:
            return
        default = Origin("default", "not set anywhere" if kind == "missing" else self._name)
        origin = claim.origin if claim else default if isinstance(part, Option) else None
        place = claim.place((*rest, *inside), at_key=kind == "extra_forbidden") if claim else None
        if place and (is_secret or kind == "extra_forbidden" or self._holds_unknown(claim)):
            place = Place(place.location)
        hint = line.get("hint", "")
        if kind == "missing" and claim is None:
            hint = self._where_to_set(path)
        self.ledger.report(path, _join(messages), origin or self._origin_in_code, place, hint)

    def _holds_unknown(self, claim: Claim | None) -> bool:
        """Whether there is something unknown in a value: it may be a secret, and stand on a line with what is known."""
        if claim is None or not isinstance(claim.value, Refused):
            return False
        if id(claim) not in self._unknown:  # of thousands of mistakes in one value, each is asked about
            self._unknown[id(claim)] = any(one["type"] == "extra_forbidden" for one in claim.value.lines)
        return self._unknown[id(claim)]

    @property
    def _is_file_unknown(self) -> bool:
        """Whether the file could not be read, so that nobody knows what it sets."""
        paths = {problem.path for problem in self.ledger.problems if problem.source == "configuration file"}
        return not paths.isdisjoint(("", "configuration", "config_file"))

    @property
    def _model(self) -> type[BaseModel] | None:
        return self.worker.configuration if self.root == "config" else self.worker.arguments

    @property
    def _name(self) -> str:
        return self._model.__name__ if self._model else self.root

    @property
    def _origin_in_code(self) -> Origin:
        return Origin("validator", self._name)

    def _message(self, line: Mapping[str, Any]) -> str:
        if isinstance(line.get("ctx", {}).get("error"), SecretNotLoadedError):
            return "cannot be checked here: a validator needs a secret that is not loaded"
        part = self.worker.parts.get((self.root, *map(str, line["loc"])))
        if is_of_author(line):
            is_secret = isinstance(part, Option) and part.is_secret
            self._quoted += 1
            return REFUSED if is_secret or self._quoted > _MOST_QUOTED else self._redact(message_of(line)) or REFUSED
        message = message_of(line)
        if line["type"] == "extra_forbidden":
            return self._suggest(message, str(line["loc"][-1]), self._siblings(line["loc"]))
        return message

    def _siblings(self, location: tuple[Any, ...]) -> list[str]:
        """The keys of the model that holds the last part of a location, as far as groups lead there."""
        model = self._model
        for part in location[:-1]:
            fields = {key_of(name, field): field for name, field in model.model_fields.items()} if model else {}
            model = _model_in(fields[part].annotation) if part in fields else model if isinstance(part, int) else None
        return [key_of(name, field) for name, field in model.model_fields.items()] if model else []

    def _where_to_set(self, path: Path) -> str:
        option = self.worker.parts.get(path)
        if self.root == "arguments":
            return f"set it with {flag_name(path[-1])}"
        if not isinstance(option, Option):
            return ""
        place = f"{option.name} in {self.file or 'the configuration file'}" if self.at_desk else "it in Arkindex"
        if any(map(is_secret_type, alternatives(option.annotation))):
            return f"set {place}, or {option.variable}, to the name of the secret"
        return f"set {place}, {option.variable} or {option.flag}"


def _join(messages: Iterable[str]) -> str:
    """One sentence of what each member of a union asks for."""
    first, *others = list(messages)[:_MOST_ALTERNATIVES]
    shortened = (other.removeprefix(_SHOULD) if first.startswith(_SHOULD) else other for other in others)
    return " or ".join([first, *shortened])


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of a group, or of the items of a list."""
    members = alternatives(annotation)
    items = [get_args(member)[0] for member in members if is_list(member) and get_args(member)]
    return group_of(items[0] if items else annotation)
