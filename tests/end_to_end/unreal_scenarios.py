"""What the Unreal plugin's module goes through in tests: programs with a stand-in engine, against live servers.

`threads` is the module for Unreal 5.3 under ThreadSanitizer, `memory` for 5.6 under AddressSanitizer and UBSan.  A
program mostly waits for the clock, so several of them run at a time."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import unreal_plugin
from client_server import FakeHead, Publisher
from live_server import serving
from native_client import run
from numpy.typing import NDArray

import visavis
from visavis.bridge.demo import demo_voice
from visavis.bridge.receiver import Receiver

Seen = dict[str, Any]
AT_A_TIME = 3


@contextmanager
def demo_server() -> Iterator[str]:
    """`visavis serve --demo`: its endpoint."""
    command = [sys.executable, "-m", "visavis", "serve", "--demo", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield next(word for word in process.stdout.readline().split() if word.startswith("tcp://")).rstrip(",;")
    finally:
        process.kill()
        process.communicate()


class Subscriber:
    """All frames of a server, as pyzmq gets them, on a thread."""

    def __init__(self, endpoint: str) -> None:
        self.times: list[float] = []
        self.values: list[tuple[float, ...]] = []
        self._stop = threading.Event()
        self._receiver = Receiver(endpoint)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._receiver as receiver:
            while not self._stop.is_set():
                for _, message in receiver.receive(50):
                    if message.magic == "VVM1" and message.values:
                        self.times.append(message.presentation_ns * 1e-9)
                        self.values.append(message.values)

    def at(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Straight between frames: (times, 55)."""
        values = np.array(self.values)
        return np.stack([np.interp(times, self.times, channel) for channel in values.T], axis=1)

    def __enter__(self) -> "Subscriber":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


