"""Shell completion as users get it: installed into a home folder, then tried with the Tab key."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

NEEDS = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/completions/visavis.fish"}


def environment(home: Path) -> dict[str, str]:
    """With a `visavis` on the path, as an installation has it."""
    folder = home / "bin"
    folder.mkdir()
    program = folder / "visavis"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m visavis \"$@\"\n")
    program.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "HOME": str(home), "PATH": path, "TERM": "dumb", "XDG_CONFIG_HOME": str(home / ".config")}


def install(shell: str, home: Path, env: dict[str, str]) -> None:
    """`visavis --install-completion`, called from that shell, which it finds out by itself."""
    command = [shutil.which(shell) or shell, "-c", "visavis --install-completion; true"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert "completion installed" in done.stdout, done.stdout + done.stderr
    assert (home / NEEDS[shell]).is_file()


def press(shell: list[str], env: dict[str, str], keys: str, expected: str) -> str:
    """Type into an interactive shell until what is expected shows up."""
    process, main = pty.fork()
    if process == 0:
        os.execvpe(shell[0], shell, env)
    shown, deadline = "", time.monotonic() + 120
    try:
        wait_for = "READY"
        os.write(main, b"echo REA''DY\n")
        while time.monotonic() < deadline:
            if select.select([main], [], [], 0.2)[0]:
                shown += os.read(main, 4096).decode("utf-8", "replace").replace("\x07", "")  # bells
            if wait_for == "READY" and "READY" in shown:
                shown, wait_for = "", expected
                os.write(main, keys.encode())
            elif wait_for != "READY" and expected in shown:
                break
    finally:
        os.close(main)
        os.kill(process, 9)
        os.waitpid(process, 0)
    return shown


def test_bash_completes_verbs_and_options(tmp_path: Path) -> None:
    env = environment(tmp_path)
    install("bash", tmp_path, env)
    bash = ["bash", "--noprofile", "--rcfile", str(tmp_path / ".bashrc"), "-i"]
    assert "visavis replay" in press(bash, env, "visavis repl\t", "visavis replay")
    assert "--livelink-face" in press(bash, env, "visavis serve --livel\t", "--livelink-face")


@pytest.mark.system
@pytest.mark.parametrize("shell", [["zsh", "-i"], ["fish", "-i"]], ids=lambda words: words[0])
def test_zsh_and_fish_complete_verbs(tmp_path: Path, shell: list[str]) -> None:
    env = environment(tmp_path)
    (tmp_path / ".config").mkdir()
    install(shell[0], tmp_path, env)
    assert "replay" in press(shell, env, "visavis repl\t\t", "replay")  # zsh: the first Tab only loads the function
