"""A canary, planted wherever a secret can be, appears in nothing that a verb prints, at any verbosity."""

from __future__ import annotations

import base64
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from arkindex_stub import worker_run
from resolving import item

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arkindex_stub import Stub

CANARY = "C4n4ry+s3cr3t/v4lu3=="

TYPED = '''
from __future__ import annotations
import logging
from typing import Annotated, Self
from pydantic import AfterValidator, Field, field_validator, model_validator
from arkworker import Secret, UserConfiguration, Worker

class Bucket(UserConfiguration):
    access_key: str
    secret_key: str = ""

    @field_validator("secret_key")
    @classmethod
    def _check(cls, value):
        if "C4n4ry" in value:
            raise ValueError(f"bad key {value}")
        return value

def quote(value):
    if value != "n":
        raise ValueError(f"bad name {value!r}")
    return value

def fail(value):
    if value != "n":
        raise KeyError(value)
    return value

class Inner(UserConfiguration):
    password: Secret[str] | None = None
    size: int = Field(1, le=10)

class Configuration(UserConfiguration):
    """What the worker does."""
    token: Secret[str] | None = None
    bucket: Secret[Bucket] | None = None
    inner: Inner = Inner()
    keys: list[Secret[str]] = Field(default_factory=list)
    in_code: Secret[str] = Secret("C4n4ry+s3cr3t/v4lu3==")
    size: int = Field(1, le=10, description="How large.")
    quoted: Annotated[str, AfterValidator(quote)] = "n"
    failing: Annotated[str, AfterValidator(fail)] = "n"

    @model_validator(mode="after")
    def _all(self) -> Self:
        if self.size == 7:
            raise ValueError(f"does not fit: {self}, {self.token and self.token.get_secret_value()}")
        if self.size == 8:
            raise RuntimeError(self.token and self.token.get_secret_value())
        return self

class W(Worker[Configuration]):
    """Finds things."""
    def run(self, context, cache):
        logging.getLogger("user").info("%s %r", context, context.config)
        print(context, repr(context.config), context.secrets, vars(context))
'''
FREE = """
import logging
from arkworker import Worker

class W(Worker):
    def run(self, context, cache):
        logging.getLogger("user").info("%s %r", context, context.config)
        print(context, context.config, context.secrets, vars(context))
"""
VERBS = [
    ("check",),
    ("check", "--json"),
    ("check", "-v"),
    ("check", "--offline", "--json"),
    ("explain",),
    ("explain", "--all", "-v"),
    ("explain", "--json"),
    ("explain", "--offline", "--all"),
    ("run",),
    ("run", "-v", "--log-format", "json"),
    ("run", "--json", "--debug"),
]


@dataclass(frozen=True)
class Plant:
    """Where the canary is."""

    name: str
    argv: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    file: str | None = None
    env_file: str | None = None
    items: list[Any] | None = None
    run: dict[str, Any] | None = None
    community: bool = False
    worker: str = TYPED
    is_known_offline: bool = True  # that it is a secret


def legacy(**layers: Any) -> dict[str, Any]:
    """A worker run of an older instance."""
    run = worker_run(configuration={"id": "c", "configuration": layers.get("saved", {})})
    run["worker_version"]["configuration"] = {
        "configuration": layers.get("static", {}),
        "user_configuration": {name: {"default": value} for name, value in layers.get("defaults", {}).items()},
        "secrets": layers.get("secrets", []),
    }
    run["model_version"] = {"id": "m", "configuration": layers.get("model", {})}
    return run


