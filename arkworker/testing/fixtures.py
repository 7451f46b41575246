"""The fixtures of the test kit by their short names, for the tests of a worker.

```python
pytest_plugins = ["arkworker.testing.fixtures"]  # in the conftest.py at the top, or in a test module
```

They are not there by default: `cache` would replace pytest's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.testing.contexts import MakeContext
    from arkworker.testing.expectations import Arkindex
    from arkworker.testing.invocation import Invoke


@pytest.fixture
def arkindex(arkworker_arkindex: Arkindex) -> Arkindex:
    """An Arkindex that expects exactly the requests that the test declares; no request leaves the process."""
    return arkworker_arkindex


@pytest.fixture
def make_context(arkworker_make_context: MakeContext) -> MakeContext:
    """Makes the context of a worker: `make_context(PageLines, {"threshold": 0.7})`."""
    return arkworker_make_context


@pytest.fixture
def cache(arkworker_cache: Session) -> Session:
    """A session of an empty cache in memory; committed at the end, as after an element."""
    return arkworker_cache


@pytest.fixture
def invoke(arkworker_invoke: Invoke) -> Invoke:
    """Runs a command line in this process: `invoke("run", PageLines, "--element", element_id)`."""
    return arkworker_invoke
