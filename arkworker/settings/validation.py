"""The strict validation of everything at once, and what is said of each value that fails it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined, to_jsonable_python

from arkworker.errors import ConfigurationError
from arkworker.frozen import freeze
from arkworker.options import Group, Option, group_of, walk
from arkworker.secret import CONTEXT_KEY, Secret, SecretNotLoadedError, UnloadedSecret
from arkworker.settings.messages import message_of
from arkworker.settings.provenance import Claim, Origin, Path, Place
from arkworker.settings.reading import Reference
from arkworker.settings.source import MOST_SUGGESTIONS
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arkworker.settings.resolution import Resolution

Secrets = dict[str, Secret[Any]]


@dataclass(frozen=True, slots=True)
class Values:
    """What user code gets: an instance of each model, frozen to the bottom."""

    config: Any
    arguments: Any


def validate(resolution: Resolution, loaded: Mapping[str, Secret[Any]] | None = None) -> Values:
    """Validate all values at once.

    Args:
        resolution: The values.
        loaded: The loaded secrets by the marker of their request. A secret that is not among them is replaced by a
            stand-in that says so when it is asked for its content.

    Raises:
        ConfigurationError: With every problem found while resolving and validating.
    """
    secrets: Secrets = {request.marker: UnloadedSecret(request.path[-1]) for request in resolution.secrets}
    secrets |= loaded or {}
    worker = resolution.worker
    config = _Model("config", worker.configuration, resolution, secrets).values()
    arguments = _Model("arguments", worker.arguments, resolution, secrets).values() if worker.arguments else None
    if resolution.ledger.problems:
        raise ConfigurationError(resolution.ledger.problems)
    return Values(config, arguments)


class _Model:
    """One model of the worker, with the values that won their paths below `root`."""

    def __init__(self, root: str, model: type[BaseModel] | None, resolution: Resolution, secrets: Secrets) -> None:
        self.root = root
        self.model = model
        self.ledger = resolution.ledger
        self.resolution = resolution
        self.secrets = secrets
        # References are told apart by identity: the same name may be given for two options of different types.
        self.markers = _markers(resolution)
        self.parts = {(root, *part.keys): part for part in walk(model)} if model else {}
        self.suggestions = 0

    def values(self) -> Any:
        if self.model is None:
            tree = self._claimed()
            return freeze({key: self._with_secrets(value) for key, value in tree.items()})
        document = json.dumps(self._tree(), default=self._stand_in)
        try:
            return self.model.model_validate_json(document, strict=True, context={CONTEXT_KEY: self.secrets})
        except ValidationError as error:
            lines = error.errors(include_url=False, include_input=False)
        for line in lines:
            self._report(line)
        return None

    def _claimed(self) -> dict[str, Any]:
        """The values that were won, nested as their paths."""
        tree: dict[str, Any] = {}
        for path in self.ledger.won_inside((self.root,)):
            claim = self.ledger.claims[path]
            if not claim.refused:
                target = tree
                for key in path[1:-1]:
                    target = target.setdefault(key, {})
                target[path[-1]] = claim.value
        return tree

    def _tree(self) -> dict[str, Any]:
        """The same, with what a group needs besides: an empty one to take its defaults, the rest of its default."""
        tree = self._claimed()
        for path, part in self.parts.items():
            parent = _at(tree, path[1:-1])
            if parent is None:
                continue
            if isinstance(part, Group) and part.field.is_required() and not part.accepts_null:
                parent.setdefault(part.keys[-1], {})
            elif isinstance(part, Option) and len(path) > 2 and part.default is not PydanticUndefined:
                own_default = part.field.get_default(call_default_factory=True)
                if part.default != own_default and path not in self.ledger.claims:
                    parent[part.keys[-1]] = self._jsonable(part.default)
        return tree

    def _jsonable(self, default: Any) -> Any:
        if isinstance(default, Secret):
            marker = f"\0default {len(self.secrets)}"
            self.secrets[marker] = default
            return marker
        return to_jsonable_python(default, by_alias=True)

    def _stand_in(self, value: object) -> str:
        return self.markers[id(value)]

    def _with_secrets(self, value: Any) -> Any:
        if isinstance(value, Reference):
            return self.secrets[self.markers[id(value)]]
        if isinstance(value, dict):
            return {key: self._with_secrets(item) for key, item in value.items()}
        return [self._with_secrets(item) for item in value] if isinstance(value, list) else value

    def _report(self, line: Any) -> None:
        path = (self.root, *map(str, line["loc"]))
        claim, rest = self.ledger.claim_for(path)
        if claim is not None and claim.refused:
            return
        option = self.parts.get(path[: len(path) - len(rest)])
        is_secret = isinstance(option, Option) and option.is_secret
        origin = claim.origin if claim else self._origin_without_claim(line)
        place = _place(
            claim, rest, origin, show=not is_secret and line["type"] not in ("extra_forbidden", "unknown_option")
        )
        message = self._message(line, is_secret=is_secret)
        shown = tuple(printable(part) for part in path)
        self.ledger.report(shown, message, origin, place, self._hint(line, path, claim))

    def _message(self, line: Any, *, is_secret: bool) -> str:
        if isinstance(line.get("ctx", {}).get("error"), SecretNotLoadedError):
            return "cannot be checked here: a validator needs a secret that is not loaded"
        message = message_of(line, is_secret=is_secret)
        if line["type"] == "extra_forbidden" and self.suggestions < MOST_SUGGESTIONS:
            self.suggestions += 1
            nearest = did_you_mean(str(line["loc"][-1]), _siblings(self.model, line["loc"]))
            return f"{message}; {nearest}" if nearest else message
        leaks = any(text in message for secret in self.secrets.values() for text in texts_of(secret))
        return message_of(line, is_secret=True) if leaks else message

    def _origin_without_claim(self, line: Any) -> Origin:
        if line["type"] == "missing":
            return Origin("default", "not set anywhere")
        return Origin("default", self.model.__name__ if self.model else "")

    def _hint(self, line: Any, path: Path, claim: Claim | None) -> str:
        option = self.parts.get(path)
        if line["type"] == "missing" and claim is None:
            return self._where_to_set(path, option)
        if claim is None or claim.origin.source != "configuration file":
            return ""
        if claim.value is None and line["type"].endswith("_type"):
            return "an empty value is null; put text in quotes"
        if line["type"] in ("int_type", "float_type") and isinstance(claim.value, str):
            return "write a number, without quotes"
        return "write true or false" if line["type"] == "bool_type" else ""

    def _where_to_set(self, path: Path, option: Option | Group | None) -> str:
        if not isinstance(option, Option):
            return f"set it with --{path[-1].replace('_', '-')}" if self.root == "arguments" else ""
        if self.root == "arguments":
            return f"set it with --{path[-1].replace('_', '-')}"
        if option.is_secret:
            return f"set {option.variable} to the name of the secret"
        place = f"{option.name} in the configuration file" if self.resolution.is_developer_mode else "it in Arkindex"
        return f"set {place}, {option.variable} or {option.flag}"


def _markers(resolution: Resolution) -> dict[int, str]:
    return {id(request.reference): request.marker for request in resolution.secrets}


def _place(claim: Claim | None, rest: Path, origin: Origin, *, show: bool) -> Place:
    if claim is None:
        return Place(origin.location)
    place = claim.place(rest)
    return place if show else Place(place.location)


def _at(tree: Any, path: Path) -> dict[str, Any] | None:
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else None


def _siblings(model: type[BaseModel] | None, location: tuple[Any, ...]) -> list[str]:
    """The keys of the model that holds the last part of a location, as far as groups lead there."""
    for part in location[:-1]:
        fields = {field.alias or name: field for name, field in model.model_fields.items()} if model else {}
        model = group_of(fields[part].annotation) if part in fields else None
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def texts_of(secret: Secret[Any]) -> list[str]:
    """Every text in a loaded secret, to keep it out of messages."""
    if isinstance(secret, UnloadedSecret):
        return []
    found: list[str] = []
    remaining = [to_jsonable_python(secret.get_secret_value(), fallback=str)]
    while remaining:
        value = remaining.pop()
        if isinstance(value, (dict, list)):
            remaining += value.values() if isinstance(value, dict) else value
        elif isinstance(value, (str, int, float)) and str(value):
            found.append(str(value))
    return found