class Scenarios:
    """Builds both programs and plays every scenario once; tests take what was seen by the scenario's name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        options = ((3, "-fsanitize=thread"), (6, "-fsanitize=address,undefined"))
        with ThreadPoolExecutor(2) as pool:
            self.threads, self.memory = pool.map(
                lambda one: unreal_plugin.build(folder / str(one[0]), *one, "-fno-sanitize-recover=all"), options
            )
        self.voice = self._voice()
        self._pool = ThreadPoolExecutor(AT_A_TIME)
        names = [name for name in dir(self) if name.startswith("play_")]
        self._seen = {name[5:]: self._pool.submit(getattr(self, name)) for name in names}

    def __getitem__(self, name: str) -> Any:
        future: Future[Any] = self._seen[name]
        return future.result()

    def close(self) -> None:
        self._pool.shutdown()

    def _voice(self) -> Path:
        """Ten seconds of a character's voice: raw float32 at 24 kHz."""
        said = demo_voice("agent")
        samples = np.asarray(said.samples, np.float32)
        at = np.flatnonzero(np.abs(samples) > 0.1)[0] + np.arange(0, 5 * said.rate, said.rate / 24_000)
        path = self.folder / "voice.f32"
        np.tile(np.interp(at, np.arange(len(samples)), samples).astype(np.float32), 2).tofile(path)
        return path

    def _installed(self, name: str) -> Path:
        """The plugin with its runtime library, as a game has it."""
        plugin = self.folder / name / "Visavis"
        shutil.copytree(self.memory.parent / "Visavis", plugin, ignore=shutil.ignore_patterns("Source"))
        library = plugin / unreal_plugin.description().runtime["linux-x86_64"]
        library.parent.mkdir(parents=True)
        shutil.copyfile(Path(visavis.__file__).parent / "native" / "libvisavis.so", library)
        return plugin

    def play_live_link(self) -> tuple[Seen, Subscriber, str]:
        with demo_server() as endpoint, Subscriber(endpoint) as others:
            connection = f"endpoint={endpoint};scene=session;timecode=30000/1001"
            return unreal_plugin.play(self.threads, "livelink", connection, 5), others, endpoint

    def play_settings(self) -> tuple[Seen, str]:
        with serving(heads=("npc", "guard")) as one, serving(heads=("smith",)) as other:
            first = f"endpoint={one.ports.endpoint};prefix=A_;scene=timeofday"
            second = f"endpoint={other.ports.endpoint};heads=smith;prefix=B_;angles=degrees"
            return unreal_plugin.play(self.memory, "livelink", first, 3, second), other.ports.endpoint

    def play_no_server(self) -> list[Seen]:
        with serving() as server:
            endpoint = server.ports.endpoint
        return [
            unreal_plugin.play(self.memory, "livelink", f"{endpoint};heads=npc", 3),
            unreal_plugin.play(self.memory, "livelink", "endpoint=nonsense://", 0.3),
            unreal_plugin.play(self.memory, "livelink", f"{endpoint};server_key=" + "k" * 40, 0.3),
        ]

    def play_other_schema(self) -> Seen:
        head, stop = FakeHead(), threading.Event()
        with Publisher() as publisher:

            def publish() -> None:
                for frame in range(10_000):
                    if stop.wait(0.04):
                        return
                    publisher.send(head.describe(frame * 40_000_000, 1, channels=["a", "b"], units=["1", "1"]))
                    publisher.send(head.motion(frame, [0.1, 0.2], 1, schema_hash=5, channels=2))

            thread = threading.Thread(target=publish)
            thread.start()
            try:
                return unreal_plugin.play(self.memory, "stream", publisher.endpoint, "npc", 5)
            finally:
                stop.set()
                thread.join()

    def play_talk(self) -> Seen:
        with serving() as server:
            return unreal_plugin.play(self.threads, "stream", server.ports.endpoint, "npc", 2, "talk")

    def play_ease(self) -> list[Seen]:
        with demo_server() as endpoint:
            seen = unreal_plugin.play(self.memory, "stream", endpoint, "demo", 3, "disconnect")
        return [seen, unreal_plugin.play(self.memory, "stream", endpoint, "demo", 3, VISAVIS_NO_LIVE_LINK="1")]

    def play_killed(self) -> Seen:
        """The server dies while the component follows it."""
        with ExitStack() as stack:
            endpoint = stack.enter_context(demo_server())
            timer = threading.Timer(3, stack.close)
            timer.start()
            seen = unreal_plugin.play(self.threads, "stream", endpoint, "demo", 7)
            timer.join()
        return seen

    def play_characters_threads(self) -> Seen:
        # The library itself is not instrumented here (its own tests are): its locks are unknown to ThreadSanitizer.
        ignored = self.folder / "ignored"
        ignored.write_text("called_from_lib:libvisavis.so\n", "utf-8")
        options = f"halt_on_error=1:suppressions={ignored}"
        return self._characters("threads", TSAN_OPTIONS=options)

    def play_characters_memory(self) -> Seen:
        return self._characters("memory")

    def _characters(self, program: str, **environment: str) -> Seen:
        plugin = self._installed(f"plugin of {program}")
        return unreal_plugin.play(getattr(self, program), "character", plugin, 4, self.voice, 3, **environment)

    def play_missing(self) -> list[tuple[str, Seen]]:
        """Each with the text that the log must have."""
        plugin = self._installed("plugin that lacks something")
        library, model, source = next(plugin.rglob("*.so")), plugin / "Resources" / "default.gguf", plugin / "old.c"

        def compiled(code: str) -> None:
            source.write_text(code, "utf-8")
            run("gcc", "-shared", "-fPIC", source, "-o", library)

        changes: list[tuple[str, Callable[[], object]]] = [
            ("default.gguf", lambda: model.write_bytes(b"GGUF no more")),
            ("default.gguf", model.unlink),
            ("does not serve version 1.", lambda: compiled("int vv_abi_matches(unsigned v) { return v == 0; }")),
            ("it has no vv_", lambda: compiled("int vv_abi_matches(unsigned v) { return v > 0; }")),
            ("does not serve version", lambda: compiled("int other(void) { return 0; }")),
            ("visavis plugins package", lambda: library.write_bytes(b"no library")),
            ("Visavis Stream", library.unlink),
        ]
        seen = []
        for text, change in changes:
            change()
            seen.append((text, unreal_plugin.play(self.memory, "character", plugin, 0.8, self.voice)))
        return seen
