"""The rules of Arkindex on a declaration file, each problem with its place and its remedy.

The verdict is that of the official validator. Stricter on purpose, since it accepts them in silence and means
something else: a key given twice, an empty key in a default, `!!null` on what is not null. Stricter by the limits of
the reader: the size of the file, its depth, tags outside the core, numbers of thousands of digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.declaration import vocabulary
from arkworker.declaration.checks import UNREADABLE, Checks
from arkworker.declaration.fields import FieldRules
from arkworker.declaration.report import Report
from arkworker.documents.nodes import Scalar, Sequence
from arkworker.documents.yaml import Limits, read_yaml

if TYPE_CHECKING:
    from arkworker.declaration.checks import Entries
    from arkworker.documents.nodes import Node
    from arkworker.documents.text_file import TextFile
    from arkworker.errors import Problem

#: Fields of one kind like to share their keys through `<<: *common`; what that expands to stays bounded.
LIMITS = Limits(aliases=500)
_START = f"write {', '.join(vocabulary.WORKER.required)}, one a line"


def validate(file: TextFile) -> list[Problem]:
    """All problems of a declaration file, in order of place; none when Arkindex takes it."""
    return examine(file).problems


def examine(file: TextFile) -> Report:
    """All problems, and warnings about what Arkindex accepts but hardly as it was meant."""
    report = Report(file)
    root, errors = read_yaml(file.text, LIMITS, json_pairs=False)
    for error in errors:
        report.unreadable(error)
    if root is not None:
        report.shows_lines = not _may_hold_secrets(root)
        _check_worker(Checks(report), root)
    elif not errors:
        report.error("", Scalar("", True, 1, 1), "an empty file", _START)
    return report.finished()


def _check_worker(checks: Checks, root: Node) -> None:
    entries = checks.mapping("", root, "a declaration is a mapping", _START)
    if entries is None:
        return
    checks.keys("", root, entries, vocabulary.WORKER)
    _check_slug(checks, entries)
    for name in ("display_name", "type"):
        checks.name(name, entries, longest=vocabulary.LONGEST_NAME)
    checks.name("description", entries)
    for name in ("gpu_usage", "model_usage"):
        _check_usage(checks, name, entries)
    if "docker" in entries and not checks.is_null("docker", entries):
        _check_docker(checks, entries["docker"].value)
    if "configuration" in entries and not checks.is_null("configuration", entries):
        FieldRules(checks).check(entries["configuration"].value)


def _check_slug(checks: Checks, entries: Entries) -> None:
    text = checks.text("slug", entries)
    if text is None:
        return
    node = entries["slug"].value
    if not vocabulary.SLUG.fullmatch(text):
        message = f"should be 1 to {vocabulary.LONGEST_NAME} letters without accents, digits, - and _"
        checks.report.error("slug", node, message, "replace all else with -")
    elif text.endswith("\n"):
        checks.report.warn("slug", node, "ends with a line break, which becomes part of it", "write it on one line")


def _check_usage(checks: Checks, name: str, entries: Entries) -> None:
    if name not in entries or checks.is_null(name, entries):
        return
    node = entries[name].value
    value = checks.value(name, node)
    if isinstance(value, bool):
        # YAML 1.1 has it that `off` and `no` are booleans, and the former format had them here.
        message = f"should be one of {', '.join(vocabulary.USAGES)}, not a boolean"
        checks.report.error(name, node, message, f"write {'supported or required' if value else 'disabled'}")
    else:
        checks.one_of(name, node, vocabulary.USAGES, {})


def _check_docker(checks: Checks, node: Node) -> None:
    entries = checks.mapping("docker", node, "should be a mapping", "write command: and shm_size: below it")
    if entries is None:
        return
    checks.keys("docker", node, entries, vocabulary.DOCKER)
    checks.text("command", entries, "docker", nullable=True)
    if "shm_size" in entries and not checks.is_null("shm_size", entries, "docker"):
        _check_shm_size(checks, entries["shm_size"].value)


def _check_shm_size(checks: Checks, node: Node) -> None:
    value = checks.value("docker.shm_size", node)
    if value is UNREADABLE or (isinstance(value, str) and vocabulary.SHM_SIZE.fullmatch(value)):
        return
    message = "should be a size above zero with its unit in lower case: b, k, m or g"
    checks.report.error("docker.shm_size", node, message, _shm_size_remedy(node))


def _shm_size_remedy(node: Node) -> str:
    """`write 8g` for `8G`, `8 GB`, `8GiB`; an example where the size cannot be guessed."""
    text = node.text.strip().lower() if isinstance(node, Scalar) and len(node.text) < 20 else ""
    size = text.replace(" ", "").removesuffix("ib").removesuffix("b" if text[-2:-1] in "kmg" else "")
    if size and vocabulary.SHM_SIZE.fullmatch(size) and not size.isdigit():
        return f"write {size}"
    return "write it like 512m or 8g"


def _may_hold_secrets(node: Node) -> bool:
    """Whether a default stands beside a type that takes none: it may be a secret, on any line of the field."""
    if isinstance(node, Sequence):
        return any(_may_hold_secrets(item) for item in node.items)
    if isinstance(node, Scalar):
        return False
    entries = {entry.key.text: entry.value for entry in node.entries}
    default, of = entries.get("default"), entries.get("type")
    is_null = default is None or (isinstance(default, Scalar) and default.text in ("", "~", "null"))
    takes_default = isinstance(of, Scalar) and of.text in vocabulary.VALUE_TYPES
    return not (is_null or takes_default) or any(_may_hold_secrets(value) for value in entries.values())
