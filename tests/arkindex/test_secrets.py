from __future__ import annotations

import logging
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import arkworker
from arkworker.arkindex.client import Client
from arkworker.arkindex.secrets import is_community, load_secret
from arkworker.errors import ApiContentError, ApiError, ApiResponseError, ApiUnavailableError, ExitCode, SecretError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpg_stores import KeyRing

    from arkworker.storage.local_secrets import SecretStore

# Constants, so that no line of source in a traceback holds the word that is searched for.
NAME = "canary-name"
BROKEN = "{canary"
NOT_FOUND = ApiResponseError("RetrieveSecret", "canary-name not found", status=404)
FORBIDDEN = ApiResponseError("RetrieveSecret", "canary-name", status=403)
FAILING = ApiResponseError("RetrieveSecret", "canary-name", status=502)
UNREACHABLE = ApiUnavailableError("RetrieveSecret", "https://example.org/secret/canary-name")


class FakeApi(Client):
    """Gives secrets, or fails in the way of the client."""

    def __init__(self, *, answer: Any = None, error: ApiError | None = None, operations: tuple[str, ...] = ()) -> None:
        self.answer = answer
        self.error = error
        self.operations = operations
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def request(self, operation_id: str, body: Any = None, **parameters: Any) -> Any:
        del body
        self.calls.append((operation_id, parameters))
        if self.error is not None:
            raise self.error
        return self.answer

    def has_operation(self, operation_id: str) -> bool:
        if self.error is not None:
            raise self.error
        return operation_id in self.operations


@pytest.fixture
def load(store: SecretStore) -> Callable[..., Any]:
    def loaded(reference: str, *, api: FakeApi | None = None, **environ: str) -> Any:
        return load_secret(reference, store=store, api=api, environ=environ)

    return loaded


def _content(text: str) -> FakeApi:
    return FakeApi(answer={"id": "1", "name": "token", "content": text})


