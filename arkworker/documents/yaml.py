"""One YAML (or JSON) document as nodes with positions, within limits that hold while it is read.

`yaml.compose` composes it, by a composer that makes nodes of ours and refuses more: keys given twice, keys that are not
text, tags outside the core, aliases that expand to more than a document may hold.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import yaml
from yaml.composer import Composer

from arkworker.documents.nodes import Entry, Mapping, Node, Scalar, Sequence, YamlError, gather, is_null, resolve_scalar
from arkworker.documents.text_file import place_after
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

# All that YAML 1.1 does not allow: control characters, surrogates, non-characters.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Directives: libyaml takes time by the square of their number.
_DIRECTIVE = re.compile("(?:^|[\r\x85\u2028\u2029])%", re.MULTILINE)
_MOST_DIRECTIVES = 20
# JSON's way to write characters beyond U+FFFF.
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
    duplicates: list[YamlError] = []
    loader = _PythonLoader if json_pairs and _PAIR.search(text) else _Loader
    try:
        root: Any = yaml.compose(text, Loader=partial(loader, duplicates, most_aliases))  # type: ignore[arg-type]
    except YamlError as error:
        return None, [*duplicates, error]
    except yaml.MarkedYAMLError as error:
        return None, [_explain(error, text)]
    except Exception as error:  # noqa: BLE001 PyYAML also raises KeyError, ValueError, AttributeError, RecursionError
        return None, [YamlError(f"not valid YAML ({type(error).__name__})", 1, 1)]
    is_nothing = isinstance(root, Scalar) and root.plain and not root.text
    return None if is_nothing else root, duplicates


def _forbidden(text: str) -> YamlError | None:
    if len(text) > _MOST_BYTES or len(text.encode(errors="surrogatepass")) > _MOST_BYTES:
        return YamlError(f"larger than {_MOST_BYTES:,} bytes", 1, 1, "is it the right file?")
    if len(_DIRECTIVE.findall(text)) > _MOST_DIRECTIVES:
        return YamlError(f"more than {_MOST_DIRECTIVES} lines begin with '%'", 1, 1, "is it the right file?")
    found = _FORBIDDEN.search(text)
    if found:
        message = f"the character U+{ord(found.group()):04X} is not allowed in YAML"
        hint = "remove it, or write it as an escape in double quotes"
        return YamlError(message, *place_after(text[: found.start()]), hint)
    return None


class _Composer(Composer):
    """Composes nodes of ours from the events of a parser: ends at the first that is wrong, too deep or too much.

    Attributes:
        duplicates: Keys given twice: they end nothing, so that all are found.
    """

    parser: ClassVar[Any]
    get_event: Callable[[], Any]  # of the parser
    peek_event: Callable[[], Any]

    def __init__(self, duplicates: list[YamlError], most_aliases: int, text: str) -> None:
        self.parser.__init__(self, text)
        Composer.__init__(self)
        self.duplicates = duplicates
        self._most_aliases = most_aliases
        self._aliases = self._levels = self._size = 0
        self._last_line = 1  # that holds something of what was read
        # What each names, and its size with aliases written out; None while it is not complete.
        self.anchors: dict[str, Any] = {}

    def compose_document(self) -> Any:
        document = super().compose_document()
        after = self.peek_event()
        if not isinstance(after, yaml.StreamEndEvent):
            hint = "a file holds one: remove the line '---' and what follows"
            raise _error("a second document", after.start_mark, hint)
        return document

    def compose_node(self, parent: Any, index: Any) -> Any:
        del parent, index  # it is asked for the root
        return self._node(self.get_event())

    def _node(self, event: Any, key: str = "") -> Node:
        """The node that an event begins, below a key, directly or in lists."""
        if isinstance(event, yaml.AliasEvent):
            return self._written_out(event, key)
        anchor, size_before = event.anchor, self._size
        if anchor in self.anchors:
            hint = "rename one, or put text that begins with '&' in quotes"
            raise _error("this anchor is given twice", event.start_mark, hint)
        if anchor is not None:
            self.anchors[anchor] = None
        node = self._scalar(event) if isinstance(event, yaml.ScalarEvent) else self._collection(event, key)
        if anchor is not None:
            self.anchors[anchor] = node, self._size - size_before
        return node

    def _written_out(self, event: Any, key: str) -> Node:
        self._aliases += 1
        if event.anchor not in self.anchors:
            hint = "put text that begins with '*' in quotes"
            raise _error("this alias has no anchor before it", event.start_mark, hint)
        if self._aliases > self._most_aliases:
            raise _error(f"more than {self._most_aliases} aliases", event.start_mark, "write the values out")
        anchored: tuple[Node, int] | None = self.anchors[event.anchor]
        if anchored is None:
            under = f", below the key '{printable(key, 60)}'" if key else ""
            message = f"this alias refers to a value that contains it{under}"
            raise _error(message, event.start_mark, "write the value out")
        node, size = anchored
        self._count(event, size, _levels(node))
        self._reach(event)
        return node

    def _scalar(self, event: Any) -> Scalar:
        text, (line, column) = event.value, _start(event)
        self._count(event, 1 + len(text) // 16)
        self._reach(event)
        if _SURROGATE.search(text):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if "\ufffd" in text and "\ufffd" not in event.value:
                message = "an escape for half a character"
                raise YamlError(message, line, column, "write the character itself")
        tag = _tag(event, _SCALAR_TAGS, "a single value")
        is_plain = tag is None and not event.style and event.implicit[0]
        scalar = Scalar(text, is_plain, line, column, tag, end=self._last_line)
        if tag is not None:
            resolve_scalar(scalar)
        return scalar

    def _collection(self, event: Any, key: str) -> Node:
        self._count(event, 1, 1)
        self._levels += 1
        if isinstance(event, yaml.SequenceStartEvent):
            _tag(event, ("seq",), "a list")
            items = tuple(self._node(item, key) for item in self._inside(event))
            node: Node = Sequence(items, *_start(event), end=self._last_line)
        else:
            _tag(event, ("map",), "a mapping")
            node = Mapping(self._entries(event), *_start(event), end=self._last_line)
        self._levels -= 1
        return node

    def _entries(self, event: Any) -> tuple[Entry, ...]:
        lines: dict[str, int] = {}
        own: list[Entry] = []
        inherited: dict[str, Entry] = {}
        for key_event in self._inside(event):
            key = self._key(key_event, lines)
            value = self._node(self.get_event(), key.text)
            if key.plain and key.text == "<<":
                for entry in _merged(value):
                    inherited.setdefault(entry.key.text, entry)
            else:
                own.append(Entry(key, value))
        return (*(entry for name, entry in inherited.items() if name not in lines), *own)

    def _key(self, event: Any, lines: dict[str, int]) -> Scalar:
        if isinstance(event, yaml.CollectionStartEvent):
            raise _error(_NOT_A_KEY, event.start_mark, "put text that begins with a bracket in quotes")
        key = self._node(event)
        if not isinstance(key, Scalar):
            raise _error(_NOT_A_KEY, event.start_mark, "write the key out")
        line, column = _start(event)  # that of an alias, not of the anchor
        key = replace(key, line=line, column=column, end=self._last_line)
        if not key.text or is_null(key):
            raise YamlError("an empty key", line, column, "give it a name, or put it in quotes")
        if key.text in lines:
            message = f"the key '{printable(key.text, 60)}' is given twice, first on line {lines[key.text]}"
            self.duplicates.append(YamlError(message, line, column, "remove one"))
        lines.setdefault(key.text, line)
        return key

    def _inside(self, event: Any) -> Iterator[Any]:
        """The events of what lies in a collection, as long as who asks takes all that belongs to each."""
        while not isinstance(inner := self.get_event(), yaml.CollectionEndEvent):
            yield inner
        if event.flow_style:  # the end of a block stands where the next one begins
            self._reach(inner)

    def _count(self, event: Any, size: int, levels: int = 0) -> None:
        self._size += size
        if self._levels + levels > _MOST_LEVELS:
            raise _error(f"more than {_MOST_LEVELS} levels of lists and mappings", event.start_mark)
        if self._size > _MOST_VALUES:
            message = "too large: too many values, aliases and merge keys included"
            raise _error(message, event.start_mark, "is it the right file?")

    def _reach(self, event: Any) -> None:
        self._last_line = event.end_mark.line + (event.end_mark.column > 0)


class _PythonLoader(_Composer, yaml.SafeLoader):
    """PyYAML's own parser: slower than libyaml, but it takes each half of a pair of surrogates."""

    parser = yaml.SafeLoader


