"""What each setting of the platform is for, as its author wrote it under the field: help, documentation, schemas."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from itertools import pairwise

from arkworker.settings import platform


@cache
def descriptions() -> dict[tuple[str, ...], str]:
    """What each field is for, by its path; none without the source of the package.

    As `use_attribute_docstrings` of pydantic, but only where they are shown: to read the source takes time.
    """
    texts: dict[tuple[str, ...], str] = {}
    try:
        module = ast.parse(inspect.getsource(platform))
    except OSError:
        return texts
    models = {part.name: part.body for part in module.body if isinstance(part, ast.ClassDef)}
    for above, model in (((), platform.Settings), (("api",), platform.ApiSettings)):
        for pair in pairwise(models[model.__name__]):
            match pair:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    texts[*above, name] = " ".join(text.split())
    return texts
