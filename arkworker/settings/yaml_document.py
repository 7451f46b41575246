"""One YAML (or JSON) document as nodes with positions, bounded while it is read.

Built on PyYAML's stream of events, not on its loaders: those accept keys given twice, raise what is no YAML error, and
hang on a kilobyte of nested merge keys.
"""

from __future__ import annotations

import re

import yaml

from arkworker.settings.yaml_builder import Builder, Limits
from arkworker.settings.yaml_nodes import Entry, Mapping, Node, Scalar, Sequence, YamlError, gather
from arkworker.settings.yaml_scalars import resolve_scalar, to_python
from arkworker.settings.yaml_surrogates import replace_surrogate_pairs
from arkworker.settings.yaml_syntax import explain

__all__ = [
    "Entry",
    "Limits",
    "Mapping",
    "Node",
    "Scalar",
    "Sequence",
    "YamlError",
    "parse_yaml",
    "resolve_scalar",
    "to_python",
]

_DEFAULT_LIMITS = Limits()
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# All that YAML 1.1 does not allow: control characters, surrogates, non-characters.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Directives: libyaml takes time by the square of their number.
_DIRECTIVE = re.compile("(?:^|[\r\x85\u2028\u2029])%", re.MULTILINE)
_MOST_DIRECTIVES = 20


def parse_yaml(text: str, limits: Limits = _DEFAULT_LIMITS) -> Node | None:
    """Read one document; None when it is empty.

    Raises:
        YamlError: It is no YAML, is beyond the limits, holds a key twice, a key that is no text, a tag outside the core
            (`!!str`, `!!int`, `!!float`, `!!bool`, `!!null`, `!!seq`, `!!map`) or a second document.
    """
    text = text.removeprefix("\ufeff")
    _check_characters(text, limits)
    text, decode = replace_surrogate_pairs(text)
    builder = Builder(limits, decode)
    failure = _feed(builder, text)
    # Raised here, not where it was caught: PyYAML's exceptions hold the text of the document.
    if failure is not None or builder.duplicates:
        raise gather([*builder.duplicates, *([] if failure is None else [failure])])
    return None if _is_nothing(builder.root) else builder.root


def _check_characters(text: str, limits: Limits) -> None:
    if len(text) > limits.bytes or len(text.encode(errors="surrogatepass")) > limits.bytes:
        raise YamlError(f"larger than {limits.bytes:,} bytes", 1, 1, "is it the right file?")
    if len(_DIRECTIVE.findall(text)) > _MOST_DIRECTIVES:
        raise YamlError(f"more than {_MOST_DIRECTIVES} lines begin with '%'", 1, 1, "is it the right file?")
    found = _FORBIDDEN.search(text)
    if found:
        before = text[: found.start()]
        line, column = len(re.findall("\r\n?|[\n\x85\u2028\u2029]", before)) + 1, len(f"{before}|".splitlines()[-1])
        message = f"the character U+{ord(found.group()):04X} is not allowed in YAML"
        raise YamlError(message, line, column, "remove it, or write it as an escape in double quotes")


def _feed(builder: Builder, text: str) -> YamlError | None:
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except YamlError as error:
        return error
    except yaml.MarkedYAMLError as error:
        return explain(error, text)
    except Exception as error:  # noqa: BLE001 PyYAML also raises KeyError, ValueError, AttributeError, RecursionError
        return YamlError(f"not valid YAML ({type(error).__name__})", builder.line, builder.column)
    return None


def _is_nothing(root: Node | None) -> bool:
    return root is None or (isinstance(root, Scalar) and root.plain and not root.text)
