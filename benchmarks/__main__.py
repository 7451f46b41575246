"""`python -m benchmarks [CASE …] [--rounds N]`: one table of all cases, or of those that are named."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import api_call, archives, cache, elements, pages, startup
from benchmarks.harness import LAST_WITH_CACHE, PEER, Place, measure, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.harness import Case, Outcome

CASES = {case.name: case for module in (startup, api_call, elements, pages, cache, archives) for case in module.CASES}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"one of: {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, help="turns of each subject; by default what suits the case")
    flags = parser.parse_args()
    if unknown := set(flags.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    if not (PEER.exists() and LAST_WITH_CACHE.exists()):
        parser.error("the published releases are not installed: `make bench` does it")
    chosen = [CASES[name] for name in flags.cases] or [case for case in CASES.values() if not case.asked]
    outcomes: list[Outcome] = []
    try:
        outcomes.extend(measured(chosen, flags.rounds))
    finally:  # a quarter of an hour is not to be lost with the last case
        print(table(outcomes))
        for outcome in outcomes:
            if outcome.busy:
                print(f"! {outcome.case.name} is not to be believed: {outcome.busy}.")


def measured(cases: Iterable[Case], rounds: int | None) -> Iterator[Outcome]:
    """One case after the other, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="arkworker-bench-") as folder:
        for case in cases:
            start = time.perf_counter()
            with ExitStack() as stack:
                yield measure(case, Place(Path(folder), stack), rounds)
            print(f"{case.name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
