"""`visavis reproduce`: the comparison of the TIMAR paper on a corpus, run by run, and its tables."""

from pathlib import Path
from typing import Annotated

import typer

from visavis.cli import options

EXAMPLES = (
    "visavis reproduce --data corpus --out runs/benchmark --processor-minutes 8 --jobs 2",
    "visavis reproduce --data corpus --out runs/benchmark --processor-minutes 8 --only timar --only dualtalk --seed 1",
    "visavis reproduce --data corpus --out runs/quick --steps 20 --test-minutes 4 --seed 1",
)


def main(
    data: Annotated[Path, typer.Option(help="Conversations: DIR with train, val and test (docs/training.md).")],
    out: options.CampaignOut,
    processor_minutes: options.ProcessorMinutes = None,
    steps: options.TrainingSteps = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Seed of a run of each model; may be repeated.", show_default="1, 2 and 3")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="A model: timar, dualtalk, live, mlp, full or encdec; may be repeated.", show_default="all of them"
        ),
    ] = None,
    jobs: options.Jobs = 1,
    threads: options.JobThreads = 1,
    test_minutes: Annotated[
        float | None,
        typer.Option(help="Minutes of the test split to generate.", min=0.1, show_default="the whole split"),
    ] = None,
    setting: options.CampaignSettings = None,
    table: options.ResultsPage = None,
) -> None:
    """Train and evaluate TIMAR, the DualTalk-style model, the live default and TIMAR's ablations, several seeds each.

    The same data, the same budget, the same metrics. Stop it at any time: the same command goes on, run by run.
    Tables come in OUT/results.md; docs/benchmark.md explains them.
    """
    from visavis.campaign.page import publish, require_extras

    require_extras("reproduction")
    from visavis.reproduction.campaign import Campaign, run_campaign
    from visavis.reproduction.tables import results

    campaign = Campaign(
        data=data,
        out=out,
        processor_minutes=processor_minutes,
        steps=steps,
        seeds=tuple(sorted(set(seed or (1, 2, 3)))),
        only=tuple(only or ()),
        jobs=jobs,
        threads=threads,
        settings=tuple(setting or ()),
        test_minutes=test_minutes,
    )
    runs = run_campaign(campaign, say=lambda text: print(text, flush=True))
    print(publish(results(campaign, runs), out, "reproduce", table))
