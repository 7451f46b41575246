"""One YAML (or JSON) document as nodes with positions, within limits that hold while it is composed.

`yaml.compose` gives the nodes and their marks; what is refused besides is checked here: keys given twice, keys that are
no text, tags outside the core, aliases that expand to more than a document may hold.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

from arkworker.documents.nodes import Entry, Mapping, Node, Scalar, Sequence, YamlError, gather
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
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


# How much a document may hold.
_MOST_BYTES = 1024 * 1024  # in UTF-8
_MOST_LEVELS = 50  # of lists and mappings in one another
_MOST_ALIASES = 20
#: Aliases and merge keys expanded: one a value, and one more for every 16 characters.
_MOST_VALUES = 100_000


class _Tagged(yaml.ScalarNode):
    """A single value whose tag is written in the document."""


class _Bounded(Composer):
    """Composes nodes, and ends at the first that the limits forbid."""

    def __init__(self, most_aliases: int = _MOST_ALIASES) -> None:
        Composer.__init__(self)
        self._most_aliases = most_aliases
        self._aliases = self._size = 0
        self._heights: list[int] = []  # of the collections that are open: levels found in each
        self._open: list[str] = []  # their anchors
        self._keys: list[str] = []  # the nearest key above each of them
        self._measures: dict[int, tuple[int, int]] = {}  # size and height of each node

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[attr-defined]  # of the parser beside it
        is_key = isinstance(parent, yaml.MappingNode) and index is None
        if isinstance(event, yaml.AliasEvent):
            return self._compose_alias(parent, index, event, is_key=is_key)
        if is_key and not isinstance(event, yaml.ScalarEvent):
            hint = "put text that begins with a bracket in quotes"
            raise _error("a key cannot be a list or a mapping", event.start_mark, hint)
        start = self._size
        self._grow(1 + len(getattr(event, "value", "")) // 16, event)
        is_collection = not isinstance(event, yaml.ScalarEvent)
        if is_collection:
            self._heights.append(1)
            self._check_levels(0, event)
            self._open.append(event.anchor or "")
            self._keys.append(self._nearest_key(index))
        node: Any = super().compose_node(parent, index)
        if not is_collection and event.tag not in (None, "!"):
            node = _Tagged(node.tag, node.value, node.start_mark, node.end_mark, style=node.style)
            if event.anchor:
                self.anchors[event.anchor] = node
        height = 0
        if is_collection:
            height = self._heights.pop()
            self._open.pop()
            self._keys.pop()
            self._raise_height(height)
        self._measures[id(node)] = (self._size - start, height)
        return node

    def _nearest_key(self, index: Any) -> str:
        """The key that a node stands below, directly or as an item of lists."""
        if isinstance(index, yaml.ScalarNode):
            return str(index.value)
        return self._keys[-1] if self._keys else ""

    def _compose_alias(self, parent: Any, index: Any, event: Any, *, is_key: bool) -> Any:
        self._aliases += 1
        if self._aliases > self._most_aliases:
            raise _error(f"more than {self._most_aliases} aliases", event.start_mark, "write the values out")
        if event.anchor in self._open:
            key = self._nearest_key(index)
            under = f", below the key '{printable(key, 60)}'" if key else ""
            raise _error(
                f"this alias refers to a value that contains it{under}", event.start_mark, "write the value out"
            )
        node: Any = super().compose_node(parent, index)
        size, height = self._measures[id(node)]
        self._grow(size, event)
        self._check_levels(height, event)
        self._raise_height(height)
        if not is_key:
            return node
        if not isinstance(node, yaml.ScalarNode):
            raise _error("a key cannot be a list or a mapping", event.start_mark, "write the key out")
        # What is wrong with the key is wrong here, not at the anchor.
        return yaml.ScalarNode(node.tag, node.value, event.start_mark, event.end_mark, style=node.style)

    def _grow(self, size: int, event: yaml.Event) -> None:
        self._size += size
        if self._size > _MOST_VALUES:
            raise _error(_TOO_LARGE, event.start_mark, "is it the right file?")

    def _check_levels(self, height: int, event: yaml.Event) -> None:
        if len(self._heights) + height > _MOST_LEVELS:
            raise _error(f"more than {_MOST_LEVELS} levels of lists and mappings", event.start_mark)

    def _raise_height(self, height: int) -> None:
        if self._heights:
            self._heights[-1] = max(self._heights[-1], height + 1)


class _PythonLoader(_Bounded, yaml.SafeLoader):
    """PyYAML's own parser: slower, but it takes each half of a pair of surrogates."""

    def __init__(self, text: str, most_aliases: int = _MOST_ALIASES) -> None:
        yaml.SafeLoader.__init__(self, text)
        _Bounded.__init__(self, most_aliases)