_FASTEST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Composer, _FASTEST):  # type: ignore[misc]
    """libyaml's parser, where there is one."""

    parser = _FASTEST


def _merged(value: Node) -> Iterator[Entry]:
    """What `<<` brings in, the strongest first."""
    for mapping in value.items if isinstance(value, Sequence) else (value,):
        if not isinstance(mapping, Mapping):
            hint = "put the key in quotes if it is one"
            raise YamlError("'<<' takes a mapping or a list of mappings", mapping.line, mapping.column, hint)
        yield from mapping.entries


def _levels(node: Node) -> int:
    """How many lists and mappings lie in one another in a node, at most."""
    if isinstance(node, Scalar):
        return 0
    parts = node.items if isinstance(node, Sequence) else [entry.value for entry in node.entries]
    return 1 + max(map(_levels, parts), default=0)


def _tag(event: Any, fitting: Collection[str], kind: str) -> str | None:
    """The name of a value's tag, such as `int`; None where it has none."""
    if event.tag in (None, "!"):
        return None
    name: str = event.tag.removeprefix(_CORE)
    if name == event.tag or name not in {*_SCALAR_TAGS, "seq", "map"}:
        # Named only when well known: a password may begin with '!'.
        shown = f"the tag !!{printable(name)}" if name.startswith(_KNOWN_TAGS) else "an unknown tag"
        hint = "remove it, or put text that begins with '!' in quotes"
        raise _error(f"{shown} is not allowed", event.start_mark, hint)
    if name not in fitting:
        raise _error(f"!!{name} does not fit {kind}", event.start_mark, "remove the tag")
    return name


