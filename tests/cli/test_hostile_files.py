"""Bad files: exit code 78, each problem once with file and line, no traceback, nothing of a secret, in no time."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CANARY = "c4n4ry-s3cr3t"

# Seconds of processor time; what grows faster than the file takes minutes.
LONG = 20

TYPED = """
from __future__ import annotations
from datetime import date
from typing import Literal
from pydantic import Field
from arkworker import Secret, UserConfiguration, Worker

class Item(UserConfiguration):
    size: int = Field(1, ge=1)
    name: str = ""

class Inner(UserConfiguration):
    batch_size: int = 4
    items: list[Item] = Field(default_factory=list)

class Configuration(UserConfiguration):
    threshold: float = Field(0.5, ge=0, le=1)
    count: int = 1
    name: str = "n"
    flag: bool = False
    kind: Literal["a", "b", "no"] = "a"
    when: date | None = None
    tags: list[str] = Field(default_factory=list)
    table: dict[str, int] = Field(default_factory=dict)
    pair: tuple[int, str] = (1, "a")
    advanced: Inner = Inner()
    token: Secret[str] | None = None

class W(Worker[Configuration]):
    def run(self, context, cache): ...
"""
FREE = """
from arkworker import Worker

class W(Worker):
    def run(self, context, cache): ...
