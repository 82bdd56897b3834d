"""The training loop: one process or several under torchrun, CPU or GPU, resumable, by steps or by minutes.

With --steps the same seed gives the same run; with --minutes the schedule follows the clock, so two runs differ.  With
--processor-minutes it follows the time that this process's threads computed, which a busy machine hardly changes.
"""

import importlib
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.utils.tensorboard import SummaryWriter

from visavis.constants import FRAME_RATE
from visavis.data.dualtalk import Floats, Folder, read_split
from visavis.engine import model_path
from visavis.errors import InvalidArgument
from visavis.export.gguf import read_config
from visavis.export.research import load_model, save_model, saved_path
from visavis.model.config import ModelConfig, changes
from visavis.model.make import make_model
from visavis.model.motion_model import MotionModel
from visavis.model.normalisation import Normalisation
from visavis.model.timar import Timar, TurnBatch
from visavis.takes.recorder import sha256_of
from visavis.training.crops import CropSampler
from visavis.training.distillation import Distillation, distillation, teacher_of_lips
from visavis.training.ema import Ema
from visavis.training.objective import (
    Objective,
    Probes,
    blind_to_lips,
    hide_own_past,
    live_normalisation,
    see_velocity,
    train_head_alone,
)
from visavis.training.recipes import Recipe, apply_settings
from visavis.training.state import RunState, normalisation_of, read_state, restore, save_state

VALIDATION_BATCHES = 4
DATA_NOTE = "{hours:.1f} h of two-person conversations from {name}"


@dataclass
class Run:
    """What a run is asked for."""

    data: Path
    out: Path
    recipe: Recipe
    config: ModelConfig
    minutes: float | None = None
    steps: int | None = None
    processor_minutes: float | None = None
    seed: int = 1
    resume: bool = False
    begin_with: Path | None = None  # model file (or packaged one's name) whose weights and normalisation are the first
    lips: Path | None = None  # of a distillation: the model file whose lips the student learns, not its teacher's
    precision: str = "auto"  # bf16 autocast where the processor has it, or f32
    save_minutes: float = 5.0
    name: str = "visavis"
    licence: str = "Apache-2.0"
    note: str = ""  # on the data, in the model file; empty: hours and folder
    speech_folder: Path | None = None  # wav2vec2 of the paper's recipe


def train(run: Run, say: Callable[[str], None] = print) -> Path:
    """Train and return the path of the model file; everything of the run lies in `run.out`."""
    if [run.minutes, run.steps, run.processor_minutes].count(None) != 2:
        raise InvalidArgument("give one of minutes, steps and processor_minutes")
    if run.recipe.head_alone and run.begin_with is None:
        raise InvalidArgument("head_alone=true trains the head of a model that is there; give --begin-with")
    if run.out.exists() and (run.out / "checkpoint.pt").exists() and not run.resume:
        raise InvalidArgument(f"{run.out} holds a run already; resume it or choose another folder")
    workers = _Workers()
    try:
        return _Trainer(run, workers, say).run_all()
    finally:
        workers.close()


def distill(
    teacher: Path,
    data: Path,
    out: Path,
    steps_in: int = 12,
    steps_out: int = 1,
    *,
    settings: Sequence[str] = (),
    name: str | None = None,
    say: Callable[[str], None] = print,
    **options: Any,
) -> Path:
    """Train a model of `steps_out` denoising steps on what the model file `teacher` gives in `steps_in`; its path.

    `settings` are key=value of recipe and crops, `options` those of a `Run`.  InvalidArgument for `lips` of a model
    whose backbone is not the teacher's.
    """
    from visavis import _core

    file = _core.ModelFile(model_path(teacher))
    recipe, config = distillation(read_config(file.metadata(), teacher), steps_in, steps_out)
    recipe, wanted = apply_settings(recipe, config, list(settings))
    if wanted != config:
        raise InvalidArgument(f"settings {', '.join(settings)}: the student has the teacher's model; set the recipe's")
    name = name or f"{file.name}, {steps_in} steps in {steps_out}"
    note = f"{file.data_note}; {steps_in} denoising steps distilled to {steps_out}"
    about: dict[str, Any] = {"name": name, "licence": file.license, "note": note, "begin_with": teacher}
    return train(Run(data=data, out=out, recipe=recipe, config=config, **about, **options), say)


