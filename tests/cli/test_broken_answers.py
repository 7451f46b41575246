"""Answers that are not what was promised: an error of the API with operation and status, and no wait in the test."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from arkindex_stub import CONFIGURATION_PATH, RUN_PATH, worker_run

from tests.cli.test_payloads import WORKER, assert_is_sound

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler

    from arkindex_stub import Stub

    from tests.cli.conftest import Result

SOUND = json.dumps(worker_run()).encode()


def raw(content: bytes, status: int = 200, *, length: int | None = None, **headers: str) -> Callable[[Any], None]:
    """Answers with bytes, and says of them what it likes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        said = {"Content-Type": "application/json", "Content-Length": str(len(content) if length is None else length)}
        for name, value in (said | {name.replace("_", "-"): value for name, value in headers.items()}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x1b[31mSSH-2.0-OpenSSH\r\n\r\n")


BROKEN: dict[str, Callable[[Any], None]] = {
    "HTML": raw(b"<html>\x1b[31mSign in</html>", Content_Type="text/html"),
    "HTML that says JSON": raw(b"<html>Sign in</html>"),
    "empty": raw(b""),
    "no content": raw(b"", 204),
    "cut JSON": raw(SOUND[:100]),
    "cut body": raw(SOUND[:100], length=len(SOUND)),
    "longer than said": raw(SOUND, length=10),
    "NaN": raw(b'{"process": NaN}'),
    "100,000 brackets": raw(b"[" * 100_000),
    "huge number": raw(b'{"process": ' + b"9" * 100_000 + b"}"),
    "no UTF-8": raw(b'{"process": "\xff\xfe"}'),
    "UTF-16": raw(SOUND.decode().encode("utf-16")),
    "two objects": raw(SOUND + SOUND),
    "gzip that is none": raw(SOUND, Content_Encoding="gzip"),
    "redirect in a circle": raw(b"", 302, Location=RUN_PATH),
    "redirect elsewhere": raw(b"", 302, Location="http://example.invalid/"),
    "redirect to a file": raw(b"", 302, Location="file:///etc/passwd"),
    "not modified": raw(b"", 304),
    "no HTTP": garbage,
    "nothing": lambda _: None,
    "502 as HTML": raw(b"<html>Bad gateway</html>", 502, Content_Type="text/html"),
    "teapot": raw(b"\x1b]0;title\x07", 418, Content_Type="text/plain"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("path", [RUN_PATH, CONFIGURATION_PATH], ids=["worker run", "configuration"])
@pytest.mark.usefixtures("clock")
def test_broken_answer(
    name: str, path: str, command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """One line that names the operation, short, with nothing that a terminal obeys; 69, or 78 where it is a refusal."""
    arkindex.serve_run(worker_run(), [])
    arkindex.answers[path] = (200, BROKEN[name])

    result = command("check", write_worker(WORKER), "--json", **arkindex.environment)

    assert_is_sound(result)
    assert result.code in (69, 78)
    [problem] = result.data["problems"]
    operation = "RetrieveWorkerRun" if path == RUN_PATH else "RetrieveWorkerRunConfiguration"
    assert problem["location"].split()[0] == operation
    assert len(problem["message"]) < 600


@pytest.mark.usefixtures("clock")
def test_gzip_bomb(command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub) -> None:
    """An answer is not unpacked without end."""
    bomb = gzip.compress(b" " * (65 * 1024 * 1024), 1)
    arkindex.answers[RUN_PATH] = (200, raw(bomb, Content_Encoding="gzip"))

    result = command("check", write_worker(WORKER), **arkindex.environment)

    assert (result.code, "the answer is larger than 64 MiB" in result.err) == (69, True)


@pytest.mark.parametrize("code", [200, 201])
def test_sound_answer(
    code: int, command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """With a byte order mark or another good status, it is taken."""
    arkindex.serve_run(worker_run(), [])
    arkindex.answers[RUN_PATH] = (200, raw(SOUND, code))

    assert command("check", write_worker(WORKER), **arkindex.environment).code == 0


def test_attempts(
    clock: Any, command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """What may pass is tried five times, with the waits of the contract."""
    arkindex.answers[RUN_PATH] = (503, {})

    command("check", write_worker(WORKER), **arkindex.environment)

    assert (len(arkindex.requests), clock.waits) == (5, [3, 4, 8, 16])
