"""The validation of everything at once.

Reading has seen to it that every value is of a kind that its option declares; here, constraints and the author's
validators have their say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from arkworker.errors import ConfigurationError
from arkworker.frozen import freeze
from arkworker.options.configuration import BY_SETTINGS
from arkworker.options.secret import Secret, UnloadedSecret
from arkworker.settings.group_defaults import complete
from arkworker.settings.report.complaints import Complaints
from arkworker.settings.values.reading import Reference

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
    config = _values("config", worker.configuration, resolution, secrets)
    arguments = _values("arguments", worker.arguments, resolution, secrets) if worker.arguments else None
    if resolution.ledger.problems:
        raise ConfigurationError(resolution.ledger.problems)
    return Values(config, arguments)


def _values(root: str, model: type[BaseModel] | None, resolution: Resolution, secrets: Secrets) -> Any:
    """An instance of the model; None when something is wrong with its values, which is reported."""
    # References are told apart by identity: the same name may be given for two options of different types.
    markers = {id(request.reference): request.marker for request in resolution.secrets}
    tree: dict[str, Any] = _with_secrets(_claimed(root, resolution), markers, secrets)
    if model is None:
        return freeze(tree)
    complete(tree, model)
    try:
        return model.model_validate(tree, context={BY_SETTINGS: True})
    except ValidationError as error:
        lines = error.errors(include_url=False, include_input=False)
        failure = None
    except Exception as error:  # noqa: BLE001 - a validator of the author may raise anything
        lines, failure = [], error
    complaints = Complaints(
        root,
        model,
        tree,
        secrets.values(),
        resolution.ledger,
        at_desk=resolution.is_developer_mode,
    )
    complaints.report(lines)
    if failure is not None:
        complaints.report_failure(failure)
    return None


def _claimed(root: str, resolution: Resolution) -> dict[str, Any]:
    """The values that were won, nested as their paths."""
    tree: dict[str, Any] = {}
    for path in resolution.ledger.won_inside((root,)):
        claim = resolution.ledger.claims[path]
        if not claim.refused:
            target = tree
            for key in path[1:-1]:
                target = target.setdefault(key, {})
            target[path[-1]] = claim.value
    return tree


def _with_secrets(value: Any, markers: Mapping[int, str], secrets: Secrets) -> Any:
    if isinstance(value, Reference):
        return secrets[markers[id(value)]]
    if isinstance(value, dict):
        return {key: _with_secrets(item, markers, secrets) for key, item in value.items()}
    return [_with_secrets(item, markers, secrets) for item in value] if isinstance(value, list) else value
