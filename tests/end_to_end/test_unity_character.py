"""The Unity package's in-game component under Mono: the default model, through the real runtime."""

from pathlib import Path

import numpy as np
import pytest
from client_server import FRAME_NS
from native_client import LISTENING, SPEAKING
from unity_mono import MODEL, RATE, Unity, shipped_voice

pytestmark = pytest.mark.system


def test_two_voices_move_a_face_in_time(unity: Unity, tmp_path: Path) -> None:
    """Seven seconds of the shipped conversation, the character's voice pushed as a whole."""
    agent, user = (shipped_voice(who, tmp_path) for who in ("agent", "user"))
    found = unity.check("converse", MODEL, agent, user)
    assert found["ready"] and found["loading"] == "It is being loaded." and "live" in found["status"]
    assert found["wake"] < 0.5 and found["worst_frame"] < 0.1, "nothing of it is done in the game's frame"
    seconds, loud, state, session_ns, jaw, blink, yaw, pitch = np.array(found["rows"]).T
    speaking, listening = state == SPEAKING, state == LISTENING
    assert speaking.mean() > 0.3 and listening.mean() > 0.2
    voiced = np.fromfile(agent, np.float32).reshape(-1, RATE // 2)
    heard = [loud[(seconds > k / 2) & (seconds < k / 2 + 1)].max() for k in range(14)]
    assert np.corrcoef(abs(voiced).max(axis=1) > 0.1, np.array(heard) > 0.1)[0, 1] > 0.7, "all of it is heard"
    assert jaw[speaking].mean() > 3 * jaw[listening].mean() and jaw.max() > 0.25
    assert blink.max() > 0.5 and np.ptp(yaw) > 0.02 and np.ptp(pitch) > 0.02
    assert np.median(yaw) > 0.1, "the dial headYaw.offset acts from the beginning"
    pace = np.polyfit(seconds, session_ns * 1e-9, 1)
    assert pace[0] == pytest.approx(1, abs=0.02), "session time goes as the game's time does"


def test_voice_and_face_go_together_and_an_interruption_silences_both(unity: Unity) -> None:
    """The voice rises by 0.27 a second from the first frame of speech on: heard value and shown time agree."""
    rows = np.array(unity.check("talk", MODEL, "")["rows"])
    seconds, left, right, _, state, session_ns = rows.T
    assert (left == right).all()
    speaking, loud = np.flatnonzero(state == SPEAKING), np.flatnonzero(left > 0.6)
    assert len(speaking) and len(loud)
    part = slice(np.flatnonzero(left > 0.2)[0], loud[0])
    began_ms = session_ns[speaking[0]] // FRAME_NS * 40  # speech begins where a frame does
    apart_ms = session_ns[part] * 1e-6 - began_ms - (left[part] - 0.1) / 0.27 * 1000
    # 20 ms behind what is read, which is not heard before; up to a picture ahead of the block read last
    assert -40 < np.median(apart_ms) < 20 and np.ptp(np.percentile(apart_ms, [10, 90])) < 45
    after = seconds > seconds[loud[0]] + 1.0
    assert (left[after] == 0).all() and (state[after].astype(int) & LISTENING).all()


def test_frames_and_sound_leave_no_garbage(unity: Unity) -> None:
    found = unity.check("garbage", MODEL, "npc", 300)
    assert (found["bytes"], found["collections"]) == (0, 0) and found["moved"] > 50


def test_a_crowd_shares_one_model_and_each_has_a_mind_of_its_own(unity: Unity) -> None:
    found = unity.check("crowd", MODEL, 12)
    yaws = np.array(found["yaws"])
    assert found["moving"] == 12 and "12 heads" in found["figures"] and found["log"] == []
    assert (np.ptp(yaws, axis=0) > 1e-3).all()
    together = np.corrcoef(yaws.T) - np.eye(12)
    assert together.max() < 0.999


def test_a_character_too_many_waits_for_room(unity: Unity) -> None:
    found = unity.check("full", MODEL)
    assert "max_load" in found["status"] and found["moves"]
    assert len(found["log"]) == 1 and "max_load" in found["log"][0], "said once, however many wait"


def test_characters_come_and_go_also_while_the_model_is_loaded(unity: Unity) -> None:
    found = unity.check("spawn", MODEL)
    assert found["ready"] and found["again"] and found["stays"], found
    assert not any(line.startswith("error") for line in found["log"])


def test_switching_off_and_on_beside_the_audio_thread(unity: Unity) -> None:
    found = unity.check("toggle", MODEL, "")
    assert found["moves"] and found["threads"] <= 1 and found["worst_disable"] < 0.2


def test_inspectors_and_the_sample_of_a_character(unity: Unity, tmp_path: Path) -> None:
    found = unity.check("editor", MODEL, "", shipped_voice("agent", tmp_path))
    assert any("is live" in line for line in found["head"]) and "bar: jawOpen" in found["head"]
    assert any("a turn takes" in line for line in found["source"])
    assert found["model"] == "Packages/dev.visavis.heads/Model/default.bytes", "set when the component is added"
    assert all(unity.check("sample", MODEL, "", shipped_voice("agent", tmp_path)).values())
