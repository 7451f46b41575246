"""An Arkindex for development and tests: the operations that workers use, over HTTP, on loopback.

Starlette serves it, under uvicorn. FastAPI was weighed and left out: its error bodies and its OpenAPI document would
have to be replaced to look like Arkindex, and what remained would be Starlette. Bodies and queries are pydantic models
here too, and the document is drawn from the same table as the routes.

`Emulator` is for tests, in process; `serve` is for development. Nothing outside of `arkworker.testing` imports this
package; it needs the extra `testing`.

A request goes through `server` (uvicorn), `application` (which path, which port), `desk` (recorded, made to fail on
demand, answered whole or not) and `endpoint` (caller, body, rows that the path names) to its operation in `resources`;
`represent` shows what comes of it. Files and images go through `files` instead of `endpoint`. What there is lies in
`tables`, one `database` transaction a request, and in the storage of `site`. Tests put it there with the methods in
`arrange`, people with the file that `project` reads or with the export that `importing` reads; `serving` runs their
`workers`, each by an `agent`, and `viewer` has the page.
"""

from __future__ import annotations

from arkworker.emulator.agent import run_worker
from arkworker.emulator.emulator import Emulator
from arkworker.emulator.faults import Fault, Faults
from arkworker.emulator.ledger import Call, Ledger, StateChange
from arkworker.emulator.project.steps import add_project
from arkworker.emulator.serving import serve

__all__ = ["Call", "Emulator", "Fault", "Faults", "Ledger", "StateChange", "add_project", "run_worker", "serve"]
