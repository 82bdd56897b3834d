"""Crops, augmentation, recipes, the average, and a run that resumes."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conversations import write_data_set
from small_models import random_batch, randomised, small_config

from visavis.constants import SAMPLES_PER_FRAME
from visavis.data.dualtalk import Dialogue, Person
from visavis.errors import FileError, InvalidArgument
from visavis.export.gguf import load_gguf
from visavis.model.config import ModelConfig, live_config
from visavis.model.speech import MEL_HIGH_HZ, MEL_LOW_HZ, LogMelEncoder, hz_to_mel, mel_to_hz
from visavis.model.timar import Timar
from visavis.motion_space import ARKIT55
from visavis.training.augment import Augmentation, augment_voice
from visavis.training.bands import BandRecipe, random_bands, warp_matrix
from visavis.training.crops import CropRecipe, CropSampler
from visavis.training.ema import Ema
from visavis.training.loop import Run, train
from visavis.training.objective import Objective, Probes, blind_to_lips, border_difference, stratified_times
from visavis.training.onsets import Muted, heard_frames, late_onsets, mute
from visavis.training.recipes import Recipe, apply_settings, live_recipe, paper_recipe, recipe_and_config
from visavis.training.sounds import SoundRecipe, Sounds

PLAIN = CropRecipe(
    seconds=4.0,
    session_start=0.0,
    user_motion_absent=0.0,
    user_audio_absent=0.0,
    both_absent=0.0,
    switch=0.0,
    lookahead_absent=0.0,
    augmentation=None,
    sounds=None,
    bands=None,
)
TINY = dict(width=32, depth=1, heads=2, token_width=16, head_width=24, head_depth=1, context_turns=4, speech_width=16)


def tiny_config() -> ModelConfig:
    return live_config(**TINY, conv_widths=(16, 16, 16, 16), mel_bands=16)


def counting_dialogue(n_frames: int = 300) -> Dialogue:
    """Audio and motion that hold the number of their frame: the agent's positive, the user's negative."""
    frames = np.arange(n_frames, dtype=np.float32)
    persons = [
        Person(np.repeat(sign * frames, SAMPLES_PER_FRAME).astype(np.float16), np.tile(sign * frames[:, None], (1, 55)))
        for sign in (1.0, -1.0)
    ]
    return Dialogue("count", (persons[0], persons[1]))


def crops(recipe: CropRecipe, n: int = 40) -> list[dict[str, np.ndarray]]:
    sampler = CropSampler([counting_dialogue()], live_config(), recipe, seed=3)
    return [sampler.crop(np.random.default_rng([3, 0, 0, i])) for i in range(n)]


def test_streams_of_a_crop_belong_together() -> None:
    config = live_config()
    for crop in crops(PLAIN):
        agent, user = np.abs(crop["agent_motion"][:, 0]), np.abs(crop["user_motion"][:, 0])
        assert len(agent) == 100 and (np.diff(agent) == 1).all()
        start = int(agent[0])
        lagged = np.arange(start - config.user_lag_frames, start - config.user_lag_frames + 100)
        np.testing.assert_array_equal(user, np.maximum(lagged, 0))
        np.testing.assert_array_equal(crop["user_motion_present"], lagged >= 0)
        heard = np.abs(crop["agent_audio"][config.context_samples :: SAMPLES_PER_FRAME])
        expected = np.arange(start, start + 102)
        np.testing.assert_array_equal(heard, np.where(expected < 300, expected, 0))
        heard = np.abs(crop["user_audio"][config.context_samples :: SAMPLES_PER_FRAME])
        np.testing.assert_array_equal(heard, np.maximum(lagged, 0))
        assert crop["previous_present"] == (start >= 5)
        if start >= 5:
            np.testing.assert_array_equal(np.abs(crop["previous_motion"][:, 0]), np.arange(start - 5, start))


def test_a_session_start_has_no_past() -> None:
    config = live_config()
    starts = []
    for crop in crops(replace(PLAIN, session_start=1.0)):
        starts.append(abs(float(crop["agent_motion"][0, 0])))
        assert not crop["previous_present"] and not crop["previous_motion"].any()
        assert not crop["agent_audio"][: config.context_samples].any()
        silent = config.context_samples + config.user_lag_frames * SAMPLES_PER_FRAME
        assert not crop["user_audio"][:silent].any() and crop["user_audio"][silent + SAMPLES_PER_FRAME :].any()
        assert not crop["user_motion_present"][:7].any() and crop["user_motion_present"][7:].all()
    assert 5 < sum(s == 0 for s in starts) < 35  # about half at the recording's own start


def test_absent_streams_switch_at_turn_borders() -> None:
    absent = replace(PLAIN, user_motion_absent=1.0, user_audio_absent=1.0)
    for crop in crops(absent, 5):
        assert not crop["user_audio"].any() and not crop["user_motion_present"].any()
        assert not crop["user_motion"].any()
    for crop in crops(replace(PLAIN, switch=1.0)):
        present = crop["user_motion_present"]
        changes = np.flatnonzero(np.diff(present[7:])) + 8
        assert len(changes) <= 1 and all(c % 5 == 0 for c in changes)


def test_what_the_agent_says_next_is_sometimes_unknown() -> None:
    assert all(crop["lookahead_present"].all() for crop in crops(PLAIN, 5))
    known = [crop["lookahead_present"] for crop in crops(replace(PLAIN, lookahead_absent=0.5))]
    assert all(k.all() or not k.any() for k in known) and 5 < sum(k.all() for k in known) < 35


def test_batches_are_a_function_of_seed_and_step() -> None:
    sampler = CropSampler([counting_dialogue()], live_config(), CropRecipe(seconds=4.0), seed=3)
    again = CropSampler([counting_dialogue()], live_config(), CropRecipe(seconds=4.0), seed=3)
    first, second = sampler.batch(7, 3), again.batch(7, 3)
    pairs = zip(vars(first).values(), vars(second).values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs if a is not None)
    assert not torch.equal(first.agent_audio, sampler.batch(8, 3).agent_audio)
    assert not torch.equal(first.agent_audio[0], first.agent_audio[1])


def test_recordings_too_short_for_a_crop_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="600 frames"):
        CropSampler([counting_dialogue()], live_config(), CropRecipe(), seed=1)


def test_augmentation_moves_nothing_in_time() -> None:
    voice = np.zeros(16000, dtype=np.float32)
    voice[8000] = 1.0
    everything = Augmentation(
        noise_db=(-80, -70),
        equaliser_probability=1,
        low_pass_probability=1,
        high_pass_probability=1,
        reverb_probability=1,
    )
    for seed in range(8):
        heard = augment_voice(voice, np.zeros_like(voice), np.random.default_rng(seed), everything)
        assert heard.shape == voice.shape and heard.dtype == np.float32
        assert abs(int(np.abs(heard).argmax()) - 8000) <= 2


def test_noise_has_the_level_that_was_asked_for() -> None:
    silence = np.zeros(48000, dtype=np.float32)
    noise = Augmentation(noise_db=(-40, -40), noise_probability=1)
    heard = augment_voice(silence, silence, np.random.default_rng(1), replace(noise, reverb_probability=0))
    filtered = 20 * np.log10(heard.std())
    assert filtered == pytest.approx(-40, abs=0.5)


def test_sounds_are_loud_alone_and_soft_under_a_voice() -> None:
    noise = np.random.default_rng(0).standard_normal(16000 * 10).astype(np.float32)
    how = SoundRecipe(
        probability=1.0, all_along=1.0, alone_db=(-20.0, -20.0), under_db=(-30.0, -30.0), stock=7, others=0.0
    )
    sounds = Sounds(how, [noise.astype(np.float16)], seed=1)
    speaking = np.arange(len(noise)) < len(noise) // 2
    voice = 0.1 * noise * speaking
    for seed in range(5):
        added = sounds.add(voice, speaking, np.random.default_rng(seed)) - voice
        under, alone = added[: 16000 * 4], added[16000 * 6 :]
        assert 20 * np.log10(alone.std()) == pytest.approx(-20, abs=6), "sounds swell and fade"
        assert under.std() < 0.02 * alone.std() / 10 ** (-20 / 20) and under.any()
        again = sounds.add(voice, speaking, np.random.default_rng(seed))
        np.testing.assert_array_equal(again - voice, added)
    never = Sounds(replace(how, probability=0.0), [noise.astype(np.float16)], seed=1)
    assert never.add(voice, speaking, np.random.default_rng(0)) is voice
    passage = Sounds(replace(how, all_along=0.0), [noise.astype(np.float16)], seed=1)
    heard = passage.add(np.zeros(16000 * 60, np.float32), np.zeros(16000 * 60, bool), np.random.default_rng(2))
    assert 2 * 16000 < np.count_nonzero(heard) <= 13 * 16000


def test_voices_of_others_are_softer_than_ones_own() -> None:
    rng = np.random.default_rng(0)
    talk = (rng.standard_normal(16000 * 60) * (np.arange(16000 * 60) % 32000 < 8000)).astype(np.float16)
    how = SoundRecipe(probability=0.0, others=1.0, others_db=(-30.0, -20.0), stock=7)
    sounds = Sounds(how, [talk], seed=1)
    speaking = np.arange(16000 * 24) < 16000 * 4
    voice = (0.2 * rng.standard_normal(len(speaking)) * speaking).astype(np.float32)
    for seed in range(5):
        added = sounds.add(voice, speaking, np.random.default_rng(seed)) - voice
        said = added[abs(added) > 0]
        assert -30.5 < 20 * np.log10(said.std() / 0.2) < -19.5 and 0.2 < len(said) / len(added) < 0.3
        alone = sounds.add(np.zeros_like(voice), speaking & False, np.random.default_rng(seed))
        assert -62.5 < 20 * np.log10(alone[alone != 0].std()) < -51.5


def phrases() -> Person:
    """Two phrases of ten phones of 0.1 s each, from 1.0 s and from 3.0 s on; noise all along."""
    kinds = ["AY1", "D", "OW1", "N", "P", "AY1", "N", "OW1", "N", "AY1"]
    starts = np.array([*(1.0 + 0.1 * np.arange(10)), *(3.0 + 0.1 * np.arange(10))])
    labels = {"phone_label": np.array(kinds * 2), "phone_start": starts, "phone_end": starts + 0.1}
    rng = np.random.default_rng(0)
    return Person(rng.standard_normal(16000 * 6).astype(np.float16), np.zeros((150, 55), np.float32), labels)


def test_late_onsets_open_phrases_with_any_phone() -> None:
    person = phrases()
    opened = []
    for seed in range(400):
        muted = late_onsets(person, 0.0, 6.0, np.random.default_rng(seed), 1.0)
        assert [m.begin for m in muted] == pytest.approx([0.8, 2.8])
        for m, first in zip(muted, (1.0, 3.0), strict=True):
            phone = round((m.end - first) * 10)
            assert m.end == pytest.approx(first + 0.1 * phone) and 2 <= phone <= 9
            opened.append(phone)
        assert late_onsets(person, 0.0, 6.0, np.random.default_rng(seed), 1.0) == muted
    share = np.bincount(opened, minlength=10) / len(opened)
    assert share[4] == pytest.approx(3 / 6, abs=0.06), "one plosive, three other kinds"
    for others in ([2, 7], [3, 6, 8], [5, 9]):
        assert share[others].sum() == pytest.approx(1 / 6, abs=0.04)
    assert len(late_onsets(person, 2.0, 6.0, np.random.default_rng(0), 1.0)) == 1
    assert late_onsets(person, 0.0, 6.0, np.random.default_rng(0), 0.0) == []
    assert late_onsets(counting_dialogue().persons[0], 0.0, 6.0, np.random.default_rng(0), 1.0) == []


def test_what_is_muted_is_not_heard_and_not_asked() -> None:
    voice = np.ones(16000, np.float32)
    stretch = Muted(1.2, 1.6)
    mute(voice, 16000, [stretch, Muted(0.0, 1.0)])
    assert (voice[:3200] == 1).all() and (voice[9600:] == 1).all()
    assert (voice[3200:9520] == 0).all() and (np.diff(voice[9520:9600]) > 0).all()
    for length in (9560, 9519, 3200, 100):  # voices that end within, or before
        short = np.ones(length, np.float32)
        mute(short, 16000, [stretch])
        np.testing.assert_array_equal(short, voice[:length])
    known = heard_frames(25, 25, [stretch])
    np.testing.assert_array_equal(np.flatnonzero(~known), np.arange(5, 15))  # frame 40, at 1.6 s, is heard

    person = phrases()
    dialogue = Dialogue("talk", (person, person))
    recipe = replace(PLAIN, onsets=1.0)
    batch = CropSampler([dialogue], tiny_config(), recipe, seed=1).batch(0, 8)
    plain = CropSampler([dialogue], tiny_config(), PLAIN, seed=1).batch(0, 8)
    assert plain.agent_motion_known is None and batch.agent_motion_known is not None
    audio = batch.agent_audio[:, tiny_config().context_samples :]
    silent = (audio[:, : 100 * SAMPLES_PER_FRAME].reshape(8, 100, -1) == 0).all(-1)
    asked = batch.agent_motion_known
    assert (~asked).sum() > 40 and (silent & ~asked).sum() > 0.9 * (~asked).sum()
    assert not (silent & asked)[:, 1:].any()


def test_crops_know_where_a_person_speaks() -> None:
    dialogue = counting_dialogue()
    for person in dialogue.persons:
        person.labels["speaking"] = np.arange(300) % 100 < 50
    quiet = SoundRecipe(
        probability=1.0, all_along=1.0, alone_db=(-20.0, -20.0), under_db=(-400.0, -400.0), stock=7, others=0.0
    )
    for step in range(5):
        pair = [
            CropSampler([dialogue], live_config(), replace(PLAIN, sounds=how), seed=3).batch(step, 1)
            for how in (None, quiet)
        ]
        plain, mixed = (batch.agent_audio[0, live_config().context_samples :] for batch in pair)
        start = abs(int(pair[0].agent_motion[0, 0, 0]))
        speaking = (np.arange(start, start + 102) % 100 < 50) & (np.arange(start, start + 102) < 300)
        changed = (plain != mixed).reshape(-1, SAMPLES_PER_FRAME).float().mean(1).numpy()
        inside = np.convolve(speaking, np.ones(5), "same") == 5  # the ramps reach a tenth of a second
        assert not changed[inside].any() and changed[~speaking].mean() > 0.9


def test_warped_bands_move_a_tone_and_leave_silence() -> None:
    encoder = LogMelEncoder(live_config())
    n_bands = encoder.mel.shape[0]
    tone = torch.sin(2 * math.pi * 1000.0 * torch.arange(4000) / 16000)[None]
    for factor, hz in ((1.0, 1000.0), (0.8, 1250.0), (1.25, 800.0)):
        bands = torch.from_numpy(warp_matrix(n_bands, factor)).float()[None]
        bands_hz = mel_to_hz(np.linspace(hz_to_mel(MEL_LOW_HZ), hz_to_mel(MEL_HIGH_HZ), n_bands + 2)[1:-1])
        loudest = bands_hz[int(encoder.log_mel(tone, bands)[0, 5].argmax())]
        assert loudest == pytest.approx(hz, rel=0.08)
    np.testing.assert_allclose(warp_matrix(n_bands, 1.0), np.eye(n_bands), atol=1e-9)
    silence = torch.zeros(1, 4000)
    drawn = torch.from_numpy(random_bands(np.random.default_rng(1), n_bands, BandRecipe()))[None]
    torch.testing.assert_close(encoder.log_mel(silence, drawn), encoder.log_mel(silence))
    assert not torch.allclose(encoder.log_mel(tone, drawn), encoder.log_mel(tone), atol=0.1)


def test_bands_of_a_crop_reach_both_voices_and_the_turns_without_lookahead() -> None:
    model = Timar(small_config())
    batch = random_batch(model.config, 2, 3)
    F, n_bands = model.config.turn_frames, model.config.mel_bands
    quiet = torch.zeros(2, n_bands, n_bands)
    with torch.no_grad():
        plain, muted = model.condition(batch), model.condition(replace(batch, agent_bands=quiet, user_bands=quiet))
        silent = replace(batch, agent_audio=batch.agent_audio * 0, user_audio=batch.user_audio * 0)
        torch.testing.assert_close(muted, model.condition(silent), rtol=0, atol=1e-5)
        unknown = torch.zeros(2, 3, dtype=torch.bool)
        tokens = model.agent_speech_tokens(batch.agent_audio, unknown, quiet)
        torch.testing.assert_close(tokens, model.agent_speech_tokens(silent.agent_audio), rtol=0, atol=1e-5)
    assert not torch.allclose(plain, muted, atol=1e-3) and tokens.shape[1] == 3 * F


def test_times_are_stratified_and_borders_count() -> None:
    t = stratified_times(400, 4, torch.Generator().manual_seed(0))
    assert t.min() >= 0 and t.max() <= 999
    for repeat in range(4):
        part = t[repeat * 100 : (repeat + 1) * 100]
        assert (part >= 250 * repeat).all() and (part < 250 * (repeat + 1)).all()
    error = torch.ones(1, 5, 1)
    assert border_difference(error, 1).flatten().tolist() == [1, 0, 0, 0, 0]
    assert border_difference(error, 2).flatten().tolist() == [1, -1, 0, 0, 0]


def test_frames_of_shut_lips_count_more() -> None:
    at = ARKIT55.index
    model = Timar(small_config(denoise_target="residual"))
    model.residual_gain[:] = 0.0
    model.residual_gain[:, at("headPitch")] = 0.9  # slow: not one of the lips
    motion = torch.zeros(2, 10, 55)
    motion[1, 3, [at("mouthPressLeft"), at("mouthPressRight")]] = 0.8
    scales = torch.ones(2, 55)
    batch = replace(random_batch(model.config, 2, 2), agent_motion=motion)
    objective = Objective(Recipe(closure=3.0), scales, Probes(model.config))
    weight = objective.error_weights(model, batch)  # (turns, F, C)
    assert weight.shape == (4, 5, 55)
    assert weight[2, 3, at("jawOpen")] == 3.0
    assert weight[2, 3, at("headPitch")] == 1.0
    lips = int((model.motion_weight > 0).sum()) - 1
    assert float(weight.sum()) == 4 * 5 * 55 + 2.0 * lips
    known = torch.ones(2, 10, dtype=torch.bool)
    known[1, 2:5] = False
    left = objective.error_weights(model, replace(batch, agent_motion_known=known))
    assert (left[2, 2:] == 0).all() and torch.equal(left[3], weight[3])


def test_turns_in_which_something_happens_seem_more_frequent() -> None:
    pitch, jaw = ARKIT55.index("headPitch"), ARKIT55.index("jawOpen")
    model = Timar(small_config(denoise_target="residual"))
    model.residual_gain[:] = 0.0
    model.residual_gain[:, pitch] = 0.9
    rows = torch.zeros(10, 5, 55)
    rows[3, 2, [pitch, jaw]] = -4.0  # one turn in ten
    rows[5, :, pitch] = 2.0
    objective = Objective(Recipe(events=(9.0, 9.0, 3.0), smoothness=0.0), torch.ones(2, 55), Probes(model.config))
    taught = objective.importance(model, rows.flatten(1))
    assert taught[3, pitch] == 3.0 and float(taught.sum()) == 10 * 55 + 2.0  # lips do not count as events

    def loss(answer: float) -> float:
        error = torch.zeros_like(rows)
        error[:, 2, pitch] = answer - rows[:, 2, pitch]
        return float(objective.errors(model, error, torch.ones_like(rows), taught)["head"])

    mean = (3 * -4.0 + 2.0) / (3 + 9)  # of the turns, the event thrice
    assert loss(mean) < min(loss(mean - 0.05), loss(mean + 0.05))
    assert torch.equal(replace(objective, recipe=Recipe()).importance(model, rows.flatten(1)), torch.ones(10, 55))


def test_frames_that_are_left_out_are_not_learnt() -> None:
    model = randomised(Timar(small_config(denoise_target="residual")))
    model.residual_gain[:] = 0.0
    blind_to_lips(model)
    objective = Objective(Recipe(), torch.ones(2, 55), Probes(model.config))
    known = torch.ones(2, 30, dtype=torch.bool)
    known[:, 7:16] = False
    batch = replace(random_batch(model.config, 2, 6, seed=3), agent_motion_known=known)

    def losses(frame: int) -> dict[str, float]:
        motion = batch.agent_motion.clone()
        motion[0, frame, ARKIT55.index("jawOpen")] += 0.3
        terms = objective(model, replace(batch, agent_motion=motion), torch.Generator().manual_seed(1))
        return {name: float(value.detach()) for name, value in terms.items() if name not in ("variance", "total")}

    assert losses(7) == losses(15) != losses(16)


def test_lips_are_learnt_beside_a_strangers_past() -> None:
    model = randomised(Timar(small_config(denoise_target="residual")))
    model.residual_gain[:] = 0.0
    model.residual_gain[:, [ARKIT55.index(name) for name in ("headYaw", "headPitch", "headRoll")]] = 0.9
    blind_to_lips(model)
    objective = Objective(Recipe(strangers=0.5, probe=0.0), torch.ones(2, 55), Probes(model.config))
    batch = random_batch(model.config, 2, 6, seed=3)
    jaw, pitch = ARKIT55.index("jawOpen"), ARKIT55.index("headPitch")

    def losses(crop: int | None = None, channel: int = 0) -> dict[str, float]:
        motion = batch.agent_motion.clone()
        if crop is not None:
            motion[crop, :, channel] += 0.3
        changed = replace(batch, agent_motion=motion)
        terms = objective(model, changed, torch.Generator().manual_seed(1))
        return {name: float(value.detach()) for name, value in terms.items() if name != "variance"}

    def unlike(crop: int, channel: int) -> set[str]:
        found, plain = losses(crop, channel), losses()
        return {name for name in plain if name.split("_")[0] in ("mouth", "head") and found[name] != plain[name]}

    assert unlike(0, pitch) == set()  # nobody looks at the head of the crop that has another's past
    assert unlike(0, jaw) >= {"mouth"} and not unlike(0, jaw) & {"head", "head_moves"}
    assert unlike(1, jaw) == set()  # and nobody at the lips of the other
    assert {"head", "mouth"} <= unlike(1, pitch)  # its head is learnt, and is the past of both


def test_average_starts_fast_and_ends_slow() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    ema = Ema(model, 0.999)
    assert ema.decay(0) == pytest.approx(0.1) and ema.decay(10**6) == 0.999
    before = model.weight.item()
    with torch.no_grad():
        model.weight.fill_(before + 1)
    ema.update(model, 0)
    # Absolute: the random start may lie near -0.9, where a relative tolerance of a float32 sum means nothing.
    assert ema.averaged(model).weight.item() == pytest.approx(before + 0.9, abs=1e-5)
    assert model.weight.item() == pytest.approx(before + 1, abs=1e-5)


def test_settings_reach_model_recipe_and_crops() -> None:
    settings = ["width=128", "heads=4", "seconds=8", "conv_kernels=3,3,3,3", "batch=2"]
    recipe, config = apply_settings(*recipe_and_config("live"), settings)
    assert (config.width, recipe.crops.seconds, recipe.batch) == (128, 8.0, 2)
    assert config.conv_kernels == (3, 3, 3, 3)
    for wrong in ("width", "wide=3", "width=x", "augmentation=1", "events=3"):
        with pytest.raises(InvalidArgument):
            apply_settings(live_recipe(), live_config(), [wrong])


def test_rates_warm_up_and_fall() -> None:
    live, paper = live_recipe(), paper_recipe()
    assert live.rate(0.0) == 0.0 and live.rate(live.warmup) == pytest.approx(live.peak_rate)
    assert live.rate(1.0) == pytest.approx(live.final_rate * live.peak_rate)
    assert paper.rate(0.3) == paper.rate(1.0) == paper.peak_rate == pytest.approx(1e-4 * paper.batch / 256)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(tmp_path_factory.mktemp("talks"), n_dialogues=2, seconds=6)


def small_run(data: Path, out: Path, steps: int, **changes: object) -> Run:
    recipe = replace(Recipe(), batch=2, repeats=2, crops=replace(CropRecipe(), seconds=2.0))
    run = Run(data=data, out=out, recipe=recipe, config=tiny_config(), steps=steps, seed=5, precision="f32")
    return replace(run, **changes)  # type: ignore[arg-type]


def test_a_run_writes_what_it_promises(data: Path, tmp_path: Path) -> None:
    said: list[str] = []
    path = train(small_run(data, tmp_path / "run", 12), said.append)
    model = load_gguf(path)
    assert model.config == tiny_config()
    assert float(model.motion_weight[model.config.space.index("eyeBlinkLeft")]) == 0.0
    assert any("validation total" in line for line in said)
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    with pytest.raises(InvalidArgument, match="holds a run already"):
        train(small_run(data, tmp_path / "run", 12), said.append)


def test_a_resumed_run_equals_an_unbroken_one(data: Path, tmp_path: Path) -> None:
    whole = load_gguf(train(small_run(data, tmp_path / "whole", 8), lambda text: None))
    stopped = small_run(data, tmp_path / "parts", 8)
    with pytest.raises(KeyboardInterrupt):
        train(replace(stopped, save_minutes=0.0), _interrupt_at("checkpoint at step 4"))
    resumed = load_gguf(train(replace(stopped, resume=True), lambda text: None))
    for (name, a), (_, b) in zip(whole.named_parameters(), resumed.named_parameters(), strict=True):
        assert torch.equal(a, b), name


def _interrupt_at(words: str):  # type: ignore[no-untyped-def]
    def say(text: str) -> None:
        if words in text:
            raise KeyboardInterrupt

    return say


def test_resuming_something_else_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such checkpoint"):
        train(small_run(data, tmp_path / "none", 4, resume=True), lambda text: None)
    train(small_run(data, tmp_path / "run", 2), lambda text: None)
    with pytest.raises(InvalidArgument, match="width 32"):
        wide = tiny_config().with_options(width=64)
        train(small_run(data, tmp_path / "run", 4, resume=True, config=wide), lambda text: None)
    with pytest.raises(InvalidArgument, match="seed is 5, now 6"):
        train(small_run(data, tmp_path / "run", 4, resume=True, seed=6), lambda text: None)
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"junk")
    with pytest.raises(FileError, match="not a readable checkpoint"):
        train(small_run(data, tmp_path / "run", 4, resume=True), lambda text: None)


def test_a_model_never_sees_lips(data: Path, tmp_path: Path) -> None:
    model = load_gguf(train(small_run(data, tmp_path / "run", 6), lambda text: None))
    jaw = model.config.space.index("jawOpen")
    assert model.residual_gain[0, jaw] == 0.0  # a fast channel
    assert not model.motion_encoder[0].weight[:, jaw].any()
    context = model.diffloss.net.cond_embed.weight[:, model.config.turn_frames * model.config.width :]
    assert not context.reshape(len(context), 2, -1)[:, :, jaw].any() and context.any()
    seen = model.diffloss.net.input_proj.weight.reshape(len(context), model.config.turn_frames, -1)
    assert not seen[:, :, jaw].any() and seen.any()  # nor those that the head has made so far


def test_a_run_may_begin_with_a_model(data: Path, tmp_path: Path) -> None:
    first = train(small_run(data, tmp_path / "first", 4), lambda text: None)
    begun = replace(small_run(data, tmp_path / "second", 1), begin_with=first)
    slow = replace(begun, recipe=replace(begun.recipe, peak_rate=0.0))
    before, after = load_gguf(first), load_gguf(train(slow, lambda text: None))
    for (name, a), (_, b) in zip(before.named_parameters(), after.named_parameters(), strict=True):
        assert torch.equal(a, b), name
    with pytest.raises(InvalidArgument, match="width 32"):
        wide = tiny_config().with_options(width=64)
        train(replace(begun, out=tmp_path / "third", config=wide), lambda text: None)
    styled = tiny_config().with_options(styles=("nods",))
    with_style = train(replace(slow, out=tmp_path / "styled", config=styled), lambda text: None)
    assert load_gguf(with_style).config.styles == ("nods",)  # new ones begin without effect
    assert not load_gguf(with_style).style_proj.weight.any()
    kept = train(replace(slow, out=tmp_path / "kept", begin_with=with_style), lambda text: None)
    assert load_gguf(kept).config.styles == ("nods",)  # a file's own are kept
    other = tiny_config().with_options(styles=("gaze",))
    with pytest.raises(InvalidArgument, match="styles"):
        train(replace(slow, out=tmp_path / "other", config=other, begin_with=with_style), lambda text: None)


@pytest.mark.parametrize("layout", ["fused", "markers"])
def test_a_run_may_hide_the_own_past_of_its_first_model(data: Path, tmp_path: Path, layout: str) -> None:
    first = small_run(data, tmp_path / "first", 2)
    first = replace(first, config=first.config.with_options(layout=layout))
    seeing = load_gguf(train(first, lambda text: None))
    hidden = replace(first, out=tmp_path / "hidden", config=first.config.with_options(own_past="masked"))
    slow = replace(hidden, recipe=replace(hidden.recipe, peak_rate=0.0), begin_with=tmp_path / "first" / "model.gguf")
    blind = load_gguf(train(slow, lambda text: None))
    assert (seeing.config.own_past, blind.config.own_past) == ("lagged", "masked")
    batch = random_batch(seeing.config, 2, 4, seed=1)
    own = torch.zeros_like(seeing.own_motion(batch))  # the mean face, which the masked one takes for its past
    torch.testing.assert_close(seeing.condition_on(batch, own), blind.condition(batch))
    back = replace(first, out=tmp_path / "back", begin_with=tmp_path / "hidden" / "model.gguf")
    said: list[str] = []
    assert load_gguf(train(back, said.append)).config.own_past == "masked"
    assert any("own past: masked" in text for text in said)


def test_the_head_may_be_trained_alone(data: Path, tmp_path: Path) -> None:
    first = train(small_run(data, tmp_path / "first", 2), lambda text: None)
    run = small_run(data, tmp_path / "head", 2)
    alone = replace(run, recipe=replace(run.recipe, head_alone=True))
    with pytest.raises(InvalidArgument, match="give --begin-with"):
        train(replace(alone, out=tmp_path / "nothing"), lambda text: None)
    after = load_gguf(train(replace(alone, begin_with=first), lambda text: None)).state_dict()
    changed = {name for name, value in load_gguf(first).state_dict().items() if not torch.equal(value, after[name])}
    assert changed and all(name.startswith("diffloss.") for name in changed)


@pytest.mark.parametrize("setting", ["strangers=1.5", "onsets=-0.1", "warmup=2", "switch=nan", "sounds.others=2"])
def test_shares_out_of_range_are_refused(setting: str) -> None:
    with pytest.raises(InvalidArgument, match=f"setting {setting}: expected a share, 0 to 1"):
        apply_settings(*recipe_and_config("live"), [setting])
    recipe, _ = apply_settings(*recipe_and_config("live"), ["strangers=1", "onsets=0"])
    assert (recipe.strangers, recipe.crops.onsets) == (1, 0)


def test_sounds_can_be_set() -> None:
    settings = ["sounds.probability=0.7", "sounds.alone_db=-40,-12", "sounds.stock=9", "onsets=0.5"]
    crops = apply_settings(*recipe_and_config("live"), settings)[0].crops
    assert crops.onsets == 0.5 and crops.sounds == SoundRecipe(probability=0.7, alone_db=(-40.0, -12.0), stock=9)
    with pytest.raises(InvalidArgument, match=r"setting 'sounds\.noise' is unknown; known: .*sounds\.probability"):
        apply_settings(*recipe_and_config("live"), ["sounds.noise=1"])
    with pytest.raises(InvalidArgument, match=r"setting 'sounds\.stock' is unknown"):
        apply_settings(*recipe_and_config("paper"), ["sounds.stock=9"])
