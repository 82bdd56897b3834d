from pathlib import Path

import pytest
from native_build import build


@pytest.fixture(scope="session")
def native_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the native programs of these tests are compiled: what they share is compiled once."""
    return tmp_path_factory.mktemp("native")


@pytest.fixture(scope="session")
def emulated(native_folder: Path) -> Path:
    """libvisavis_cuda for the emulator on the processor."""
    return build(native_folder, "visavis_cuda_emulated") / "libvisavis_cuda_emulated.so"
