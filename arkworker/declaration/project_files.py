"""The files of a new project that are the same for all; `@name@` is filled in."""

from __future__ import annotations

GREETING_BODY = (
    'path = context.work_dir / "greeting.txt"',
    "lines = [context.config.greeting] * context.config.times",
    'path.write_text("\\n".join(lines) + "\\n", encoding="utf-8")',
    'logger.info("Wrote %s", path)',
)

TESTS = '''\
"""The worker agrees with what Arkindex is told of it, and works at a desk."""

from __future__ import annotations

from pathlib import Path

import pytest
from arkworker.cli import invoke

PROJECT = Path(__file__).parents[1]
@workers@


@pytest.mark.parametrize(("target", "slug"), WORKERS)
def test_the_declaration_agrees_with_the_code(target: str, slug: str) -> None:
    """Write it again with: python -m arkworker schema TARGET --output arkindex/SLUG.yml"""
    declaration = PROJECT / "arkindex" / f"{slug}.yml"

    assert invoke(["schema", target, "--check", str(declaration)]) == 0


def test_the_declarations_are_valid() -> None:
    """By the rules of Arkindex."""
    assert invoke(["validate", str(PROJECT / "arkindex")]) == 0


@pytest.mark.parametrize(("target", "slug"), WORKERS)
def test_the_example_configuration_is_valid(target: str, slug: str) -> None:
    """Everything up to the code of the worker, without network."""
    config = PROJECT / "config" / f"{slug}.yml"

    assert invoke(["check", target, "--dev", "--offline", "-c", str(config)]) == 0
'''

GREETING_TEST = '''

def test_the_greeting_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As often as it is asked for."""
    monkeypatch.setenv("PONOS_DATA", str(tmp_path))

    assert invoke(["run", WORKERS[0][0], "--dev", "--config.times", "2"]) == 0

    (greeting,) = tmp_path.rglob("greeting.txt")
    assert greeting.read_text(encoding="utf-8") == "Hello\\nHello\\n"
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
dependencies = ["arkworker"]

[project.optional-dependencies]
dev = ["mypy>=1.15", "pytest>=8.3", "ruff>=0.11"]

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

A worker for Arkindex, built on arkworker.

```
pip install --editable '.[dev]'
pytest

python -m arkworker explain @target@ --dev -c config/@first@.yml
python -m arkworker run @target@ --dev -c config/@first@.yml
```

`@package@/worker.py` holds the options and the work. After a change of the options, write what Arkindex is told:

```
python -m arkworker schema @target@ --output arkindex/@first@.yml
```

The image is built with `docker build .`, and its command is `@command@`.
"""
