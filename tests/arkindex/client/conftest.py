"""A loopback server that misbehaves as told, and clients of it."""

from faulty_server import (  # noqa: F401 - fixtures
    client,
    clock,
    make_client,
    other_server,
    refused_origin,
    server,
    tls_server,
)
