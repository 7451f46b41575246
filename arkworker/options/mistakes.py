"""What the author of a configuration must correct: found when its class is created, before anything runs."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, MutableSequence, MutableSet
from typing import TYPE_CHECKING, Any, get_origin

import pydantic
from pydantic import AliasChoices, AliasPath, BaseModel, RootModel, ValidationError
from pydantic_core import PydanticSerializationError, PydanticUndefined, to_jsonable_python

from arkworker.errors import DeclarationError
from arkworker.options.options import (
    DEBUG,
    RESERVED_KEYS,
    default_of,
    enumerate_options,
    group_of,
    is_secret_type,
    key_of,
    keys_of,
    parts_of,
)
from arkworker.text import printable

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from arkworker.options.options import Option

# Whether these hold depends on the machine and on what the author's code asks for, not on the declaration alone.
_DECIDED_LATER = ("missing", "value_error", "assertion_error", "path_not_", "path_exists", "path_does_not")
# The text "model.pt" for a path, a list for a tuple: what validation makes of them is what is meant.
_WRITTEN_OTHERWISE = re.compile("is_instance_of|(list|tuple|set|frozen_set|bytes|date|datetime|time|time_delta)_type")
# A value of these changes, or is made by no text.
_CHANGING = (deque, Counter, OrderedDict, defaultdict, bytearray, MutableSequence, MutableSet)
_READS = "reads the environment by itself, bypassing the worker's sources: derive it from UserConfiguration"
# What pydantic-settings marks so is part of a command line only; to import the marks would take time.
_OF_A_COMMAND = frozenset({"_CliPositionalArg", "_CliSubCommand", "_CliUnknownArgs"})
_MADE_BY_CODE = (type, Callable, Iterator, Iterable)


def mistakes_in(model: type[BaseModel]) -> Iterator[str]:
    """What is wrong with a configuration, one sentence each, without its name."""
    if _reads_by_itself(model):
        yield f"it {_READS}"
        return
    if not model.model_config.get("frozen"):
        yield "a configuration must stay frozen: write frozen=True in its model_config"
    if model.model_config.get("arbitrary_types_allowed"):
        yield "arbitrary types cannot be read from text: declare the text, and build the object from it in setup"
    if model.__private_attributes__:
        yield f"private attributes are mutable: {', '.join(model.__private_attributes__)}"
    for name, field in model.model_fields.items():
        yield from dict.fromkeys(f"{name}: {mistake}" for mistake in _field_mistakes(name, field))
    if _holds_itself(model):
        yield "a group cannot hold itself"
        return
    yield from _collisions(enumerate_options(model))
    yield from _default_mistakes(model)


def require_complete(model: type[BaseModel]) -> None:
    """Resolve what a model names and could not be found when it was declared.

    Raises:
        DeclarationError: It is nowhere to be found; or the model, now that it is known, holds a mistake.
    """
    try:
        model.model_rebuild()  # nothing, where it is complete
    except pydantic.PydanticUndefinedAnnotation as error:
        unknown = f"{model.__qualname__}: the type {printable(error.name or '')} is not known"
        raise DeclarationError(f"{unknown}: import it outside of `if TYPE_CHECKING`") from None


def _field_mistakes(name: str, field: FieldInfo) -> Iterator[str]:
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    if any(isinstance(choice, AliasPath) for choice in choices):
        yield "an option has a name, not a path: declare a group that holds it"
    if alias is not None and not all(map(_is_sound, keys_of(name, field))):
        yield "an alias cannot have '=', control characters or blanks around it"
    for key in RESERVED_KEYS.intersection(keys_of(name, field)):
        yield f"{key} has a meaning of its own in a configuration file: choose another name, or an alias"
    if DEBUG in keys_of(name, field) and bool not in list(parts_of(field.annotation)):
        yield "the option debug turns on DEBUG logging: declare it as bool, or choose another name"
    if hasattr(BaseModel, name):
        yield f'pydantic has its own {name}: choose another name; alias="{name}" keeps it for users'
    if any(getattr(mark, "__name__", "") in _OF_A_COMMAND for mark in field.metadata):
        yield "a worker has no subcommands or positional arguments: declare an option"
    if field.default_factory_takes_validated_data:
        yield "a default computed from other options cannot be shown beforehand: make it a property"
    for part in parts_of(field.annotation):
        yield from _type_mistakes(part)


def _is_sound(alias: str) -> bool:
    return alias != "" and alias == alias.strip() and "=" not in alias and alias.isprintable()


def _type_mistakes(part: Any) -> Iterator[str]:
    kind = get_origin(part) or part
    if not isinstance(kind, type):
        return
    if issubclass(kind, (pydantic.SecretStr, pydantic.SecretBytes)) or _is_foreign_secret(part):
        yield "use arkworker.Secret, which is loaded from its reference and never shown"
    elif _reads_by_itself(kind):
        yield f"{kind.__name__} {_READS}"
    elif issubclass(kind, RootModel):
        yield f"{kind.__name__} has no options: use its type itself"
    elif not _is_frozen(kind):
        yield f"{kind.__name__} is mutable: derive it from UserConfiguration"
    elif kind in _CHANGING:
        yield f"{_with_article(kind)} is mutable: use list, set or dict, which are frozen here"
    elif kind in _MADE_BY_CODE:
        yield f"{_with_article(kind)} cannot be read from text: declare a name for it, and look up the object in setup"


def _reads_by_itself(kind: type) -> bool:
    # A `BaseSettings`, whose import would take more time than the look at all else.
    return hasattr(kind, "settings_customise_sources")


def _with_article(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def _is_frozen(kind: type) -> bool:
    if issubclass(kind, BaseModel):
        return bool(kind.model_config.get("frozen"))
    return not dataclasses.is_dataclass(kind) or bool(kind.__dataclass_params__.frozen)  # type: ignore[attr-defined]


def _is_foreign_secret(part: Any) -> bool:
    origin = getattr(part, "__origin__", part)
    return isinstance(origin, type) and issubclass(origin, pydantic.Secret) and not is_secret_type(part)


def _holds_itself(model: type[BaseModel], outer: tuple[type[BaseModel], ...] = ()) -> bool:
    if model in outer:
        return True
    groups = (group_of(field.annotation) for field in model.model_fields.values())
    return any(_holds_itself(group, (*outer, model)) for group in groups if group)


def _collisions(options: tuple[Option, ...]) -> Iterator[str]:
    names: dict[str, Option] = {}
    variables: dict[str, Option] = {}
    for option in options:
        for name in option.names:
            if name in names:
                yield f"two options are called {name}"
            names[name] = option
        other = variables.setdefault(option.variable, option)
        if other is not option:
            yield f"{other.name} and {option.name} would both be read from {option.variable}: rename one"


def _default_mistakes(model: type[BaseModel]) -> Iterator[str]:
    """Defaults that their own type refuses, or that nothing can show."""
    converted = _refusals(model, strict=False)
    refused = {
        loc: line["msg"]
        for loc, line in _refusals(model, strict=True).items()
        if loc in converted or not _WRITTEN_OTHERWISE.fullmatch(line["type"])
    }
    for loc, message in refused.items():
        yield f"{'.'.join(map(str, loc))}: the default is refused: {message}"
    for name, field in model.model_fields.items():
        if not any(loc[0] == key_of(name, field) for loc in refused) and not _is_shown(field):
            yield f"{name}: the default cannot be written as JSON"


def _refusals(model: type[BaseModel], *, strict: bool) -> dict[tuple[int | str, ...], ErrorDetails]:
    try:
        model.__pydantic_validator__.validate_python({}, strict=strict)
    except ValidationError as error:
        lines = error.errors(include_url=False, include_input=False, include_context=False)
        return {line["loc"]: line for line in lines if line["loc"] and not line["type"].startswith(_DECIDED_LATER)}
    except Exception:  # noqa: BLE001 - an author's validator; it will raise again, and be seen, when it has values
        return {}
    return {}


def _is_shown(field: FieldInfo) -> bool:
    default = default_of(field)
    try:
        to_jsonable_python(None if default is PydanticUndefined else default)
    except PydanticSerializationError:
        return any(map(is_secret_type, parts_of(field.annotation)))
    return True