class _Workers:
    """This process among those that torchrun started (one alone otherwise)."""

    def __init__(self) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        cuda = torch.cuda.is_available()
        local = int(os.environ.get("LOCAL_RANK", "0"))
        self.device = torch.device("cuda", local) if cuda else torch.device("cpu")
        if self.size > 1:
            # Optimisers import it, and its functions' defaults keep the group that there is then: gloo's threads would
            # outlive destroy_process_group and may abort the process as Python ends.
            importlib.import_module("torch.distributed.nn")
            distributed.init_process_group("nccl" if cuda else "gloo")

    def average_gradients(self, parameters: list[torch.nn.Parameter]) -> None:
        """All-reduce the gradients as one flat vector."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        begin = 0
        for gradient in gradients:
            gradient.copy_(flat[begin : begin + gradient.numel()].view_as(gradient))
            begin += gradient.numel()

    def agree(self, value: float) -> float:
        """The value of rank 0, so that all stop at the same step."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, 0)
        return float(shared)

    def close(self) -> None:
        """Leave the group."""
        if self.size > 1 and distributed.is_initialized():
            distributed.destroy_process_group()


class _Trainer:
    """One run: data, model, optimiser, and the loop over steps."""

    def __init__(self, run: Run, workers: _Workers, say: Callable[[str], None]) -> None:
        begun = None if run.begin_with is None else _begun(run.begin_with, run)
        self.say = say if workers.rank == 0 else lambda text: None
        if begun is not None and not run.config.styles:
            run = replace(run, config=run.config.with_options(styles=begun.config.styles))
        if begun is not None and begun.config.own_past == "masked" != run.config.own_past:
            self.say("own past: masked, as of the model that the run begins with")
            run = replace(run, config=run.config.with_options(own_past="masked"))
        lips = None
        if run.lips is not None:  # before the data is read: it may be refused
            assert isinstance(begun, Timar)
            lips = teacher_of_lips(_begun(run.lips, run), begun)
        self.run, self.workers = run, workers
        torch.manual_seed(run.seed)
        run.out.mkdir(parents=True, exist_ok=True)
        folder = read_split(run.data, "train", run.config.space)
        self._describe(folder)
        document = read_state(run.out / "checkpoint.pt") if run.resume else None
        motions = [agent.motion for d in folder.dialogues for agent, _ in d.roles()]
        known = None if begun is None else begun.state_dict()
        known = known if document is None else document["model"]
        normalisation = self._normalisation(motions) if known is None else normalisation_of(known)
        objective = Objective.measure(run.recipe, run.config, motions, normalisation)
        self.objective: Objective | Distillation = objective
        probes = objective.probes.to(workers.device)
        self.sampler = CropSampler(folder.dialogues, run.config, run.recipe.crops, run.seed)
        self.validation = self._validation_sampler()
        speech = run.speech_folder if begun is None else begun.speech_encoder
        model = make_model(run.config, normalisation, speech, run.recipe.dropout).to(workers.device)
        live = model if isinstance(model, Timar) and run.recipe.objective == "live" else None
        if begun is not None:
            model.load_state_dict({**_styles_alone(model), **begun.state_dict()})
            if begun.config.own_past != run.config.own_past:
                assert isinstance(model, Timar)
                hide_own_past(model)
        elif live is not None:
            see_velocity(live)
        if live is not None:
            blind_to_lips(live)
        teachers: tuple[str, ...] = ()
        if run.recipe.objective == "distill":
            assert isinstance(begun, Timar)
            lips = None if lips is None else lips.to(workers.device)
            self.objective = Distillation(objective, begun.to(workers.device), run.recipe.teacher_steps, lips)
            teachers = tuple(sha256_of(model_path(path)) for path in (run.begin_with, run.lips) if path is not None)
        if run.recipe.head_alone:
            if begun is None:
                raise InvalidArgument("head_alone=true trains the head of a model that there is; give --begin-with")
            train_head_alone(model)
        ema, optimizer = Ema(model, run.recipe.ema), _optimizer(model, probes, run.recipe)
        self.state = RunState(model, probes, ema, optimizer, teachers=teachers)
        if document is not None:
            restore(self.state, document, run.config, run.seed)
        self.hours = folder.hours
        self.autocast = _autocast_dtype(run.precision, workers.device)

    def _describe(self, folder: Folder) -> None:
        alone = sum(d.alone for d in folder.dialogues)
        who = f" ({alone} of one person alone)" if alone else ""
        self.say(f"{len(folder.dialogues)} conversations{who}, {folder.hours:.2f} h, both roles used")
        if folder.unpaired:
            self.say(f"left out, partner or file missing: {', '.join(folder.unpaired[:8])} ({len(folder.unpaired)})")
        for name, why in folder.unusable.items():
            self.say(f"left out: {name}: {why}")
        for dialogue in folder.dialogues:
            for note in dialogue.notes:
                self.say(f"look at {dialogue.name}: {note}")

    def _normalisation(self, motions: list[Floats]) -> Normalisation:
        if not self.run.recipe.normalise:
            return Normalisation.identity(self.run.config.n_channels)
        return live_normalisation(motions, self.run.config)

    def _validation_sampler(self) -> CropSampler | None:
        if not (self.run.data / "val").is_dir():
            return None
        folder = read_split(self.run.data, "val", self.run.config.space)
        return CropSampler(folder.dialogues, self.run.config, self.run.recipe.crops.unspoilt(), self.run.seed)

    def run_all(self) -> Path:
        """The loop: a background thread cuts the next crops while this one trains."""
        run, state = self.run, self.state
        n_parameters = sum(p.numel() for p in state.model.parameters() if p.requires_grad)
        about = f"{self.workers.device}, {self.autocast}, batch {run.recipe.batch}"
        self.say(f"{n_parameters / 1e6:.2f} M weights, {about}")
        writer = SummaryWriter(str(run.out / "tensorboard"), purge_step=state.step) if self.workers.rank == 0 else None
        saved = last = time.monotonic()
        last_processor = time.process_time()
        with ThreadPoolExecutor(1) as pool:
            upcoming = pool.submit(self.sampler.batch, state.step, run.recipe.batch, self.workers.rank)
            while (progress := self.workers.agree(self._progress())) < 1.0:
                batch = upcoming.result()
                upcoming = pool.submit(self.sampler.batch, state.step + 1, run.recipe.batch, self.workers.rank)
                values = self._step(batch, progress)
                now, processor = time.monotonic(), time.process_time()
                state.elapsed_s += now - last
                state.processor_s += processor - last_processor
                last, last_processor = now, processor
                self._log(writer, values, progress)
                if now - saved > 60 * run.save_minutes:
                    self._save(writer, progress)
                    saved = time.monotonic()
        path = self._save(writer, 1.0)
        if writer is not None:
            writer.close()
        return path

    def _progress(self) -> float:
        if self.run.steps is not None:
            return self.state.step / self.run.steps
        if self.run.processor_minutes is not None:
            return self.state.processor_s / (60.0 * self.run.processor_minutes)
        return self.state.elapsed_s / (60.0 * (self.run.minutes or 1.0))

    def _step(self, batch: TurnBatch, progress: float) -> dict[str, float]:
        state, recipe = self.state, self.run.recipe
        generator = torch.Generator(self.workers.device)
        generator.manual_seed(self.run.seed * 1_000_003 + state.step * self.workers.size + self.workers.rank)
        for group in state.optimizer.param_groups:
            group["lr"] = recipe.rate(progress)
        state.model.train()
        with torch.autocast(self.workers.device.type, self.autocast, enabled=self.autocast != torch.float32):
            terms = self.objective(state.model, batch.to(self.workers.device), generator, progress)
        state.optimizer.zero_grad(set_to_none=True)
        terms["total"].backward()  # type: ignore[no-untyped-call]
        self.workers.average_gradients([*state.model.parameters(), *state.probes.parameters()])
        norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), recipe.clip)
        if not math.isfinite(float(norm)):
            self.say(f"step {state.step}: gradient norm {float(norm)}; step left out")
            state.optimizer.zero_grad(set_to_none=True)
        state.optimizer.step()
        state.ema.update(state.model, state.step)
        state.step += 1
        return {**{name: value.item() for name, value in terms.items()}, "norm": float(norm)}

    def _log(self, writer: SummaryWriter | None, values: dict[str, float], progress: float) -> None:
        state = self.state
        if writer is None or state.step % 10:
            return
        for name, value in values.items():
            writer.add_scalar(f"train/{name}", value, state.step)
        if state.step % 50 == 0:
            losses = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
            self.say(f"step {state.step}  {progress:6.1%}  {state.elapsed_s / 60:.1f} min  {losses}")

    def _save(self, writer: SummaryWriter | None, progress: float) -> Path:
        """Checkpoint, model from the average, what it took, validation losses."""
        run, state = self.run, self.state
        if writer is None:
            return saved_path(run.out, run.config)
        save_state(run.out / "checkpoint.pt", state, run.config, run.seed)
        self.say(f"checkpoint at step {state.step}, {state.elapsed_s / 60:.1f} min")
        averaged = state.ema.averaged(state.model)
        note = run.note or DATA_NOTE.format(hours=self.hours, name=run.data.name)
        path = save_model(run.out, averaged, run.name, run.licence, note)
        self._note(progress)
        if self.validation is not None:
            for name, value in self._validate(averaged).items():
                writer.add_scalar(f"val/{name}", value, state.step)
                self.say(f"step {state.step}  {progress:6.1%}  validation {name} {value:.4f}")
        writer.flush()
        return path

    def _note(self, progress: float) -> None:
        """training.json: how far the run has come and what that took."""
        state, crops = self.state, self.run.recipe.batch * self.workers.size
        found = {
            "progress": min(progress, 1.0),
            "steps": state.step,
            "wall_s": round(state.elapsed_s, 1),
            "processor_s": round(state.processor_s, 1),  # of this process
            "weights": sum(p.numel() for p in state.model.parameters() if p.requires_grad),
            "hours_heard": state.step * crops * self.sampler.n_frames / FRAME_RATE / 3600,
            "threads": torch.get_num_threads(),
            "device": str(self.workers.device),
        }
        (self.run.out / "training.json").write_text(json.dumps(found, indent=1) + "\n")

    @torch.no_grad()
    def _validate(self, averaged: MotionModel) -> dict[str, float]:
        """Losses of the averaged weights on the same few validation crops every time."""
        assert self.validation is not None
        sums: dict[str, float] = {}
        for i in range(VALIDATION_BATCHES):
            batch = self.validation.batch(i, self.run.recipe.batch).to(self.workers.device)
            generator = torch.Generator(self.workers.device).manual_seed(i)
            with torch.autocast(self.workers.device.type, self.autocast, enabled=self.autocast != torch.float32):
                terms = self.objective(averaged, batch, generator)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value.item() / VALIDATION_BATCHES
        return sums


