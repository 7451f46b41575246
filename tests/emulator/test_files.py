"""Artifacts, models and images: what travels through the storage."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import TYPE_CHECKING, Any

import pytest
import requests
from PIL import Image

if TYPE_CHECKING:
    from tests.emulator.conftest import World


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def put(url: str, content: bytes, **headers: str) -> requests.Response:
    return requests.put(url, data=content, headers=headers, timeout=30)


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=30)


def download_url(world: World, content: bytes = b"0123456789") -> str:
    task = world.emulator.add_task()
    world.emulator.add_artifact(task, "a b.bin", content)
    answer = world.client.send("GET", f"/task/{task}/artifact/a%20b.bin", allow_redirects=False)
    assert answer.status_code == 302
    return answer.headers["Location"]


def test_an_artifact_goes_up_and_down(world: World) -> None:
    """Created, sent to the storage, listed, and downloaded over a redirection."""
    task = world.emulator.tasks(world.run)[0].id
    body = {"path": "out.json", "content_type": "application/json", "size": 2}
    made = world.client.post(f"/task/{task}/artifacts/", body, run=world.run)

    sent = put(made["s3_put_url"], b"{}", **{"Content-Type": "application/json"})
    (listed,) = world.client.get(f"/task/{task}/artifacts/")
    found = world.client.send("GET", f"/task/{task}/artifact/out.json")

    assert (sent.status_code, found.content) == (200, b"{}")
    assert listed == {**made, "s3_put_url": None}
    assert world.client.refusal("POST", f"/task/{task}/artifacts/", body)[2] == "unique"


def test_an_upload_needs_the_content_type_that_was_announced(world: World) -> None:
    """The signature is over it, as with S3."""
    task = world.emulator.tasks(world.run)[0].id
    body = {"path": "out.json", "content_type": "application/json", "size": 2}
    url = world.client.post(f"/task/{task}/artifacts/", body)["s3_put_url"]

    assert put(url, b"{}", **{"Content-Type": "text/plain"}).status_code == 403


def test_storage_is_another_origin_and_refuses_tokens(world: World) -> None:
    """A client that sends its token along is refused, and seen in the ledger, where the token is masked."""
    url = download_url(world)
    answer = get(url, Authorization=f"Token {world.emulator.token}")

    call = world.emulator.ledger.calls("GetFile")[-1]
    assert answer.status_code == 400
    assert (call.origin, call.headers["authorization"]) == ("storage", "Token **********")
    assert not url.startswith(world.emulator.url)


def test_an_address_expires(world: World) -> None:
    """After its lifetime, an address opens nothing."""
    world.emulator.site.storage.lifetime = 0
    assert get(download_url(world)).status_code == 403


@pytest.mark.parametrize("change", ["signature=0", "expires=9999999999", "expires=x"])
def test_an_address_cannot_be_changed(world: World, change: str) -> None:
    """Neither its signature nor its end."""
    name = change.partition("=")[0]
    base, _, query = download_url(world).partition("?")
    kept = [part for part in query.split("&") if not part.startswith(name)]

    assert get(f"{base}?{'&'.join([*kept, change])}").status_code == 403


def test_an_address_is_for_one_file_and_one_method(world: World) -> None:
    """What opens one file opens no other, and none outside of the storage; it does not write."""
    url = download_url(world)
    base, _, query = url.partition("?")

    assert get(f"{base}x?{query}").status_code == 403
    assert get(f"{world.emulator.site.storage_url}/storage/../../../etc/passwd?{query}").status_code in (403, 404)
    assert get(f"{world.emulator.site.storage_url}/storage/%2e%2e/%2e%2e/etc/passwd?{query}").status_code == 403
    assert put(url, b"x").status_code == 403


def test_a_download_resumes(world: World) -> None:
    """A range is given alone, unless the file is another one by now."""
    url = download_url(world)
    whole = get(url)
    part = get(url, Range="bytes=4-", **{"If-Range": whole.headers["etag"]})
    other = get(url, Range="bytes=4-", **{"If-Range": '"old"'})
    beyond = get(url, Range="bytes=99-")

    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"456789", "bytes 4-9/10")
    assert (other.status_code, other.content) == (200, b"0123456789")
    assert beyond.status_code == 416


def test_the_api_is_not_on_the_storage_port(world: World) -> None:
    """Only files and images are there."""
    url = f"{world.emulator.site.storage_url}/api/v1/corpus/{world.corpus}/"

    assert world.client.send("GET", url).status_code == 404


def model(world: World) -> str:
    version = world.emulator.add_model_version("M", tag="old")
    found: str = world.client.get(f"/modelversion/{version}/")["model_id"]
    return found


def test_a_model_comes_in_parts(world: World) -> None:
    """Two parts are put together, checked against what was announced, and become available."""
    parts = [b"x" * 1000, b"y" * 10]
    body = {"size": 1010, "archive_hash": md5(b"".join(parts)), "tag": "new"}
    version = world.client.post(f"/model/{model(world)}/versions/", body)
    ids = {"object_type": "model_version", "object_id": version["id"]}
    upload = {**ids, **world.client.post("/multipart/", ids)}

    sent = [send_part(world, upload, number, part) for number, part in enumerate(parts, start=1)]
    world.client.post("/multipart/complete/", {**upload, "parts": sent}, status=200)

    found = world.client.get(f"/modelversion/{version['id']}/")
    assert (found["state"], get(found["s3_url"]).content) == ("available", b"".join(parts))
    assert world.client.send("DELETE", f"/modelversion/{version['id']}/").status_code == 409


def send_part(world: World, upload: dict[str, Any], number: int, content: bytes) -> dict[str, Any]:
    digest = base64.b64encode(bytes.fromhex(md5(content))).decode()
    url = world.client.post("/multipart/part/", {**upload, "part_number": number, "md5_hash": digest})["url"]
    answer = put(url, content, **{"Content-MD5": digest})
    assert put(url, content + b"!", **{"Content-MD5": digest}).status_code == 400
    return {"part_number": number, "etag": answer.headers["Etag"], "md5_hash": digest, "checksum": None}


def test_an_archive_that_was_not_announced_is_refused(world: World) -> None:
    """A wrong hash, a missing part and a wrong ETag leave the version as it was."""
    version = world.client.post(f"/model/{model(world)}/versions/", {"size": 3, "archive_hash": "0" * 32})
    ids = {"object_type": "model_version", "object_id": version["id"]}
    upload = {**ids, **world.client.post("/multipart/", ids)}
    part = send_part(world, upload, 1, b"abc")

    def complete(*parts: dict[str, Any]) -> str:
        return world.client.refusal("POST", "/multipart/complete/", {**upload, "parts": list(parts)})[2]

    assert complete(part) == "hash_mismatch"
    assert complete({**part, "etag": "x"}) == "etag_mismatch"
    assert complete({**part, "part_number": 2}) == "missing_part"
    assert world.client.send("POST", "/multipart/abort/", upload).status_code == 204
    assert world.client.get(f"/modelversion/{version['id']}/")["state"] == "created"


def test_a_version_in_use_stays(world: World) -> None:
    """What a worker run refers to cannot be deleted."""
    version = world.emulator.add_model_version("M")
    world.emulator.add_worker_run(model_version=version)

    assert world.client.refusal("DELETE", f"/modelversion/{version}/") == (409, None, "used")


def test_a_tag_is_used_once_and_refused_in_the_older_style(world: World) -> None:
    """Published clients look for that very sentence, and try again without the tag."""
    body = {"tag": "old", "size": 1}

    answer = world.client.json(400, "POST", f"/model/{model(world)}/versions/", body)

    assert answer == {"non_field_errors": ["A version for this model with this tag already exists."]}


def test_an_image_is_uploaded_and_measured(world: World) -> None:
    """Its size is that of the file; the same hash again is refused."""
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20)).save(buffer, "PNG")
    body = {"hash": md5(buffer.getvalue())}
    made = world.client.post("/image/", body)
    put(made["s3_put_url"], buffer.getvalue())

    checked = world.client.json(200, "PATCH", f"/image/{made['id']}/", {"status": "checked"})

    assert (checked["width"], checked["height"], checked["status"]) == (30, 20, "checked")
    assert world.client.json(400, "POST", "/image/", body)["id"] == made["id"]


def test_an_upload_that_is_no_image_is_not_checked(world: World) -> None:
    """The image stays unchecked."""
    made = world.client.post("/image/", {"hash": "0" * 32})
    put(made["s3_put_url"], b"no image")

    assert world.client.refusal("PATCH", f"/image/{made['id']}/", {"status": "checked"})[2] == "unreadable"
    assert world.client.get(f"/image/{made['id']}/")["status"] == "unchecked"


def test_an_image_elsewhere_is_known_once(world: World) -> None:
    """The conflict names the image that is there."""
    body = {"url": "https://images.example.org/iiif/1", "width": 10, "height": 10}
    made = world.client.post("/image/iiif/url/", body)

    again = world.client.json(409, "POST", "/image/iiif/url/", body)

    assert (made["url"], again["existing_id"]) == (body["url"], made["id"])


def test_an_older_instance_names_the_image_in_a_400(world: World) -> None:
    """Before Arkindex 1.11.2, the id of the image that has this address came with a refusal of the content."""
    body = {"url": "https://images.example.org/2", "width": 10, "height": 20}
    made = world.client.post("/image/iiif/url/", body)
    world.emulator.site.error_style = "legacy"
    again = world.client.json(400, "POST", "/image/iiif/url/", body)

    assert again == {"url": ["Image with this URL already exists."], "id": made["id"]}
