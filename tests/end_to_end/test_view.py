"""The live page in Chromium without a window: it draws, moves, sounds, hears, and says what is wrong."""

import base64
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from chromium import Chromium
from live_server import serving
from PIL import Image

from visavis.bridge.client import Client
from visavis.bridge.outside.address import Address
from visavis.bridge.server import BridgeServer
from visavis.bridge.web import WebRelay

pytestmark = pytest.mark.system  # chromium

RATE = 16_000
LOUD = (0.6 * np.sign(np.sin(np.arange(RATE) * 0.3))).astype(np.float32)  # a second
WIDTH, HEIGHT = 640, 420


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("browser"), width=WIDTH, height=HEIGHT) as browser:
        yield browser


@contextmanager
def relayed(heads: tuple[str, ...] = ("npc",)) -> Iterator[tuple[BridgeServer, WebRelay]]:
    with serving(heads=heads) as server, relay_of(server) as relay:
        deadline = time.monotonic() + 30
        while len(relay._descriptions) < len(heads):  # it came later than the heads: descriptions come once a second
            assert time.monotonic() < deadline, "no description"
            time.sleep(0.01)
        yield server, relay


@contextmanager
def relay_of(server: BridgeServer) -> Iterator[WebRelay]:
    """A relay of a server that runs on another thread."""
    relay = WebRelay(server, Address("127.0.0.1", 0))
    try:
        yield relay
    finally:
        relay.close()


