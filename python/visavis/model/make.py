"""The model of a configuration: TIMAR and its live descendants, or one of the models for comparison."""

from visavis.model.config import ModelConfig
from visavis.model.dualtalk import DualTalkStyle
from visavis.model.motion_model import MotionModel
from visavis.model.normalisation import Normalisation
from visavis.model.research import ResearchConfig, ResearchTimar
from visavis.model.speech import Source
from visavis.model.timar import Timar


def make_model(
    config: ModelConfig,
    normalisation: Normalisation | None = None,
    speech_encoder: Source = None,
    dropout: float = 0.0,
) -> MotionModel:
    """With its initial weights; `speech_encoder` as of `Timar`."""
    if not isinstance(config, ResearchConfig):
        return Timar(config, normalisation, speech_encoder, dropout)
    kind = DualTalkStyle if config.architecture == "dualtalk" else ResearchTimar
    return kind(config, normalisation, speech_encoder, dropout)
