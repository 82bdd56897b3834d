"""Videos and contact sheets of performances: `render_video`, `render_sheet`."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from visavis.errors import InvalidArgument
from visavis.head.mesh import HeadMesh
from visavis.motion_file import check_output_path, write_whole
from visavis.render.layout import Strip, grid, label, speakers
from visavis.render.performance import Performance, sound
from visavis.render.studio import Picture, Studio, require_pillow
from visavis.render.video import SOUND_RATE, find_ffmpeg, write_video

Progress = Callable[[float], None]  # share done


class Pictures:
    """Draws frames of one or more performances side by side; several at once, in order."""

    def __init__(self, performances: Sequence[Performance], width: int, height: int, turn_degrees: float = 0.0) -> None:
        if width % 2 or height % 2:
            raise InvalidArgument(f"picture of {width} x {height} pixels; expected even numbers")
        self.performances = list(performances)
        self._size, self._turn, self._mesh = (width, height), turn_degrees, HeadMesh()
        self._own = threading.local()  # each thread draws in its own studio
        first = self.performances[0]
        self._strip = Strip(first, width * len(self.performances)) if first.voices else None

    def frame(self, number: int, stamp: bool = False) -> Picture:
        """The picture of a frame, every head with its name where there are several, voices below; `stamp`: time."""
        if not hasattr(self._own, "studio"):
            self._own.studio = Studio(*self._size, mesh=self._mesh, turn_degrees=self._turn)
        heads = []
        for performance in self.performances:
            frame = performance.values[min(number, len(performance.values) - 1)]
            head: Picture = self._own.studio.picture(frame)
            heads.append(label(head, performance.name) if len(self.performances) > 1 else head)
        whole = np.concatenate(heads, 1)
        time_s = number / self.performances[0].fps
        if stamp:
            who = speakers(self.performances[0], time_s) if self._strip else ""
            whole = label(whole, f"{time_s:.2f} s" + (f"  {who}" if who else ""), right=len(self.performances) > 1)
        return np.concatenate([whole, self._strip.picture(time_s)]) if self._strip else whole

    def frames(self, numbers: Sequence[int], stamp: bool = False) -> Iterator[Picture]:
        """Many frames, drawn by as many threads as there are processors."""
        n_threads = max(1, os.cpu_count() or 1)
        with ThreadPoolExecutor(n_threads) as pool:
            waiting: deque[Future[Picture]] = deque()
            for number in numbers:
                waiting.append(pool.submit(self.frame, number, stamp))
                if len(waiting) > 2 * n_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def render_video(
    path: Path,
    performances: Sequence[Performance],
    width: int = 480,
    height: int = 480,
    *,
    turn_degrees: float = 0.0,
    progress: Progress | None = None,
) -> None:
    """A video of the first performance with its voices; further ones are shown beside it, at the same rate."""
    check_output_path(path, "video")
    find_ffmpeg()
    first = performances[0]
    for other in performances[1:]:
        if other.fps != first.fps:
            raise InvalidArgument(f"{other.name}: {other.fps:g} frames a second beside {first.name}'s {first.fps:g}")
    pictures = Pictures(performances, width, height, turn_degrees)
    n_frames = len(first.values)
    height_all, width_all, _ = pictures.frame(0).shape

    def counted() -> Iterator[Picture]:
        for done, picture in enumerate(pictures.frames(range(n_frames)), 1):
            yield picture
            if progress:
                progress(done / n_frames)

    write_video(path, counted(), (height_all, width_all), first.fps, sound(first, SOUND_RATE))


def render_sheet(
    path: Path,
    performances: Sequence[Performance],
    width: int = 480,
    height: int = 480,
    *,
    times_s: Sequence[float] | None = None,
    n_pictures: int = 8,
    columns: int = 4,
    turn_degrees: float = 0.0,
) -> None:
    """A PNG of pictures at chosen times, or of `n_pictures` evenly spaced ones, each with its time."""
    check_output_path(path, "sheet")
    first = performances[0]
    times = [(i + 0.5) * first.seconds / n_pictures for i in range(n_pictures)] if times_s is None else times_s
    for time_s in times:
        if not 0 <= time_s < first.seconds:
            raise InvalidArgument(f"time {time_s} s: outside {first.name}, which lasts {first.seconds:.2f} s")
    pictures = Pictures(performances, width, height, turn_degrees)
    numbers = [round(time_s * first.fps) for time_s in times]
    sheet = grid(list(pictures.frames([min(n, len(first.values) - 1) for n in numbers], stamp=True)), columns)
    image = require_pillow().fromarray(sheet)
    write_whole(path, "sheet", lambda file: image.save(file, "PNG", optimize=True))