def _start(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _error(message: str, mark: Any, hint: str = "") -> YamlError:
    return YamlError(message, mark.line + 1, mark.column + 1, hint)


_LONGEST_KEY = 1024  # characters, by YAML
_INDENT = "check the indentation, and put text that holds ': ' or ' #' in quotes"
#: What PyYAML says, both parsers of it, in part; what we say; the remedy; `<` where the place is where it begins, `^`
#: where it is the whole line.
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
    ("incompatible YAML", "a %YAML line with an unsupported version", "remove the line that begins with '%'", "^"),
    ("directive", "an unknown line that begins with '%'", "remove it", "^"),
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
    if mark is not None and text[mark.index : mark.index + 1] == ":":
        before = text[: mark.index]
        key_start = max(map(before.rfind, " \t\r\n{,")) + 1
        if mark.index - key_start > _LONGEST_KEY and not before[:key_start].rstrip(" ").endswith(":"):
            return YamlError(
                f"a key of more than {_LONGEST_KEY:,} characters", *place_after(before[:key_start]), "shorten it"
            )
    for part, message, hint, start in _ADVICE:
        if part in problem:
            line, column = _place((error.context_mark or mark) if start == "<" else mark, text)
            return YamlError(message, line, 1 if start == "^" else column, hint)
    return YamlError(f"not valid YAML: {printable(problem, limit=100)}", *_place(mark, text))


def _place(mark: Any, text: str) -> tuple[int, int]:
    if mark is None:
        return 1, 1
    # A parser that meets the end complains on the line after it, which does not exist.
    lines = text.rstrip().splitlines()
    if mark.line >= len(lines) > 0:
        return len(lines), len(lines[-1]) + 1
    return mark.line + 1, mark.column + 1
