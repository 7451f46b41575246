"""The page, in a real browser without a screen: what a person sees while a worker runs."""

from __future__ import annotations

import base64
import io
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests
from PIL import Image

from arkworker.emulator import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.emulator.conftest import World

ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1500,950"]
LINE = [[100, 100], [100, 200], [900, 200], [900, 100]]
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


@dataclass
class Browser:
    """A session over the WebDriver protocol."""

    url: str

    def post(self, path: str, **body: Any) -> Any:
        answer = requests.post(f"{self.url}/{path}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]

    def run(self, script: str) -> Any:
        """What a piece of JavaScript returns."""
        return self.post("execute/sync", script=f"return {script}", args=[])

    def wait(self, script: str) -> Any:
        """What it returns as soon as that is something."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if found := self.run(script):
                return found
            time.sleep(0.05)
        pytest.fail(f"never in the page: {script}\n{self.run('document.body.innerText')}")

    def text(self, selector: str) -> str:
        found: str = self.run(f"document.querySelector({selector!r}).innerText")
        return found

    def screenshot(self) -> Image.Image:
        content = requests.get(f"{self.url}/screenshot", timeout=60).json()["value"]
        return Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")


@pytest.fixture(scope="module")
def driver() -> Iterator[str]:
    """A driver of Chromium, on a port that it chooses."""
    program = shutil.which("chromedriver")
    if program is None or not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("no Chromium with its driver is installed (Debian: chromium, chromium-driver)")
    with subprocess.Popen([program, "--port=0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = next(match[1] for line in process.stdout if (match := re.search(r"success\w* on port (\d+)", line)))
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture(scope="module")
def session(driver: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for all tests here: starting one takes as long as each of them."""
    options = {"args": [*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]}
    wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
    browser = Browser(f"{driver}/session/{Browser(driver).post('session', capabilities=wanted)['sessionId']}")
    yield browser
    requests.delete(browser.url, timeout=60)


@pytest.fixture
def browser(session: Browser) -> Iterator[Browser]:
    """The browser, which has nothing to complain about at the end."""
    session.post("url", url="about:blank")
    session.post("se/log", type="browser")
    yield session
    complaints = session.post("se/log", type="browser")
    session.post("url", url="about:blank")
    assert complaints == []


def colour(screen: Image.Image, x: int, y: int) -> tuple[int, int, int]:
    pixel = screen.getpixel((x, y))
    assert isinstance(pixel, tuple)
    return int(pixel[0]), int(pixel[1]), int(pixel[2])


def find(world: World, page: str) -> None:
    """Find a line and what is on it, as a worker does."""
    lines = [{"type": "text_line", "name": HOSTILE, "polygon": LINE, "confidence": 0.5}]
    body = {"elements": lines, "worker_run_id": world.run}
    (line,) = world.client.post(f"/element/{page}/children/bulk/", body, run=world.run)
    text = {"text": "À 🎻 Paris", "confidence": 0.9, "worker_run_id": world.run}
    transcription = world.client.post(f"/element/{line['id']}/transcription/", text, run=world.run)
    kind = world.client.post("/entity/types/", {"name": "place", "corpus": world.corpus})["id"]
    world.client.post(f"/transcription/{transcription['id']}/entities/", {"type_id": kind, "offset": 4, "length": 5})
    ml_class = world.client.post(f"/corpus/{world.corpus}/classes/", {"name": "letter"})["id"]
    world.client.post("/classifications/", {"element": page, "ml_class": ml_class, "confidence": 0.8})


def test_the_page_follows_a_worker(world: World, browser: Browser) -> None:
    """Without a reload: the queue, the polygon on the image, the text in it, the state, the log."""
    page = world.pages[0]
    browser.post("url", url=f"{world.emulator.url}/#{page}")
    browser.wait("document.querySelector('#picture image')")
    assert browser.text("[data-state=queued]") == "2 queued"
    assert browser.run("document.querySelectorAll('#picture polygon').length") == 1

    world.client.post("/process/start-activity/", run=world.run, status=200)
    browser.wait("document.querySelector('[data-state=started]').innerText === '1 started'")
    find(world, page)
    task = world.emulator.tasks(world.run)[0].id
    requests.put(f"{world.emulator.url}/viewer/tasks/{task}/log", data="Found a line\n", timeout=30)

    browser.wait("document.querySelectorAll('#picture polygon').length === 2")
    browser.wait("document.querySelector('#log').textContent === 'Found a line\\n'")
    browser.wait("document.querySelector('#details mark')?.innerText === 'Paris'")
    assert "letter\n80 %" in browser.text("#details")
    assert browser.run("document.title") == "Emulated Arkindex"
    assert HOSTILE in browser.text("#details")


def test_polygons_are_where_they_should_be(world: World, browser: Browser) -> None:
    """In the picture of the screen, the drawn line has the colour of its type, and the page is under it."""
    find(world, world.pages[0])
    browser.post("url", url=f"{world.emulator.url}/#{world.pages[0]}")
    browser.wait("document.querySelectorAll('#picture polygon').length === 2")
    browser.wait("document.querySelectorAll('#picture image')[0].getBBox().width === 1000")
    box = browser.run(
        "(() => { const b = document.querySelector('#picture polygon:not(.own)').getBoundingClientRect();"
        " return [b.left, b.top, b.right, b.bottom] })()"
    )

    screen = browser.screenshot()

    left, top, right, bottom = (round(value) for value in box)
    middle = (top + bottom) // 2
    stroke = [colour(screen, x, middle) for x in range(left - 1, left + 2)]
    assert any(green > red + 40 for red, green, _ in stroke)
    assert min(colour(screen, left - 12, bottom + 2)) > 200
    # 800 by 100 pixels of the image, in whatever scale.
    assert abs((right - left) / (bottom - top) - 8) < 0.5


def test_elements_are_opened_and_chosen(world: World, browser: Browser) -> None:
    """The tree opens level by level; a child shows what is on it, and the way back."""
    find(world, world.pages[0])
    browser.post("url", url=world.emulator.url)
    browser.wait("document.querySelectorAll('.row').length === 2")
    browser.run("document.querySelector('.row .open').click()")
    browser.wait("document.querySelectorAll('.row').length === 3")
    browser.wait("document.querySelector('#details h3')")
    assert browser.text("#details h3") == "Page 1"  # of itself, as nobody chose another
    browser.run("document.querySelector('.below .name').click()")

    browser.wait("document.querySelector('#details .text')")

    assert browser.text("#details .text").startswith("À 🎻 Paris")
    browser.run("document.querySelector('#details .path button').click()")
    browser.wait("document.querySelector('#details h3').innerText === 'Page 1'")


def test_requests_are_shown_with_what_befell_them(world: World, browser: Browser) -> None:
    """The second tab lists the calls, the latest first."""
    world.client.send("GET", f"/element/{world.pages[0]}/")
    world.client.send("GET", "/nowhere/")
    world.emulator.faults.add("RetrieveCorpus", Fault.answer(503, acted=True))
    world.client.send("GET", f"/corpus/{world.corpus}/")
    browser.post("url", url=world.emulator.url)
    browser.run("document.getElementById('tab-calls').click()")
    browser.wait("document.querySelectorAll('#calls tr').length === 3")

    rows = browser.run("[...document.querySelectorAll('#calls tr')].map((row) => row.cells[2].innerText)")
    outcomes = browser.run("[...document.querySelectorAll('#calls td.bad')].map((cell) => cell.innerText)")

    assert rows == ["RetrieveCorpus", "GET /nowhere/", "RetrieveElement"]
    assert outcomes == ["done, then answer 503", "501"]


def test_an_emulator_that_stopped_is_said(world: World, browser: Browser) -> None:
    """The page stays, and tells why nothing moves."""
    browser.post("url", url=world.emulator.url)
    browser.wait("document.querySelectorAll('.row').length === 2")
    world.emulator.stop()

    browser.wait("document.querySelector('#live').innerText === 'the emulator has stopped'")
    browser.post("se/log", type="browser")
    world.emulator.start()
    browser.wait("document.querySelector('#live').innerText.endsWith('requests')")
    browser.post("se/log", type="browser")