"""
BOTH, ONLY_TYPED = ("typed", "free"), ("typed",)


@dataclass(frozen=True)
class Case:
    """A file, the line of its first problem (0: the file as a whole), and for which workers it is one."""

    name: str
    content: bytes
    line: int
    workers: tuple[str, ...] = BOTH
    problems: int = 1


def bad(name: str, content: str | bytes, line: int = 1, workers: tuple[str, ...] = BOTH, problems: int = 1) -> Case:
    return Case(name, content if isinstance(content, bytes) else content.encode(), line, workers, problems)


def aliases(count: int) -> str:
    return f"a: &x [{CANARY}]\nb:\n" + "- *x\n" * count


def bomb(levels: int) -> str:
    lines = [f"a0: &a0 [{', '.join([CANARY] * 9)}]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int) -> str:
    lines = [f"m0: &m0 {{k: {CANARY}}}"]
    lines += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}" for n in range(1, levels)]
    return "\n".join(lines)


UNREADABLE = [
    bad("bytes of nothing", bytes(range(256)), 1),
    bad("NUL", f"name: {CANARY}\nname2: a\0b\n", 2),
    bad("UTF-16 with mark", f"name: {CANARY}\n".encode("utf-16")),
    bad("UTF-16 without mark", f"name: {CANARY}\n".encode("utf-16-le")),
    bad("UTF-32", f"name: {CANARY}\n".encode("utf-32")),
    bad("Latin-1", f"tags: []\nname: caf\xe9 {CANARY}\n".encode("latin-1"), 2),
    bad("cut UTF-8", b"name: caf\xc3"),
    bad("overlong UTF-8", b"name: \xc0\xaf"),
    bad("surrogates in UTF-8", b"name: \xed\xa0\x80\xed\xb0\x80"),
    bad("gzip", b"\x1f\x8b\x08\x00" + bytes(50)),
    bad("SQLite", b"SQLite format 3\0" + bytes(84)),
    bad("bell", "name: a\x07\n"),
    bad("escape", "count: 1\nname: \x1b[31mred\n", 2),
    bad("delete", "name: a\x7f\n"),
    bad("C1 control", "name: a\x9b31m\n"),
    bad("non-character", "name: a\ufffe\n"),
    bad("half a character as an escape", 'name: "\\ud800"\n'),
    bad("too large", "# " + "a" * 1024 * 1024 + "\n", 0),
    bad("too large with values", "a: b\n" * 300_000, 0),
    bad("51 lists", "name: " + "[" * 51 + "]" * 51),
    bad("51 mappings", "".join(f"{' ' * n}a:\n" for n in range(52)), 51),
    bad("100,000 brackets", "name: " + "[" * 100_000),
    bad("100,000 braces", "{" * 100_000),
    bad("100,000 dashes", "- " * 100_000),
    bad("100,000 questions", "? " * 100_000),
    bad("100,000 tags", "name: " + "!!str " * 50_000),
    bad("100,000 anchors", "".join(f"- &a{n} b\n" for n in range(60_000))),
    bad("21 aliases", aliases(21), 23),
    bad("alias bomb", bomb(9), 4),
    bad("merge bomb", merges(9), 4),
    bad("alias of itself", "name: &a [*a]\n"),
    bad("alias of nothing", "name: *a\n"),
    bad("anchor twice", f"a: &x {CANARY}\nb: &x 2\n", 2),
    bad("wide", "name: [" + "a," * 200_000 + "]"),
    bad("key twice", f"name: {CANARY}\ncount: 1\nname: b\n", 3),
    bad("key twice, quoted", "name: a\n'name': b\n", 2),
    bad("key twice in a group", "advanced:\n  batch_size: 1\n  batch_size: 2\n", 3),
    bad("key twice in a list", "tags:\n- {a: 1, a: 2}\n", 2),
    bad("key twice in JSON", f'{{"name": "{CANARY}",\n "name": "b"}}', 2),
    bad("key twice, escaped in JSON", '{"name": "a", "n\\u0061me": "b"}'),
    bad("three keys twice", "a: 1\na: 2\nb: 1\nb: 2\nc: 1\nc: 2\n", 2, BOTH, 3),
    bad("list as key", "[a, b]: c\n"),
    bad("mapping as key", "{a: b}: c\n"),
    bad("complex key", "? [a]\n: b\n"),
    bad("empty key", ": a\n"),
    bad("null key", "~: a\n"),
    bad("key is null", "null: a\n"),
    bad("python object", f"name: !!python/object/apply:os.system [{CANARY}]\n"),
    bad("python name", "name: !!python/name:os.system\n"),
    bad("python tuple", "pair: !!python/tuple [1, a]\n"),
    bad("binary", "name: !!binary aGFsbG8=\n"),
    bad("set", "tags: !!set {a}\n"),
    bad("omap", "table: !!omap [a: 1]\n"),
    bad("timestamp", "when: !!timestamp 2024-01-02\n"),
    bad("own tag", f"name: !{CANARY} a\n"),
    bad("include", f"name: !include /etc/passwd # {CANARY}\n"),
    bad("vault", f"token: !vault |\n  $ANSIBLE_VAULT;{CANARY}\n"),
    bad("wrong core tag", "count: !!int many\n"),
    bad("tag of a list on text", "name: !!seq a\n"),
    bad("two documents", "name: a\n---\nname: b\n", 2),
    bad("text after the end", "name: a\n...\nname: b\n", 3),
    bad("tab", "advanced:\n\tbatch_size: 1\n", 2),
    bad("indentation", "advanced:\n  batch_size: 1\n items: []\n", 3),
    bad("indentation of a key", "name: a\n  count: 1\n", 2),
    bad("double quote", f'count: 1\nname: "{CANARY}\n', 2),
    bad("single quote", f"count: 1\nname: '{CANARY}\n", 2),
    bad("apostrophe", "name: 'it's'\n"),
    bad("text after a quote", f"name: 'a' {CANARY}\n"),
    bad("open bracket", f"count: 1\ntags: [a, {CANARY}\n", 2),
    bad("open brace", f"count: 1\ntable: {{a: {CANARY}\n", 2),
    bad("closing bracket too many", "tags: [a]]\n"),
    bad("no colon", f"name a\ncount: 1 {CANARY}\n", 2),
    bad("no blank after a colon", "name:a\n"),
    bad("colon in text", f"name: a: {CANARY}\n"),
    bad("list after a value", "name: a\n- b\n", 2),
    bad("list on the line of a key", "tags: - a\n"),
    bad("another YAML", "%YAML 3.0\n---\nname: a\n"),
    bad("directives", "%A b\n" * 5000 + "---\nname: a\n"),
    bad("at sign", f"name: @{CANARY}\n"),
    bad("backtick", f"name: `{CANARY}`\n"),
    bad("percent", "name: %a\n"),
    bad("escape of Windows", 'name: "C:\\new\\data"\n'),
    bad("merge of a number", "<<: 5\n"),
    bad("conflict", f"<<<<<<< HEAD\nname: {CANARY}\n=======\nname: b\n>>>>>>> other\n", 2),
    bad("template", "threshold: {{ threshold }}\n"),
    bad("cut JSON", '{"name": "a", "count"'),
    bad("JSON list", f'[{{"name": "{CANARY}"}}]'),
    bad("JSON lines", f'{{"name": "{CANARY}"}}\n{{"count": 1}}\n', 2),
    bad("JSON with comments", f'{{\n  "count": 1, // {CANARY}\n  "name": "a"\n}}\n'),
    bad("JSON with a key without value", '{"name"}\n', 1, ONLY_TYPED),
    bad("list", f"- {CANARY}\n"),
    bad("text", CANARY),
    bad("number", "5"),
    bad("null", "null\n"),
    bad("HTML", f"<!DOCTYPE html>\n<html><body>{CANARY}</body></html>\n"),
    bad("env file", f"ARKINDEX_CONFIG_NAME={CANARY}\n"),
    bad("key of a machine", f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n", 1),
    bad("beyond 64 bits", "count: 9223372036854775808\n"),
    bad("below 64 bits", "count: -9223372036854775809\n"),
    bad("5,000 digits", f"count: {'9' * 5000}\n"),
    bad("infinite", "threshold: .inf\n"),
    bad("minus infinite", "threshold: -.Inf\n"),
    bad("no number", "threshold: .nan\n"),
    bad("modern, a mapping", "configuration: {name: a}\n"),
    bad("modern, null", "configuration:\n"),
    bad("modern, text in it", f"configuration: [{CANARY}]\n"),
    bad("modern, without secret", "configuration: [{key: name, value: a}]\n"),
    bad("modern, more keys", "configuration: [{key: name, value: a, secret: no, type: int}]\n"),
    bad("modern, secret is text", "configuration: [{key: name, value: a, secret: 'no'}]\n"),
    bad(
        "modern, key twice",
        "configuration:\n- {key: name, value: a, secret: no}\n- {key: name, value: b, secret: no}\n",
        3,
    ),
    bad("modern and flat", "configuration: []\nname: a\n", 2),
    bad("names of secrets, text", f"secrets: {CANARY}\n"),
    bad("names of secrets, mapping", f"secrets: {{a: {CANARY}}}\n"),
    bad("names of secrets, null in it", "secrets: [a, ~]\n"),
    bad("directory of extra files, list", "extras_dir: [a]\n"),
]
WRONG = [
    bad("integer: text", "count: many\n", 1, ONLY_TYPED),
    bad("integer: quoted", "count: '1'\n", 1, ONLY_TYPED),
    bad("integer: fraction", "count: 1.5\n", 1, ONLY_TYPED),
    bad("integer: boolean", "count: true\n", 1, ONLY_TYPED),
    bad("integer: octal", "count: 010\n", 1, ONLY_TYPED),
    bad("integer: sexagesimal", "count: 1:30\n", 1, ONLY_TYPED),
    bad("integer: underscores", "count: 1_000\n", 1, ONLY_TYPED),
    bad("integer: exponent", "count: 1e3\n", 1, ONLY_TYPED),
    bad("integer: null", "count:\n", 1, ONLY_TYPED),
    bad("integer: list", f"count: [{CANARY}]\n", 1, ONLY_TYPED),
    bad("integer: mapping", "count: {a: 1}\n", 1, ONLY_TYPED),
    bad("integer: date", "count: 2024-01-02\n", 1, ONLY_TYPED),
    bad("integer: other digits", "count: ٣\n", 1, ONLY_TYPED),
    bad("number: too large", "threshold: 1.5\n", 1, ONLY_TYPED),
    bad("number: comma", "threshold: 0,5\n", 1, ONLY_TYPED),
    bad("number: boolean", "threshold: yes\n", 1, ONLY_TYPED),
    bad("number: JSON's NaN", '{"threshold": NaN}', 1, ONLY_TYPED),
    bad("number: JSON's Infinity", '{"threshold": Infinity}', 1, ONLY_TYPED),
    bad("number: out of range", "threshold: 1e999\n", 1, ONLY_TYPED),
    bad("number: a variable", "threshold: ${THRESHOLD}\n", 1, ONLY_TYPED),
    bad("text: list", "name: [a]\n", 1, ONLY_TYPED),
    bad("text: mapping", "name: {a: b}\n", 1, ONLY_TYPED),
    bad("text: null", "name: ~\n", 1, ONLY_TYPED),
    bad("switch: number", "flag: 1\n", 1, ONLY_TYPED),
    bad("switch: text", "flag: maybe\n", 1, ONLY_TYPED),
    bad("switch: quoted", "flag: 'true'\n", 1, ONLY_TYPED),
    bad("choice: none of them", "kind: c\n", 1, ONLY_TYPED),
    bad("choice: case", "kind: A\n", 1, ONLY_TYPED),
    bad("date: digits", "when: 20240102\n", 1, ONLY_TYPED),
    bad("date: the 32nd", "when: 2024-01-32\n", 1, ONLY_TYPED),
    bad("date: with time", "when: 2024-01-02T10:00:00\n", 1, ONLY_TYPED),
    bad("list: text", f"tags: {CANARY}\n", 1, ONLY_TYPED),
    bad("list: mapping", "tags: {a: 1}\n", 1, ONLY_TYPED),
    bad("list: mapping in it", "tags:\n- a\n- b: 1\n", 3, ONLY_TYPED),
    bad("mapping: list", "table: [1]\n", 1, ONLY_TYPED),
    bad("mapping: text in it", "table:\n  a: 1\n  b: x\n", 3, ONLY_TYPED),
    bad("tuple: short", "pair: [1]\n", 1, ONLY_TYPED),
    bad("tuple: long", "pair: [1, a, b]\n", 1, ONLY_TYPED),
    bad("group: text", "advanced: a\n", 1, ONLY_TYPED),
    bad("group: list", "advanced: [a]\n", 1, ONLY_TYPED),
    bad("group: text in it", "advanced:\n  batch_size: many\n", 2, ONLY_TYPED),
    bad("three levels: text", "advanced:\n  items:\n  - size: 1\n  - size: x\n", 4, ONLY_TYPED),
    bad("three levels: bound", "advanced:\n  items:\n  - size: 0\n", 3, ONLY_TYPED),
    bad("three levels: unknown", "advanced:\n  items:\n  - sise: 1\n", 3, ONLY_TYPED),
    bad("secret: mapping", f"token: {{key: {CANARY}}}\n", 1, ONLY_TYPED),
    bad("secret: list", f"token: [{CANARY}]\n", 1, ONLY_TYPED),
    bad("secret: not in code", f"configuration: [{{key: name, value: {CANARY}, secret: yes}}]\n", 1, ONLY_TYPED),
    bad("unknown", f"nam: {CANARY}\n", 1, ONLY_TYPED),
    bad("unknown case", "Name: a\n", 1, ONLY_TYPED),
    bad("unknown with dashes", "batch-size: 1\n", 1, ONLY_TYPED),
    bad("unknown in a group", "advanced:\n  batchsize: 1\n", 2, ONLY_TYPED),
    bad("unknown, flat name of a group", "batch_size: 1\n", 1, ONLY_TYPED),
    bad("unknown in the modern list", f"configuration: [{{key: nam, value: {CANARY}, secret: no}}]\n", 1, ONLY_TYPED),
    bad("group twice", "advanced.batch_size: 1\nadvanced: {batch_size: 2}\n", 2, ONLY_TYPED),
    bad("debug: text", "debug: maybe\n", 1, ONLY_TYPED),
    bad("secret beside the failing one", f'{{"token": "{CANARY}", "threshold": 2}}', 1, ONLY_TYPED),
    bad("unknown beside the failing one", f'{{"passwort": "{CANARY}", "threshold": 2}}', 1, ONLY_TYPED, 2),
    bad("comment beside the failing one", f"threshold: 2 # {CANARY}\n", 1, ONLY_TYPED),
    bad("4,000 unknown", "".join(f"u{n}: {CANARY}\n" for n in range(4000)), 1, ONLY_TYPED, 4000),
    bad("five kinds of wrong", "threshold: 2\ncount: x\nnam: a\nadvanced: 5\ntags: {}\n", 2, ONLY_TYPED, 5),
]
CASES = [(case, kind) for case in [*UNREADABLE, *WRONG] for kind in case.workers]


@pytest.fixture(scope="session")
def targets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A typed and a free worker."""
    folder = tmp_path_factory.mktemp("hostile")
    for kind, source in (("typed", TYPED), ("free", FREE)):
        (folder / f"hostile_{kind}.py").write_text(source, encoding="utf-8")
    return {kind: f"{folder / f'hostile_{kind}.py'}:W" for kind in ("typed", "free")}


