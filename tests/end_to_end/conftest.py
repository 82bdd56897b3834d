from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import Bench
from echo_engine import EchoEngine


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
