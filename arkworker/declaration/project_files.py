"""The files of a new project that are the same for all; `@name@` is filled in."""

from __future__ import annotations

from arkworker.declaration.generation import Body

SHAPE_BODY = Body(
    (
        "box = element.bounding_box",
        "if abs(box.width - box.height) <= context.config.tolerance * box.height:",
        '    shape = "square"',
        "else:",
        '    shape = "landscape" if box.width > box.height else "portrait"',
        'logger.info("%s is %s", element, shape)',
        "yield Classification(class_name=shape, confidence=1.0)",
    ),
    frozenset({"Classification"}),
)

STANDARD_TESTS = '''\
"""What every worker should pass, and the files that stand beside the code."""

from __future__ import annotations

from pathlib import Path

import pytest
from arkworker.testing import Invoke, standard_tests

@imports@

pytest_plugins = ["arkworker.testing.fixtures"]

PROJECT = Path(__file__).parents[1]
@workers@

@tests@


def test_the_declarations_are_valid(invoke: Invoke) -> None:
    """By the rules of Arkindex."""
    done = invoke("validate", PROJECT / "arkindex")

    assert done.code == 0, done.err


@pytest.mark.parametrize(("worker", "slug"), WORKERS)
def test_the_example_configuration_is_valid(
    invoke: Invoke, worker: type[object], slug: str
) -> None:
    """Everything up to the code of the worker, without network."""
    config = PROJECT / "config" / f"{slug}.yml"

    done = invoke("check", worker, "--dev", "--offline", "-c", config)

    assert done.code == 0, done.err
'''

SHAPE_TESTS = '''\
"""The worker tells the shape of pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from arkworker import Classification, Element

@imports@

if TYPE_CHECKING:
    from arkworker.testing import Arkindex, Invoke, MakeContext
    from sqlalchemy.orm import Session

pytest_plugins = ["arkworker.testing.fixtures"]

PAGE = "0c1fbe0e-54d9-4f25-8a28-0a5a4cd0a1b3"


def page(width: int, height: int) -> dict[str, Any]:
    """A page as Arkindex describes it."""
    polygon = [[0, 0], [0, height], [width, height], [width, 0], [0, 0]]
    image = {"width": width, "height": height, "url": "https://iiif.example/page"}
    zone = {"polygon": polygon, "image": image}
    return {"id": PAGE, "type": "page", "name": "1", "zone": zone}


@pytest.mark.parametrize(
    ("size", "shape"),
    [((100, 140), "portrait"), ((140, 100), "landscape"), ((100, 105), "square")],
)
def test_the_shape_of_a_page(
    make_context: MakeContext, cache: Session, size: tuple[int, int], shape: str
) -> None:
    """By the width and the height of its polygon; what is found is what it returns."""
    element = Element.from_api(page(*size))
    context = make_context(@class@, {"tolerance": 0.1})

    results = list(@class@().process_element(element, context, cache))

    assert results == [Classification(class_name=shape, confidence=1.0)]


def test_a_run(invoke: Invoke, arkindex: Arkindex) -> None:
    """The whole command line, with an Arkindex that knows no more than it is told."""
    arkindex.expect("RetrieveElement", page(100, 140), id=PAGE)

    done = invoke("run", @class@, "--element", PAGE)

    assert (done.code, "1 processed" in done.err) == (0, True)
'''

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "@name@"
version = "0.1.0"
description = "A worker for Arkindex"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["arkworker[image]"]

[project.optional-dependencies]
dev = ["arkworker[testing]", "mypy>=1.15", "ruff>=0.11"]

[project.scripts]
@scripts@

[tool.hatch.build.targets.wheel]
packages = ["@package@"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]

[tool.mypy]
strict = true
files = ["@package@", "tests"]
"""

DOCKERFILE = """\
FROM python:3.12-slim

WORKDIR /src
COPY pyproject.toml README.md ./
COPY @package@ @package@
RUN pip install --no-cache-dir .

CMD ["@command@"]
"""

GITIGNORE = """\
__pycache__/
.mypy_cache/
.pytest_cache/
.ruff_cache/
.venv/
dist/
"""

CI = """\
test:
  image: python:3.12-slim
  script:
    - pip install --editable '.[dev]'
    - ruff format --check .
    - ruff check .
    - mypy
    - pytest
"""

PRE_COMMIT = """\
repos:
  - repo: local
    hooks:
      - id: declaration
        name: the declaration agrees with the code
        language: system
        pass_filenames: false
        files: ^(arkindex|@package@)/
        entry: |-
          sh -c '
@hooks@
          '
      - id: arkworker-validate
        name: the declaration is valid
        language: system
        files: ^arkindex/[^/]+\\.ya?ml$
        entry: python -m arkworker validate
"""

README = """\
# @name@

A worker for Arkindex, built on arkworker. `@package@/worker.py` holds its options and its work.

In the environment that arkworker is installed in:

```
pip install --editable '.[dev]'
pytest
```

On an emulated Arkindex, as in production; http://127.0.0.1:8000 shows what is found, until Ctrl-C:

```
arkworker serve desk/@first@.yml -- @command@
```

At a desk with no Arkindex at all, on images of yours:

```
@command@ --dev --image page.jpg
```

What each option is, and where its value comes from:

```
arkworker explain @target@ --dev -c config/@first@.yml
```

On elements of your Arkindex, which stays as it is:

```
export ARKINDEX_API_URL=https://… ARKINDEX_API_TOKEN=…
@command@ --dev -c config/@first@.yml --element ID
```

After a change of the options, write what Arkindex is told of them:

```
arkworker schema @target@ --output arkindex/@first@.yml
```

The image is built with `docker build .`, and its command is `@command@`.
"""
