"""The tokens of a turn as index arrays: `turn_layout` of the config, made ready for tensors.

Two sources are laid side by side and gathered in the layout's order: with markers the ten marker embeddings, user
speech, user motion, agent speech, agent motion; fused the F user frames, then the F agent frames.
"""

from dataclasses import dataclass

from visavis.model.config import AGENT_FRAME, AGENT_MOTION, MARKERS, USER_FRAME, USER_SPEECH, ModelConfig, turn_layout


@dataclass(frozen=True)
class TurnLayout:
    """Order of a turn's tokens.  Kind and frame go into the model file as they are."""

    kind: tuple[int, ...]  # (T,) 0..9 markers, then the kinds of config.py
    frame: tuple[int, ...]  # (T,) frame in the turn, -1 for markers
    gather: tuple[int, ...]  # (T,) position of each token among the sources laid side by side
    agent: tuple[int, ...]  # (F,) positions of the agent's motion in the turn: masked there, z read there


def layout_of(config: ModelConfig) -> TurnLayout:
    """The layout of a configuration."""
    tokens = turn_layout(config.layout, config.turn_frames)
    gather = []
    for kind, frame in tokens:
        if kind < len(MARKERS):
            gather.append(kind)
        elif config.layout == "markers":
            gather.append(len(MARKERS) + (kind - USER_SPEECH) * config.turn_frames + frame)
        else:
            gather.append((kind - USER_FRAME) * config.turn_frames + frame)
    agent = [i for i, (kind, _) in enumerate(tokens) if kind in (AGENT_MOTION, AGENT_FRAME)]
    return TurnLayout(
        kind=tuple(kind for kind, _ in tokens),
        frame=tuple(frame for _, frame in tokens),
        gather=tuple(gather),
        agent=tuple(agent),
    )
