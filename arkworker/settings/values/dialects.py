"""How plain text is read, which differs from place to place: files, variables and flags, payloads."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Dialect:
    """How plain text is read.

    Attributes:
        true, false: The words for booleans, in lower case.
        null: The words for null, in lower case.
        null_text: Whether a null word is null for an option that takes text, too.
        strings_are_plain: Strings in data are text of any type; else they are text and nothing more.
        refuses_unknown: Names inside a value that no model knows are refused, even where the model would ignore them.
    """

    true: frozenset[str]
    false: frozenset[str]
    null: frozenset[str]
    null_text: bool
    strings_are_plain: bool = False
    refuses_unknown: bool = False


#: YAML files: the words of YAML 1.1, as far as the type of the option asks for them.
FILE = Dialect(
    true=frozenset({"true", "yes", "on"}),
    false=frozenset({"false", "no", "off"}),
    null=frozenset({"", "~", "null"}),
    null_text=True,
    refuses_unknown=True,
)
#: Variables and flags hold nothing but text, so `1` and `0` are booleans where one is asked for.
TEXT = replace(FILE, true=FILE.true | {"1"}, false=FILE.false | {"0"}, null=frozenset({"null"}), null_text=False)
#: Contents of secrets: files, but whose they are is not ours to say.
SECRET = replace(FILE, refuses_unknown=False)
#: Payloads are typed; only the values of a `dict`, which Arkindex keeps as strings, are read by type.
PAYLOAD = Dialect(frozenset(), frozenset(), frozenset(), null_text=False)
PAYLOAD_DICT = replace(TEXT, strings_are_plain=True, refuses_unknown=False)
