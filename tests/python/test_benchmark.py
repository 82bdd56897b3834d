"""`visavis bench`: figures, names of engines, and a short run of several engines in processes of their own."""

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visavis import cli
from visavis.benchmark import engines, machine
from visavis.benchmark.engines import bench_engines, table
from visavis.benchmark.figures import columns, shown, summary
from visavis.benchmark.spec import VARIANTS, EngineSpec, default_specs, parse_spec
from visavis.engine import PRECISIONS
from visavis.errors import InvalidArgument, Unsupported


def test_percentiles_are_values_that_were_measured() -> None:
    values = np.random.default_rng(1).permutation(np.arange(1, 201))
    assert summary(values) == {"best": 1, "p50": 100, "p95": 190, "p99": 198, "max": 200, "mean": 100.5}
    assert summary([7.0]) == {"best": 7, "p50": 7, "p95": 7, "p99": 7, "max": 7, "mean": 7}
    assert set(summary([]).values()) == {None}


def test_what_never_came_counts() -> None:
    found = summary([1.0] * 97 + [math.inf] * 3)
    assert found == {"best": 1, "p50": 1, "p95": 1, "p99": None, "max": None, "mean": None}
    assert shown(found["p99"]) == "-"


def test_columns_stand_under_each_other() -> None:
    lines = columns(("a", "b"), [("long name", "1"), ("x", "22222")]).splitlines()
    assert lines == ["a              b", "long name      1", "x          22222"]


@pytest.mark.parametrize(
    "text", ["cpu:int8", "cpu:f32@avx2", "cuda", "cuda:f16", "onnx", "onnx:portable", "torch", "tensorrt"]
)
def test_names_of_engines(text: str) -> None:
    assert parse_spec(text).name == text
    assert parse_spec("cpu") == EngineSpec("cpu", "f32") and parse_spec("onnx:ort") == EngineSpec("onnx", "ort")
    assert parse_spec("cpu").options(2, 3) == {"precision": "f32", "threads": 2, "steps": 3}
    assert parse_spec("cpu").options(2, None, "exact") == {"precision": "f32", "threads": 2, "window": "exact"}
    assert parse_spec("cuda").options(2) == {"precision": "auto"} and parse_spec("torch").options(2) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gpu", "engine 'gpu': expected one of cpu, cuda, tensorrt, torch, onnx"),
        ("cpu:f64", "'f64' after the colon; expected one of f32, bf16, int8, auto"),
        ("onnx:tiny", "'tiny' after the colon; expected one of ort, portable, trt"),
        ("torch:f32", "'f32' after the colon; expected none"),
        ("cpu:", "'' after the colon"),
        ("onnx@avx2", "@ISA is for engine cpu"),
        ("cpu:f32@", "@ISA is for engine cpu"),
    ],
)
def test_names_that_mean_nothing(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(message)):
        parse_spec(text)


def test_every_precision_is_measured_without_being_asked_for() -> None:
    assert [spec.name for spec in default_specs()] == ["cpu:f32", "cpu:bf16", "cpu:int8", "onnx"]
    assert {precision for kind in ("cpu", "cuda") for precision in VARIANTS[kind]} == set(PRECISIONS)


def test_the_machine_is_told() -> None:
    about = machine.machine()
    assert about["processor"] and about["cores"] >= 1 and about["packages"]["numpy"]
    assert about["commit"] is None or re.fullmatch(r"[0-9a-f]{7,}\+?", about["commit"])
    line = machine.one_line(about, (0.5, 1.25))
    assert "load 0.5 to 1.2" in line and about["visavis"] in line
    assert "load not known" in machine.one_line({**about, "commit": None}, (None, None))


