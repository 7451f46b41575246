"""`schema --format arkindex`: the declaration file from the worker, and whether a file still agrees with it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from arkworker.cli.differences import difference
from arkworker.declaration.content import read_declaration, to_yaml
from arkworker.declaration.export import console_command, export
from arkworker.declaration.metadata import Declaration
from arkworker.errors import DeclarationError

if TYPE_CHECKING:
    from arkworker.documents.text_file import TextFile
    from arkworker.runtime.worker import Worker


def declaration_of(worker: Worker[Any]) -> str:
    """The declaration file of a worker.

    Raises:
        ConfigurationError: With every option that Arkindex has no words for.
        DeclarationError: What the author says of the worker is not a `Declaration`.
    """
    function = getattr(worker, "function", None)
    declaration = getattr(function, "declaration", worker.declaration)
    if not isinstance(declaration, Declaration):
        raise DeclarationError(f"{type(worker).__name__}.declaration: write it like declaration = Declaration(…)")
    content = export(
        worker.configuration,
        declaration,
        name=type(worker).__name__ if function is None else function.__name__,
        description=inspect.cleandoc(worker.__doc__ or ""),
        command=console_command(type(worker)) if function is None else None,
    )
    return to_yaml(content)


def disagreement(text: str, file: TextFile) -> list[str]:
    """The lines of a difference in substance; comments, order of keys and style of a file are its own.

    Raises:
        ConfigurationError: The file is not a valid declaration.
    """
    current = to_yaml(read_declaration(file))
    return list(difference(current, text, file.name))
