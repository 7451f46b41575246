"""Declarations as YAML: always the same text for the same content, with no string that YAML 1.1 takes for another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from arkworker.declaration.content import WorkerContent

#: Plain text that PyYAML takes for text, and other readers do not: YAML 1.2 numbers, and the short booleans of 1.1.
_AMBIGUOUS = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|[yYnN]")
#: Line breaks to YAML 1.1, which only double quotes keep.
_BREAKS = "\r\x85\u2028\u2029"


class _Dumper(yaml.SafeDumper):
    """Block style; no anchors, since a reader would have to follow them."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    """How to write a text; where that is not possible, or not said, PyYAML quotes what needs quotes."""
    if any(character in text for character in _BREAKS):
        return '"'
    if "\n" in text:
        return "|"
    return "'" if _AMBIGUOUS.fullmatch(text) else None


_Dumper.add_representer(str, _Dumper.represent_text)


def to_yaml(content: WorkerContent) -> str:
    """The declaration file of a worker."""
    return dump(content.as_data())


def dump(data: dict[str, Any]) -> str:
    """Plain data as YAML."""
    text: str = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10**6
    )
    return text
