"""The command line itself: help of every verb, and one line for a wrong command line."""

import json
import subprocess
import sys

import pytest

from visavis.cli import VERBS


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "visavis", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "arguments", [["--foo"], ["nope"], ["doctor", "--port", "x"], ["doctor", "--nope"], ["doctor", "--model"]]
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.returncode == 2 and not result.stdout
    assert result.stderr.startswith("visavis: ") and result.stderr.count("\n") == 1


def test_without_arguments_the_help_lists_every_verb() -> None:
    result = run()
    assert result.returncode == 0
    assert all(f" {verb} " in result.stdout for verb in VERBS)


def test_doctor_says_what_is_there() -> None:
    result = run("doctor", "--json")
    report = json.loads(result.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert result.returncode == (0 if report["ok"] else 1)
    assert {check["status"] for check in report["checks"]} <= {"ok", "warn", "fail"}
    assert checks["pyzmq"]["status"] == "ok" and "libzmq" in checks["pyzmq"]["found"]
    assert "engine cpu" in checks and "engine torch" in checks and "port 5571" in checks
    for name in ("gpu", "engine cuda", "engine tensorrt"):  # each runs, or has one next step
        assert (checks[name]["status"] == "ok") != bool(checks[name]["remedy"])


def test_doctor_names_a_foreign_model_file() -> None:
    result = run("doctor", "--model", __file__, "--json")
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.returncode == 1
    assert checks["model file"]["status"] == checks["engine cpu"]["status"] == "fail"
