import numpy as np
import pytest

from visavis.bridge.demo import ASSETS, demo_voice
from visavis.bridge.plot import speaking_spans
from visavis.data.demo_voices import SCRIPT, assemble


def test_the_shipped_conversation_has_turns_overlaps_and_pauses() -> None:
    agent, user = demo_voice("agent"), demo_voice("user")
    assert agent.rate == user.rate == 16_000 and len(agent.samples) == len(user.samples)
    assert 28 < len(agent.samples) / 16_000 < 40
    assert sum((ASSETS / f"demo_{who}.flac").stat().st_size for who in ("agent", "user")) < 1_000_000
    times = np.arange(0, len(agent.samples) / 16_000, 0.02)
    speaks = [
        np.any([(start <= times) & (times < end) for start, end in speaking_spans(voice)], axis=0)
        for voice in (agent, user)
    ]
    assert 0.25 < speaks[0].mean() < 0.65 and 0.25 < speaks[1].mean() < 0.65
    assert 0.01 < (speaks[0] & speaks[1]).mean() < 0.1
    assert (~speaks[0] & ~speaks[1]).mean() > 0.05


@pytest.mark.system
def test_the_script_makes_the_shipped_samples() -> None:
    tracks = assemble()
    for who in ("agent", "user"):
        np.testing.assert_allclose(tracks[who], demo_voice(who).samples, atol=1e-4)
    assert {who for who, _, _ in SCRIPT} == {"agent", "user"}