def seen(result: Any) -> str:
    """All that was printed, checked for what a terminal would obey, a secret, a traceback."""
    text: str = result.out + result.err
    assert all(character.isprintable() or character == "\n" for character in text)
    assert CANARY not in text
    assert "Traceback" not in text
    return text


def lines_of(result: Any, name: str) -> list[int]:
    """The line of each problem; each is told once."""
    problems = result.data["problems"]
    assert len({(problem["path"], problem["location"], problem["message"]) for problem in problems}) == len(problems)
    assert all(name in problem["location"] for problem in problems)
    found = (re.search(rf"{re.escape(name)}:(\d+)", problem["location"]) for problem in problems)
    return [int(match[1]) if match else 0 for match in found]


@pytest.mark.parametrize(("case", "kind"), CASES, ids=[f"{case.name} ({kind})" for case, kind in CASES])
def test_bad_file_is_told(
    case: Case, kind: str, command: Callable[..., Any], targets: dict[str, str], tmp_path: Path
) -> None:
    """78, the line, once; the same for a person, at most ten of them, and at once."""
    path = tmp_path / "worker.yml"
    path.write_bytes(case.content)
    started = time.process_time()

    result = command("check", targets[kind], "--offline", "--json", "-c", str(path))

    assert time.process_time() - started < LONG
    assert result.code == 78
    seen(result)
    lines = lines_of(result, "worker.yml")
    assert (lines[0], len(lines)) == (case.line, case.problems)