LOADED = {"T": CANARY, "B": f'{{"access_key": "a", "secret_key": "{CANARY}"}}', "G": f'{{"access_key": "{CANARY}"}}'}
REFERENCES = "token: env:T\nbucket: env:G\nkeys: [env:T, env:T]\ninner: {password: env:T}\n"
PLANTS = [
    Plant("tokens of the API", environ={"ARKINDEX_API_TOKEN": CANARY, "CONTAINER_API_KEY": CANARY}),
    Plant(
        "token that is no header", environ={"ARKINDEX_API_TOKEN": f"{CANARY}\n", "ARKINDEX_TASK_TOKEN": f"é{CANARY}"}
    ),
    Plant("address with a password", environ={"ARKINDEX_API_URL": f"http://me:{CANARY}@localhost/"}),
    Plant("loaded secrets", environ=LOADED, file=REFERENCES),
    Plant("loaded secrets and a wrong value", environ=LOADED, file=f"{REFERENCES}size: 99\n"),
    Plant("loaded secrets and a validator of all", environ=LOADED, file=f"{REFERENCES}size: 7\n"),
    Plant("loaded secrets and a failure", environ=LOADED, file=f"{REFERENCES}size: 8\n"),
    Plant("content that its validator quotes", environ=LOADED, file="bucket: env:B\n"),
    Plant("content of another type", environ=LOADED, file="bucket: env:T\n"),
    Plant("secret by name", environ=LOADED, file="secrets: ['env:T', 'env:B']\n"),
    Plant("reference", environ={"ARKINDEX_CONFIG_TOKEN": CANARY}),
    Plant("flag", argv=("--config.token", CANARY, "--config.keys", f"{CANARY},{CANARY}")),
    Plant("flag of a switch", argv=(f"--dev={CANARY}",)),
    Plant("stray argument", argv=("--config.token", "a", CANARY)),
    Plant("unknown flag", argv=(f"--config.tokken={CANARY}",)),
    Plant("unknown flag of the platform", argv=(f"--api-token={CANARY}",)),
    Plant("value of an argument", argv=("--log-format", CANARY)),
    Plant("unknown variable", environ={"ARKINDEX_CONFIG_TOKKEN": CANARY, "ARKINDEX_API_TOKN": CANARY}),
    Plant("content in the file", file=f"token: {{key: {CANARY}}}\nbucket:\n  secret_key: {CANARY}\nkeys: {CANARY}\n"),
    Plant("content in a block", file=f"bucket: |\n  {CANARY}\n  {CANARY}\nsize: 99\n"),
    Plant("one line of JSON", file=f'{{"token": "{CANARY}", "size": 99}}'),
    Plant("one line of JSON, unknown", file=f'{{"passwort": "{CANARY}", "size": 99}}'),
    Plant("one line of a group", file=f"inner: {{password: {CANARY}, size: 99}}\n"),
    Plant("comment", file=f"size: 99 # {CANARY}\n"),
    Plant("unknown option", file=f"passwort: {CANARY}\nsize: 99\n"),
    Plant("anchor", file=f"passwort: &a {CANARY}\nsize: *a\n"),
    Plant("modern item", file=f"configuration: [{{key: token, value: {CANARY}, secret: yes}}]\n"),
    Plant("modern item, unknown", file=f"configuration: [{{key: tok, value: {CANARY}, secret: yes}}]\n"),
    Plant("modern item, broken", file=f"configuration: [{{key: token, val: {CANARY}, secret: yes}}]\n"),
    Plant("broken file", file=f"token: '{CANARY}\nsize: 1\n"),
    Plant("tag", file=f"token: !{CANARY} a\n"),
    Plant("broken file, key twice", file=f"token: {CANARY}\ntoken: {CANARY}\n"),
    Plant("not UTF-8", file=f"token: {CANARY}\udcff\n"),
    Plant("validator that quotes", argv=(f"--config.quoted={CANARY}",)),
    Plant("validator that fails", argv=(f"--config.failing={CANARY}",)),
    Plant("validator that quotes, payload", items=[item("quoted", CANARY)]),
    Plant("validator that fails, payload", items=[item("failing", CANARY)]),
    Plant("env file", env_file=f"ARKINDEX_API_TOKEN={CANARY}\nARKINDEX_CONFIG_TOKEN={CANARY}\n"),
    Plant("broken env file", env_file=f'ARKINDEX_CONFIG_TOKEN="{CANARY}\nNAME {CANARY}\n={CANARY}\n'),
    Plant("env file, wrong value", env_file=f"ARKINDEX_CONFIG_SIZE={CANARY}\nPONOS_TASK=../{CANARY}\n"),
    Plant("reference in the payload", items=[item("token", CANARY, secret=True)]),
    Plant("content in the payload", items=[item("token", CANARY, secret=True)], community=True),
    Plant("content of another type in the payload", items=[item("bucket", CANARY, secret=True)], community=True),
    Plant("content that is no text", items=[item("token", {"a": CANARY}, secret=True)], community=True),
    Plant("secret that the code does not know", items=[item("tokken", CANARY, secret=True)], community=True),
    Plant("secret that is none in code", items=[item("quoted", CANARY, secret=True)], community=True),
    Plant("content and a wrong value", items=[item("token", CANARY, secret=True), item("size", 99)], community=True),
    Plant("content and a validator", items=[item("token", CANARY, secret=True), item("size", 7)], community=True),
    Plant("wrong value in the payload", items=[item("size", CANARY), item("keys", CANARY)]),
    Plant("broken payload", items=[{"key": [CANARY], "value": CANARY, "secret": CANARY}]),
    Plant("legacy layers", run=legacy(static={"token": CANARY}, saved={"token": CANARY}, model={"keys": [CANARY]})),
    Plant("legacy layers, unknown", run=legacy(static={"tokken": CANARY}, defaults={"passwort": CANARY})),
    Plant(
        "legacy layers, wrong", run=legacy(saved={"size": CANARY, "inner": CANARY, "bucket": {"secret_key": CANARY}})
    ),
    Plant("broken process", run=worker_run() | {"process": {"id": [CANARY], "mode": CANARY, "corpus": 5}}),
    Plant("free: secret items", items=[item("a", CANARY, secret=True)], worker=FREE),
    Plant("free: secret items with content", items=[item("a", CANARY, secret=True)], community=True, worker=FREE),
    Plant(
        "free: secret item and a flag",
        argv=("--config.a", CANARY),
        items=[item("a", CANARY, secret=True)],
        worker=FREE,
        is_known_offline=False,
    ),
    Plant(
        "free: secret item in the file",
        environ={"T": CANARY},
        file="configuration: [{key: a, value: 'env:T', secret: yes}]\n",
        worker=FREE,
    ),
    Plant("free: names", environ=LOADED, file="secrets: ['env:T']\n", worker=FREE),
    Plant("free: broken file", file=f"a: [{CANARY}\nb: {CANARY}\n", worker=FREE),
]


