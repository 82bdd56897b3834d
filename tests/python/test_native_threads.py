"""The thread rules of visavis.h under the thread sanitizer (g++, cmake and ninja)."""

from pathlib import Path

from small_models import randomised, small_config
from test_native_abi import ROOT, run

from visavis.export.gguf import save_gguf
from visavis.model.timar import Timar


def test_callers_on_several_threads_never_race(tmp_path: Path) -> None:
    model, build = tmp_path / "small.gguf", tmp_path / "build"
    save_gguf(model, randomised(Timar(small_config())), name="small", dtype="f32")
    options = ("-DVISAVIS_PYTHON=OFF", "-DVISAVIS_TESTS=ON", "-DVISAVIS_SANITIZE=thread", "-DCMAKE_BUILD_TYPE=Debug")
    run("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", *options)
    run("cmake", "--build", build, "--target", "session_threads")
    assert run(build / "tests" / "native" / "session_threads", model) == "ok\n"
