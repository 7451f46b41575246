"""The vast.ai instance that a process was started in, which costs money until it is stopped."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from arkworker.settings.platform import Settings
    from arkworker.settings.resolution import Resolution

logger = logging.getLogger("arkworker")

#: What the settings of an instance are read from, without what they can do without.
_NEEDED = (("bootstrap",), ("container_id",), ("container_api_key",), ("vast_url",))
_OF_THE_NETWORK = (("api", "ca_bundle"), ("user_agent",))


@contextmanager
def instance_stopped_after(argv: Sequence[str], environ: Mapping[str, str]) -> Iterator[None]:
    """Stop the vast.ai instance that this process was started in, however it ends: it costs money while it runs.

    Also after a bad flag or an import that fails, hence by the environment, an env file and `--bootstrap` alone.
    """
    try:
        yield
    finally:
        settings = _instance_settings(argv, environ)
        if settings is not None and settings.container_id and settings.container_api_key:
            from arkworker.arkindex.bootstrap import stop_instance
            from arkworker.runtime.preparation import connection_of

            token = settings.container_api_key.get_secret_value()
            stop_instance(connection_of(settings), settings.vast_url, settings.container_id, token)


def _instance_settings(argv: Sequence[str], environ: Mapping[str, str]) -> Settings | None:
    """What is known of the instance, whatever else is wrong with the settings; None where nothing is to be stopped."""
    typed = [word for name, word in pairwise([*argv, ""]) if name == "--env-file"]
    files = [*typed, *(word.partition("=")[2] for word in argv if word.startswith("--env-file="))]
    if "CONTAINER_API_KEY" not in environ and not files:
        return None
    from arkworker.cli.parser import Parser
    from arkworker.settings.catalogue import WorkerOptions
    from arkworker.settings.platform import variable_of
    from arkworker.settings.resolution import Inputs, resolve
    from arkworker.settings.sources.source import PLATFORM_FIELDS

    bare = WorkerOptions("TARGET")

    def known(flags: list[str], variables: Mapping[str, str]) -> Resolution:
        return resolve(bare, Inputs(Parser("TARGET", bare, flags).parse(flags), variables))

    flags = [f"--env-file={file}" for file in files] + [word for word in argv if word == "--bootstrap"]
    claims = known(flags, environ).ledger.claims
    if ("bootstrap",) not in claims:
        return None
    for paths in ((*_NEEDED, *_OF_THE_NETWORK), _NEEDED):
        # Once more, with nothing else that could be wrong.
        variables = {variable_of(PLATFORM_FIELDS[path]) or "": claims[path].value for path in paths if path in claims}
        found = known([], {name: _plain(value) for name, value in variables.items()})
        if not found.ledger.problems:
            return found.settings if found.settings.bootstrap else None
    logger.error("The instance is not stopped: TASK_BOOTSTRAP, CONTAINER_ID, CONTAINER_API_KEY or VAST_URL is wrong")
    return None


def _plain(value: Any) -> str:
    reveal = getattr(value, "get_secret_value", None)
    return str(reveal() if reveal else value)
