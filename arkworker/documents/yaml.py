"""One YAML (or JSON) document as nodes with positions, within limits that hold while it is composed.

`yaml.compose` gives the nodes and their marks; what is refused besides is checked here: keys given twice, keys that are
no text, tags outside the core, aliases that expand to more than a document may hold.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml
from yaml.composer import Composer

from arkworker.documents.nodes import Entry, Mapping, Node, Scalar, Sequence, YamlError, gather, is_null
from arkworker.documents.scalars import core_type, resolve_scalar
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# All that YAML 1.1 does not allow: control characters, surrogates, non-characters.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Directives: libyaml takes time by the square of their number.
_DIRECTIVE = re.compile("(?:^|[\r\x85\u2028\u2029])%", re.MULTILINE)
_MOST_DIRECTIVES = 20
# JSON's way to write characters beyond U+FFFF, which libyaml refuses.
_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile("[\ud800-\udfff]")

_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset({"str", "int", "float", "bool", "null"})
_KNOWN_TAGS = ("python/", "binary", "merge", "omap", "pairs", "set", "timestamp", "value", "yaml")


# How much a document may hold.
_MOST_BYTES = 1024 * 1024  # in UTF-8
_MOST_LEVELS = 50  # of lists and mappings in one another
_MOST_ALIASES = 20
#: Aliases and merge keys expanded: one a value, and one more for every 16 characters.
_MOST_VALUES = 100_000


_NOT_A_KEY = "a key cannot be a list or a mapping"


class _Alias(yaml.Node):
    """Where a node is referred to, which is its `value`."""


class _Bounded(Composer):
    """Composes nodes, and ends at the first that is too deep or too much; keeps what is an alias or has a tag."""

    _levels = _size = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[attr-defined]  # of the parser beside it
        is_collection, mark = isinstance(event, yaml.CollectionStartEvent), event.start_mark
        is_key = isinstance(parent, yaml.MappingNode) and index is None
        self._levels += is_collection
        self._size += _size(event)
        _check_limits(self._levels, self._size, mark)
        if is_key and is_collection:
            raise _error(_NOT_A_KEY, mark, "put text that begins with a bracket in quotes")
        node: Any = super().compose_node(parent, index)
        self._levels -= is_collection
        if isinstance(event, yaml.AliasEvent):
            if is_key and not isinstance(node, yaml.ScalarNode):
                raise _error(_NOT_A_KEY, mark, "write the key out")
            return _Alias("", node, mark, mark)
        node.has_tag = event.tag not in (None, "!")
        return node


class _PythonLoader(_Bounded, yaml.SafeLoader):
    """PyYAML's own parser: slower, but it takes each half of a pair of surrogates."""


_Fastest: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Bounded, _Fastest):  # type: ignore[misc]
    """libyaml's parser, where there is one."""

    def __init__(self, text: str) -> None:
        _Fastest.__init__(self, text)
        Composer.__init__(self)