@pytest.mark.parametrize("case", [*UNREADABLE[::8], *WRONG[::8], WRONG[-1], WRONG[-2]], ids=lambda case: case.name)
def test_report_for_a_person(case: Case, command: Callable[..., Any], targets: dict[str, str], tmp_path: Path) -> None:
    """Ten problems at most, no traceback; `-v` shows no secret either."""
    path = tmp_path / "worker.yml"
    path.write_bytes(case.content)

    result = command("check", targets["typed"], "--offline", "-c", str(path))
    verbose = command("check", targets["typed"], "--offline", "-v", "-c", str(path))

    assert (result.code, result.out) == (78, "")
    assert seen(result).count("worker.yml:") <= 10 + (case.line == 0)
    assert CANARY not in verbose.out + verbose.err


GOOD: list[tuple[str, bytes, dict[str, Any], dict[str, Any]]] = [
    ("nothing", b"", {}, {}),
    ("comment", b"# nothing\n", {}, {}),
    ("mark", b"\xef\xbb\xbfname: a\n", {"name": "a"}, {"name": "a"}),
    ("Windows", b"name: a\r\ncount: 2\r\n", {"name": "a", "count": 2}, {"name": "a", "count": 2}),
    ("old Macintosh", b"name: a\rcount: 2\r", {"name": "a", "count": 2}, {"name": "a", "count": 2}),
    ("accents", "name: Été 数 😀\n".encode(), {"name": "Été 数 😀"}, {"name": "Été 数 😀"}),
    (
        "JSON",
        b'{"name": "\\u00e9\\ud83d\\ude00", "count": 2}',
        {"name": "é😀", "count": 2},
        {"name": "é😀", "count": 2},
    ),
    (
        "Norway",
        b"name: no\ntags: [no, yes, on]\n",
        {"name": "no", "tags": ["no", "yes", "on"]},
        {"name": False, "tags": [False, True, True]},
    ),
    ("version", b"name: 1.10\n", {"name": "1.10"}, {"name": 1.1}),
    ("clock", b"name: 12:30:45\n", {"name": "12:30:45"}, {"name": "12:30:45"}),
    ("date as text", b"name: 2024-01-02\n", {"name": "2024-01-02"}, {"name": "2024-01-02"}),
    ("date", b"when: 2024-01-02\n", {"when": "2024-01-02"}, {"when": "2024-01-02"}),
    ("choice that YAML takes for a boolean", b"kind: no\n", {"kind": "no"}, {"kind": False}),
    ("integer with a point", b"count: 8.0\n", {"count": 8}, {"count": 8.0}),
    ("integer for a number", b"threshold: 1\n", {"threshold": 1.0}, {"threshold": 1}),
    ("exponent", b"threshold: 1e-1\n", {"threshold": 0.1}, {"threshold": "1e-1"}),
    ("largest integer", b"count: 9223372036854775807\n", {"count": 2**63 - 1}, {"count": 2**63 - 1}),
    ("words of YAML 1.1", b"flag: On\n", {"flag": True}, {"flag": True}),
    ("numbers in text", b"tags: [1, 0x1F, 1_0]\n", {"tags": ["1", "0x1F", "1_0"]}, {"tags": [1, 31, 10]}),
    ("anchors", b"name: &a b\ntags: [*a, *a]\n", {"name": "b", "tags": ["b", "b"]}, {"name": "b", "tags": ["b", "b"]}),
    ("merge", b"advanced: &x {batch_size: 5}\n", {}, {"advanced": {"batch_size": 5}}),
    ("tags of the core", b"name: !!str 5\ncount: !!int 8\n", {"name": "5", "count": 8}, {"name": "5", "count": 8}),
    ("tuple", b"pair: [2, no]\n", {"pair": [2, "no"]}, {"pair": [2, False]}),
    ("blocks", b"name: |\n  a\n  b\n", {"name": "a\nb\n"}, {"name": "a\nb\n"}),
    ("null where it is accepted", b"when: ~\n", {"when": None}, {"when": None}),
    ("50 levels", b"", {}, {}),
]