def test_engines_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, plot, trace = tmp_path / "bench.json", tmp_path / "bench.png", tmp_path / "trace.json"
    words = ["bench", "--engine", "cpu:f32@base", "--engine", "onnx", "--heads", "1", "--heads", "2", "--turns", "4"]
    words += ["--cold", "1", "--steps", "1", "--out", str(out), "--plot", str(plot), "--trace", str(trace)]
    monkeypatch.setattr(sys, "argv", ["visavis", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    report = json.loads(out.read_bytes())
    assert capsys.readouterr().out.strip() == table(report)
    assert report["model"]["turn_ms"] == 200 and report["turns"] == 4 and len(report["load"]) == 2
    cpu, onnx = report["engines"]
    assert (cpu["engine"], cpu["isa"], cpu["precision"], cpu["steps"]) == ("cpu:f32@base", "base", "f32", 1)
    assert (onnx["engine"], onnx["isa"], onnx["precision"], onnx["steps"]) == ("onnx", None, "f32", 1)
    for engine in (cpu, onnx):
        assert [figures["heads"] for figures in engine["heads"]] == [1, 2]
        for figures in engine["heads"]:
            wall, spent = figures["turn_ms"], figures["processor_ms"]
            assert 0 < wall["best"] <= wall["p50"] <= wall["p95"] <= wall["p99"] <= wall["max"]
            assert figures["compute_ms"]["best"] <= wall["best"] + 1e-3
            assert figures["real_time_factor"]["p50"] == pytest.approx(wall["p50"] / 200, abs=1e-4)
            assert figures["heads_per_core"]["p99"] == pytest.approx(200 / spent["p99"], rel=0.01)
        cold = engine["cold_start_ms"]
        assert cold["first_frame"]["p50"] > cold["load"]["p50"] > 0 and cold["import"]["p50"] > 5  # numpy alone
        if sys.platform == "linux":  # keys and values of 400 tokens, 4 layers, 224 wide, and the voices
            assert 2.8e6 < engine["memory"]["head_bytes"] < 4.5e6 < engine["memory"]["process_bytes"]
    assert set(cpu["heads"][0]["stages_ms"]) == {"speech", "backbone", "denoise"} and not onnx["heads"][0]["stages_ms"]
    assert set(report["ratios"]) == {"cpu:f32@base"} and report["ratios"]["cpu:f32@base"]["best"] > 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    slices = [event for event in json.loads(trace.read_bytes())["traceEvents"] if event["ph"] == "X"]
    assert [event["name"] for event in slices].count("turn of 2 heads") == 2 * 4
    for event in slices:
        if event["name"] == "backbone":
            assert any(s["pid"] == event["pid"] and s["ts"] <= event["ts"] < s["ts"] + s["dur"] for s in slices)


def test_what_cannot_run_here_is_left_out_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_ISA", "base")
    specs = [EngineSpec("cpu", "f32"), EngineSpec("cpu", "bf16")]
    with pytest.raises(Unsupported, match="cpu:bf16: "):
        bench_engines(engines=specs, turns=1, heads=(1,), cold_starts=0)
    monkeypatch.setattr(engines, "default_specs", lambda: specs)
    report = bench_engines(turns=1, heads=(1,), cold_starts=0)
    assert [engine["engine"] for engine in report["engines"]] == ["cpu:f32"] and not report["ratios"]
    assert "bf16" in report["left_out"]["cpu:bf16"] and "cpu:bf16 was left out: " in table(report)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "cpu:f32@sse9"], "sse9"),
        (["--model", "nothing.gguf"], "model file nothing.gguf does not exist"),
        (["--out", "no/bench.json"], "report file no/bench.json: folder no does not exist"),
        (["--plot", "no/bench.png"], "plot file no/bench.png: folder no does not exist"),
        (["--trace", "no/trace.json"], "trace file no/trace.json: folder no does not exist"),
    ],
)
def test_errors_are_one_line_before_anything_is_measured(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[Any]
) -> None:
    monkeypatch.setattr(sys, "argv", ["visavis", "bench", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    printed = capsys.readouterr().err.strip().splitlines()
    assert caught.value.code == 2 and message in printed[-1] and printed[-1].startswith("visavis: ")
