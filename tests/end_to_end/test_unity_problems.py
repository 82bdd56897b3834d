"""What the Unity package says and does where nothing can move: in Unity's log once, neutral, without a stall."""

from pathlib import Path

import pytest
from client_server import FakeHead, Publisher
from live_server import serving
from native_client import NEUTRAL, run
from test_unity_stream import publishing
from unity_mono import MODEL, Unity

pytestmark = pytest.mark.system
ENDPOINT = "tcp://127.0.0.1:5570"
KINDS = [("visavis_client", "vvc", ENDPOINT), ("visavis", "vv", MODEL)]  # library, prefix, what needs it
ABI_2 = """
int PREFIX_abi_matches(unsigned header_version) { (void)header_version; return 0; }
const char* PREFIX_version(void) { return "9.8.7"; }
"""
OLD = "int PREFIX_abi_matches(unsigned header_version) { (void)header_version; return 1; }\n"
SMALL = OLD + "unsigned PREFIX_struct_size(unsigned which) { (void)which; return 8; }\n"


def still(unity: Unity, endpoint: str, *expected: str, head: str = "npc", seconds: float = 0.5, lines: int = 1) -> None:
    """Two characters there: what they say together, and how they are."""
    found = unity.check("still", endpoint, head, seconds)
    said = [line for line in found["log"] if not line.startswith("info")]
    assert len(said) == lines, f"each problem once, whoever has it: {said}"
    for text in expected:
        assert text in said[-1] and text in found["status"] and text in found["why"][0]
    assert found["jaw"] == 0 and found["state"] & NEUTRAL and found["silent"]
    assert found["worst_frame"] < 0.2


def library(folder: Path, name: str, source: str) -> Path:
    """A library of another kind."""
    path = folder / f"lib{name}.so"
    (folder / "fake.c").write_text(source, "utf-8")
    run("gcc", "-shared", "-fPIC", folder / "fake.c", "-o", path)
    return path


@pytest.mark.parametrize(("name", "where"), [(name, where) for name, _, where in KINDS])
def test_without_the_library(unity: Unity, tmp_path: Path, name: str, where: str) -> None:
    still(unity.beside(tmp_path / "without"), where, f'"{name}" was not found', "visavis plugins package")


@pytest.mark.parametrize(("name", "prefix", "where"), KINDS)
@pytest.mark.parametrize(
    ("source", "said"),
    [
        (ABI_2, "is release 9.8.7 and does not serve ABI 1."),
        (OLD, "is older than this package: it lacks PREFIX_struct_size"),
        (SMALL, "counts 8 bytes in struct 0, this package"),
    ],
)
def test_another_library(
    unity: Unity, tmp_path: Path, name: str, prefix: str, where: str, source: str, said: str
) -> None:
    other = unity.beside(tmp_path / "other", library(tmp_path, name, source.replace("PREFIX", prefix)))
    still(other, where, said.replace("PREFIX", prefix), "Use library and package of one release")


@pytest.mark.parametrize(("name", "where"), [(name, where) for name, _, where in KINDS])
def test_a_library_for_another_system(unity: Unity, tmp_path: Path, name: str, where: str) -> None:
    foreign = tmp_path / f"lib{name}.so"
    foreign.write_bytes(b"MZ no library of this system")
    still(unity.beside(tmp_path / "foreign", foreign), where, f'"{name}"', "visavis plugins package")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("file:/nowhere/x.gguf", "/nowhere/x.gguf"),
        (MODEL.replace("default.gguf", "demo_user.flac"), "GGUF"),
        ("file:", "has no model"),
    ],
)
def test_a_model_that_is_none(unity: Unity, where: str, said: str) -> None:
    still(unity, where, said, "Packages/dev.visavis.heads/Model/default")


def test_a_bad_endpoint(unity: Unity) -> None:
    still(unity, "udp://nowhere", "expected tcp://HOST:PORT")


def test_no_server(unity: Unity) -> None:
    still(unity, "tcp://127.0.0.1:1", "nothing listens there", "visavis serve", seconds=4)


def test_no_head_of_that_name(unity: Unity) -> None:
    with serving() as server:
        still(unity, server.ports.endpoint, 'no head "nobody"', "it has: npc", head="nobody", seconds=4.5)


def test_a_server_of_another_schema(unity: Unity) -> None:
    names = tuple(f"exp{i}" for i in range(55))
    with Publisher() as publisher, publishing(publisher, FakeHead(), 250, names):
        still(unity, publisher.endpoint, "start the server with an arkit55 model", seconds=5)