@pytest.mark.parametrize("kind", ["typed", "free"])
@pytest.mark.parametrize(("name", "content", "typed", "free"), GOOD, ids=[row[0] for row in GOOD])
def test_good_file_means_what_it_says(
    name: str,
    content: bytes,
    typed: dict[str, Any],
    free: dict[str, Any],
    kind: str,
    command: Callable[..., Any],
    targets: dict[str, str],
    tmp_path: Path,
) -> None:
    """A typed worker reads scalars by their option, a free one as YAML 1.1 does; nothing is taken for another thing."""
    del name
    path = tmp_path / "worker.yml"
    path.write_bytes(content)

    result = command("explain", targets[kind], "--offline", "--json", "-c", str(path))

    assert result.code == 0, result.out
    config = result.data["context"]["config"]
    expected = {"typed": typed, "free": free}[kind]
    assert json.dumps({key: config[key] for key in expected}) == json.dumps(expected)


ENV_FILES = [
    bad("no value", "ARKINDEX_CONFIG_NAME\n"),
    bad("words", f"# fine\nsome words {CANARY}\n", 2),
    bad("YAML", f"name: {CANARY}\n"),
    bad("JSON", f'{{"name": "{CANARY}"}}\n'),
    bad("HTML", f"<html>{CANARY}</html>\n"),
    bad("open quote", f'A=1\nARKINDEX_CONFIG_NAME="{CANARY}\n', 2),
    bad("no name", f"={CANARY}\n"),
    bad("name with a dash", f"ARKINDEX-NAME={CANARY}\n"),
    bad("name with an escape", f"\x1b[31m={CANARY}\n"),
    bad("given twice", f"A=1\nB=2\nA={CANARY}\n", 3),
    bad("Latin-1", f"A=1\nB=caf\xe9 {CANARY}\n".encode("latin-1"), 2),
    bad("UTF-16", f"A={CANARY}\n".encode("utf-16")),
    bad("NUL", f"A=1\nB={CANARY}\0\n", 2),
    bad("too large", "A" * (1024 * 1024 + 1), 0),
    bad("too many lines", "A=1\n" * 200_000, 10_000),
    bad("many carriage returns", "A=1\r" * 200_000, 10_000),
    bad("unknown option", f"\n\nARKINDEX_CONFIG_NAN={CANARY}\n", 3, ONLY_TYPED),
    bad("wrong value", f"ARKINDEX_CONFIG_COUNT={CANARY}\n", 1, ONLY_TYPED),
    bad("wrong id", f"PONOS_TASK=../{CANARY}\n"),
    bad("wrong URL", f"\nARKINDEX_API_URL=http://me:{CANARY}@localhost\n", 2),
    bad("bad list", f"ARKINDEX_CONFIG_TAGS='[{CANARY}'\n"),
    bad("number beyond 64 bits", "ARKINDEX_CONFIG_COUNT=99999999999999999999\n"),
    bad("two mistakes", f"A\nARKINDEX_CONFIG_TAGS='[{CANARY}'\n", 1, BOTH, 2),
]
ENV_CASES = [(case, kind) for case in ENV_FILES for kind in case.workers]


