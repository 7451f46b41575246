"""Declarations as YAML: always the same text for the same content, with no string that YAML 1.1 takes for another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from arkworker.declaration.content import WorkerContent

#: Plain text that PyYAML takes for text, and other readers do not: YAML 1.2 numbers, and the short booleans of 1.1.
_AMBIGUOUS = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|[yYnN]")
_SINGLE_QUOTES = "'"


class _Dumper(yaml.SafeDumper):
    """Block style; no anchors, since a reader would have to follow them."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else _SINGLE_QUOTES if _AMBIGUOUS.fullmatch(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def to_yaml(content: WorkerContent) -> str:
    """The declaration file of a worker."""
    text: str = yaml.dump(
        content.as_data(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10**6
    )
    return text
