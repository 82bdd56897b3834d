"""For the tests of campaigns: a process that is none, and settings of a tiny live model."""

from typing import Any

from visavis.cli import build_app

TINY = (
    "width=16 heads=2 depth=3 token_width=8 head_width=16 head_depth=1 speech_width=8 conv_widths=8,8,8,8 mel_bands=12 "
    "batch=2 repeats=2 seconds=2 context_turns=2"
).split()


class InProcess:
    """`subprocess.Popen` for the commands of a campaign, in this process: importing torch ten times takes a minute."""

    def __init__(self, command: list[str], **_: Any) -> None:
        assert command[1:3] == ["-m", "visavis"]
        code = build_app()(command[3:], prog_name="visavis", standalone_mode=False)
        self.code = int(code or 0)

    def poll(self) -> int:
        return self.code
