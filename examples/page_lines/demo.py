"""What `make demo` does: an emulated Arkindex, the worker on it as in production, and a picture of what it found."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import shutil
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from picture import draw_pages, photograph

from arkworker.arkindex.client import Client, Connection
from arkworker.emulator import Emulator, add_project, run_worker
from arkworker.errors import ArkworkerError

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
PROJECT = HERE / "demo.yml"
WORKER = [sys.executable, "-m", "arkworker", "run", f"{HERE / 'worker.py'}:PageLines"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when every page was processed and there is a picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="folder for all that is made")
    parser.add_argument("--keep", action="store_true", help="serve until Ctrl-C, to look at the page in a browser")
    parser.add_argument("--draw", action="store_true", help="draw the picture, even where there is a browser")
    flags = parser.parse_args(argv)
    try:
        return demonstrate(flags.output, keep=flags.keep, draw=flags.draw)
    except (ArkworkerError, OSError) as error:
        sys.stderr.write(f"The demo failed: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def demonstrate(output: Path, *, keep: bool, draw: bool) -> int:
    place = output / "arkindex"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    with Emulator(database=place / "arkindex.sqlite", directory=place) as arkindex:
        run = add_project(arkindex, PROJECT)
        pages = list(arkindex.activity_states(run))
        say(f"An emulated Arkindex with {len(pages)} scanned pages on {arkindex.url}")
        say(f"The worker, as the platform would run it for worker run {run}:")
        code = run_worker(arkindex, run, WORKER, echo=tell_log)
        states = arkindex.activity_states(run)
        if code or set(states.values()) != {"processed"}:
            raise ArkworkerError(f"the worker ended with exit code {code}, its pages are {sorted(states.values())}")
        say("What is on the emulated Arkindex now:")
        client = Client(Connection(url=arkindex.url, token=arkindex.token))
        for page in pages:
            say(f"  {describe(client, page, run)}")
        picture = output / "page.png"
        picture.unlink(missing_ok=True)
        if not draw and photograph(f"{arkindex.url}/#{pages[0]}", picture):
            say(f"What a browser shows, without a screen: {picture}")
        else:
            draw_pages(client, pages).save(picture)
            say(f"The pages with what was found, drawn by Pillow in place of a browser: {picture}")
        if keep:
            with contextlib.suppress(KeyboardInterrupt):
                say(f"The page is on {arkindex.url}/#{pages[0]} until you press Ctrl-C.")
                threading.Event().wait()
    live = [sys.executable, "-m", "arkworker", "serve", str(PROJECT)]
    live += ["--database", str(place / "arkindex.sqlite"), "--directory", str(place)]
    say(f"To look at it in a browser: make demo KEEP=1, or\n  {shlex.join(live)}")
    return 0


def describe(client: Client, page: str, run: str) -> str:
    """What the worker run has left on a page, read back from the API."""
    name = client.request("RetrieveElement", id=page)["name"]
    children = list(client.paginate("ListElementChildren", id=page, worker_run=run))
    texts = list(client.paginate("ListTranscriptions", id=page, worker_run=run, recursive=True))
    counts = Counter(child["type"] for child in children) + Counter(transcription=len(texts))
    return f"{name}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell_log(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
