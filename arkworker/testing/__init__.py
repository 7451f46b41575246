"""The public test kit: a pytest plugin, and an emulated Arkindex (`arkworker.emulator`).

Importing this package costs nothing; what needs the extra `testing` is imported where it is used. The fixtures
`arkworker_make_context`, `arkworker_cache`, `arkworker_invoke` and `arkworker_arkindex` are there in every pytest that
has arkworker installed; `make_context`, `cache`, `invoke` and `arkindex` where `arkworker.testing.fixtures` is among
the `pytest_plugins` of the tests. The names below annotate them.

`standard_tests` makes the tests that every worker should pass, `bind_element` elements that a worker can
read from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.lazy import lazy_names

if TYPE_CHECKING:
    from arkworker.testing.contexts import MakeContext as MakeContext, bind_element as bind_element
    from arkworker.testing.expectations import Arkindex as Arkindex, Expectation as Expectation, Received as Received
    from arkworker.testing.invocation import Invocation as Invocation, Invoke as Invoke
    from arkworker.testing.suite import standard_tests as standard_tests
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Arkindex": "expectations",
            "Expectation": "expectations",
            "Invocation": "invocation",
            "Invoke": "invocation",
            "MakeContext": "contexts",
            "Received": "expectations",
            "bind_element": "contexts",
            "standard_tests": "suite",
        },
    )

__all__ = [
    "Arkindex",
    "Expectation",
    "Invocation",
    "Invoke",
    "MakeContext",
    "Received",
    "bind_element",
    "standard_tests",
]
