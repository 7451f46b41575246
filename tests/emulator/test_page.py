"""The page, in a real browser without a screen: what a person sees while a worker runs."""

from __future__ import annotations

import base64
import io
import json
import os
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
LINE: list[list[int | float]] = [[100, 100], [100, 200], [900, 200], [900, 100]]
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


LOG = """\
2026-01-31 12:00:00 INFO    arkworker.elements: working
2026-01-31 12:00:01 ERROR   arkworker.elements: element {page} failed: ValueError: no <b>lines</b>
Traceback (most recent call last):
  File "worker.py", line 12, in process_element
ValueError: no <b>lines</b>
2026-01-31 12:00:02 INFO    arkworker.elements: another one
"""


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

    def open(self, address: str) -> None:
        """Open a page, and wait until it shows an element."""
        self.post("url", url=address)
        self.wait("document.querySelector('#details h3')")

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self.post("actions", actions=[{"type": "key", "id": "keyboard", "actions": keys}])

    def resize(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.post("goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=metrics)

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
        give_up = pytest.fail if os.environ.get("BROWSER_IS_NEEDED") else pytest.skip
        give_up("no Chromium with its driver is installed (Debian: chromium, chromium-driver)")
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
    session.post("goog/cdp/execute", cmd="Emulation.clearDeviceMetricsOverride", params={})
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
    assert browser.text("[data-state=queued]") == "○ 2 queued"
    assert browser.run("document.querySelectorAll('#picture polygon').length") == 1

    world.client.post("/process/start-activity/", run=world.run, status=200)
    browser.wait("document.querySelector('[data-state=started]').innerText === '◐ 1 started'")
    find(world, page)
    task = world.emulator.tasks(world.run)[0].id
    requests.put(f"{world.emulator.url}/viewer/tasks/{task}/log", data="Found a line\n", timeout=30)

    browser.wait("document.querySelectorAll('#picture polygon').length === 2")
    browser.wait("document.querySelector('#log').textContent === 'Found a line\\n'")
    browser.wait("document.querySelector('#details mark')?.innerText === 'Paris'")
    assert "letter\n80 %" in browser.text("#details")
    assert browser.run("document.title") == "Page 1 · Emulated Arkindex"
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
    assert browser.run("document.title") == f"{HOSTILE} · Emulated Arkindex"
    browser.run("document.querySelector('#details .path a').click()")
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


KEYS = {"down": "\ue015", "up": "\ue013", "right": "\ue014", "left": "\ue012", "escape": "\ue00c"}
VIEW = "document.querySelector('#picture svg').getAttribute('viewBox')"


def test_the_image_is_zoomed_and_moved(world: World, browser: Browser) -> None:
    """By the wheel around the pointer, by dragging, by keys; and all of it is seen again."""
    browser.open(f"{world.emulator.url}/element/{world.pages[0]}")
    whole = browser.wait(VIEW)
    place = (
        "(() => { const b = document.querySelector('#picture svg').getBoundingClientRect();"
        " return [Math.round(b.left + b.width / 2), Math.round(b.top + b.height / 2)] })()"
    )
    x, y = browser.run(place)
    wheel = [{"type": "scroll", "x": x, "y": y, "deltaX": 0, "deltaY": -400}]
    browser.post("actions", actions=[{"type": "wheel", "id": "wheel", "actions": wheel}])
    zoomed = browser.wait(f"{VIEW} !== '{whole}' && {VIEW}")
    drag = [
        {"type": "pointerMove", "x": x, "y": y},
        {"type": "pointerDown", "button": 0},
        {"type": "pointerMove", "x": x + 60, "y": y + 30, "duration": 50},
        {"type": "pointerUp", "button": 0},
    ]
    browser.post("actions", actions=[{"type": "pointer", "id": "mouse", "actions": drag}])
    moved = browser.wait(f"{VIEW} !== '{zoomed}' && {VIEW}")
    browser.press("0")
    browser.wait(f"{VIEW} === '{whole}'")
    browser.press("+")
    browser.wait(f"{VIEW} !== '{whole}'")

    first, second, third = ([float(part) for part in text.split()] for text in (whole, zoomed, moved))
    assert second[2] < 0.7 * first[2]
    assert third[0] < second[0]
    assert third[1] < second[1]
    assert third[2:] == pytest.approx(second[2:])


def test_a_closer_look_has_more_pixels(world: World, browser: Browser) -> None:
    """Of a large image, the region that is seen is asked for when the whole has too few pixels for the screen."""
    page = world.emulator.add_element("page", "Large", image=(9000, 12000))
    browser.open(f"{world.emulator.url}/element/{page}")
    for _ in range(6):
        browser.press("+")

    browser.wait("document.querySelector('#picture image.detail')?.getAttribute('href')?.includes('region=')")


def test_types_are_hidden_and_shown(world: World, browser: Browser) -> None:
    """Each in the legend with a colour of its own; entities, too."""
    find(world, world.pages[0])
    world.emulator.add_element("paragraph", "P", parent=world.pages[0], polygon=LINE)
    browser.open(f"{world.emulator.url}/element/{world.pages[0]}")
    shapes = "document.querySelectorAll('#picture polygon:not(.own)').length"
    browser.wait(f"{shapes} === 2")
    colours = browser.run(
        "[...document.querySelectorAll('.legend button')].map((b) => b.style.getPropertyValue('--swatch'))"
    )
    browser.run("document.querySelector('[data-type=\"element:paragraph\"]').click()")
    browser.wait(f"{shapes} === 1")
    browser.run("document.querySelector('[data-type=\"entity:place\"]').click()")
    browser.wait("document.querySelector('#details mark.hidden')")
    pressed = browser.run("[...document.querySelectorAll('.legend button')].map((b) => b.getAttribute('aria-pressed'))")
    browser.run("document.querySelector('[data-type=\"element:paragraph\"]').click()")
    browser.run("document.querySelector('[data-type=\"entity:place\"]').click()")
    browser.wait(f"{shapes} === 2 && !document.querySelector('#details mark.hidden')")

    assert len(set(colours)) == len(colours) == 3
    assert pressed == ["false", "true", "false"]


def test_the_list_is_filtered(world: World, browser: Browser) -> None:
    """By the state that a run has given, and by a part of a name; the address says so."""
    world.client.post("/process/start-activity/", run=world.run, status=200)
    rows = "[...document.querySelectorAll('#tree .row bdi')].map((item) => item.innerText).join()"
    browser.open(f"{world.emulator.url}/?state=started")
    browser.wait(f"{rows} === 'Page 1'")
    browser.run("document.querySelector('[data-state=queued]').click()")
    browser.wait(f"{rows} === 'Page 2'")
    browser.press("/")
    for letter in "ge 1":
        browser.press(letter)
    browser.wait("document.querySelector('#tree .empty')?.innerText === 'No element fits.'")
    address = browser.run("location.search")
    browser.press(KEYS["escape"])
    browser.wait(f"{rows} === 'Page 1,Page 2'")

    assert address == f"?run={world.run}&state=queued&q=ge+1"


def test_back_a_reload_and_a_link_show_it_again(world: World, browser: Browser) -> None:
    """The element that is shown stands in the address."""
    title = "document.querySelector('#details h3')?.innerText"
    browser.open(f"{world.emulator.url}/element/{world.pages[0]}")
    browser.run("document.querySelectorAll('#tree .row a')[1].click()")
    browser.wait(f"{title} === 'Page 2'")
    path = browser.run("location.pathname")
    browser.post("refresh")
    browser.wait(f"{title} === 'Page 2'")
    browser.post("back")
    browser.wait(f"{title} === 'Page 1'")
    browser.post("forward")
    browser.wait(f"{title} === 'Page 2'")

    assert path == f"/element/{world.pages[1]}"


def test_an_element_that_is_not_there_is_said(world: World, browser: Browser) -> None:
    """An old link leads to a word, not to an empty page."""
    browser.post("url", url=f"{world.emulator.url}/element/00000000-0000-4000-8000-000000000000")
    browser.wait("document.querySelector('#picture')?.innerText === 'There is no such element.'")
    browser.post("se/log", type="browser")


def test_the_keyboard_goes_everywhere(world: World, browser: Browser) -> None:
    """Down, up, into an element, out of it again; and the list of keys."""
    find(world, world.pages[0])
    title = "document.querySelector('#details h3')?.innerText"
    browser.open(f"{world.emulator.url}/element/{world.pages[0]}")
    browser.press(KEYS["down"])
    browser.wait(f"{title} === 'Page 2'")
    browser.press(KEYS["up"])
    browser.wait(f"{title} === 'Page 1'")
    browser.press(KEYS["right"])
    browser.wait("document.querySelectorAll('#tree .row').length === 3")
    browser.press(KEYS["down"])
    browser.wait(f"{title} === {json.dumps(HOSTILE)}")
    browser.press(KEYS["escape"])
    browser.wait(f"{title} === 'Page 1'")
    browser.press("?")
    browser.wait("document.querySelector('#dialog').open && document.querySelector('#dialog kbd')")
    browser.press(KEYS["escape"])
    browser.wait("!document.querySelector('#dialog').open")


def test_a_failed_element_says_why(world: World, browser: Browser) -> None:
    """With what the worker's log says of it, as text."""
    page = world.pages[0]
    world.client.post("/process/start-activity/", run=world.run, status=200)
    process = world.client.get(f"/process/workers/{world.run}/")["process"]["id"]
    report = {"element_id": page, "process_id": process, "state": "error"}
    world.client.json(200, "PUT", f"/workers/versions/{world.run}/activity/", report, run=world.run)
    task = world.emulator.tasks(world.run)[0].id
    requests.put(f"{world.emulator.url}/viewer/tasks/{task}/log", data=LOG.format(page=page), timeout=30)
    browser.open(f"{world.emulator.url}/element/{page}")

    browser.wait("document.querySelector('#details .reason')")

    assert browser.text("#details .reason").splitlines() == LOG.format(page=page).splitlines()[1:5]
    assert browser.text("#tree .row .sign") == "✗"


def test_a_request_opens(world: World, browser: Browser) -> None:
    """Parameters, body, answer and time; what is secret is hidden."""
    world.emulator.add_secret("key", "sesame")
    world.client.get("/secret/key", run=world.run)
    world.client.post(f"/element/{world.pages[0]}/transcription/", {"text": "<i>Bonjour</i>"})
    browser.open(world.emulator.url)
    browser.run("document.getElementById('tab-calls').click()")
    browser.wait("document.querySelectorAll('#calls tr').length === 2")
    browser.run("document.querySelector('#calls button').click()")
    browser.wait("document.querySelector('#dialog').open")
    written = browser.text("#dialog")
    browser.run("document.querySelector('#dialog').close()")
    browser.run("document.querySelectorAll('#calls button')[1].click()")
    browser.wait("document.querySelector('#dialog').open")
    secret = browser.text("#dialog")
    browser.press(KEYS["escape"])

    assert written.count("<i>Bonjour</i>") == 2
    assert "Token **********" in written
    assert "RetrieveSecret" in secret
    assert "sesame" not in secret


def test_what_a_run_left_is_downloaded(world: World, browser: Browser) -> None:
    """Results are counted, and artifacts are links to files that no browser opens."""
    task = world.emulator.tasks(world.run)[0].id
    world.emulator.add_artifact(task, "report.html", b"<script>alert(1)</script>")
    find(world, world.pages[0])
    browser.open(world.emulator.url)

    address = browser.wait("document.querySelector('.run a[download]')?.href")

    answer = requests.get(address, timeout=30)
    assert (answer.content, answer.headers["content-type"]) == (
        b"<script>alert(1)</script>",
        "application/octet-stream",
    )
    assert answer.headers["content-disposition"] == 'attachment; filename="report.html"'
    assert "found: elements 1, transcriptions 1" in browser.text(".run")


def test_metadata_and_texts_are_what_they_are(world: World, browser: Browser) -> None:
    """An address of the web is a link, any other text is text; Arabic is read from the right."""
    page = world.pages[0]
    for name, value in (("web", "https://example.org/a"), ("script", "javascript:alert(1)"), ("markup", HOSTILE)):
        world.emulator.add_metadata(page, name, value)
    world.emulator.add_transcription(page, "السلام عليكم")
    browser.open(f"{world.emulator.url}/element/{page}")

    links = browser.run("[...document.querySelectorAll('#details dd a')].map((link) => [link.href, link.rel])")
    direction = browser.run("getComputedStyle(document.querySelector('#details .text p')).direction")

    assert links == [["https://example.org/a", "noopener noreferrer"]]
    assert HOSTILE in browser.text("#details")
    assert direction == "rtl"


def test_the_focus_is_kept_while_it_refreshes(world: World, browser: Browser) -> None:
    """Whoever goes through the list with the keyboard stays where they are when something is found."""
    browser.open(f"{world.emulator.url}/element/{world.pages[0]}")
    browser.run("document.querySelectorAll('#tree .row a')[1].focus()")
    world.emulator.add_element("page", "Page 3")
    browser.wait("document.querySelectorAll('#tree .row').length === 3")

    assert browser.run("document.activeElement.dataset.key") == f"row-{world.pages[1]}"


@pytest.mark.parametrize("width", [390, 820, 1400])
def test_nothing_is_cut_off_at_the_side(world: World, browser: Browser, width: int) -> None:
    """On a telephone, a tablet and a desk: no page wider than the screen, and everything to be reached."""
    find(world, world.pages[0])
    world.emulator.add_metadata(world.pages[0], "x" * 240, "x" * 240)
    text = world.emulator.add_transcription(world.pages[0], "Bonjour")
    world.emulator.add_entity(text, "x" * 240, 0, 7)
    browser.resize(width, 850)
    browser.open(f"{world.emulator.url}/element/{world.pages[0]}")

    for inside in ("document.documentElement", "document.querySelector('aside')", "document.querySelector('.legend')"):
        assert browser.run(f"{inside}.scrollWidth <= {inside}.clientWidth"), inside
    for place in ("#tree .row", "#picture svg", "#details h3", "#log"):
        box = browser.run(
            f"(() => {{ const b = document.querySelector('{place}').getBoundingClientRect();"
            " return [b.left, b.right, b.width, b.height] })()"
        )
        assert box[0] >= 0, place
        assert box[1] <= width, place
        assert min(box[2:]) > 15, place


def test_two_thousand_outlines_are_moved_without_a_stutter(world: World, browser: Browser) -> None:
    """Moving them does not draw them again: their number of nodes and their points stay as they are."""
    page = world.emulator.add_element("page", "Many", image=(4000, 5000))
    polygons = [
        [[x, y], [x, y + 20], [x + 60, y + 20], [x + 60, y]] for y in range(0, 2000, 40) for x in range(0, 3200, 80)
    ]
    elements = [{"type": "text_line", "name": "l", "polygon": polygon} for polygon in polygons]
    world.client.post(f"/element/{page}/children/bulk/", {"elements": elements})
    browser.open(f"{world.emulator.url}/element/{page}")
    browser.wait("document.querySelectorAll('#picture polygon:not(.own)').length === 2000")
    browser.run("window.kept = document.querySelector('#picture polygon:not(.own)')")
    before = browser.run(VIEW)
    browser.press("+")
    browser.wait(f"{VIEW} !== '{before}'")

    assert browser.run("window.kept === document.querySelector('#picture polygon:not(.own)')") is True
    assert browser.run("document.querySelectorAll('#details .child').length") == 200


DECLARATION = {
    "slug": "lines",
    "display_name": "Lines",
    "configuration": [
        {"key": "threshold", "type": "float", "display_name": "Threshold", "default": 0.5},
        {"key": "names", "type": "string", "many": True, "display_name": "Names", "default": ["a"]},
        {"key": "bright", "type": "bool", "display_name": "Bright", "default": True},
    ],
}


def test_values_are_tried_and_two_runs_compared(world: World, browser: Browser) -> None:
    """The form has what the run had; what another run finds is shown beside what the first one found."""
    emulator = world.emulator
    page = world.pages[0]
    first = emulator.add_worker_run(DECLARATION, {"threshold": 0.7})
    emulator.add_transcription(page, "Both", worker_run=first)
    emulator.add_transcription(page, "Gone", worker_run=first)
    asked: list[Any] = []

    def again(run: str, values: dict[str, Any], elements: list[str] | None) -> str:
        asked.append((run, values, elements))
        copy = emulator.copy_worker_run(run, values, elements)
        for text in ("Both", "New"):
            emulator.add_transcription(page, text, worker_run=copy)
        return copy

    emulator.stop()
    emulator.again = again
    emulator.start()
    browser.open(f"{emulator.url}/element/{page}")
    browser.wait(f"document.querySelector('[data-key=\"values-{first}\"]')")
    browser.run(f"document.querySelector('[data-key=\"values-{first}\"]').click()")
    browser.wait("document.querySelector('#dialog').open")
    shown = browser.text("#dialog")
    browser.run("document.querySelector('#option-threshold').value = '0.25'")
    browser.run("document.querySelector('#option-names').value = '[\"x\", \"y\"]'")
    browser.run("document.querySelector('#dialog form.values').requestSubmit()")
    browser.wait("document.querySelector('#details .columns')")

    columns = browser.run("[...document.querySelectorAll('.differs')].map((item) => item.innerText)")

    assert "from a user" in shown
    assert "from the default" in shown
    assert asked == [(first, {"threshold": 0.25, "names": ["x", "y"]}, [page])]
    assert sorted(columns) == ["text · Gone", "text · New"]
    assert "1 found by both" in browser.text("#details")
