"""The pytest plugin, in every pytest that has arkworker installed: its names cannot meet those of another project.

`arkworker.testing.fixtures` gives them short names where a test asks for that. Fixtures import what they need when a
test asks for them, and nothing before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from arkworker.testing.contexts import MakeContext
    from arkworker.testing.expectations import Arkindex
    from arkworker.testing.invocation import Invoke

_NAME = "arkworker_arkindex"
_ARKINDEX = pytest.StashKey["Arkindex"]()


@pytest.fixture
def arkworker_arkindex(request: pytest.FixtureRequest) -> Iterator[Arkindex]:
    """An Arkindex that expects exactly the requests that the test declares; no request leaves the process."""
    try:
        from arkworker.testing.expectations import emulate
    except ModuleNotFoundError as error:
        if error.name == "requests_mock":
            pytest.fail("the fixture arkindex needs requests-mock: pip install 'arkworker[testing]'", pytrace=False)
        raise

    with emulate() as arkindex:
        request.node.stash[_ARKINDEX] = arkindex
        yield arkindex
        arkindex.verify()


@pytest.fixture
def arkworker_make_context(request: pytest.FixtureRequest, tmp_path: Path) -> MakeContext:
    """Makes the context of a worker: `make_context(PageLines, {"threshold": 0.7})`."""
    from arkworker.testing.contexts import ContextMaker

    return ContextMaker(tmp_path, _requested_arkindex(request)).make


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
    from arkworker.testing.invocation import Invoker

    def get_arkindex() -> Arkindex:
        return request.getfixturevalue(_NAME)  # type: ignore[no-any-return]  # of the fixture above

    return Invoker(tmp_path, _requested_arkindex(request), get_arkindex).invoke


def _requested_arkindex(request: pytest.FixtureRequest) -> Arkindex | None:
    return request.getfixturevalue(_NAME) if _NAME in request.fixturenames else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """The requests are part of the test: it fails, and not merely its end, where they are not as expected."""
    try:
        result = yield
    except BaseException as error:
        if _ARKINDEX in item.stash and (mistakes := item.stash[_ARKINDEX].take_mistakes()):
            error.add_note(mistakes)
        raise
    if _ARKINDEX in item.stash:
        item.stash[_ARKINDEX].verify()
    return result
