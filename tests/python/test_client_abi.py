"""client.h and libvisavis_client: C99, nothing but vvc_* exported, structs and calls as declared."""

import ctypes
from pathlib import Path

import pytest
from native_client import STRUCTS, NativeClient, load, run

ROOT = Path(__file__).parents[2]
HEADER = ROOT / "csrc" / "include" / "visavis" / "client.h"
FLAGS = ("-Wall", "-Wextra", "-Wshadow", "-Wpedantic", "-Werror", f"-I{ROOT / 'csrc'}", f"-I{HEADER.parents[1]}")


def test_only_the_abi_is_exported(client_path: Path) -> None:
    exported = {line.split()[-1] for line in run("nm", "-D", "--defined-only", client_path).splitlines()}
    declared = {word.split("(")[0].lstrip("*") for line in HEADER.read_text("utf-8").splitlines()
                for word in line.split()[:4] if line.startswith("VVC_API") and "(" in word}  # fmt: skip
    assert declared == exported and all(name.startswith("vvc_") for name in exported)
    assert sorted(exported) == load(client_path).calls


def test_structs_are_as_a_binding_declares_them(client_path: Path) -> None:
    library = load(client_path)
    assert [library.vvc_struct_size(i) for i in range(6)] == [*map(ctypes.sizeof, STRUCTS), 0]
    assert library.vvc_abi_matches(1 << 16) and not library.vvc_abi_matches(2 << 16 | 1)
    assert not library.vvc_abi_matches(1 << 16 | 9)


def test_shapes_are_in_the_order_of_arkit55(client_path: Path) -> None:
    from visavis.motion_space import ARKIT55

    library = load(client_path)
    assert [library.vvc_shape_name(i).decode() for i in range(52)] == list(ARKIT55.channels[:52])
    assert library.vvc_shape_name(52) is None


@pytest.mark.parametrize("defines", [(), ("-DVVC_NO_SOCKETS",), ("-DVVC_STATIC",)])
def test_it_is_c99_and_the_header_is_cpp_too(defines: tuple[str, ...], tmp_path: Path) -> None:
    sources = sorted((ROOT / "csrc" / "client").glob("*.c"))
    assert len(sources) >= 15
    run("gcc", "-std=c99", *FLAGS, *defines, "-fsyntax-only", *sources)
    run("g++", "-std=c++17", *FLAGS, *defines, "-x", "c++", "-fsyntax-only", HEADER)


def test_without_sockets_it_needs_none(tmp_path: Path) -> None:
    library = tmp_path / "libmanual.so"
    sources = sorted((ROOT / "csrc" / "client").glob("*.c"))
    run(
        "gcc", "-std=c99", *FLAGS, "-DVVC_NO_SOCKETS", "-DVVC_BUILD", "-shared", "-fPIC", *sources, "-lm", "-o", library
    )
    needed = {line.split()[-1].split("@")[0] for line in run("nm", "-D", "--undefined-only", library).splitlines()}
    assert "clock_gettime" in needed and not needed & {"socket", "connect", "poll", "getaddrinfo", "pthread_create"}
    with pytest.raises(ValueError, match="VVC_NO_SOCKETS"):
        NativeClient(load(library))
    with NativeClient(load(library), flags=1) as client:
        assert client.follow("npc") == 0


@pytest.mark.parametrize(
    ("endpoint", "options", "message"),
    [
        ("tcp://", {}, "endpoint"),
        ("tcp://host:0", {}, "endpoint"),
        ("tcp://host:70000", {}, "endpoint"),
        ("ipc:///tmp/x", {}, "endpoint"),
        ("host:55x", {}, "endpoint"),
        ("host", {"max_delay_ns": -1}, "max_delay_ns is -1; expected 0 to 2000000000"),
        ("host", {"max_heads": 0}, "max_heads is 0; expected 1 to 128"),
        ("host", {"ease_ns": 0}, "ease_ns"),
        ("host", {"public_key": b"x" * 40}, "server_key is empty"),
        ("host", {"server_key": b"x" * 40}, "no CURVE"),
    ],
)
def test_what_cannot_be_opened_is_said(client_path: Path, endpoint: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NativeClient(load(client_path), endpoint, **options)


def test_arguments_are_checked(client_path: Path) -> None:
    library = load(client_path)
    with NativeClient(library, flags=1) as client:
        for name in ("", "seventeen-bytes-x", "tab\t"):
            assert client.follow(name) == -1
        assert b"1 to 16 bytes" in library.vvc_last_error()
        assert [client.follow(f"h{i}") for i in range(128)] == list(range(128))
        assert client.follow("one more") == -4 and b"max_heads" in library.vvc_last_error()
        frame = STRUCTS[1](struct_size=16)
        assert library.vvc_sample(client.client, 200, 0, ctypes.byref(frame)) == 1
        assert library.vvc_sample(client.client, 0, 1 << 60, ctypes.byref(frame)) == 1
        assert library.vvc_sample(client.client, 0, 5, ctypes.byref(frame)) == 0
        assert frame.state == 64 | 2 and frame.frame == 0, "a library writes no more than struct_size"
    library.vvc_close(None)
