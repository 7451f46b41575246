"""The file of a project, and the places in it that a mistake can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arkworker.documents.nodes import Mapping, Node, Sequence, to_python
from arkworker.documents.text_file import TextFileError, read_text_file
from arkworker.documents.yaml import parse_yaml
from arkworker.errors import ConfigurationError, Problem
from arkworker.text import printable

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = "project"

# Where something stands in the file of a project.
Loc = tuple[int | str, ...]


@dataclass(frozen=True)
class Source:
    """The file of a project, or its folder.

    Attributes:
        path: The file or the folder.
        root: What the file holds.
    """

    path: Path
    root: Node | None = None

    @property
    def folder(self) -> Path:
        """What names of other files start from."""
        return self.path if self.root is None else self.path.parent

    def refuse(self, loc: Loc, message: str, hint: str = "") -> ConfigurationError:
        """One problem at the place that a path of keys leads to."""
        name = printable(".".join(str(part) for part in loc))
        if self.root is None:
            return ConfigurationError([Problem(name, SOURCE, printable(str(self.path)), message, hint)])
        node = find(self.root, loc)
        place = f"{printable(str(self.path))}:{node.line}:{node.column}"
        return ConfigurationError([Problem(name, SOURCE, place, message, hint)])


def read_mapping(path: Path) -> tuple[dict[str, Any], Mapping]:
    """The mapping that a YAML file holds, and its node with positions.

    Raises:
        ConfigurationError: It is missing, not YAML, or something else.
    """
    try:
        root = parse_yaml(read_text_file(str(path)).text)
        content = None if root is None else to_python(root)
    except TextFileError as error:  # also of what is not YAML
        raise ConfigurationError([error.problem(SOURCE, str(path))]) from None
    if not isinstance(root, Mapping) or not isinstance(content, dict):
        place = printable(str(path))
        raise ConfigurationError([Problem("", SOURCE, place, "a mapping is needed, such as `corpus: Letters`")])
    return content, root


def find(node: Node, loc: Loc) -> Node:
    """The node that a path leads to, or the last one on the way."""
    for part in loc:
        if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        elif isinstance(node, Mapping):
            found = [entry.value for entry in node.entries if entry.key.text == str(part)]
            if not found:
                continue  # what a validator of ours put between, such as `sets` of a dataset
            node = found[0]
    return node


def is_target(worker: Any) -> bool:
    """Whether a project names a worker's code: `file.py:Name`, `module:Name`."""
    place, colon, name = worker.rpartition(":") if isinstance(worker, str) else ("", "", "")
    return bool(colon) and name.isidentifier() and (place.endswith(".py") or place.replace(".", "_").isidentifier())