def test_loads_from_arkindex(load: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """The content of the answer is the secret, and the log says where it is from."""
    caplog.set_level(logging.DEBUG)
    api = _content("canary")
    assert load("team/token", api=api) == "canary"
    assert api.calls == [("RetrieveSecret", {"name": "team/token"})]
    assert caplog.messages == ["secret 'team/token': loaded from Arkindex"]


def test_parses_what_arkindex_gives(load: Callable[..., Any]) -> None:
    """The name decides, whatever the source."""
    assert load("bucket.json", api=_content('{"a": 1}')) == {"a": 1}


def test_the_local_secret_replaces_that_of_arkindex(
    load: Callable[..., Any], store: SecretStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A person at a desk overrides a secret; even one that does not parse."""
    caplog.set_level(logging.DEBUG)
    store.set("token.json", b'{"a": "local-canary"}')
    assert load("token.json", api=_content("{canary")) == {"a": "local-canary"}
    assert caplog.messages == [
        "secret 'token.json': loaded from the local secrets directory, which replaces the value of Arkindex"
    ]


def test_an_empty_local_secret_replaces_that_of_arkindex(load: Callable[..., Any], store: SecretStore) -> None:
    """Empty is a value."""
    store.set("token", b"")
    assert load("token", api=_content("abc")) == ""


def test_a_local_secret_needs_no_arkindex(load: Callable[..., Any], store: SecretStore) -> None:
    """Without a client only the store is looked at."""
    store.set("token", b"local")
    assert load("token") == "local"


@pytest.mark.parametrize(("error", "warnings"), [(NOT_FOUND, 0), (FORBIDDEN, 1), (FAILING, 1), (UNREACHABLE, 1)])
def test_a_failure_of_arkindex_is_a_warning_beside_a_local_secret(
    load: Callable[..., Any], store: SecretStore, caplog: pytest.LogCaptureFixture, error: ApiError, warnings: int
) -> None:
    """That Arkindex does not have it is normal at a desk; any other failure is said."""
    store.set("token", b"local")
    assert load("token", api=FakeApi(error=error)) == "local"
    assert [record.levelno for record in caplog.records if record.levelno >= logging.WARNING] == (
        [logging.WARNING] * warnings
    )


def test_an_unreadable_local_secret_is_a_warning_beside_that_of_arkindex(
    load: Callable[..., Any], directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged file does not stop a run that has the value of Arkindex."""
    directory.mkdir(parents=True)
    (directory / "token").write_bytes(b"canary")
    assert load("token", api=_content("remote")) == "remote"
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith("secret 'token': the value from Arkindex is used, since the local file ")
    assert "canary" not in caplog.text


@pytest.mark.parametrize("api", [None, FakeApi(error=NOT_FOUND), FakeApi(error=UNREACHABLE)])
def test_an_unreadable_local_secret_is_an_error_without_arkindex(
    load: Callable[..., Any], directory: Path, api: FakeApi | None
) -> None:
    """With nothing else to use, the message is about the file that is there."""
    directory.mkdir(parents=True)
    (directory / "token").write_bytes(b"")
    with pytest.raises(SecretError, match="is damaged"):
        load("token", api=api)


@pytest.mark.parametrize(
    ("api", "expected"),
    [
        (None, "and Arkindex is not asked"),
        (FakeApi(error=NOT_FOUND), "neither on Arkindex nor in the local secrets directory"),
        (FakeApi(error=FORBIDDEN), "refuses to give it (status 403), and it is not in the local"),
    ],
)
def test_a_secret_that_is_nowhere(load: Callable[..., Any], api: FakeApi | None, expected: str) -> None:
    """The reason says where was looked, and does not repeat what may be a content in the wrong place."""
    with pytest.raises(SecretError) as caught:
        load(NAME, api=api)
    assert expected in caught.value.reason
    assert "canary" not in caught.value.reason


@pytest.mark.parametrize("error", [FAILING, UNREACHABLE])
def test_arkindex_that_cannot_be_asked_is_worth_a_retry(load: Callable[..., Any], error: ApiError) -> None:
    """A secret that may well exist is not reported as missing."""
    with pytest.raises(ApiUnavailableError) as caught:
        load(NAME, api=FakeApi(error=error))
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
    assert caught.value.status == error.status
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_arkindex_that_will_not_be_reached_is_something_to_correct(load: Callable[..., Any]) -> None:
    """Nor is such a secret reported as missing."""
    error = ApiUnavailableError("RetrieveSecret", "the certificate is not trusted")
    error.exit_code = ExitCode.CONFIGURATION
    with pytest.raises(ApiUnavailableError, match="could not be asked") as caught:
        load(NAME, api=FakeApi(error=error))
    assert caught.value.exit_code == ExitCode.CONFIGURATION


@pytest.mark.parametrize("answer", [None, [], {}, {"content": None}, {"content": {"canary": 1}}, "canary"])
def test_an_answer_without_content_is_a_failure_of_arkindex(load: Callable[..., Any], answer: Any) -> None:
    """Only text is a content."""
    with pytest.raises(ApiError) as caught:
        load("token", api=FakeApi(answer=answer))
    assert "canary" not in str(caught.value)


def test_what_arkindex_gives_must_be_what_the_name_promises(load: Callable[..., Any]) -> None:
    """A document that does not parse is an error that says where it is from, without its text."""
    with pytest.raises(SecretError, match="on Arkindex: its name says JSON") as caught:
        load("token.json", api=_content(BROKEN))
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("name", ["../token", "/token", "a//b", "", "a\nb", "x" * 256])
def test_arkindex_is_not_asked_for_what_is_no_name(load: Callable[..., Any], name: str) -> None:
    """A name is checked before it becomes a part of a URL."""
    api = _content("abc")
    with pytest.raises(SecretError):
        load(name, api=api)
    assert api.calls == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"abc\n", "abc"), (b"abc\r\n", "abc"), (b"a\n\n", "a\n"), (b"\xef\xbb\xbfabc", "abc"), (b"", "")],
)
def test_loads_a_file(load: Callable[..., Any], tmp_path: Path, content: bytes, expected: str) -> None:
    """A mounted file is a secret; the line break that editors add is not a part of it."""
    (tmp_path / "secret").write_bytes(content)
    api = FakeApi()
    assert load(f"file:{tmp_path}/secret", api=api) == expected
    assert api.calls == []


def test_parses_a_file_by_its_name(load: Callable[..., Any], tmp_path: Path) -> None:
    """A JSON file is data."""
    (tmp_path / "bucket.json").write_text('{"a": 1}')
    assert load(f"file:{tmp_path}/bucket.json") == {"a": 1}