@pytest.mark.parametrize(("case", "kind"), ENV_CASES, ids=[f"{case.name} ({kind})" for case, kind in ENV_CASES])
def test_bad_env_file_is_told(
    case: Case, kind: str, command: Callable[..., Any], targets: dict[str, str], tmp_path: Path
) -> None:
    """78, the line, once, and at once."""
    path = tmp_path / "worker.env"
    path.write_bytes(case.content)
    started = time.process_time()

    result = command("check", targets[kind], "--offline", "--json", "--env-file", str(path))

    assert time.process_time() - started < LONG
    assert result.code == 78
    seen(result)
    lines = lines_of(result, "worker.env")
    assert (lines[0], len(lines)) == (case.line, case.problems)


def make_nothing(path: Path) -> None:
    del path


def make_dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_socket(path: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)  # the path of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


def make_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_terminal(path: Path) -> None:
    path.symlink_to("/dev/tty")


ODD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (make_nothing, "no such file"),
    "dangling link": (make_dangling, "no such file"),
    "link to itself": (make_loop, "cannot be read: Too many levels of symbolic links"),
    "directory": (os.mkdir, "a directory, not a file"),
    "pipe": (os.mkfifo, "not a regular file"),
    "socket": (make_socket, "not a regular file"),
    "endless device": (make_zero, "not a regular file"),
    "terminal": (make_terminal, "not a regular file"),
}


@pytest.mark.parametrize("flag", ["-c", "--env-file"])
@pytest.mark.parametrize(("make", "reason"), ODD_FILES.values(), ids=ODD_FILES)
def test_what_is_no_file_is_told(
    make: Callable[[Path], object],
    reason: str,
    flag: str,
    command: Callable[..., Any],
    targets: dict[str, str],
    tmp_path: Path,
) -> None:
    """Nothing is waited for, and nothing taken for an empty file."""
    path = tmp_path / "worker.x"
    make(path)

    result = command("check", targets["typed"], "--offline", "--json", flag, str(path))

    (problem,) = result.data["problems"]
    assert (result.code, problem["message"]) == (78, reason)
    assert problem["location"] == f"{flag} {path}"


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 5000, "\x1b[31m", "/proc/self/mem", "worker.yml/more"])
@pytest.mark.parametrize("flag", ["-c", "--env-file"])
def test_path_that_cannot_be_is_told(
    path: str,
    flag: str,
    command: Callable[..., Any],
    targets: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Whatever a person types for a file, the answer is one problem."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "worker.yml").write_text("")

    result = command("check", targets["typed"], "--offline", "--json", flag, path)

    assert (result.code, len(result.data["problems"])) == (78, 1)
    seen(result)
