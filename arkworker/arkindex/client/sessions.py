"""Sessions of requests, one a thread and process, that decide nothing by themselves."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING

import requests
import requests.utils

from arkworker.arkindex.client.connection import check_bundle
from arkworker.arkindex.client.wire import Adapter, Sockets, Wire

if TYPE_CHECKING:
    from arkworker.arkindex.client.connection import Connection
    from arkworker.clock import Clock


class Session(requests.Session):
    """A session that leaves redirects, credentials and the environment to the client."""

    def __init__(self, adapter: Adapter) -> None:
        super().__init__()
        self.trust_env = False
        for scheme in ("https://", "http://"):
            self.mount(scheme, adapter)

    def get_redirect_target(self, _response: requests.Response) -> None:
        """Nothing that requests should follow."""


class Channel:
    """One thread's session, with the proxies and certificates that the environment names, read once.

    The stranger is the session for everything but the instance, so that no cookie passes between the two.
    """

    def __init__(self, connection: Connection, origin: str, clock: Clock, sockets: Sockets) -> None:
        self.wire = Wire(clock, connection.read_timeout)
        self.proxies = requests.utils.get_environ_proxies(origin)
        adapter = Adapter(self.wire, sockets, self.proxies)
        self.session, self.stranger = Session(adapter), Session(adapter)
        self.verify: bool | str = _bundle(connection) if connection.verify else False


class Process:
    """What must not cross a fork."""

    def __init__(self, ended: threading.Event) -> None:
        self.pid = os.getpid()
        self.local = threading.local()
        self.sockets = Sockets(ended)
        self.sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()


def _bundle(connection: Connection) -> bool | str:
    if connection.ca_bundle:
        return connection.ca_bundle
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if path := os.environ.get(name):
            check_bundle(path, name)
            return path
    return True
