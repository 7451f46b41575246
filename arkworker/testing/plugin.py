"""The pytest plugin, in every pytest that has arkworker installed: its names cannot meet those of another project.

`arkworker.testing.fixtures` gives them short names where a test asks for that. Fixtures import what they need when a
test asks for them, and nothing before. This module has no hooks, and uses nothing that an old pytest does not know: it
is loaded by that of every project in the environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from arkworker.testing.contexts import MakeContext
    from arkworker.testing.expectations import Arkindex
    from arkworker.testing.invocation import Invoke

_NAME = "arkworker_arkindex"


@pytest.fixture
def arkworker_arkindex(request: pytest.FixtureRequest) -> Iterator[Arkindex]:
    """An Arkindex that expects exactly the requests that the test declares; no request leaves the process."""
    try:
        from arkworker.testing.expectations import emulate, watch
    except ModuleNotFoundError as error:
        if error.name == "requests_mock":
            pytest.fail("the fixture arkindex needs requests-mock: pip install 'arkworker[testing]'", pytrace=False)
        raise

    with emulate() as arkindex:
        watch(request, arkindex)
        yield arkindex
        arkindex.verify()


@pytest.fixture
def arkworker_make_context(request: pytest.FixtureRequest, tmp_path: Path) -> MakeContext:
    """Makes the context of a worker: `make_context(PageLines, {"threshold": 0.7})`."""
    from arkworker.testing.contexts import MakeContext

    return MakeContext(tmp_path, _requested_arkindex(request))


@pytest.fixture
def arkworker_cache() -> Iterator[Session]:
    """A session of an empty cache in memory; committed at the end, as after an element."""
    from arkworker.storage.cache import open_cache, session_scope

    engine = open_cache(None)
    try:
        with session_scope(engine) as session:
            yield session
    finally:
        engine.dispose()


@pytest.fixture
def arkworker_invoke(request: pytest.FixtureRequest, tmp_path: Path) -> Invoke:
    """Runs a command line in this process: `invoke("run", PageLines, "--element", element_id)`."""
    from arkworker.testing.invocation import Invoke

    def get_arkindex() -> Arkindex:
        return request.getfixturevalue(_NAME)  # type: ignore[no-any-return]  # of the fixture above

    return Invoke(tmp_path, _requested_arkindex(request), get_arkindex)


def _requested_arkindex(request: pytest.FixtureRequest) -> Arkindex | None:
    return request.getfixturevalue(_NAME) if _NAME in request.fixturenames else None
