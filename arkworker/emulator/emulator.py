"""The emulator for tests: set up, served from a thread, and asked what it received."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from arkworker.emulator.application import create_application
from arkworker.emulator.arrange.corpora import CorpusArrangement
from arkworker.emulator.arrange.files import FileArrangement
from arkworker.emulator.arrange.results import ResultArrangement
from arkworker.emulator.arrange.runs import RunArrangement
from arkworker.emulator.database import Database
from arkworker.emulator.desk import Desk
from arkworker.emulator.faults import Faults
from arkworker.emulator.ledger import Ledger
from arkworker.emulator.resources import operation_names
from arkworker.emulator.server import ServerThread, bind
from arkworker.emulator.site import Edition, ErrorStyle, Site, Storage, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Emulator(CorpusArrangement, ResultArrangement, RunArrangement, FileArrangement):
    """An emulated Arkindex on a loopback port.

    ```python
    with Emulator() as arkindex:
        arkindex.add_corpus()
        arkindex.add_elements(10, image=(1000, 1400))
        run = arkindex.add_worker_run(declaration, {"threshold": 0.7})
        subprocess.run([sys.executable, "worker.py"], env=os.environ | arkindex.environment(run))
        assert set(arkindex.activity_states(run).values()) == {"processed"}
    ```

    Attributes:
        site: The instance: edition, addresses, style of errors, image server. Can be changed between requests.
        ledger: Every request, and every change of an activity.
        faults: What goes wrong, and when.
        database: The tables, for what no method sets up or shows.
        again: What runs a worker again when the page asks for it: see `Desk`.
    """

    def __init__(  # noqa: PLR0913 - keywords, each with a default
        self,
        *,
        edition: Edition = "enterprise",
        error_style: ErrorStyle = "standard",
        iiif_version: Literal[2, 3] = 2,
        database: Path | None = None,
        directory: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        storage_port: int = 0,
        ledger_limit: int | None = None,
    ) -> None:
        """Prepare the emulator; `start` it, or use it as a context manager.

        Args:
            edition: `community` has no secrets of its own: neither operation nor document name `RetrieveSecret`.
            error_style: `legacy` answers all errors in Arkindex's older style.
            iiif_version: Of the image server.
            database: The SQLite file, which is kept; by default everything is in memory.
            directory: Of stored files, which is kept; by default a temporary one.
            host: To listen on.
            port: Of the API and the page; 0 takes a free one.
            storage_port: Of files and images; 0 takes a free one.
            ledger_limit: Keep only that many of the latest requests.

        Raises:
            sqlite3.DatabaseError: The database file cannot be opened, or is not a database.
        """
        self.database = Database(database)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="arkworker-emulator-")
            directory = Path(self._temporary.name)
        self.directory = directory.absolute()
        self.ledger = Ledger(ledger_limit)
        self.faults = Faults(operation_names())
        storage = Storage(self.directory / "storage")
        tokens = Tokens(secrets.token_hex(20))
        self.site = Site(tokens, storage, edition=edition, error_style=error_style, iiif_version=iiif_version)
        self.again: Callable[[str, dict[str, Any], list[str] | None], str] | None = None
        self._host = host
        # Listening everywhere, it is called where that surely leads.
        self.site.host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared
        self._ports = (port, storage_port)
        self._thread: ServerThread | None = None

    @property
    def url(self) -> str:
        """Of the API and the page, without a path: `http://127.0.0.1:8000`."""
        return self.site.url

    @property
    def token(self) -> str:
        """The API token of a user (`Authorization: Token …`)."""
        return self.site.tokens.user

    def task_token(self, worker_run: str, *, chunk: int = 1) -> str:
        """The token of a run's task (`Authorization: Ponos …`)."""
        return self.tasks(worker_run)[chunk - 1].token

    def start(self) -> None:
        """Start serving; after `stop`, on the same ports and with the same data.

        Raises:
            OSError: A port is taken.
        """
        listeners = [bind(self._host, self._ports[0])]
        try:
            listeners.append(bind(self._host, self._ports[1]))
        except BaseException:
            listeners[0].close()
            raise
        self._ports = (listeners[0].getsockname()[1], listeners[1].getsockname()[1])
        name = f"[{self.site.host}]" if ":" in self.site.host else self.site.host
        self.site.url, self.site.storage_url = (f"http://{name}:{port}" for port in self._ports)
        self.site.storage_port = self._ports[1]
        desk = Desk(self.site, self.ledger, self.faults, self.again)
        self._thread = ServerThread(create_application(desk, self.database, self._host), listeners)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, at once: connections are refused until `start`. All data are kept."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None

    def close(self) -> None:
        """Stop, close the database and remove temporary files."""
        self.stop()
        self.database.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
