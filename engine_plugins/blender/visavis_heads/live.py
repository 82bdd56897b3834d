"""The live session: one client, the faces that follow its heads, a timer that moves them.

Whatever goes wrong (no library, another ABI, no server, another schema) is text for the panel and the log, with the
remedy, and the faces ease to neutral.  `tick` is what the timer calls; without a window (background) call it yourself.
"""

import time
import traceback

import bpy

from . import native
from .client import Client, ClientError, values_of
from .face import Face
from .names import NEUTRAL
from .recording import Recording

INTERVAL_S = 1 / 60
STATUS_S = 0.5
EASE_S = 0.5  # without a client; with one it eases by itself
_now = None  # the session, None if there is none


class Session:
    """From connect to the end of the last easing."""

    def __init__(self, faces, endpoint="", key_file="", library=""):
        self.problem = ""  # why there is no client
        self.client = None
        self.faces = [(Face(name), head) for name, head in faces]
        self.handles = {}  # of heads
        self.recordings = None  # by object name, while recording
        self.start = 0  # scene frame where it began
        self.status = {}  # by head; "" is the connection's
        self.leaving_s = None  # when the easing without a client began
        self._leave = {}  # faces as they were then
        self._status_s = 0.0
        try:
            self.client = Client(native.load_library(library), endpoint, key_file)
            self.handles = {head: self.client.follow(head) for _, head in self.faces}
        except (native.LibraryError, ClientError) as error:
            self.fail(str(error))

    def fail(self, problem):
        """There is no client (any more): say why, ease."""
        self.problem = problem
        say("ERROR", problem)
        self.close()

    def close(self):
        """Disconnect; the faces ease to neutral with the next ticks."""
        if self.client is not None:
            self.client.close()
        self.client = None
        self.leaving_s = time.monotonic()
        self._leave = {face.name: face.shown for face, _ in self.faces}

    def tick(self):
        """Move the faces; whether there is more to do."""
        if self.client is None:
            return self._ease()
        for face, head in self.faces:
            face.show(self._sample(face, head))
        for level, text in self.client.log():
            say(level, text)
        if time.monotonic() - self._status_s > STATUS_S:
            self._status_s = time.monotonic()
            self.status = {head: self.client.status(handle) for head, handle in self.handles.items()}
            self.status[""] = self.client.status()
        return True

    def _sample(self, face, head):
        handle, t_ns = self.handles[head], self.client.now()
        recording = self.recordings.get(face.name) if self.recordings is not None else None
        for session_ns in recording.due(t_ns) if recording else ():
            frame = self.client.sample_at(handle, session_ns)
            if not frame.state & native.NEUTRAL:
                recording.add(frame.session_ns, frame.epoch, values_of(frame))
        frame = self.client.sample(handle, t_ns)
        if recording and not frame.state & native.NEUTRAL:
            recording.reached(frame.session_ns, frame.epoch, t_ns)
        return values_of(frame)

    def _ease(self):
        left = max(0.0, 1.0 - (time.monotonic() - self.leaving_s) / EASE_S)
        for face, _ in self.faces:
            face.show([value * left for value in self._leave[face.name]] if left else NEUTRAL)
        if not left:
            for face, _ in self.faces:
                face.release()
        return left > 0


def connect(scene, library=""):
    """Follow: every object of the scene that names a head.  What is wrong is in `problem()`."""
    global _now
    settings = scene.visavis
    faces = [(thing.name, thing.visavis.head) for thing in scene.objects if thing.visavis.head]
    _end(keep={name for name, _ in faces})
    if not faces:
        say("WARNING", "no object of the scene follows a head: choose a character's top object and name its head")
    _now = Session(faces, settings.endpoint, bpy.path.abspath(settings.key_file), library)
    _start_timer()


def disconnect():
    """End the connection; the faces ease to neutral."""
    if _now is not None and _now.client is not None:
        _now.close()


def stop():
    """At once: before another file is loaded, when the add-on goes."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    _end()


def _end(keep=()):
    """No session any more; its faces are neutral, but those that go on in another one."""
    global _now
    if _now is not None:
        if _now.client is not None:
            _now.close()
        for face, _ in _now.faces:
            if face.name not in keep:
                face.show(NEUTRAL)
                face.release()
    _now = None


def tick():
    """The timer: returns when it wants to be called again, None if there is nothing more to do."""
    if _now is None:
        return None
    try:
        more = _now.tick()
    except Exception as error:  # the timer would end without a word
        traceback.print_exc()
        more = _now.client is not None
        _now.fail(f"internal error ({error!r}): please report it with what the console says; connect again")
    _redraw()
    return INTERVAL_S if more else None


def begin_recording(start):
    """From now on, for keyframes from scene frame `start` on."""
    _now.recordings = {face.name: Recording() for face, _ in _now.faces}
    _now.start = start


def end_recording():
    """The scene frame where it began, and [(face, recording)]."""
    recordings, _now.recordings = _now.recordings, None
    return _now.start, [(face, recordings[face.name]) for face, _ in _now.faces]


def has_window():
    """Whether Blender has an event loop, and so timers."""
    return not bpy.app.background


def is_connected():
    """Whether a client runs, with or without a server at the other end."""
    return _now is not None and _now.client is not None


def is_recording():
    """Whether it records."""
    return is_connected() and _now.recordings is not None


def recorded_seconds():
    """Of the longest recording."""
    return max((recording.seconds for recording in _now.recordings.values()), default=0.0)


def heads():
    """Of the server, as far as known."""
    return _now.client.heads() if is_connected() else []


def problem():
    """Why there is no client; "" if nothing is wrong."""
    return _now.problem if _now is not None else ""


def status(head=""):
    """What the client says of a head, or of the connection."""
    return _now.status.get(head, "") if is_connected() else ""


def say(level, text):
    """Into the log: the console that Blender was started from."""
    print(f"visavis: {level.lower()}: {text}", flush=True)


def _start_timer():
    if has_window() and not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=0.0)


def _redraw():
    """The sidebar's texts, twice a second; the 3D view redraws by itself."""
    if not has_window() or _now is None or time.monotonic() - _now._status_s > INTERVAL_S:
        return
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def register():
    """Stop before another file is loaded: its objects are others."""
    bpy.app.handlers.load_pre.append(_before_load)


def unregister():
    """Stop."""
    bpy.app.handlers.load_pre.remove(_before_load)
    stop()


@bpy.app.handlers.persistent
def _before_load(*_):
    stop()
