from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.errors import SecretError
from arkworker.storage.local_secrets import SecretStore
from arkworker.storage.local_secrets.content import LARGEST_CONTENT
from arkworker.storage.local_secrets.gpg import Gpg, recorded_key

if TYPE_CHECKING:
    from gpg_stores import KeyRing


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _reason(store: SecretStore, name: str) -> str:
    with pytest.raises(SecretError) as caught:
        store.load(name)
    assert "canary" not in caught.value.reason
    assert caught.value.__context__ is None
    return caught.value.reason


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("token", b"abc\n", "abc\n"),
        ("team/bucket.json", b'{"key": "abc"}', {"key": "abc"}),
        ("a b/\xe9t\xe9.yml", b"key: abc", {"key": "abc"}),
        ("empty", b"", ""),
    ],
)
def test_loads_what_was_set(store: SecretStore, name: str, content: bytes, expected: Any) -> None:
    """A secret comes back, parsed when its name says so."""
    store.set(name, content)
    assert store.load(name) == expected


def test_an_absent_secret_is_none(store: SecretStore) -> None:
    """A missing file is not an error, whatever is missing: the file, its directory, or room for so long a name."""
    names = ["token", "a/b", "é" * 255]
    assert [store.load(name) for name in names] == [None, None, None]
    store.set("file", b"")
    assert store.load("file/below") is None


def test_files_are_private(store: SecretStore, directory: Path) -> None:
    """Directories have mode 0700 and files 0600, also in a directory that was open to others."""
    directory.mkdir(parents=True)
    directory.chmod(0o755)
    path = store.set("team/token", b"abc")
    assert [_mode(directory), _mode(directory / "team"), _mode(path)] == [0o700, 0o700, 0o600]
    assert path == directory / "team" / "token"
    assert b"abc" not in path.read_bytes()


def test_setting_replaces(store: SecretStore, directory: Path) -> None:
    """The newer content wins, and no temporary file stays."""
    store.set("token", b"old")
    store.set("token", b"new")
    assert store.load("token") == "new"
    assert [path.name for path in directory.iterdir()] == ["token"]


def test_lists_names(store: SecretStore, directory: Path, tmp_path: Path) -> None:
    """Names are sorted; what could not be loaded by name is not listed."""
    for name in ("b", "team/a.json", "a"):
        store.set(name, b"{}")
    (directory / ".arkworker-left").write_bytes(b"")
    (directory / "out").symlink_to(tmp_path)
    (directory / "line\nbreak").write_bytes(b"")
    os.mkfifo(directory / "pipe")
    (directory / "link").symlink_to(directory / "a")
    assert store.list() == ["a", "b", "link", "team/a.json"]


def test_an_absent_directory_has_no_names(store: SecretStore) -> None:
    """Before the first secret there is nothing."""
    assert store.list() == []


@pytest.mark.parametrize("name", ["../token", "/etc/passwd", "a/../../b", "", "a\nb"])
def test_refuses_what_is_no_name(store: SecretStore, name: str, tmp_path: Path) -> None:
    """Neither loading nor setting leaves the directory."""
    for act in (lambda: store.load(name), lambda: store.set(name, b"abc")):
        with pytest.raises(SecretError):
            act()
    assert list(tmp_path.iterdir()) == []


def test_refuses_links_that_lead_out(store: SecretStore, directory: Path, tmp_path: Path) -> None:
    """A link to a file or directory outside is neither read nor written through, whether its target exists or not."""
    (tmp_path / "outside").mkdir()
    store.set("token", b"abc").rename(tmp_path / "outside" / "token")
    (directory / "file").symlink_to(tmp_path / "outside" / "token")
    (directory / "folder").symlink_to(tmp_path / "outside")
    (directory / "dangling").symlink_to(tmp_path / "nothing")
    for name in ("file", "folder/token", "dangling", "folder/new"):
        assert "leads out" in _reason(store, name)
        with pytest.raises(SecretError, match="leads out"):
            store.set(name, b"abc")
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["token"]


def test_refuses_links_in_a_circle(store: SecretStore, directory: Path) -> None:
    """A link to itself is an error, or no file, but never a traceback."""
    store.set("token", b"abc")
    (directory / "circle").symlink_to(directory / "circle")
    with pytest.raises(SecretError):
        store.load("circle")