class Talker:
    """The head says a loud vowel again and again, until the block is left."""

    def __init__(self, server: BridgeServer, head: str = "npc") -> None:
        self._endpoint, self._head, self._stop = server.ports.endpoint, head, threading.Event()
        self._thread = threading.Thread(target=self._talk)

    def _talk(self) -> None:
        with Client(self._endpoint) as client:
            while not self._stop.wait(0.5):
                client.send_agent_audio(self._head, LOUD[: RATE // 2], RATE)

    def __enter__(self) -> "Talker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def leave(browser: Chromium) -> None:
    """Leave the page of the test before, with the errors of a server that is gone."""
    browser.open("about:blank")
    browser.wait("location.href === 'about:blank'")
    browser.errors.clear()


def show(browser: Chromium, relay: WebRelay, query: str = "?quality=low") -> None:
    leave(browser)
    browser.open(relay.url + query)
    browser.wait("window.visavis?.frames.drawn > 2 && !!window.visavis.guest?.face")


def picture(browser: Chromium, box: tuple[float, float, float, float], when: str = "true") -> np.ndarray:
    """A part of the canvas (left, top, right, bottom as shares of it), drawn at a moment when that is true."""
    drawn = browser.wait(f"({when}) && (visavis.stage.draw(), visavis.stage.canvas.toDataURL('image/png'))")
    image = Image.open(io.BytesIO(base64.b64decode(drawn.partition(",")[2]))).convert("RGB")
    left, top, right, bottom = (round(share * image.size[i % 2]) for i, share in enumerate(box))
    return np.asarray(image.crop((left, top, right, bottom))).astype(float)


def numbers(browser: Chromium) -> dict[str, Any]:
    """What the page has measured."""
    found: dict[str, Any] = json.loads(
        browser.run(
            "JSON.stringify({drawn: visavis.frames.drawn, fps: 1000 / visavis.frames.rate.at(50),"
            " lag: [50, 99].map((p) => visavis.guest.lag.at(p)), wire: [50, 99].map((p) => visavis.guest.wire.at(p)),"
            " head: visavis.guest.head.counters, stream: visavis.stream.counters})"
        )
    )
    return found


def test_the_mouth_opens_with_the_voice_and_the_rest_of_the_picture_stays(browser: Chromium) -> None:
    mouth, hair = (0.44, 0.55, 0.56, 0.82), (0.44, 0.10, 0.56, 0.25)
    with relayed() as (server, relay):
        show(browser, relay)
        assert browser.run("visavis.stage.quality.name") == "low"
        shut, still = picture(browser, mouth), picture(browser, hair)
        with Talker(server):
            browser.wait("document.querySelector('.plate').textContent === 'npc speaks'")
            wide = "visavis.guest.face[visavis.guest.head.index('jawOpen')] > 0.5"
            opened, after = picture(browser, mouth, wide), picture(browser, hair, wide)
        assert np.abs(opened - shut).mean() > 8
        assert np.abs(after - still).mean() < 1
        browser.wait("document.querySelector('.plate').textContent === 'npc waits'")
        told = numbers(browser)
        assert told["head"]["lost"] == told["stream"]["malformed"] == told["head"]["undescribed"] == 0
        assert browser.run("document.getElementById('message').hidden")
        assert browser.errors == []


def test_pictures_come_fast_enough_and_nothing_is_lost(browser: Chromium) -> None:
    """Generous bounds: `benchmarks/view_page.py` measures."""
    with relayed() as (server, relay), Talker(server):
        show(browser, relay)
        drawn, begin = numbers(browser)["drawn"], time.monotonic()
        browser.wait(
            f"visavis.frames.drawn > {drawn + 60} && visavis.guest.lag.count > 8 && visavis.guest.wire.count > 50"
        )
        told = numbers(browser)
        fps = (told["drawn"] - drawn) / (time.monotonic() - begin)
        print(f"{fps:.0f} pictures a second, lag {told['lag']}, wire {told['wire']} ms, {told['head']}")
        assert fps > 0.5 and told["head"]["lost"] == 0
        assert -100 < told["lag"][0] < 5_000 and -100 < told["wire"][0] < 5_000
        assert browser.errors == []


def test_sound_is_heard_in_time_with_the_face_and_the_microphone_reaches_the_head(browser: Chromium) -> None:
    with relayed(("npc", "guard")) as (server, relay), Talker(server):
        show(browser, relay)
        browser.wait("visavis.guests.size === 2")
        browser.run("document.activeElement.blur()")
        browser.key("s")
        browser.wait("visavis.guest.sounds[0]?.played > 3")
        apart = "visavis.guest.head.sessionMs(performance.now()) - visavis.guest.sounds[0].heardMs()"
        browser.wait("visavis.guest.sounds[0].heardMs() !== null")
        assert -100 < browser.run(apart) < 10_000
        browser.key("2")
        assert browser.run("visavis.chosen") == "guard"
        browser.key("m")
        browser.wait("visavis.microphone?.packets > 60", 20)
        assert server.heads["guard"].count()["user_pushed_ms"] > 500
        assert server.heads["npc"].count()["user_pushed_ms"] == 0
        browser.wait("visavis.guest.user.peak(visavis.guest.user.newestMs - 2000, visavis.guest.user.newestMs) > 0.05")
        browser.key("m")
        browser.wait("visavis.microphone === null")
        browser.key("s")
        browser.wait("visavis.guest.sounds.length === 0")
        assert browser.errors == []


def test_dials_and_barge_in_act_on_the_server(browser: Chromium) -> None:
    with relayed() as (server, relay), Talker(server):
        show(browser, relay)
        browser.wait("!!document.querySelector('input[aria-label=\"temperature\"]')")
        browser.run(
            "(() => { const dial = document.querySelector('input[aria-label=\"temperature\"]'); dial.value = 0.5;"
            " dial.dispatchEvent(new Event('input')); })()"
        )
        browser.wait("visavis.guest.head.description.dials['temperature'].value === 0.5")
        assert server.heads["npc"].dials.describe()["temperature"]["value"] == 0.5
        browser.wait("visavis.guest.head.speaking")
        browser.key("i")
        browser.wait("visavis.guest.head.counters.cuts === 1")
        browser.wait("Object.keys(visavis.guest.head.description.stage_ms).length === 3")
        assert browser.errors == []


def test_the_page_says_what_is_wrong(browser: Chromium) -> None:
    text = "(document.getElementById('message')?.textContent ?? '')"
    with serving(heads=()) as server:
        with relay_of(server) as relay:
            leave(browser)
            browser.open(relay.url + "?quality=low")
            browser.wait(f"{text}.includes('no head is open')")
            server.open_head("npc")
            browser.wait("document.getElementById('message')?.hidden")
            assert browser.errors == []
        browser.wait(f"{text}.includes('visavis serve --web') || {text}.includes('the server stops')")


def test_it_fits_a_phone(browser: Chromium) -> None:
    with relayed(("npc", "guard")) as (_, relay):
        browser.call("Emulation.setDeviceMetricsOverride", width=390, height=760, deviceScaleFactor=2, mobile=True)
        try:
            show(browser, relay)
            browser.wait("document.querySelectorAll('.plate').length === 2")
            assert browser.run("document.documentElement.scrollWidth") == 390
            assert browser.run("document.getElementById('picture').clientHeight") > 300
            assert all(
                height >= 30
                for height in browser.run("[...document.querySelectorAll('header button')].map((b) => b.offsetHeight)")
            )
        finally:
            browser.call(
                "Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False
            )
        assert browser.errors == []


def test_the_quality_is_what_the_machine_can_do_and_heads_live_on_in_a_lower_one(browser: Chromium) -> None:
    with relayed() as (_, relay):
        show(browser, relay, "")
        assert browser.run("visavis.stage.quality.name") == "low", "drawn in software"
        show(browser, relay, "?quality=high")
        shares = []
        for name in ("high", "medium", "low"):
            assert browser.run("visavis.stage.quality.name") == name
            shares.append((picture(browser, (0, 0, 1, 1))[..., 0] > 80).mean())
            browser.run("visavis.stage.lower()")
        assert min(shares) > 0.05 and max(shares) - min(shares) < 0.03, ("a head in each", shares)
        browser.key("?")
        assert browser.run(
            "document.getElementById('help').open && document.getElementById('help').textContent.includes('Barge in')"
        )
        assert browser.errors == []


def test_a_browser_without_webgl_is_told(browser: Chromium) -> None:
    script = browser.call(
        "Page.addScriptToEvaluateOnNewDocument", source="HTMLCanvasElement.prototype.getContext = () => null"
    )
    try:
        with relayed() as (_, relay):
            browser.open(relay.url)
            browser.wait("document.getElementById('message')?.textContent.includes('has no WebGL 2')")
    finally:
        browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])


def test_the_small_example_still_runs(browser: Chromium) -> None:
    with relayed() as (_, relay):
        leave(browser)
        browser.open(relay.url + "visavis/example/index.html")
        browser.wait("window.visavis?.face?.length === 55")
        assert browser.errors == []
