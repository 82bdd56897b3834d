"""`visavis evaluate`: metrics, controls and checks of a model on a split, as JSON, Markdown and plots."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from visavis.errors import InvalidArgument

EXAMPLES = (
    "visavis evaluate --data corpus --split val --minutes 5 --out report",
    "visavis evaluate --data corpus --model runs/first/model.gguf --engine torch --no-controls --out report",
    "visavis evaluate --data corpus --split val --perturb noise=10 --perturb drop=0.2 --no-controls --out report",
    "visavis evaluate --suite default --data corpus --voices voices --out report",
    "visavis evaluate --data DualTalk --model t.gguf --engine torch --context 0 --context 7 --no-controls --out report",
)


def main(
    data: Annotated[
        Path,
        typer.Option(help="Conversations: DIR with train, val and test, or one folder of pairs (docs/training.md)."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the report: report.md, report.json, plots (.png).")],
    model: Annotated[
        Path | None,
        typer.Option(
            help="Model file (.gguf), default or tiny, or a model for comparison (.pt).", show_default="default"
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            help="Run a suite: default, on conversations, real voices, sounds (docs/suite.md).",
            show_default="none",
        ),
    ] = None,
    voices: Annotated[
        Path | None, typer.Option(help="Folder of `visavis corpus voices`, for --suite.", show_default="none")
    ] = None,
    split: Annotated[str, typer.Option(help="Which part of the data: train, val, test or ood.")] = "test",
    minutes: Annotated[
        float | None, typer.Option(help="Minutes of motion to make.", min=0.1, show_default="the whole split")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="What executes the model: cpu (native sessions, as shipped) or torch (one batch).")
    ] = "cpu",
    sampler: Annotated[
        str | None, typer.Option(help="Sampler: ancestral or dpm2m.", show_default="the model's")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Denoising steps a turn.", min=1, max=1000, show_default="the model's")
    ] = None,
    temperature: Annotated[float, typer.Option(help="Scale of the noise, 0 to 10.", min=0, max=10)] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the first clip; the others count up.", min=0)] = 1,
    perturb: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE: noise (dB SNR), reverb (s), jitter (std), drop (share) of the user's streams.",
            show_default="none",
        ),
    ] = None,
    context: Annotated[
        list[int] | None,
        typer.Option(help="Past turns that are visible; may be repeated.", min=0, show_default="as trained"),
    ] = None,
    user_face: Annotated[
        bool | None,
        typer.Option(help="Give the user's tracked face, too.", show_default="for flame56 models"),
    ] = None,
    live_level: Annotated[
        bool,
        typer.Option("--live-level", help="Normalise voices as sessions do, not by the whole clip (engine torch)."),
    ] = False,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Models that are not causal hear what is to come, in windows (engine torch)."),
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes that share the metrics.", min=1)] = 2,
    controls: Annotated[
        bool, typer.Option(help="Also generate with other clips' voices, and run the checks: three times the work.")
    ] = True,
) -> None:
    """Measure a model on held-out conversations."""
    from visavis.cli.progress import progress_bar

    try:
        import matplotlib  # noqa: F401  # the report's plots come last: better known now

        from visavis.evaluation.generate import model_facts
        from visavis.evaluation.perturb import parse_perturbation
        from visavis.evaluation.protocol import make_generator, over_contexts
        from visavis.evaluation.report import write_report
        from visavis.evaluation.run import Evaluation, evaluate
    except ImportError as error:
        raise InvalidArgument(f"evaluation needs {error.name}: pip install 'visavis[train,plot]'") from error
    perturbation = parse_perturbation(perturb or [])
    config, mean_face = model_facts(model)
    if suite is not None:
        others = {"--perturb": perturb, "--context": context, "--user-face": user_face is not None}
        others |= {"--live-level": live_level, "--no-controls": not controls, "--engine": engine != "cpu"}
        for name in (name for name, given in others.items() if given):
            raise InvalidArgument(f"{name} does not go with --suite, which runs the model as it ships")
        _run_suite(suite, data, out, model, voices, split, minutes, sampler, steps, temperature, seed, workers)
        return
    if voices is not None:
        raise InvalidArgument("--voices goes with --suite default")
    faces = config.motion_space == "flame56" if user_face is None else user_face
    options = {"sampler": sampler, "steps": steps}
    contexts = sorted(set(context or []))

    def run(visible: int | None) -> Evaluation:
        generate = make_generator(
            model,
            config,
            engine,
            seed,
            temperature,
            context=visible,
            live_level=live_level,
            offline=offline,
            **options,
        )
        return evaluate(
            generate,
            data,
            split,
            config.space,
            mean_face,
            minutes,
            controls and visible in (None, *contexts[-1:]),
            say=lambda text: print(text, flush=True),
            workers=workers,
            faces=faces,
            perturbation=perturbation,
        )

    with progress_bar("evaluate"):
        result = over_contexts(contexts, run)
    about = {
        "model": model or "packaged",
        "engine": engine,
        "sampler": sampler or config.sampler,
        "steps": steps or config.steps,
        "temperature": temperature,
        "split": f"{data.name}/{split}",
        "seed": seed,
        "sees": "what is to come" if offline else "the past",
        "user": f"voice{' and face' if faces else ''}{', ' if perturbation.text else ''}{perturbation.text}",
    }
    print(write_report(result, out, about, config.space))


def _run_suite(
    name: str,
    data: Path,
    out: Path,
    model: Path | None,
    voices: Path | None,
    split: str,
    minutes: float | None,
    sampler: str | None,
    steps: int | None,
    temperature: float,
    seed: int,
    workers: int,
) -> None:
    """The default suite from model to report."""
    from visavis.cli.progress import progress_bar
    from visavis.evaluation.generate import SessionGenerator, model_facts
    from visavis.evaluation.suite import HALF_OF_SPLIT, SUITES, run_suite
    from visavis.evaluation.suite_report import write_suite

    config, mean_face = model_facts(model)
    if name not in SUITES:
        raise InvalidArgument(f"suite {name!r} is unknown; known: {', '.join(SUITES)}")
    if config.motion_space != "arkit55":
        raise InvalidArgument(f"the suite measures arkit55 faces; the model makes {config.motion_space}")

    def make(seed: int, style: Mapping[str, float] | None = None) -> SessionGenerator:
        return SessionGenerator(model, seed, temperature, style, sampler=sampler, steps=steps)

    with progress_bar("evaluate"):
        found = run_suite(make, data, split, config.space, mean_face, voices, config.turn_frames, seed, minutes,
                          say=lambda text: print(text, flush=True), workers=workers, styles=config.styles)  # fmt: skip
    about = {
        "suite": name,
        "model": model or "packaged",
        "sampler": sampler or config.sampler,
        "steps": steps or config.steps,
        "temperature": temperature,
        "conversations": f"{data.name}/{split}",
        "voices": "none" if voices is None else f"{voices.name}/{HALF_OF_SPLIT.get(split, 'dev')}",
        "seed": seed,
    }
    print(write_suite(found, out, about, config.space))
