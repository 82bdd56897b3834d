from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import Bench
from echo_engine import EchoEngine
from unity_mono import RUNTIME, Unity, compile_package


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench(EchoEngine())
    try:
        yield bench
    finally:
        bench.close()


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small live model with random weights."""
    import torch

    from visavis.export.gguf import save_gguf
    from visavis.model.config import live_config
    from visavis.model.timar import Timar

    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("model") / "small.gguf"
    config = live_config(depth=2, width=64, heads=2, token_width=48, head_width=64, head_depth=1)
    save_gguf(path, Timar(config), name="small", data_note="random weights")
    return path


@pytest.fixture(scope="session")
def natives_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where natives are built as packages carry them: once for all tests that use them."""
    return tmp_path_factory.mktemp("natives")


@pytest.fixture(scope="session")
def unity(tmp_path_factory: pytest.TempPathFactory, client_path: Path) -> Unity:
    """The Unity package, compiled by Mono, with both native libraries beside it."""
    folder = tmp_path_factory.mktemp("unity")
    compile_package(folder)
    return Unity(folder, client_path, RUNTIME)
