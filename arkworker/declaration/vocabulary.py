"""What a declaration may say: keys, types and limits. Source: the answers of `teklia-worker-configuration` 0.2.4."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from arkworker.frozen import FrozenDict

if TYPE_CHECKING:
    from collections.abc import Mapping

USAGES = ("disabled", "supported", "required")
#: Types of a field that may have a default.
VALUE_TYPES = ("bool", "int", "float", "string", "text", "enum", "dict")
#: Types of a field that stand for something on Arkindex, or for other fields.
REFERENCE_TYPES = ("group", "model", "worker_version", "element_type", "corpus_export", "s3_bucket", "secret")
FIELD_TYPES = VALUE_TYPES + REFERENCE_TYPES
#: Types whose fields may take a list, with `many: true`.
MANY_TYPES = ("int", "float", "string", "worker_version", "element_type")

LONGEST_NAME = 100  # characters: slug, display_name and type of the worker
LONGEST_FIELD_NAME = 250  # characters: key and display_name of a field
FEWEST_CHOICES = 2

#: A final line break passes on Arkindex; it is warned about.
SLUG = re.compile(r"[-a-zA-Z0-9_]{1,100}\n?")
SHM_SIZE = re.compile(r"0*[1-9][0-9]*[bkmg]?")


class Vocabulary(NamedTuple):
    """The keys of one kind of mapping.

    Attributes:
        required: Keys that must be there.
        optional: Keys that may be there.
        hints: What to do about keys that people write, most of them from the former format `.arkindex.yml`.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    hints: Mapping[str, str] = FrozenDict()

    @property
    def known(self) -> tuple[str, ...]:
        return self.required + self.optional


_NO_VARIABLES = "variables are not declared: add a field under configuration"
WORKER = Vocabulary(
    ("slug", "display_name", "type", "description"),
    ("gpu_usage", "model_usage", "docker", "configuration"),
    {
        "name": "write display_name",
        "version": "remove it: the format has no version any more",
        "workers": "write a file for each worker in the folder arkindex; `arkworker import` reads this one",
        "user_configuration": "write a list of fields under configuration",
        "secrets": "add a field of type secret under configuration",
        "environment": _NO_VARIABLES,
    },
)
DOCKER = Vocabulary(
    (),
    ("command", "shm_size"),
    {
        "environment": _NO_VARIABLES,
        **dict.fromkeys(("build", "context", "image"), "remove it: the image is given when the worker is imported"),
    },
)
FIELD = Vocabulary(
    ("key", "display_name", "type"),
    ("help_text", "default", "many", "editable", "required", "choices", "children"),
    {
        "name": "write key, or display_name for what users see",
        "title": "write display_name",
        "description": "write help_text",
        "multiline": "write `type: text`",
        "subtype": "write that type under type, and `many: true`",
        "value": "write default",
        **dict.fromkeys(
            ("min", "max", "minimum", "maximum", "step", "pattern", "min_length", "max_length"),
            "remove it: Arkindex has no such limit; check it in the worker, and say it in help_text",
        ),
    },
)
#: What to write for types that people know from elsewhere.
TYPE_HINTS = {
    "str": "write string",
    "integer": "write int",
    "number": "write float",
    "boolean": "write bool",
    "list": "write the type of the items, and `many: true`",
    "array": "write the type of the items, and `many: true`",
    "choice": "write enum",
    "mapping": "write dict",
    "object": "write dict",
}
