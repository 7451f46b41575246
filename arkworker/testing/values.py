"""Values of options as a test writes them, secrets by their contents, in the form that each source has them.

A worker run brings them with what Arkindex answers at its start.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from pydantic_core import to_jsonable_python

from arkworker.options.options import Group, alternatives, is_secret_type
from arkworker.options.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arkworker.settings.catalogue import WorkerOptions
    from arkworker.testing.expectations import Arkindex

PROCESS_ID = "33333333-3333-4333-8333-333333333333"
CORPUS_ID = "44444444-4444-4444-8444-444444444444"

_VARIABLE = "ARKWORKER_TEST_SECRET_{}"


@dataclass
class FileValues:
    """The values of a configuration file; secrets are in variables of the environment, which it refers to.

    Attributes:
        values: What the file holds.
        environ: The variables.
    """

    values: dict[str, Any] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, worker: WorkerOptions, values: Mapping[str, Any]) -> FileValues:
        """Replace the contents of secrets by references."""
        made = cls()
        made.values = made._mapping(worker, values, "")
        return made

    @property
    def text(self) -> str:
        """The file: JSON, which is YAML."""
        return json.dumps(self.values, ensure_ascii=False, indent=1)

    def _mapping(self, worker: WorkerOptions, values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        return {key: self._entry(worker, f"{prefix}{key}", value) for key, value in values.items()}

    def _entry(self, worker: WorkerOptions, name: str, value: Any) -> Any:
        if isinstance(worker.by_name.get(name), Group) and isinstance(value, dict):
            return self._mapping(worker, value, f"{name}.")
        option = worker.options.get(name)
        return to_jsonable_python(value) if option is None else self._value(option.annotation, value)

    def _value(self, annotation: Any, value: Any) -> Any:
        members = alternatives(annotation)
        if value is not None and any(is_secret_type(member) for member in members):
            return self._reference(value)
        inner = [argument for member in members for argument in get_args(member)]
        if isinstance(value, list | tuple) and inner:
            return [self._value(inner[0], item) for item in value]
        if isinstance(value, dict) and len(inner) > 1:
            return {key: self._value(inner[1], item) for key, item in value.items()}
        return to_jsonable_python(value)

    def _reference(self, content: Any) -> str:
        variable = _VARIABLE.format(len(self.environ) + 1)
        self.environ[variable] = text_of(content)
        return f"env:{variable}"


@dataclass(frozen=True)
class PayloadValues:
    """The values of a worker run, as the platform sends them; secrets are on the platform, by name.

    Attributes:
        items: The modern configuration.
        secrets: The contents, by name.
    """

    items: list[dict[str, Any]] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, worker: WorkerOptions, values: Mapping[str, Any]) -> PayloadValues:
        """Replace the contents of secrets by their names."""
        made = cls()
        made._add(worker, values, "")
        return made

    def _add(self, worker: WorkerOptions, values: Mapping[str, Any], prefix: str) -> None:
        for key, value in values.items():
            name = f"{prefix}{key}"
            if isinstance(worker.by_name.get(name), Group) and isinstance(value, dict):
                self._add(worker, value, f"{name}.")
            else:
                self.items.append(self._item(worker, name, value))

    def _item(self, worker: WorkerOptions, name: str, value: Any) -> dict[str, Any]:
        option = worker.options.get(name)
        is_secret = option is not None and any(is_secret_type(kind) for kind in alternatives(option.annotation))
        if is_secret and value is not None:
            self.secrets[f"secret-{name}"] = text_of(value)
            return {"key": name, "value": f"secret-{name}", "secret": True}
        return {"key": name, "value": to_jsonable_python(value), "secret": False}


def text_of(content: Any) -> str:
    """The content of a secret as it is stored."""
    plain = content.get_secret_value() if isinstance(content, Secret) else content
    return plain if isinstance(plain, str) else json.dumps(to_jsonable_python(plain), ensure_ascii=False)


def serve_worker_run(arkindex: Arkindex, run_id: str, values: PayloadValues) -> None:
    """Answer what every worker asks before it starts; none of it has to be asked."""
    arkindex.expect("RetrieveWorkerRun", _worker_run(run_id), id=run_id, times=None)
    arkindex.expect("RetrieveWorkerRunConfiguration", {"configuration": values.items}, id=run_id, times=None)
    for name, content in values.secrets.items():
        arkindex.expect("RetrieveSecret", {"name": name, "content": content}, name=name, times=None)
    if values.secrets:
        arkindex.expect_address("/api/v1/openapi/", _enterprise(), times=None)


def _worker_run(run_id: str) -> dict[str, Any]:
    worker = {"id": "11111111-1111-4111-8111-111111111111", "name": "Worker", "slug": "worker", "type": "worker"}
    return {
        "id": run_id,
        "parents": [],
        "worker_version": {"id": "22222222-2222-4222-8222-222222222222", "worker": worker},
        "configuration": None,
        "model_version": None,
        "process": {
            "id": PROCESS_ID,
            "corpus": CORPUS_ID,
            "mode": "workers",
            "name": None,
            "state": "running",
            "activity_state": "ready",
        },
    }


def _enterprise() -> dict[str, Any]:
    """The document of an instance that keeps secrets; the Community edition has no such operation."""
    retrieve = {"operationId": "RetrieveSecret", "parameters": []}
    return {"openapi": "3.0.3", "paths": {"/api/v1/secret/{name}": {"get": retrieve}}}
