"""An emulator with a corpus of two pages and a worker run on them, and a client that sends what it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

from arkworker.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Client:
    """Sends requests with the token of a person, or of the first task of a run."""

    emulator: Emulator
    session: requests.Session

    def send(self, method: str, path: str, body: Any = None, *, run: str = "", **options: Any) -> requests.Response:
        authorization = f"Ponos {self.emulator.task_token(run)}" if run else f"Token {self.emulator.token}"
        headers = {"Authorization": authorization, **options.pop("headers", {})}
        url = path if path.startswith("http") else f"{self.emulator.url}/api/v1{path}"
        return self.session.request(method, url, json=body, headers=headers, timeout=30, **options)

    def get(self, path: str, **options: Any) -> Any:
        """The JSON of a successful answer."""
        return self.json(200, "GET", path, **options)

    def post(self, path: str, body: Any = None, *, status: int = 201, **options: Any) -> Any:
        return self.json(status, "POST", path, body, **options)

    def json(self, status: int, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The JSON of an answer that has this status."""
        answer = self.send(method, path, body, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def refusal(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any, str]:
        """The status, the place and the code of the first error of a refused request."""
        answer = self.send(method, path, body, **options)
        error = answer.json()["errors"][0]
        return answer.status_code, error["attr"], error["code"]


@dataclass
class World:
    """What the tests find in the emulator."""

    emulator: Emulator
    client: Client
    corpus: str
    pages: list[str]
    run: str


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Client]:
    with requests.Session() as session:
        session.trust_env = False
        yield Client(emulator, session)


@pytest.fixture
def world(emulator: Emulator, client: Client) -> World:
    corpus = emulator.add_corpus("Letters")
    pages = [emulator.add_element("page", f"Page {number}", image=(1000, 1400)) for number in (1, 2)]
    return World(emulator, client, corpus, pages, emulator.add_worker_run())
