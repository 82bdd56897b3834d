"""One finding of `visavis doctor`, and what all of them together say."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One finding.  `fail` means that the main job cannot run; `warn`, that something optional cannot, or is odd."""

    name: str
    status: str  # ok, warn or fail
    found: str
    remedy: str = ""  # the one next step


def as_json(machine: list[Check], server: list[Check]) -> dict[str, Any]:
    """The findings for scripts: `ok` is false if any failed; `reason` and `next` are of the gravest of the server."""
    checks = [*machine, *server]
    gravest = why(server)
    return {
        "ok": all(check.status != "fail" for check in checks),
        "reason": gravest and f"{gravest.name}: {gravest.found}",
        "next": gravest and gravest.remedy,
        "checks": [asdict(check) for check in checks],
    }


def why(server: list[Check]) -> Check | None:
    """The finding that explains best why nothing moves: the first that failed, or else the first odd one."""
    for status in ("fail", "warn"):
        for check in server:
            if check.status == status:
                return check
    return None
