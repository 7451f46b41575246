"""A loopback Arkindex for `elements.py`: a queue of elements, answered after a fixed latency, and timed.

`python -m benchmarks._element_server ELEMENTS LATENCY` prints its port, serves one run, and prints the seconds from the
first claim to the last report when its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import uuid

from benchmarks.harness import worker_run

CORPUS = "11111111-1111-1111-1111-111111111111"
RUN = worker_run("56785678-5678-5678-5678-567856785678")
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def answer(status: bytes, value: object) -> bytes:
    """A whole HTTP answer."""
    body = json.dumps(value).encode()
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


class Queue:
    """The elements, and when the first was claimed and the last reported."""

    def __init__(self, count: int) -> None:
        self.waiting = [str(uuid.UUID(int=number + 1)) for number in range(count)]
        self.first = self.last = 0.0
        self.processed = 0

    def respond(self, method: bytes, path: bytes, body: bytes) -> bytes:
        """What Arkindex answers, as far as this run needs it."""
        if path.endswith(b"/start-activity/"):
            return self._claim()
        if path.endswith(b"/activity/"):
            self.processed += b'"processed"' in body.replace(b" ", b"")
            self.last = time.perf_counter()
            return answer(b"200 OK", json.loads(body))
        if path.endswith(b"/configuration/"):
            return answer(b"200 OK", {"configuration": []})
        if b"/process/workers/" in path:
            return answer(b"200 OK", RUN)
        if method == b"GET" and b"/element/" in path:
            element_id = path.decode().rstrip("/").rpartition("/")[2]
            corpus = {"id": CORPUS, "name": "Corpus", "public": False}
            return answer(b"200 OK", {"id": element_id, "name": "Page", "type": "page", "corpus": corpus, "zone": None})
        return answer(b"404 Not Found", {"detail": "Not found."})

    def _claim(self) -> bytes:
        self.first = self.first or time.perf_counter()
        if not self.waiting:
            return answer(b"404 Not Found", {"detail": "There are no queued activities left."})
        return answer(b"200 OK", {"id": self.waiting.pop(), "name": "Page", "type_id": "t"})


class Connection(asyncio.Protocol):
    """One connection; requests on it are answered in order."""

    def __init__(self, queue: Queue, latency: float) -> None:
        self.queue = queue
        self.latency = latency
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            found = LENGTH.search(self.buffer, 0, end)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self.buffer) < whole:
                return
            request, self.buffer = self.buffer[:whole], self.buffer[whole:]
            method, path, _ = request.split(b" ", 2)
            response = self.queue.respond(method, path, request[end + 4 :])
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, self.transport.write, response)
            else:
                self.transport.write(response)


async def main() -> None:
    """Serve until standard input ends."""
    queue = Queue(int(sys.argv[1]))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(queue, float(sys.argv[2])), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps({"seconds": queue.last - queue.first, "processed": queue.processed}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
