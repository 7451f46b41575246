"""No test sees the environment, the home or the settings of the person who runs it."""

from __future__ import annotations

import os
import signal
import tempfile

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["arkworker.testing.fixtures"]

FOREIGN_PREFIXES = ("ARKINDEX_", "PONOS_", "TASK_", "SLURM_", "VAST_", "CONTAINER_", "XDG_")
FOREIGN_NAMES = {"SKIP_TASK_ELEMENTS", "GNUPGHOME", "REQUESTS_USER_AGENT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
# Terminals: what is printed must not depend on them.
FOREIGN_NAMES |= {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "PY_COLORS"}

# What `nohup` and `&` let their commands ignore, arkworker ignores as well: its tests are not about that.
for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGINT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    max_examples=50,
    database=None,
    # The autouse fixture below has function scope and holds nothing that an example changes.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("campaign", settings.get_profile("default"), derandomize=False, max_examples=2000)


def pytest_configure(config: pytest.Config) -> None:
    """Search longer and elsewhere each time in a campaign, at the same places otherwise."""
    settings.load_profile("campaign" if config.option.markexpr == "campaign" else "default")


def is_foreign(name: str) -> bool:
    """Whether a variable could change what a test sees."""
    return name in FOREIGN_NAMES or name.startswith(FOREIGN_PREFIXES) or name.lower().endswith("_proxy")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in filter(is_foreign, list(os.environ)):
        monkeypatch.delenv(name)
    # Not mktemp, which counts the directories that are there each time.
    monkeypatch.setenv("HOME", tempfile.mkdtemp(prefix="home-", dir=tmp_path_factory.getbasetemp()))