def forms_of(canary: str) -> list[str]:
    """How it may be hidden in a text."""
    plain = [canary, canary[:12], repr(canary)[1:-1], urllib.parse.quote(canary, safe="")]
    return [*plain, base64.b64encode(canary.encode()).decode(), canary.swapcase()]


def arrange(plant: Plant, arkindex: Stub, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Plants the canary; answers flags and variables."""
    argv, environ = list(plant.argv), {"ARKINDEX_API_URL": arkindex.url} | plant.environ
    if plant.items is not None or plant.run is not None:
        arkindex.serve_run(plant.run or worker_run(), plant.items)
        arkindex.serve_edition(enterprise=not plant.community)
        environ = arkindex.environment | environ
    for flag, text, name in (("-c", plant.file, "worker.yml"), ("--env-file", plant.env_file, "worker.env")):
        if text is not None:
            (folder / name).write_bytes(text.encode(errors="surrogateescape"))
            argv += [flag, str(folder / name)]
    return argv, environ


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_canary_is_in_no_output(
    plant: Plant,
    command: Callable[..., Any],
    arkindex: Stub,
    write_worker: Callable[[str], str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    clock: object,
) -> None:
    """Every verb, for people and programs, quiet and verbose, ending well or not."""
    del clock  # nobody waits for an Arkindex that fails
    argv, environ = arrange(plant, arkindex, tmp_path)
    target = write_worker(plant.worker)

    for verb, *flags in VERBS:
        if "--offline" in flags and not plant.is_known_offline:
            continue
        result = command(verb, target, *flags, *argv, **environ)

        # A frame of the author's own code shows what it is written: not the canary that is its default in code.
        text = (result.out + result.err + caplog.text).replace(f'Secret("{CANARY}")', "")
        assert [form for form in forms_of(CANARY) if form in text] == []


@pytest.mark.parametrize("flags", [(), ("--format", "markdown"), ("--format", "arkindex")], ids=" ".join)
def test_canary_is_in_no_schema(
    flags: tuple[str, ...], command: Callable[..., Any], write_worker: Callable[[str], str]
) -> None:
    """A secret that is a default in code is stars, or nothing, in what describes the worker."""
    result = command("schema", write_worker(TYPED), *flags)

    assert result.code in (0, 78)
    assert [form for form in forms_of(CANARY) if form in result.out + result.err] == []


def test_canary_would_be_seen(command: Callable[..., Any], write_worker: Callable[[str], str], tmp_path: Path) -> None:
    """What is not a secret is shown: the search above would find it."""
    (tmp_path / "worker.yml").write_text(f"a: {CANARY}\n")

    result = command("explain", write_worker(FREE), "-c", str(tmp_path / "worker.yml"))

    assert CANARY in result.out