def _size(part: Any) -> int:
    """What an event or a node counts for, without what is in it."""
    value = getattr(part, "value", None)
    return 1 + (len(value) // 16 if isinstance(value, str) else 0)


def _check_limits(levels: int, size: int, mark: Any) -> None:
    if levels > _MOST_LEVELS:
        raise _error(f"more than {_MOST_LEVELS} levels of lists and mappings", mark)
    if size > _MOST_VALUES:
        raise _error("too large: too many values, aliases and merge keys included", mark, "is it the right file?")


def parse_yaml(text: str) -> Node | None:
    """Read one document; None when it is empty.

    Raises:
        YamlError: It is not YAML, is beyond the limits, holds a key twice, a key that is not text, a tag outside the
            core (`!!str`, `!!int`, `!!float`, `!!bool`, `!!null`, `!!seq`, `!!map`) or a second document.
    """
    root, errors = read_yaml(text)
    # Raised here, not where it was found: PyYAML's exceptions hold the text of the document.
    if errors:
        raise gather(errors)
    return root


def read_yaml(
    text: str, *, most_aliases: int = _MOST_ALIASES, json_pairs: bool = True
) -> tuple[Node | None, list[YamlError]]:
    r"""As `parse_yaml`, for who goes on after an error: keys given twice are errors, but both stay in the document.

    Args:
        text: The document.
        most_aliases: How often `*name` may occur.
        json_pairs: Whether `"\ud83d\ude00"` is one character, as in JSON, or refused, as libyaml alone does.
    """
    text = text.removeprefix("\ufeff")
    failure = _forbidden(text)
    if failure is not None:
        return None, [failure]
    loader = _PythonLoader if json_pairs and _PAIR.search(text) else _Loader
    reading = _Reading(most_aliases)
    try:
        composed = yaml.compose(text, Loader=loader)
        root = None if composed is None else reading.node(composed)
    except YamlError as error:
        failure = error
    except yaml.MarkedYAMLError as error:
        failure = _explain(error, text)
    except Exception as error:  # noqa: BLE001 PyYAML also raises KeyError, ValueError, AttributeError, RecursionError
        failure = YamlError(f"not valid YAML ({type(error).__name__})", 1, 1)
    if failure is not None:
        return None, [*reading.duplicates, failure]
    is_nothing = isinstance(root, Scalar) and root.plain and not root.text
    return None if is_nothing else root, reading.duplicates


def _forbidden(text: str) -> YamlError | None:
    if len(text) > _MOST_BYTES or len(text.encode(errors="surrogatepass")) > _MOST_BYTES:
        return YamlError(f"larger than {_MOST_BYTES:,} bytes", 1, 1, "is it the right file?")
    if len(_DIRECTIVE.findall(text)) > _MOST_DIRECTIVES:
        return YamlError(f"more than {_MOST_DIRECTIVES} lines begin with '%'", 1, 1, "is it the right file?")
    found = _FORBIDDEN.search(text)
    if found:
        before = text[: found.start()]
        line, column = len(re.findall("\r\n?|[\n\x85\u2028\u2029]", before)) + 1, len(f"{before}|".splitlines()[-1])
        message = f"the character U+{ord(found.group()):04X} is not allowed in YAML"
        return YamlError(message, line, column, "remove it, or write it as an escape in double quotes")
    return None


class _Reading:
    """From PyYAML's nodes to ours: keys are text, once each; aliases and merge keys are written out, within limits.

    Attributes:
        duplicates: Keys given twice: they end nothing, so that all are found.
    """

    def __init__(self, most_aliases: int) -> None:
        self.duplicates: list[YamlError] = []
        self._most_aliases = most_aliases
        self._aliases = self._size = 0
        self._alias: _Alias | None = None  # the outermost of those that are being written out
        self._open: list[Any] = []  # the collections around what is read

    def node(self, node: Any, key: str = "") -> Node:
        """A node that stands below a key, directly or in lists."""
        if isinstance(node, _Alias):
            return self._written_out(node, key)
        self._open.append(node)
        self._size += _size(node)
        is_scalar = isinstance(node, yaml.ScalarNode)
        _check_limits(len(self._open) - is_scalar, self._size, (self._alias or node).start_mark)
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        read = self._scalar(node, line, column) if is_scalar else self._collection(node, line, column, key)
        self._open.pop()
        return read

    def _written_out(self, alias: _Alias, key: str) -> Node:
        is_outermost = self._alias is None
        if is_outermost:
            self._alias = alias
            self._aliases += 1
        if self._aliases > self._most_aliases:
            raise _error(f"more than {self._most_aliases} aliases", alias.start_mark, "write the values out")
        if alias.value in self._open:
            under = f", below the key '{printable(key, 60)}'" if key else ""
            message = f"this alias refers to a value that contains it{under}"
            raise _error(message, alias.start_mark, "write the value out")
        node = self.node(alias.value, key)
        if is_outermost:
            self._alias = None
        return node

    def _collection(self, node: Any, line: int, column: int, key: str) -> Node:
        is_list = isinstance(node, yaml.SequenceNode)
        tag = _core_tag(node)
        if tag != ("seq" if is_list else "map"):
            fit = f"!!{tag} does not fit a {'list' if is_list else 'mapping'}"
            raise YamlError(fit, line, column, "remove the tag")
        if is_list:
            items = tuple(self.node(item, key) for item in node.value)
            return Sequence(items, line, column, _end(node, items))
        entries = tuple(self._entries(node))
        return Mapping(entries, line, column, _end(node, [entry.value for entry in entries]))

    def _scalar(self, node: Any, line: int, column: int) -> Scalar:
        text = node.value
        if _SURROGATE.search(text):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if "\ufffd" in text and "\ufffd" not in node.value:
                message = "an escape for half a character"
                raise YamlError(message, line, column, "write the character itself")
        if not node.has_tag:
            is_text = node.tag == _CORE + "str" and core_type(text) != "str"  # quoted, or after a lone `!`
            return Scalar(text, not node.style and not is_text, line, column, end=_end(node))
        tag = _core_tag(node)
        if tag not in _SCALAR_TAGS:
            raise YamlError(f"!!{tag} does not fit a single value", line, column, "remove the tag")
        scalar = Scalar(text, plain=False, line=line, column=column, tag=tag, end=_end(node))
        resolve_scalar(scalar)
        return scalar

    def _entries(self, node: Any) -> Iterator[Entry]:
        lines: dict[str, int] = {}
        own: list[Entry] = []
        inherited: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, lines)
            value = self.node(value_node, key.text)
            if key.plain and key.text == "<<":
                for entry in _merged(value):
                    inherited.setdefault(entry.key.text, entry)
            else:
                own.append(Entry(key, value))
        yield from (entry for name, entry in inherited.items() if name not in lines)
        yield from own

    def _key(self, node: Any, lines: dict[str, int]) -> Scalar:
        key = self.node(node)
        assert isinstance(key, Scalar)  # noqa: S101 - the composer refuses other keys
        if isinstance(node, _Alias):  # what is wrong with the key is wrong here, not at the anchor
            line = node.start_mark.line + 1
            key = replace(key, line=line, column=node.start_mark.column + 1, end=line)
        if not key.text or is_null(key):
            raise YamlError("an empty key", key.line, key.column, "give it a name, or put it in quotes")
        if key.text in lines and self._alias is None:
            message = f"the key '{printable(key.text, 60)}' is given twice, first on line {lines[key.text]}"
            self.duplicates.append(YamlError(message, key.line, key.column, "remove one"))
        lines.setdefault(key.text, key.line)
        return key


