"""The JSON Schema (2020-12) of a worker's configuration file.

What it says is what `check` does, in both directions, but for what JSON Schema cannot say:

- a plain number or word is text for an option that takes text, as in `name: 5`: schemas see a number;
- names with dots (`advanced.batch_size`) and the list under `configuration:`, which programs write;
- values that exist or not: the 30th of February, what is past or to come, a file, the port of an address, a network;
- limits of numbers in quotes, as of a `Decimal`; `max_digits` and `decimal_places`; integers as `1e3`;
- texts in a language of their own: regular expressions, base64, JSON, sizes (`5 MB`), fractions, complex numbers;
- numbers for `IPvAnyAddress` and `IPvAnyNetwork`, mappings for a `NamedTuple`, lists for `Hashable`;
- sets that list a value twice and have a least or a most length;
- keys given twice, by two names, or empty, limits on size and depth, numbers beyond 64 bits; validators of the author.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from arkworker.options.configuration import (
    UserConfiguration,
    given_by,
    is_part,
    needs_options,
    optional_group,
    with_all_names,
)
from arkworker.options.options import DEBUG, group_of, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel
    from pydantic_core import core_schema

    from arkworker.settings.catalogue import WorkerOptions

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: What a file may hold besides options; options are not called so.
_RESERVED: dict[str, dict[str, Any]] = {
    DEBUG: {"type": ["boolean", "null"], "description": "Log at level DEBUG."},
    "extras_dir": {
        "type": ["string", "null"],
        "minLength": 1,
        "description": "Directory with extra files, such as a model.",
    },
    "secrets": {
        "type": ["array", "null"],
        "items": {"type": "string", "minLength": 1},
        "description": "Names of secrets to load.",
    },
}
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?"
_MOMENT = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt _]{_TIME}"
_ZONE = "([Zz]|[-+][0-9]{2}:?[0-9]{2})"
_SECONDS = r":[0-9]{2}([.,][0-9]{1,9})?"
_CLOCK = rf"([0-9]{{2}}:[0-9]{{2}}({_SECONDS})?|[0-9]:[0-9]{{2}}{_SECONDS})"
#: The pattern of pydantic before 2.14, which leaves out the `1_000` that it takes.
_UNSEPARATED = r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"
_DECIMAL = r"^\s*[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?\s*$"
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"({_BYTE}\.){{3}}{_BYTE}"
_IPV6 = r"(?=[^%/]*::|([^:%/]*:){6,7}[^:]*$)[0-9a-fA-F:]+[0-9a-fA-F:.]*(%[^/]+)?"
_PREFIX4 = rf"(/(3[0-2]|[12]?[0-9]|{_IPV4}))?"
_PREFIX6 = "(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"
#: Of addresses on the web: an address of another scheme need not have a host.
_SPECIAL = ("http", "https", "ws", "wss", "ftp")
_HOST_AND_REST = r":[/\\]*[^/\\?#\s]+([/\\?#].*)?\s*$"
#: `format` says what is meant, and most validators do not look at it.
_FORMATS = {
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "date-time": rf"^{_MOMENT}.*$",
    "time": rf"^{_TIME} ?{_ZONE}?$",
    "duration": rf"^[-+]?([Pp][0-9YMWDTHSymwdths.,]+|([0-9]+ ?[Dd][a-zA-Z]*,? ?)?{_CLOCK}|[0-9]+ ?[Dd][a-zA-Z]*,?)$",
    "uuid": r"^(urn:uuid:|\{)?[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?$",
    **{
        f"uuid{version}": rf"^(urn:uuid:|\{{)?[0-9a-fA-F]{{8}}-?[0-9a-fA-F]{{4}}-?{version}[0-9a-fA-F]{{3}}"
        r"-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}\}?$"
        for version in range(1, 9)
    },
    "ipv4": rf"^{_IPV4}$",
    "ipv6": rf"^{_IPV6}$",
    "ipvanyaddress": rf"^({_IPV4}|{_IPV6})$",
    **dict.fromkeys(("ipv4network", "ipv4interface"), rf"^{_IPV4}{_PREFIX4}$"),
    **dict.fromkeys(("ipv6network", "ipv6interface"), rf"^{_IPV6}{_PREFIX6}$"),
    **dict.fromkeys(("ipvanynetwork", "ipvanyinterface"), rf"^({_IPV4}{_PREFIX4}|{_IPV6}{_PREFIX6})$"),
}


def _any_case(word: str) -> str:
    return "".join(f"[{letter.upper()}{letter}]" if letter.isalpha() else re.escape(letter) for letter in word)


def _address(schemes: Iterable[str] | None) -> str:
    """A pattern of addresses with some schemes, or any."""
    special = "|".join(_any_case(scheme) for scheme in _SPECIAL if schemes is None or scheme in schemes)
    if schemes is None:
        every = "|".join(map(_any_case, _SPECIAL))
        others = rf"(?!({every}):)[a-zA-Z][a-zA-Z0-9+.-]*"
    else:
        others = "|".join(_any_case(scheme) for scheme in schemes if scheme not in _SPECIAL)
    forms = [rf"({special}){_HOST_AND_REST}"] if special else []
    forms += [f"({others}):."] if others else []
    return rf"^\s*({'|'.join(forms)})"


#: What is read as a key of another type than text.
_KEYS = {
    "integer": r"^\s*[-+]?[0-9]+(_[0-9]+)*(\.0+)?\s*$",
    "number": _DECIMAL,
    "boolean": f"^({'|'.join(map(_any_case, ('true', 'false', 't', 'f', 'yes', 'no', 'y', 'n', 'on', 'off')))}|0|1)$",
}


class _Generator(GenerateJsonSchema):
    """What pydantic knows of some types and does not say."""

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        made, model = super().model_schema(schema), schema["cls"]
        # A `UserConfiguration` says itself what its fields may be called.
        is_plain = "properties" in made and not issubclass(model, UserConfiguration)
        return with_all_names(made, model) if is_plain else made

    def url_schema(self, schema: core_schema.UrlSchema) -> dict[str, Any]:
        return super().url_schema(schema) | {"pattern": _address(schema.get("allowed_schemes"))}

    def multi_host_url_schema(self, schema: core_schema.MultiHostUrlSchema) -> dict[str, Any]:
        return super().multi_host_url_schema(schema) | {"pattern": _address(schema.get("allowed_schemes"))}

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> dict[str, Any]:
        patterns = {"aware": rf"^{_MOMENT} ?{_ZONE}$", "naive": rf"^{_MOMENT}$"}
        pattern = patterns.get(str(schema.get("tz_constraint")))
        return super().datetime_schema(schema) | ({"pattern": pattern} if pattern else {})

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> dict[str, Any]:
        made = super().decimal_schema(schema)
        for part in made.get("anyOf", ()):
            if part.get("type") == "string" and part.get("pattern", _UNSEPARATED) == _UNSEPARATED:
                part["pattern"] = _DECIMAL
        return made

    def set_schema(self, schema: core_schema.SetSchema) -> dict[str, Any]:
        return _taking_twice(super().set_schema(schema))

    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> dict[str, Any]:
        return _taking_twice(super().frozenset_schema(schema))

    def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
        made = super().dict_schema(schema)
        if "patternProperties" in made:
            return made | {"additionalProperties": False}
        if "propertyNames" in made or "keys_schema" not in schema:
            return made
        keys = self.generate_inner(schema["keys_schema"])
        if keys.get("type") in _KEYS:
            return made | {"propertyNames": {"pattern": _KEYS[keys["type"]]}}
        return made | ({"propertyNames": keys} if keys.get("type") == "string" and len(keys) > 1 else {})


def _taking_twice(schema: dict[str, Any]) -> dict[str, Any]:
    """A set takes what is listed twice, but counts it once."""
    if schema.get("minItems", 0) < 2:
        schema.pop("uniqueItems", None)
    return schema


def as_json_schema(worker: WorkerOptions, description: str = "") -> dict[str, Any]:
    """The schema of the mapping that a configuration file holds."""
    schema: dict[str, Any] = {"$schema": DIALECT}
    if worker.configuration is None:
        return schema | {"title": worker.target, "description": description, "type": "object"}
    made = worker.configuration.model_json_schema(by_alias=True, schema_generator=_Generator)
    schema |= _exact(_closed(made, worker.configuration, made.get("$defs", {})))
    declared = schema.get("properties", {})
    schema["properties"] = declared | {name: of for name, of in _RESERVED.items() if name not in declared}
    if description:
        schema["description"] = description
    return schema


def _closed(schema: dict[str, Any], model: type[BaseModel], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a group without unknown options, which are refused whatever its model says of them."""
    if "$ref" in schema:
        found = definitions[schema["$ref"].rpartition("/")[2]]
        schema = found | {key: part for key, part in schema.items() if key != "$ref"}
    if "properties" not in schema:  # one that may be null
        parts = schema.get("anyOf", ())
        return schema | {
            "anyOf": [part if part.get("type") == "null" else _closed(part, model, definitions) for part in parts]
        }
    properties, required = dict(schema["properties"]), list(schema.get("required", ()))
    rules = list(schema.get("allOf", ()))
    for name, field in model.model_fields.items():
        if group := group_of(field.annotation):
            keys = keys_of(name, field)
            is_required = keys[0] in required or given_by(keys) in rules
            for key in filter(properties.get, keys):
                inner = properties[key] = _closed(properties[key], group, definitions)
                if is_part(field) and "anyOf" not in inner and not (is_required and needs_options(inner)):
                    properties[key] = optional_group(inner, inner)  # as a `UserConfiguration` says by itself
                    required = [one for one in required if one != key]
                    rules = [rule for rule in rules if rule != given_by(keys)]
    closed = {"properties": properties, "required": required, "allOf": rules, "additionalProperties": False}
    return {key: part for key, part in (schema | closed).items() if part or key not in ("required", "allOf")}


def _exact(schema: Any) -> Any:
    """The schema with a pattern for each format, and the tag of each union that one is chosen by."""
    if isinstance(schema, list):
        return [_exact(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    pattern = _FORMATS.get(schema["format"]) if isinstance(schema.get("format"), str) else None
    added: dict[str, Any] = {}
    if pattern and "pattern" not in schema and schema.get("type", "string") == "string":
        added["pattern"] = pattern
    if isinstance(schema.get("discriminator"), dict) and "oneOf" in schema:
        added["required"] = [schema["discriminator"]["propertyName"]]
    return {key: part if key in ("default", "examples") else _exact(part) for key, part in schema.items()} | added


def to_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