def _begun(path: Path, run: Run) -> MotionModel:
    """The model of a file to start from: the run's configuration, but for how it samples and joins turns.

    Styles may be the run's alone or the file's alone; where one masks the own past, the other may see it lagged.
    """
    begun = load_model(model_path(path), run.speech_folder)
    free = {name: getattr(run.config, name) for name in ("sampler", "steps", "noise_scale", "turn_join")}
    if not (begun.config.styles and run.config.styles):
        free["styles"] = run.config.styles
    if {begun.config.own_past, run.config.own_past} == {"lagged", "masked"}:
        free["own_past"] = run.config.own_past
    if begun.config.with_options(**free) != run.config:
        changed = changes(begun.config.to_dict(), run.config.to_dict())
        raise InvalidArgument(f"{path}: the model differs from the run's: {changed}; use the same settings")
    return begun


def _styles_alone(model: MotionModel) -> dict[str, torch.Tensor]:
    """What styles add to a model's tensors, as a fresh model has it: without effect."""
    return {name: value for name, value in model.state_dict().items() if name.startswith("style_proj.")}


def _optimizer(model: MotionModel, probes: Probes, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; no decay on biases, other vectors and the diffusion head."""
    decayed: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = [*probes.parameters()]
    for name, p in model.named_parameters():
        if p.requires_grad:
            (plain if p.ndim < 2 or name.startswith("diffloss.") else decayed).append(p)
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.peak_rate, betas=recipe.betas)


def _autocast_dtype(precision: str, device: torch.device) -> torch.dtype:
    """bfloat16 where it is fast, float32 elsewhere."""
    if precision not in ("auto", "bf16", "f32"):
        raise InvalidArgument(f"precision {precision!r} is unknown; known: auto, bf16, f32")
    fast = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if precision == "bf16" or (precision == "auto" and fast) else torch.float32