def _merged(value: Node) -> Iterator[Entry]:
    """What `<<` brings in, the strongest first."""
    for mapping in value.items if isinstance(value, Sequence) else (value,):
        if not isinstance(mapping, Mapping):
            hint = "put the key in quotes if it is one"
            raise YamlError("'<<' takes a mapping or a list of mappings", value.line, value.column, hint)
        yield from mapping.entries


def _end(node: Any, parts: Iterable[Node] = ()) -> int:
    """The last line of a node; a block's own mark stands where the next one begins."""
    if parts and not node.flow_style:
        return max(part.end for part in parts)
    return int(node.end_mark.line + (node.end_mark.column > 0))


def _core_tag(node: Any) -> str:
    name: str = node.tag.removeprefix(_CORE)
    if name == node.tag or name not in {*_SCALAR_TAGS, "seq", "map"}:
        # Named only when well known: a password may begin with '!'.
        shown = f"the tag !!{printable(name)}" if name.startswith(_KNOWN_TAGS) else "an unknown tag"
        hint = "remove it, or put text that begins with '!' in quotes"
        raise _error(f"{shown} is not allowed", node.start_mark, hint)
    return name


def _error(message: str, mark: Any, hint: str = "") -> YamlError:
    return YamlError(message, mark.line + 1, mark.column + 1, hint)


_INDENT = "check the indentation, and put text that holds ': ' or ' #' in quotes"
#: What PyYAML says, both parsers of it, in part; what we say; the remedy; `<` where the place is where it begins.
_ADVICE = (
    ("tab character", "a tab in the indentation", "indent with spaces", ""),
    ("unexpected end of stream", "this quote is never closed", "close it", "<"),
    ("unexpected document", "this quote is never closed", "close it", "<"),
    ("',' or ']'", "this '[' is not closed, or a comma is missing in it", "close it with ']'", "<"),
    ("',' or '}'", "this '{' is not closed, or a comma is missing in it", "close it with '}'", "<"),
    ("mapping values are not allowed", "a ':' is not allowed here", _INDENT, ""),
    ("could not find expected ':'", "this key has no ':'", "write `key: value`, with the space", "<"),
    ("entries are not allowed", "a list cannot begin here", "begin it on a line of its own", ""),
    ("escape", "an escape that does not give a character", "double the backslash, or use single quotes", ""),
    ("tag handle", "a tag of unknown kind", "remove the word that begins with '!'", ""),
    ("undefined alias", "this alias has no anchor before it", "put text that begins with '*' in quotes", ""),
    ("second occurrence", "this anchor is given twice", "rename one, or put text that begins with '&' in quotes", ""),
    ("another document", "a second document", "a file holds one: remove the line '---' and what follows", ""),
    ("incompatible YAML", "a %YAML line with an unsupported version", "remove the line that begins with '%'", ""),
    ("directive", "an unknown line that begins with '%'", "remove it", ""),
    ("<document start>", "text after the end of the document", "a file holds one document; check the quotes", ""),
    ("node content", "a value is missing here", "are all brackets closed?", ""),
    ("expected", "this does not belong to the block begun above", _INDENT, ""),
)


def _explain(error: yaml.MarkedYAMLError, text: str) -> YamlError:
    """PyYAML's complaint in words that help, without any text of the document."""
    problem = error.problem or ""
    mark = error.problem_mark or error.context_mark
    if "cannot start any token" in problem and mark is not None:
        character = text[mark.index : mark.index + 1]
        if character == "\t":
            return _error("a tab in the indentation", mark, "indent with spaces")
        return _error(f"a value cannot begin with {printable(character)!r}", mark, "put it in quotes")
    for part, message, hint, start in _ADVICE:
        if part in problem:
            return YamlError(message, *_place((error.context_mark or mark) if start else mark, text), hint)
    return YamlError(f"not valid YAML: {printable(problem, limit=100)}", *_place(mark, text))


def _place(mark: Any, text: str) -> tuple[int, int]:
    if mark is None:
        return 1, 1
    # A parser that meets the end complains on the line after it, which does not exist.
    lines = text.rstrip().splitlines()
    if mark.line >= len(lines) > 0:
        return len(lines), len(lines[-1]) + 1
    return mark.line + 1, mark.column + 1
