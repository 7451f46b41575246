"""What a run is told about images, wherever it is told it, acts on the images of that run."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from faulty_server import tls_server  # noqa: F401 - a fixture
from PIL import Image

from arkworker import Element, Worker

if TYPE_CHECKING:
    from faulty_server import FaultyServer

    from arkworker.testing import Invoke

CERTIFICATE = Path(__file__).parents[1] / "data" / "loopback.pem"
ADDRESS: list[str] = []


class Opens(Worker):
    """Opens one image."""

    def run(self, context: Any, cache: Any) -> None:  # noqa: ARG002 - the signature is that of workers
        """Write its size."""
        element = Element.from_api({"id": "x", "zone": {"image": {"s3_url": ADDRESS[0]}}})
        sys.stdout.write(f"{context.bind_element(element).open_image().size}\n")


def run(invoke: Invoke, address: str, **variables: str) -> Any:
    ADDRESS[:] = [address]
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    return invoke("run", Opens, "--env-file", "settings.env", files={"settings.env": lines})


def test_the_user_agent_of_an_env_file_is_sent(invoke: Invoke, server: Any) -> None:
    """Some image servers refuse unknown ones."""
    server.images["page"] = Image.new("RGB", (30, 20))

    done = run(invoke, f"{server.url}/s3/page?signature=valid", REQUESTS_USER_AGENT="Museum/1")

    assert (done.code, done.out) == (0, "(30, 20)\n")
    assert [headers["User-Agent"] for headers in server.headers] == ["Museum/1"]


def test_the_limit_of_an_env_file_is_kept(invoke: Invoke, server: Any) -> None:
    """And named in the message."""
    server.images["page"] = Image.new("RGB", (30, 20))

    done = run(invoke, f"{server.url}/s3/page?signature=valid", ARKINDEX_MAX_IMAGE_PIXELS="10")

    assert (done.code, "ARKINDEX_MAX_IMAGE_PIXELS sets the limit" in done.err) == (1, True)


@pytest.mark.parametrize("is_known", [True, False])
def test_the_certificates_of_an_env_file_are_trusted(
    is_known: bool,  # noqa: FBT001 - a parameter
    invoke: Invoke,
    tls_server: FaultyServer,  # noqa: F811 - the fixture
) -> None:
    """Those that the API is reached with; where there are others, no second attempt is made."""
    body = io.BytesIO()
    Image.new("RGB", (30, 20)).save(body, format="PNG")
    tls_server.plays(tls_server.reply(200, body.getvalue()))
    variables = {"ARKINDEX_API_CA_BUNDLE": str(CERTIFICATE)} if is_known else {}

    done = run(invoke, f"{tls_server.origin}/page", **variables)

    assert (done.code == 0, done.out == "(30, 20)\n") == (is_known, is_known)
    assert is_known or "the certificate is not trusted" in done.err
    assert "next attempt" not in done.err
