"""The origin of every leaf of a context, under the names that `explain` and errors use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticUndefined

from arkworker.frozen import FrozenDict
from arkworker.options.options import Group, key_of, walk
from arkworker.settings.provenance import Claim, Origin, Path, Shadowed
from arkworker.settings.sources.configuration import CONFIGURATION, WORKER_RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from arkworker.arkindex.payload import Payload
    from arkworker.settings.model import WorkerSettings
    from arkworker.settings.resolution import Resolution


#: Which setting fills a field of the context, where the worker run does not.
_FROM_SETTINGS = {
    "worker_run_id": "worker_run_id",
    "task_id": "task_id",
    "task_chunk": "task_chunk",
    "task_data_dir": "data_dir",
    "corpus_id": "corpus_id",
    "model_version_id": "model_version_id",
    "model_details": "model_id",
    "cache_path": "database",
    "model_dir": "model_dir",
    "extras_dir": "extras_dir",
    "secrets_dir": "xdg_config_home",
}

#: Which part of the worker run fills a field of the context.
FROM_RUN = {
    "corpus_id": "process.corpus",
    "process": "process",
    "worker_details": "worker_version.worker",
    "model_version_id": "model_version.id",
    "model_details": "model_version.model",
    "model_configuration": "model_version.configuration",
}


def context_origins(resolution: Resolution, values: WorkerSettings, payload: Payload | None) -> FrozenDict:
    """The provenance of every data field of a context, leaf by leaf for `config` and `arguments`."""
    worker = resolution.worker
    found = dict(_model_origins(resolution, "config", worker.configuration, values.config))
    found |= _model_origins(resolution, "arguments", worker.arguments, values.arguments)
    for name, setting in _FROM_SETTINGS.items():
        found[name] = _of_claim(resolution.ledger.claims.get((setting,)), f"Settings.{setting}")
    for path, claim in resolution.ledger.claims.items():
        if path[0] == "api":
            found[".".join(path)] = _of_claim(claim, "")
    found |= _derived(resolution)
    if payload:
        for name, part in FROM_RUN.items():
            found[name] = Origin("worker run", f"{WORKER_RUN} {part}")
    return FrozenDict(found)


def _derived(resolution: Resolution) -> dict[str, Origin]:
    """Fields that follow from others."""
    claims = resolution.ledger.claims
    work_dir = claims.get(("data_dir",)) or claims.get(("xdg_data_home",))
    mode = claims.get(("dev",)) or claims.get(("worker_run_id",))
    names = claims.get(("secrets",))
    return {
        "work_dir": _of_claim(work_dir, "Settings.data_dir"),
        "is_read_only": _of_claim(mode, "developer mode"),
        "use_cache": Origin("default", "uses_cache of the worker"),
        "secrets": _of_claim(names, CONFIGURATION if resolution.run else ""),
        "process": Origin("default", "developer mode"),
        "worker_details": Origin("default", "developer mode"),
        "model_configuration": Origin("default", "developer mode"),
    }


def _of_claim(claim: Claim | None, default: str) -> Origin:
    if claim is None:
        return Origin("default", default)
    return claim.origin._replace(shadowed=tuple(claim.shadowed))


def _model_origins(
    resolution: Resolution, root: str, model: type[BaseModel] | None, value: Any
) -> Iterator[tuple[str, Origin]]:
    if model is None:
        for path in resolution.ledger.won_inside((root,)):
            yield ".".join(path), _of_claim(resolution.ledger.claims[path], "")
        return
    absent: list[Path] = []
    for part in walk(model):
        path = (root, *part.keys)
        if any(path[: len(other)] == other for other in absent):
            continue
        claim, _ = resolution.ledger.claim_for(path)
        if isinstance(part, Group):
            if _value_at(value, part.keys) is None:
                absent.append(path)
                yield ".".join(path), _of_claim(claim, model.__name__)
            continue
        origin = _of_claim(claim, f"{model.__name__}.{'.'.join(part.fields)}")
        if claim is not None and part.default is not PydanticUndefined:
            default = Shadowed(Origin("default", f"{model.__name__}.{'.'.join(part.fields)}"), part.default)
            origin = origin._replace(shadowed=(*origin.shadowed, default))
        yield ".".join(path), origin


def _value_at(value: Any, keys: Path) -> Any:
    for key in keys:
        fields = {key_of(name, field): name for name, field in type(value).model_fields.items()}
        value = getattr(value, fields[key])
        if value is None:
            return None
    return value
