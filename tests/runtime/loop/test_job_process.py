"""What a process of several tells the one that started it."""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import socket
from typing import TYPE_CHECKING

from arkworker.runtime.lifecycle import run_job
from arkworker.runtime.loop.channel import Inbox, Say, send
from arkworker.runtime.loop.job_process import Order, Terms

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_process_in_which_the_worker_cannot_be_imported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its parent hears why, and says so; the process itself shows nothing."""
    terms = Terms("not_there:Worker", str(tmp_path), b"", "", False, False, False, logging.WARNING, is_json=False)
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = multiprocessing.get_context("spawn").Process(target=run_job, args=(theirs,))
            process.start()
        send(ours, Order(terms, tmp_path / "notes", tmp_path / "lock"))
        process.join()
        (content,) = Inbox(ours).read()

    said, error, _ = pickle.loads(content)
    assert (said, str(error)) == (Say.BROKEN, "there is no module not_there")
    assert (process.exitcode, capfd.readouterr().err) == (0, "")
