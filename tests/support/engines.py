"""Factories of executors for `--executor`, by the path of this file."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from typing import Any


def processes() -> Executor:
    """Two processes, started anew."""
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


def threads() -> Executor:
    """Two threads: what works on elements is in processes of its own all the same."""
    return ThreadPoolExecutor(2)


class Retrying(ThreadPoolExecutor):
    """Runs a call again when the process that ran it was killed, as Dask does."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        def run() -> Any:
            while True:
                with processes() as engine:
                    try:
                        return engine.submit(fn, *args, **kwargs).result()
                    except BrokenExecutor:
                        pass

        return super().submit(run)


class Elsewhere(ProcessPoolExecutor):
    """Runs shares as a machine does that has no folder of the caller's."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        (share,) = args
        return super().submit(fn, replace(share, attempts="/not/on/this/machine"), **kwargs)


def retrying() -> Executor:
    return Retrying(1)


def elsewhere() -> Executor:
    return Elsewhere(1, multiprocessing.get_context("spawn"))


def nothing() -> object:
    return object()


def failing() -> Executor:
    raise OSError("no cluster today")
