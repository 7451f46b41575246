"""The content of a secret, once loaded, as the type that its option wants; no message holds any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from arkworker.documents.yaml import parse_yaml
from arkworker.frozen import freeze
from arkworker.options.configuration import BY_SETTINGS
from arkworker.options.options import alternatives, key_of, parts_of
from arkworker.options.secret import Secret
from arkworker.settings.reading import Refused, read_data, read_node, read_text
from arkworker.settings.report.messages import is_of_author, message_of
from arkworker.settings.report.redaction import REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable


class ContentError(Exception):
    """The content of a secret is not what its option wants; the message holds none of it."""


MOST_SAID = 3  # of what is wrong with one content


def read_secret(content: Any, annotation: Any) -> Secret[Any]:
    """Validate a loaded content as its type.

    Args:
        content: Text, or data that was parsed by the suffix of the secret's name.
        annotation: The `T` of `Secret[T]`; text that is JSON or YAML is parsed where it asks for more than text.

    Raises:
        ContentError: The content is not a `T`; the message names fields of `T` at most.
    """
    if annotation in (Any, object):
        return Secret(freeze(content))
    token = BY_SETTINGS.set(True)
    try:
        plain = _plain(content, annotation)
        if not isinstance(plain, Refused):
            return Secret(TypeAdapter(annotation).validate_python(plain))
        lines: Iterable[Any] = plain.lines
    except ValidationError as error:
        lines = error.errors(include_url=False, include_input=False)
    except Exception:  # noqa: BLE001 - a parser, or a validator of the author, whose words may hold the content
        lines = ({"type": "unreadable", "loc": (), "msg": "not readable as its type"},)
    finally:
        BY_SETTINGS.reset(token)
    said = [(line["loc"], REFUSED if is_of_author(line) else message_of(line)) for line in lines]
    known = _known_names(annotation)
    message = "; ".join(dict.fromkeys(_say(steps, words, known) for steps, words in said[:MOST_SAID]))
    raise ContentError(f"the content of this secret is refused: {message}")


def _plain(content: Any, annotation: Any) -> Any:
    if not isinstance(content, str):
        return read_data(content, annotation)
    if str in alternatives(annotation):
        return content
    if any(_is_structure(member) for member in alternatives(annotation)):
        node = parse_yaml(content)
        return content if node is None else read_node(node, annotation)
    return read_text(content.strip(), annotation)


def _is_structure(member: Any) -> bool:
    origin = getattr(member, "__origin__", member)
    return isinstance(origin, type) and (issubclass(origin, BaseModel) or origin in (dict, list, tuple, set, frozenset))


def _known_names(annotation: Any) -> set[str]:
    models = (part for part in parts_of(annotation) if isinstance(part, type) and issubclass(part, BaseModel))
    return {key_of(name, field) for model in models for name, field in model.model_fields.items()}


def _say(steps: Iterable[int | str], words: str, known: set[str]) -> str:
    # A key that the type does not know may be part of the secret itself.
    shown = [str(step) if str(step).isdecimal() or step in known else "…" for step in steps]
    return f"{'.'.join(shown)}: {words}" if shown else words