def test_the_directory_itself_may_be_a_link(key_ring: KeyRing, tmp_path: Path) -> None:
    """Settings kept elsewhere are followed."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = SecretStore(tmp_path / "link", environ=key_ring.environ)
    store.set("token", b"abc")
    assert store.load("token") == "abc"


@pytest.mark.parametrize("kind", ["pipe", "directory", "large"])
def test_reads_only_regular_files_of_reasonable_size(store: SecretStore, directory: Path, kind: str) -> None:
    """A pipe does not block, and nothing huge is handed to gpg."""
    directory.mkdir(parents=True)
    path = directory / "secret"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(100 * LARGEST_CONTENT)
    assert ("larger than" if kind == "large" else "not a regular file") in _reason(store, "secret")


def test_a_reason_names_the_file(store: SecretStore, directory: Path) -> None:
    """Which file is damaged is said."""
    directory.mkdir(parents=True)
    (directory / "token").write_bytes(b"canary")
    assert _reason(store, "token") == f"the local file {directory}/token: it is damaged, or not encrypted with GPG"


def test_a_file_that_may_not_be_read_is_an_error(
    store: SecretStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GPG would end without a word of it."""
    directory.mkdir(parents=True)
    (directory / "token").write_bytes(b"canary")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert _reason(store, "token") == f"the local file {directory}/token: it cannot be read: permission denied"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.json", b"{canary", "says JSON"),
        ("a.yaml", b"[canary", "says YAML"),
        ("a", b"canary\xff", "not UTF-8"),
    ],
)
def test_a_content_that_is_not_what_it_should_be(
    store: SecretStore, key_ring: KeyRing, *, name: str, content: bytes, expected: str
) -> None:
    """Such a content is an error without its text when loaded, and refused when set."""
    with pytest.raises(SecretError, match=expected) as caught:
        store.set(name, content)
    assert "canary" not in str(caught.value)
    store.directory.mkdir(parents=True)
    (store.directory / name).write_bytes(key_ring.encrypt(content))
    assert expected in _reason(store, name)


def test_refuses_a_large_content(store: SecretStore, directory: Path) -> None:
    """What could not be loaded is not stored; the largest that can be loaded is."""
    with pytest.raises(SecretError, match="larger than"):
        store.set("token", b"x" * (LARGEST_CONTENT + 1))
    assert not directory.exists()
    store.set("token", b"x" * LARGEST_CONTENT)
    assert store.load("token") == "x" * LARGEST_CONTENT


def test_a_named_key_is_remembered(store: SecretStore, key_ring: KeyRing, directory: Path) -> None:
    """The key that a person chose once is used from then on, by the published command, too."""
    [key] = Gpg(key_ring.environ).secret_keys()
    store.set("token", b"abc", key=key)
    assert recorded_key(directory.parent / "cli.yaml") == key


def test_a_key_that_does_not_exist_changes_nothing(store: SecretStore, directory: Path) -> None:
    """A mistyped key is an error; nothing is written or remembered."""
    with pytest.raises(SecretError, match="no key"):
        store.set("token", b"abc", key="DEADBEEFDEADBEEF")
    assert not directory.parent.exists()


def test_a_directory_that_cannot_be_made_is_an_error(key_ring: KeyRing, tmp_path: Path) -> None:
    """A file in the way is one line."""
    (tmp_path / "arkindex").write_bytes(b"")
    store = SecretStore(tmp_path / "arkindex" / "secrets", environ=key_ring.environ)
    with pytest.raises(SecretError, match="cannot be written: Not a directory"):
        store.set("token", b"abc")


def test_a_directory_that_cannot_be_read_is_an_error(
    store: SecretStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the directory, and not what may be no name at all."""
    directory.mkdir(parents=True)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", denied)
    assert _reason(store, "canary") == f"the local secrets directory {directory} cannot be read: Permission denied"


def test_a_directory_that_cannot_be_listed_is_an_error(
    store: SecretStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An incomplete list would be misleading."""
    directory.mkdir(parents=True)

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(SecretError, match="cannot be read: Permission denied"):
        store.list()
