#include <cstring>

#include "checks.h"
#include "twins.h"

namespace visavis::cuda::test {
namespace {

void check_voices(Half half) {
    Random random(90);
    const int most = 3, turn_samples = 640, user_samples = 640, fresh = 960, stride = user_samples + fresh;
    const int kept[2] = {16, 24}, inputs[2] = {16 + 6 * 8, 24 + 3 * 24}, turn[2] = {4 * 8, 2 * 24};
    const int state_bytes = 1024 + 16 * 2;
    Ints count({2});
    Floats samples(random.floats(most * stride)), audio(poison(2 * most * (kKeptSamples + fresh)));
    Halves first(poison_halves(2 * most * inputs[0])), second(poison_halves(2 * most * inputs[1]));
    Bytes states(std::vector<std::uint8_t>(size(2 * most * state_bytes)));
    for (int v = 0; v < 2 * most; ++v) {
        const auto floats = random.floats(kKeptSamples);
        std::memcpy(states.host.data() + v * state_bytes, floats.data(), floats.size() * sizeof(float));
        const auto halves = random.halves(half, kept[0] + kept[1]);
        std::memcpy(states.host.data() + v * state_bytes + kKeptSamples * sizeof(float), halves.data(),
                    halves.size() * 2);
    }
    Turns turns(most);
    turns.point(&Turn::voices, states, 2 * state_bytes);
    for (int i = 0; i < most; ++i) {
        turns[i].n_samples[0] = i == 1 ? 0 : turn_samples;
        turns[i].n_samples[1] = i == 0 ? turn_samples : fresh;
    }
    const auto params = [&](Side side) {
        VoicesParams p;
        p.count = {count.at(side), most, 2};
        p.turns = turns.at(side);
        p.samples = samples.at(side);
        p.samples_stride = stride;
        p.user_samples = user_samples;
        p.audio = audio.at(side);
        p.n_fresh = fresh;
        p.turn_samples = turn_samples;
        p.state_bytes = state_bytes;
        p.layers[0] = {first.at(side), inputs[0], kept[0], turn[0], 0};
        p.layers[1] = {second.at(side), inputs[1], kept[1], turn[1], kept[0]};
        p.n_layers = 2;
        return p;
    };
    load_voices(launcher(), half, params(Side::kDevice));
    twin::load_voices(half, params(Side::kHost));
    compare("load_voices", audio, 0);
    compare("load_voices inputs", half, first, 0);
    compare("load_voices inputs", half, second, 0);
    // As if the layers had filled in the rest; both sides the same.
    Halves filled(random.halves(half, 2 * most * inputs[0])), filled_too(random.halves(half, 2 * most * inputs[1]));
    const auto saved = [&](Side side) {
        VoicesParams p = params(side);
        p.layers[0].inputs = filled.at(side);
        p.layers[1].inputs = filled_too.at(side);
        return p;
    };
    save_voices(launcher(), half, saved(Side::kDevice));
    twin::save_voices(half, saved(Side::kHost));
    if (states.of_device() != states.host) throw std::runtime_error("save_voices: a state differs from its twin's");
    errors().add("save_voices", 0);
}

void check_first_convolution(Half half, bool group_norm, int first_turn) {
    Random random(100);
    const int most = 2, all = most + first_turn, kernel = 10, stride = 5, width = 40, samples = 400, pitch = 48;
    const int rows = (samples - kernel) / stride + 1;
    Ints count({all - 1});
    Floats audio(random.floats(all * 2 * samples)), weight(random.floats(kernel * width)), bias(random.floats(width));
    Floats gain(random.floats(width, 0.2F, 1)), shift(random.floats(width)), moments(poison(2 * most * width * 2));
    Halves out(poison_halves(std::int64_t{2} * most * rows * pitch));
    Turns turns(all);
    for (int i = 0; i < all; ++i) {
        turns[i].n_samples[0] = samples;
        turns[i].n_samples[1] = i % 2 ? samples : 0;
    }
    const auto params = [&](Side side) {
        FirstConvolutionParams p;
        p.count = {count.at(side), most, 2, first_turn};
        p.turns = turns.at(side);
        p.samples = audio.at(side);
        p.samples_stride = 2 * samples;
        p.user_samples = samples;
        p.weight = weight.at(side);
        p.bias = group_norm ? nullptr : bias.at(side);
        p.gain = gain.at(side);
        p.shift = shift.at(side);
        p.kernel = kernel;
        p.stride = stride;
        p.width = width;
        p.n_rows = rows;
        p.group_norm = group_norm;
        p.moments = moments.at(side);
        p.out = out.at(side);
        p.pitch = pitch;
        return p;
    };
    first_convolution(launcher(), half, params(Side::kDevice));
    twin::first_convolution(half, params(Side::kHost));
    compare("first_convolution", half, out, tolerance_of(half));
}

void check_interpolate(Half half, int frames, int rows, int first_turn) {
    Random random(110);
    const int most = 2, all = most + first_turn, width = 33, pitch = 40;
    Ints count({all});
    Halves in(random.halves(half, std::int64_t{2} * most * rows * pitch));
    Halves out(poison_halves(std::int64_t{2} * all * frames * pitch));
    Floats gain(random.floats(width)), bias(random.floats(width));
    const auto params = [&](Side side) {
        InterpolateParams p;
        p.count = {count.at(side), most, 2 * frames, first_turn};
        p.in = in.at(side);
        p.pitch = pitch;
        p.n_rows = rows;
        p.n_frames = frames;
        p.width = width;
        p.gain = gain.at(side);
        p.bias = bias.at(side);
        p.out = out.at(side);
        p.out_pitch = pitch;
        return p;
    };
    interpolate(launcher(), half, params(Side::kDevice));
    twin::interpolate(half, params(Side::kHost));
    compare("interpolate", half, out, tolerance_of(half));
}

void check_place_groups(Half half) {
    Random random(120);
    const int most = 2, frames = 4, width = 18, groups = 3, before = 3, rows = 9, pitch = 8;
    Ints count({2});
    Floats hidden(random.floats(2 * most * frames * width));
    Halves out(poison_halves(std::int64_t{2} * most * groups * rows * pitch));
    const auto params = [&](Side side) {
        return PlaceGroupsParams{
            {count.at(side), most, 2}, hidden.at(side), frames, width, groups, before, rows, out.at(side), pitch};
    };
    place_groups(launcher(), half, params(Side::kDevice));
    twin::place_groups(half, params(Side::kHost));
    compare("place_groups", half, out, tolerance_of(half));
}

}  // namespace

void check_speech(Half half) {
    check_voices(half);
    for (const int first_turn : {0, 2}) {
        check_first_convolution(half, false, first_turn);
        check_first_convolution(half, true, first_turn);
        check_interpolate(half, 25, 49, first_turn);
    }
    check_interpolate(half, 1, 3, 0);
    check_interpolate(half, 7, 2, 0);
    check_place_groups(half);
}

}  // namespace visavis::cuda::test
