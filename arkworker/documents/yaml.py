"""One YAML (or JSON) document as nodes with positions, bounded while it is read.

Built on PyYAML's stream of events, not on its loaders: those accept keys given twice, raise what is no YAML error, and
hang on a kilobyte of nested merge keys.
"""

from __future__ import annotations

import re

import yaml

from arkworker.documents.builder import Builder, Limits
from arkworker.documents.nodes import Entry, Mapping, Node, Scalar, Sequence, YamlError, gather
from arkworker.documents.scalars import resolve_scalar, to_python
from arkworker.documents.surrogates import replace_surrogate_pairs
from arkworker.documents.syntax import explain

__all__ = [
    "Entry",
    "Limits",
    "Mapping",
    "Node",
    "Scalar",
    "Sequence",
    "YamlError",
    "parse_yaml",
    "read_yaml",
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
    root, errors = read_yaml(text, limits)
    # Raised here, not where it was found: PyYAML's exceptions hold the text of the document.
    if errors:
        raise gather(errors)
    return root


def read_yaml(
    text: str, limits: Limits = _DEFAULT_LIMITS, *, json_pairs: bool = True
) -> tuple[Node | None, list[YamlError]]:
    r"""As `parse_yaml`, for who goes on after an error: keys given twice are errors, but both stay in the document.

    Args:
        text: The document.
        limits: How much it may hold.
        json_pairs: Whether `"\ud83d\ude00"` is one character, as in JSON, or refused, as libyaml alone does.
    """
    text = text.removeprefix("\ufeff")
    failure = _forbidden(text, limits)
    if failure is not None:
        return None, [failure]
    text, decode = replace_surrogate_pairs(text) if json_pairs else (text, str)
    builder = Builder(limits, decode)
    failure = _feed(builder, text)
    if failure is not None:
        return None, [*builder.duplicates, failure]
    return None if _is_nothing(builder.root) else builder.root, builder.duplicates


def _forbidden(text: str, limits: Limits) -> YamlError | None:
    if len(text) > limits.bytes or len(text.encode(errors="surrogatepass")) > limits.bytes:
        return YamlError(f"larger than {limits.bytes:,} bytes", 1, 1, "is it the right file?")
    if len(_DIRECTIVE.findall(text)) > _MOST_DIRECTIVES:
        return YamlError(f"more than {_MOST_DIRECTIVES} lines begin with '%'", 1, 1, "is it the right file?")
    found = _FORBIDDEN.search(text)
    if found:
        before = text[: found.start()]
        line, column = len(re.findall("\r\n?|[\n\x85\u2028\u2029]", before)) + 1, len(f"{before}|".splitlines()[-1])
        message = f"the character U+{ord(found.group()):04X} is not allowed in YAML"
        return YamlError(message, line, column, "remove it, or write it as an escape in double quotes")
    return None


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