def test_a_file_may_be_below_the_home_directory(load: Callable[..., Any], tmp_path: Path) -> None:
    """No shell expands a tilde after the colon."""
    (tmp_path / "secret").write_text("abc")
    assert load("file:~/secret", HOME=str(tmp_path)) == "abc"


@pytest.mark.parametrize("kind", ["absent", "pipe", "directory", "binary", "large", "broken.json", "broken.yaml"])
def test_a_file_that_cannot_be_read(load: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    """One line names the file; nothing blocks, and nothing of the content is shown."""
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind != "absent":
        path.write_bytes({"binary": b"canary\xff", "large": b"canary" * 200_000}.get(kind, b"{[canary"))
    with pytest.raises(SecretError) as caught:
        load(f"file:{path}")
    assert str(path) in caught.value.reason
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_loads_a_variable(load: Callable[..., Any]) -> None:
    """A variable is text, whatever its name."""
    assert load("env:BUCKET", BUCKET="{}") == "{}"


@pytest.mark.parametrize("value", ["", "canary\udcff"])
def test_a_variable_that_cannot_be_used(load: Callable[..., Any], value: str) -> None:
    """An empty variable counts as absent; bytes that are not text are refused."""
    with pytest.raises(SecretError, match="environment variable BUCKET") as caught:
        load("env:BUCKET", BUCKET=value)
    assert "canary" not in str(caught.value)


def test_an_instance_without_the_operation_is_community() -> None:
    """The instance's document alone decides."""
    assert is_community(FakeApi(operations=("RetrieveWorkerRun",)))
    assert not is_community(FakeApi(operations=("RetrieveSecret",)))


def test_an_instance_without_document_is_no_guess() -> None:
    """A document that cannot be had is an error."""
    with pytest.raises(ApiContentError):
        is_community(FakeApi(error=ApiContentError("openapi", "not JSON")))


@pytest.mark.parametrize("name", ["good", "good.json", "bad", "locked", "bad.json"])
@pytest.mark.parametrize("api", [None, _content("canary {"), FakeApi(error=NOT_FOUND), FakeApi(error=UNREACHABLE)])
@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING])
def test_no_content_reaches_a_log_or_a_traceback(
    secrets: SecretStore, caplog: pytest.LogCaptureFixture, *, name: str, api: FakeApi | None, level: int
) -> None:
    """Whatever succeeds or fails, at any level, of any library."""
    caplog.set_level(level)
    shown = ""
    try:
        load_secret(name, store=secrets, api=api, environ={})
    except (SecretError, ApiError):
        shown = traceback.format_exc()
    assert "canary" not in shown + caplog.text


@pytest.fixture
def secrets(store: SecretStore, locked_key_ring: KeyRing) -> SecretStore:
    """Some that load and some that do not."""
    store.set("good", b"canary")
    store.set("good.json", b'{"a": "canary"}')
    (store.directory / "bad").write_bytes(b"canary")
    (store.directory / "locked").write_bytes(locked_key_ring.encrypt(b"canary"))
    return store


@pytest.mark.parametrize("reference", ["file:{}/bad.json", "env:NO_SUCH", "name.json", "local.json"])
def test_no_frame_holds_a_content_or_the_environment(
    store: SecretStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    """Whatever shows the variables of a traceback finds neither, whichever way the secret would have come."""
    (tmp_path / "bad.json").write_text(BROKEN)
    store.set("local.json", b"1")
    monkeypatch.setattr(store._gpg, "decrypt", lambda *_: BROKEN.encode())
    environ = {"TOKEN": "canary", "NO_SUCH": ""}
    with pytest.raises((SecretError, ApiError)) as caught:
        load_secret(reference.format(tmp_path), store=store, api=_content(BROKEN), environ=environ)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    package = Path(arkworker.__file__).parent
    ours = [frame for frame in shown.stack if package in Path(frame.filename).parents]
    assert [name for frame in ours for name, value in (frame.locals or {}).items() if "canary" in value] == []
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_a_path_names_a_secret(load: Callable[..., Any]) -> None:
    """As workers of the published library give it."""
    assert load(Path("team/x.json"), api=_content('{"a": 1}')) == {"a": 1}
