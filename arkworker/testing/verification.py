"""What a test expects of its Arkindex is part of the test itself: it fails there, not merely in what comes after it.

The hook for that is registered by the first test that has an Arkindex. Until then arkworker adds no hook to the tests
of anybody, and hardly matters to a pytest that is older than the extra `testing` asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from arkworker.testing.expectations import Arkindex

_ARKINDEX = pytest.StashKey["Arkindex"]()
_NAME = "arkworker-verification"


def watch(request: pytest.FixtureRequest, arkindex: Arkindex) -> None:
    """Verify an Arkindex when the test that asks for it has run."""
    request.node.stash[_ARKINDEX] = arkindex
    manager = request.config.pluginmanager
    if not manager.has_plugin(_NAME):
        manager.register(_Verification(), _NAME)


class _Verification:
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        try:
            result = yield
        except BaseException as error:
            if _ARKINDEX in item.stash and (mistakes := item.stash[_ARKINDEX].take_mistakes()):
                error.add_note(mistakes)
            raise
        if _ARKINDEX in item.stash:
            item.stash[_ARKINDEX].verify()
        return result
