import ctypes
from pathlib import Path

import pytest
from native_client import build, load


@pytest.fixture(scope="session")
def client_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh libvisavis_client without CURVE."""
    return build(tmp_path_factory.mktemp("client"), "-DVISAVIS_CURVE=OFF")


@pytest.fixture(scope="session")
def client_library(client_path: Path) -> ctypes.CDLL:
    return load(client_path)
