"""Conversations with everything in them, recorded: for the tests of takes."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from small_models import randomised, small_config

import visavis
from visavis.export.gguf import save_gguf
from visavis.model.timar import Timar
from visavis.session import Frame, Model
from visavis.takes.file import load_take
from visavis.takes.take import Take

RATE = 24_000
FRAME_NS, TURN_NS = 40_000_000, 200_000_000


def small_model(path: Path, seed: int = 0) -> Model:
    """A model file of random weights on engine cpu, turned down: at full gain it is chaotic; its eyes are the rig's."""
    model = randomised(Timar(small_config(noise_coherence=0.5)), seed)
    with torch.no_grad():
        model.diffloss.net.final_layer.linear.weight *= 0.25
    save_gguf(path, model, name="small", data_note="random weights")
    return visavis.load(path)


def voice(seconds: float, seed: int, rate: int = RATE) -> np.ndarray:
    """Bursts of noise."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    loud = np.repeat(rng.uniform(0, 1, n // 4000 + 1) > 0.4, 4000)[:n]
    return (0.2 * rng.standard_normal(n) * loud).astype(np.float32)


def offline(model: Model, path: Path, seconds: float = 4.0, **options: Any) -> tuple[Take, list[Frame]]:
    """Push drive: whole voices, a face for a part of the time, dials on the way."""
    frames: list[Frame] = []
    with model.session(seed=9, take=path, **options) as session:
        session.set_dial("emotion.joy", 0.5)
        session.push_agent_audio(voice(seconds, 1), RATE)
        session.push_user_audio(voice(seconds - 0.5, 2, 48_000), 48_000)
        face = np.random.default_rng(3).uniform(0, 1, (30, len(model.channels))).astype(np.float32)
        session.push_user_motion(face, 20 * FRAME_NS)
        frames += session.poll(13)
        session.set_dials({"listening.head": 1.5, "headYaw.offset": 0.1})
        session.set_temperature(0.5)
        frames += session.poll()
        session.end()
        frames += session.poll()
    return load_take(path), frames


def live(model: Model, path: Path, seconds: float = 5.0, **options: Any) -> tuple[Take, list[Frame]]:
    """Clock drive: the agent speaks in bursts and is interrupted, the user drops out, pieces come too late."""
    frames: list[Frame] = []
    agent, user = voice(seconds, 4), voice(seconds, 5, 48_000)
    with model.session(seed=2**64 - 1, take=path, **options) as session:
        for tick in range(round(seconds * 50)):
            now_ns = tick * 20_000_000
            if tick in (5, 120):
                session.push_agent_audio(agent[:RATE], RATE)
            if not 60 <= tick < 110:
                late_ns = 300_000_000 if tick % 40 == 0 else 0
                piece = user[tick * 960 : (tick + 1) * 960]
                session.push_user_audio(piece, 48_000, max(0, now_ns - late_ns))
            if tick % 2 == 0 and tick > 80:
                session.push_user_motion(np.full((1, len(model.channels)), tick / 1000, np.float32), now_ns)
            session.advance(now_ns)
            frames += session.poll()
            if tick == 30:
                session.set_dial("headYaw.offset", 0.2)
            if tick == 140:
                session.cancel(now_ns)
                frames += session.poll()
    return load_take(path), frames
