"""How the API says no: who is asking, what is wrong, in which style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from arkworker.emulator import Emulator

if TYPE_CHECKING:
    from tests.emulator.conftest import World


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "not_authenticated"),
        ("Token wrong", "authentication_failed"),
        ("Ponos wrong", "authentication_failed"),
        ("Bearer x", "authentication_failed"),
        ("Token", "authentication_failed"),
        ("Token é", "authentication_failed"),
    ],
)
def test_nobody_gets_in_without_a_token(world: World, authorization: str, code: str) -> None:
    """A missing, wrong or misplaced token is 401."""
    headers = {"Authorization": authorization.encode("latin-1")}

    assert world.client.refusal("GET", f"/corpus/{world.corpus}/", headers=headers) == (401, None, code)


def test_schemes_are_not_interchangeable(world: World) -> None:
    """A person's token is not a task's, nor the reverse."""
    swapped = (f"Ponos {world.emulator.token}", f"Token {world.emulator.task_token(world.run)}")

    answers = [world.client.refusal("GET", f"/corpus/{world.corpus}/", headers={"Authorization": a}) for a in swapped]

    assert [answer[0] for answer in answers] == [401, 401]


def test_a_token_expires(world: World) -> None:
    """From then on it is refused, with a code that says why."""
    assert world.client.send("GET", f"/corpus/{world.corpus}/").status_code == 200
    world.emulator.site.tokens.expire(world.emulator.token)

    assert world.client.refusal("GET", f"/corpus/{world.corpus}/") == (401, None, "token_expired")


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b"{'a': 1}"])
def test_a_body_that_is_no_json_is_refused(world: World, body: bytes) -> None:
    """Whatever the bytes, the answer is a 400 in JSON."""
    url = f"/element/{world.pages[0]}/transcription/"

    assert world.client.refusal("POST", url, data=body)[::2] == (400, "parse_error")


@pytest.mark.parametrize("body", [[], "text", 3, None, {"text": {"a": 1}}, {"text": ["x"]}])
def test_a_body_of_another_shape_is_refused(world: World, body: object) -> None:
    """JSON of the wrong kind is a validation error, never a server error."""
    answer = world.client.send("POST", f"/element/{world.pages[0]}/transcription/", body)

    assert (answer.status_code, answer.json()["type"]) == (400, "validation_error")


def test_a_known_path_with_another_method_is_405(world: World) -> None:
    """As Django has it."""
    assert world.client.refusal("POST", f"/corpus/{world.corpus}/") == (405, None, "method_not_allowed")
    assert world.client.refusal("GET", "/element/no-id/") == (404, None, "not_found")
    assert [call.status for call in world.emulator.ledger.calls()] == [405, 404]


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("DELETE", "/element/{page}/", "DestroyElement"),
        ("GET", "/process/{page}/", "RetrieveProcess"),
        ("GET", "/corpus/{page}/roles/", "GET /corpus/{id}/roles/"),
    ],
)
def test_an_operation_that_is_lacking_is_501(world: World, method: str, path: str, name: str) -> None:
    """It is answered with its name, and counted."""
    answer = world.client.send(method, path.format(page=world.pages[0]))

    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (501, f"The emulator has no operation {name}.")
    assert world.emulator.ledger.lacking == {name: 1}


def test_the_older_style() -> None:
    """An instance can answer as older ones did."""
    with Emulator(error_style="legacy") as emulator, requests.Session() as session:
        emulator.add_corpus()
        page = emulator.add_element()
        base = f"{emulator.url}/api/v1"
        session.headers["Authorization"] = f"Token {emulator.token}"

        missing = session.get(f"{base}/corpus/{page}/").json()
        invalid = session.post(f"{base}/element/{page}/transcription/", json={}).json()

        assert missing == {"detail": "No object matches the given query."}
        assert invalid == {"text": ["Field required"]}


def test_a_web_page_elsewhere_cannot_call(world: World) -> None:
    """A name that somebody made point to this machine is refused."""
    answer = requests.get(world.emulator.url, headers={"Host": "evil.example.org"}, timeout=30)

    assert answer.status_code == 400


def test_a_defect_of_the_emulator_is_said_and_answered(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """It answers 500 as Django would, and leaves a traceback in the log."""
    with world.emulator.database.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE embeddings RENAME TO lost")

    answer = world.client.send("GET", f"/element/{world.pages[0]}/embedding/")

    assert (answer.status_code, answer.json()["type"]) == (500, "server_error")
    assert "ListEmbeddings failed in the emulator" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("POST", "/image/iiif/url/", {}, {"url": "https://iiif.example/a", "width": 10**30, "height": 1}),
        ("GET", "/process/{process}/elements/", {"cursor": 10**30}, None),
    ],
)
def test_a_number_that_no_database_holds_is_refused(
    world: World, method: str, path: str, query: dict[str, int], body: dict[str, int] | None
) -> None:
    """It is a mistake of the client, not a defect of the server."""
    process = world.client.get(f"/process/workers/{world.run}/")["process"]["id"]

    assert world.client.refusal(method, path.format(process=process), body, params=query) == (400, None, "invalid")


def test_a_path_without_its_last_slash(world: World) -> None:
    """Who reads, with curl for example, is led to the right one; who writes is told, as the body would be lost."""
    led = world.client.send("GET", f"/corpus/{world.corpus}", params={"a": "é b"})
    told = world.client.send("POST", "/elements/create", {})

    assert ([answer.status_code for answer in led.history], led.status_code) == ([301], 200)
    assert led.url.endswith(f"{world.corpus}/?a=%C3%A9+b")
    assert (told.status_code, "a slash at its end" in told.json()["errors"][0]["detail"]) == (404, True)
    assert not world.emulator.ledger.lacking


@pytest.mark.parametrize(
    ("method", "path", "body", "attr", "detail"),
    [
        ("GET", "/corpus/{corpus}/elements/?worker_run=x", None, "worker_run", "“x” is not a valid UUID, nor False."),
        ("PATCH", "/element/{page}/", {"name": " "}, "name", "This field may not be blank."),
        ("PATCH", "/element/{page}/", {"name": "x" * 251}, "name", "String should have at most 250 characters"),
        ("PATCH", "/element/{page}/", {"rotation_angle": 360}, "rotation_angle", "Input should be less than 360"),
    ],
)
def test_each_mistake_is_told_once(
    world: World, method: str, path: str, body: dict[str, Any] | None, attr: str, detail: str
) -> None:
    """In words about the request, not about how it is validated."""
    answer = world.client.send(method, path.format(corpus=world.corpus, page=world.pages[0]), body)

    told = [(error["attr"], error["detail"]) for error in answer.json()["errors"]]
    assert (answer.status_code, told) == (400, [([attr], detail)])
