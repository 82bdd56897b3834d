"""Writes videos through ffmpeg: the system's, or the one of the package imageio-ffmpeg."""

import shutil
import subprocess
import tempfile
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from visavis.errors import FileError, Unsupported
from visavis.render.performance import Floats
from visavis.render.studio import Picture

SOUND_RATE = 48_000


def find_ffmpeg() -> str:
    """Path of an ffmpeg; raises Unsupported with the remedy."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe
    except ImportError:
        raise Unsupported(
            "videos need ffmpeg, which is not on the PATH; install your system's package ffmpeg, or run "
            "`pip install imageio-ffmpeg`"
        ) from None
    return str(get_ffmpeg_exe())


def write_video(
    path: Path, pictures: Iterable[Picture], size: tuple[int, int], fps: float, sound: Floats | None
) -> None:
    """Pictures of (height, width) = `size`, both even, with stereo sound (n, 2) at 48 kHz; H.264 in MP4.

    The file appears whole or not at all.  Raises FileError with ffmpeg's last words.
    """
    height, width = size
    with tempfile.TemporaryDirectory(prefix="visavis-") as folder:
        part, log_path = Path(folder) / "video.mp4", Path(folder) / "log"
        command = [find_ffmpeg(), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
        command += ["-r", f"{fps:g}", "-i", "-"]
        if sound is not None:
            command += ["-i", str(_write_sound(Path(folder) / "sound.wav", sound)), "-c:a", "aac", "-b:a", "128k"]
        command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"]
        command += ["-movflags", "+faststart", str(part)]
        with log_path.open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
            assert process.stdin is not None
            try:
                with process.stdin as pipe:
                    for picture in pictures:
                        pipe.write(np.ascontiguousarray(picture).data)
            except BrokenPipeError:
                pass  # ffmpeg has ended; its log says why
            except BaseException:
                process.kill()
                raise
            finally:
                code = process.wait()
        if code:
            words = " ".join(log_path.read_text(errors="replace").split())[-300:]
            raise FileError(f"video file {path}: ffmpeg ended with {code} ({words or 'no message'})")
        beside = path.with_name(f".{path.name}.part")
        try:
            shutil.copyfile(part, beside)
            beside.replace(path)
        except OSError as error:
            raise FileError(f"video file {path}: cannot be written ({error.strerror or error})") from None
        finally:
            beside.unlink(missing_ok=True)


def _write_sound(path: Path, sound: Floats) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SOUND_RATE)
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
    return path
