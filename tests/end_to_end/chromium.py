"""Chromium without a window, over its DevTools protocol: `with Chromium(folder) as browser: browser.open(url)`."""

import asyncio
import base64
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp

SOFTWARE_GL = ("--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
QUIET = (
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-quic", "--disable-extensions", "--mute-audio", "--disable-dev-shm-usage",
)  # fmt: skip
MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")  # beeps, once a second
AUTOPLAY = "--autoplay-policy=no-user-gesture-required"
PATIENCE_S = 60.0  # a busy machine draws slowly


class Chromium:
    """One browser with one page.  `errors`: exceptions, failed loads and console errors of the page so far."""

    def __init__(self, folder: Path, *, width: int = 960, height: int = 640, software: bool = True) -> None:
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        assert program, "chromium is not installed (.ci/apt-packages.txt)"
        self.errors: list[str] = []
        self._profile = folder / "chromium"
        self._profile.mkdir(parents=True)
        gl = SOFTWARE_GL if software else ()
        command = [program, "--headless", "--no-sandbox", *gl, *QUIET, *MICROPHONE, AUTOPLAY]
        command += [f"--user-data-dir={self._profile}", "--remote-debugging-port=0", f"--window-size={width},{height}"]
        self._process = subprocess.Popen(
            [*command, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._loop = asyncio.new_event_loop()
        self._id = 0
        try:
            self._loop.run_until_complete(self._connect())
            self.call(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
            )
        except BaseException:
            self.close()
            raise

    async def _connect(self) -> None:
        port_file = self._profile / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE_S
        while not (port_file.is_file() and len(port_file.read_text().splitlines()) > 1):
            assert time.monotonic() < deadline and self._process.poll() is None, "chromium does not start"
            await asyncio.sleep(0.05)
        base = f"http://127.0.0.1:{port_file.read_text().splitlines()[0]}"
        self._http = aiohttp.ClientSession()
        async with self._http.get(f"{base}/json/list") as response:
            (page,) = [entry for entry in await response.json() if entry["type"] == "page"]
        self._socket = await self._http.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self._call(f"{domain}.enable", {})

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._id += 1
        await self._socket.send_str(json.dumps({"id": self._id, "method": method, "params": parameters}))
        while True:
            message = json.loads(await self._socket.receive_str(timeout=PATIENCE_S))
            if message.get("id") == self._id:
                assert "error" not in message, (method, message["error"])
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        what, told = event.get("method"), event.get("params", {})
        if what == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif what == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.errors.append(" ".join(str(part.get("value", part.get("description"))) for part in told["args"]))
        elif what == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.errors.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol."""
        return self._loop.run_until_complete(self._call(method, parameters))

    def open(self, url: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression; promises are waited for."""
        result = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, condition: str, seconds: float = PATIENCE_S) -> Any:
        """Until an expression is true; its value."""
        deadline = time.monotonic() + seconds
        while not (value := self.run(condition)):
            assert time.monotonic() < deadline, f"waited too long for {condition}; {self.errors}"
            time.sleep(0.05)
        return value

    def key(self, key: str, code: str = "") -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            text = key if kind == "keyDown" and len(key) == 1 else ""
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key, text=text)

    def picture(self, clip: tuple[float, float, float, float] | None = None) -> bytes:
        """The page, or left, top, width, height of it, as PNG."""
        options: dict[str, Any] = {}
        if clip is not None:
            options["clip"] = dict(zip(("x", "y", "width", "height"), clip, strict=True), scale=1)
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **options)["data"])

    def close(self) -> None:
        """End the browser."""
        if hasattr(self, "_socket"):
            self._loop.run_until_complete(self._socket.close())
        if hasattr(self, "_http"):
            self._loop.run_until_complete(self._http.close())
        self._loop.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