if hasattr(yaml, "CSafeLoader"):
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class _Loader(_Bounded, CParser, Resolver):
        """libyaml's parser."""

        def __init__(self, text: str, most_aliases: int = _MOST_ALIASES) -> None:
            CParser.__init__(self, text)
            Resolver.__init__(self)
            _Bounded.__init__(self, most_aliases)

else:
    _Loader = _PythonLoader  # type: ignore[assignment,misc]

_TOO_LARGE = "too large: too many values, aliases and merge keys included"


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
    reading = _Reading()
    try:
        composed = yaml.compose(text, Loader=functools.partial(loader, most_aliases=most_aliases))  # type: ignore[arg-type]
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
    """From PyYAML's nodes to ours: keys are text, once each; merge keys are resolved.

    Attributes:
        duplicates: Keys given twice: they end nothing, so that all are found.
    """

    def __init__(self) -> None:
        self.duplicates: list[YamlError] = []
        self._merged = 0
        self._known: dict[int, Node] = {}

    def node(self, node: Any) -> Node:
        if id(node) not in self._known:
            self._known[id(node)] = self._read(node)
        return self._known[id(node)]

    def _read(self, node: Any) -> Node:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, line, column)
        is_list = isinstance(node, yaml.SequenceNode)
        tag = _core_tag(node)
        if tag != ("seq" if is_list else "map"):
            fit = f"!!{tag} does not fit a {'list' if is_list else 'mapping'}"
            raise YamlError(fit, line, column, "remove the tag")
        if is_list:
            items = tuple(self.node(item) for item in node.value)
            return Sequence(items, line, column, _end(node, items))
        entries = tuple(self._entries(node))
        return Mapping(entries, line, column, _end(node, [entry.value for entry in entries]))

    def _scalar(self, node: yaml.ScalarNode, line: int, column: int) -> Scalar:
        text = node.value
        if _SURROGATE.search(text):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if "\ufffd" in text and "\ufffd" not in node.value:
                message = "an escape for half a character"
                raise YamlError(message, line, column, "write the character itself")
        if not isinstance(node, _Tagged):
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
            value = self.node(value_node)
            if key.plain and key.text == "<<":
                self._merge(value, inherited)
            else:
                own.append(Entry(key, value))
        yield from (entry for name, entry in inherited.items() if name not in lines)
        yield from own

    def _key(self, node: Any, lines: dict[str, int]) -> Scalar:
        key = self.node(node)
        assert isinstance(key, Scalar)  # noqa: S101 - the composer refuses other keys
        if not key.text or key.tag == "null" or (key.plain and key.text in _NULLS):
            raise YamlError("an empty key", key.line, key.column, "give it a name, or put it in quotes")
        if key.text in lines:
            message = f"the key '{printable(key.text, 60)}' is given twice, first on line {lines[key.text]}"
            self.duplicates.append(YamlError(message, key.line, key.column, "remove one"))
        lines.setdefault(key.text, key.line)
        return key

    def _merge(self, value: Node, inherited: dict[str, Entry]) -> None:
        for mapping in value.items if isinstance(value, Sequence) else (value,):
            if not isinstance(mapping, Mapping):
                hint = "put the key in quotes if it is one"
                raise YamlError("'<<' takes a mapping or a list of mappings", value.line, value.column, hint)
            self._merged += len(mapping.entries)
            if self._merged > _MOST_VALUES:
                raise YamlError(_TOO_LARGE, value.line, value.column, "is it the right file?")
            for entry in mapping.entries:
                inherited.setdefault(entry.key.text, entry)


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
