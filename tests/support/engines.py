"""Factories of executors for `--executor`, by the path of this file."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor


def processes() -> Executor:
    """Two processes, started anew."""
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


def threads() -> Executor:
    """Two threads: what works on elements is in processes of its own all the same."""
    return ThreadPoolExecutor(2)


def nothing() -> object:
    return object()


def failing() -> Executor:
    raise OSError("no cluster today")
