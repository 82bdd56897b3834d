"""The tables of a campaign: metrics with mean and spread over the seeds, what the runs took, what the papers claim."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from visavis.campaign.page import spread
from visavis.campaign.plan import read_plan
from visavis.campaign.schedule import wall_s
from visavis.campaign.training import trained
from visavis.errors import InvalidArgument
from visavis.evaluation import paper
from visavis.reproduction.campaign import Campaign, Run
from visavis.reproduction.entries import CLAIMS, Claim, Entry, chosen

COMPARED = ("fid", "mse")  # what the claims are about
Metrics = Mapping[str, float]
Array = npt.NDArray[np.float64]


def results(campaign: Campaign, runs: list[Run]) -> str:
    """All tables as Markdown, from the runs that are done."""
    done = [run for run in runs if run.next_command() is None]
    if not done:
        raise InvalidArgument(f"{campaign.out}: no run is done yet")
    part = (
        "the whole test split" if campaign.test_minutes is None else f"{campaign.test_minutes:g} min of the test split"
    )
    clips = (done[0].report("report") or {})["about"]["clips"]
    machine = read_plan(campaign.out)["machine"]
    head = (
        f"{len(done)} of {len(runs)} runs, {campaign.length} of training each; {part} ({clips} clips), threads a run: "
        f"{campaign.threads}; {machine}. Mean ± standard deviation over seeds, in the papers' scales."
    )
    parts = [head, metrics_table(done), cost_table(done), claims_table(done), commands(campaign)]
    return "\n\n".join(parts) + "\n"


def by_entry(runs: list[Run], view: str) -> dict[str, dict[int, Metrics]]:
    """Entry -> seed -> the model's metrics, from runs that are done."""
    found: dict[str, dict[int, Metrics]] = {}
    for run in runs:
        report = run.report(view) if view in run.views() else None
        if report is not None:
            found.setdefault(run.entry.name, {})[run.seed] = report["metrics"]["model"]
    return found


def metrics_table(runs: list[Run]) -> str:
    """The papers' columns, a row for each model and way to hear."""
    rows: dict[str, list[Metrics]] = {}
    for entry in chosen([run.entry.name for run in runs]):
        for view, words in (("report", "turn by turn"), ("offline", "hearing what is to come")):
            if seeds := by_entry(runs, view).get(entry.name):
                rows[f"{entry.title}, {words}" if entry.offline else entry.title] = list(seeds.values())
    lines = ["| | seeds | " + " | ".join(title for title, _, _ in paper.COLUMNS) + " |"]
    lines.append("| --- |" + " --- |" * (len(paper.COLUMNS) + 1))
    for title, found in rows.items():
        scaled = np.array([paper.scaled(metrics) for metrics in found], np.float64)  # (seeds, columns, 3)
        cells = [" / ".join(spread(scaled[:, c, g]) for g in range(3)) for c in range(scaled.shape[1])]
        lines.append(f"| {title} | {len(found)} | " + " | ".join(cells) + " |")
    mean_face = (runs[0].report("report") or {})["metrics"]["mean face"]
    cells = [" / ".join("-" if v is None else f"{v:.3g}" for v in cell) for cell in paper.scaled(mean_face)]
    lines.append("| mean face of the training split | | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cost_table(runs: list[Run]) -> str:
    """What the trainings took."""
    lines = ["| | weights | steps | hours heard | processor min | wall min | evaluation, wall min |"]
    lines.append("| --- |" + " --- |" * 6)
    for entry in chosen([run.entry.name for run in runs]):
        mine = [run for run in runs if run.entry == entry]
        found = [trained(run.folder) or {} for run in mine]
        evaluations = [wall_s(run.folder, "evaluate") / 60 for run in mine]
        columns = [[f[key] / unit for f in found] for key, unit in _COSTS]
        cells = [f"{np.mean(column):.3g}" for column in (*columns, evaluations)]
        lines.append(f"| {entry.title} | {found[0]['weights'] / 1e6:.2f} M | " + " | ".join(cells) + " |")
    return "\n".join(lines)


_COSTS = (("steps", 1), ("hours_heard", 1), ("processor_s", 60), ("wall_s", 60))


def claims_table(runs: list[Run]) -> str:
    """Relative differences of FD and MSE, of the papers and here, with a verdict."""
    found = by_entry(runs, "report")
    lines = ["| | metric | paper | here | |", "| --- | --- | --- | --- | --- |"]
    for claim in CLAIMS:
        ours, theirs = found.get(claim.entry, {}), found.get(claim.against, {})
        seeds = sorted(set(ours) & set(theirs))
        if not seeds:
            continue
        for metric in COMPARED:
            for group in paper.GROUPS:
                key = f"{metric}_{group}"
                here = np.array([ours[seed][key] / theirs[seed][key] - 1 for seed in seeds])
                said = published(claim, metric, group)
                cells = (
                    claim.text,
                    f"{'FD' if metric == 'fid' else 'MSE'} {group}",
                    percent(said),
                    change(here),
                    verdict(said, here),
                )
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def published(claim: Claim, metric: str, group: str) -> float | None:
    """The relative difference in the papers' table; None where they have none."""
    if claim.ours is None or claim.theirs is None:
        return None
    column = [name for _, name, _ in paper.COLUMNS].index(metric)
    at = paper.GROUPS.index(group)
    return paper.PUBLISHED[claim.ours][column][at] / paper.PUBLISHED[claim.theirs][column][at] - 1


def percent(value: float | None) -> str:
    """As a signed whole percentage."""
    return "-" if value is None else f"{100 * value:+.0f} %"


def change(values: Array) -> str:
    """Mean of the seeds' relative differences and their standard deviation."""
    return percent(float(values.mean())) + (f" ± {100 * values.std(ddof=1):.0f}" if len(values) > 1 else "")


def verdict(said: float | None, here: Array) -> str:
    """Whether the sign is the papers', where the seeds agree on one."""
    if said is None:
        return ""
    if len(here) < 2 or abs(here.mean()) <= here.std(ddof=1):
        return "no clear difference"
    return "agrees" if (here.mean() > 0) == (said > 0) else "**disagrees**"


def commands(campaign: Campaign) -> str:
    """What makes all of it again, and each model alone."""
    entries: list[Entry] = chosen(list(campaign.only))
    lines = ["```"]
    for entry in entries:
        run = Run(campaign, entry, campaign.seeds[0])
        out = f"runs/{run.folder.name}"
        lines.append(" ".join(["visavis", *run.training(campaign.data.name, out)]))
        for view, offline in run.views().items():
            lines.append(
                " ".join(
                    [
                        "visavis",
                        *run.evaluation(campaign.data.name, f"{out}/{run.model.name}", f"{out}/{view}", offline),
                    ]
                )
            )
    return "\n".join([*lines, "```"])
