#include "checks.h"
#include "twins.h"

namespace visavis::cuda::test {
namespace {

enum class Kind { kPlain, kAffine, kModulated, kActivated };

void check_norm(Half half, int width, Kind kind) {
    Random random(static_cast<unsigned>(width));
    const int rows = 7, n_turns = 2, most = 3, all = most * rows, pitch = width + 5;
    Ints count({n_turns});
    Floats in(random.floats(all * pitch, 3, 10)), gain(random.floats(width)), bias(random.floats(width));
    const int stride = 3 * width + 1;
    Floats modulation(random.floats(all * stride));
    Floats out(poison(all * (width + 1)));
    Halves out_half(poison_halves(all * (width + 2)));
    std::vector<std::int32_t> order;
    for (int r = 0; r < all; ++r) order.push_back((all - 1 - r) * pitch);
    Ints offsets(order);
    const auto params = [&](Side side) {
        NormParams p;
        p.count = {count.at(side), most, rows};
        p.in = in.at(side);
        p.in_rows = {pitch, kind == Kind::kAffine ? offsets.at(side) : nullptr};
        p.width = width;
        p.eps = 1e-4F;
        if (kind != Kind::kPlain) {
            p.gain = gain.at(side);
            p.bias = bias.at(side);
        }
        if (kind == Kind::kModulated) {
            p.shift = modulation.at(side);
            p.scale = p.shift + width;
            p.modulation_stride = stride;
        }
        if (kind == Kind::kActivated) p.activation = Activation::kGelu;
        if (kind != Kind::kModulated) p.out = out.at(side);
        p.out_rows.stride = width + 1;
        p.out_half = out_half.at(side);
        p.half_rows.stride = width + 2;
        return p;
    };
    norm(launcher(), half, params(Side::kDevice));
    twin::norm(half, params(Side::kHost));
    compare("norm", out, kExact);
    compare("norm halves", half, out_half, tolerance_of(half));
}

void check_around_the_backbone(bool absolute) {
    Random random(60);
    const int tokens = 6, frames = 2, width = 37, context = 4, channels = 5, n_own = channels, most = 3;
    Ints count({2}), agent({1, 4});
    Floats embedded(random.floats(most * tokens * width)), positions(random.floats(context * tokens * width));
    Floats gain(random.floats(width)), bias(random.floats(width)), own(random.floats(most * frames * channels));
    Floats hidden(poison(most * tokens * width)), kept(poison(most * tokens * width));
    const std::int64_t condition_width = frames * width + n_own;
    Floats condition(poison(most * condition_width));
    Turns turns(most);
    turns.point(&Turn::tokens, embedded, tokens * width);
    turns.point(&Turn::kept, kept, tokens * width);
    turns.point(&Turn::own, own, frames * channels);
    for (int i = 0; i < most; ++i) turns[i].place = (i + 2) % context;
    const auto embed_params = [&](Side side) {
        return EmbedParams{{count.at(side), most, tokens},
                           turns.at(side),
                           width,
                           absolute,
                           positions.at(side),
                           gain.at(side),
                           bias.at(side),
                           hidden.at(side)};
    };
    embed(launcher(), embed_params(Side::kDevice));
    twin::embed(embed_params(Side::kHost));
    compare("embed", hidden, kExact);
    const auto read_out_params = [&](Side side) {
        ReadOutParams p;
        p.count = {count.at(side), most, frames};
        p.turns = turns.at(side);
        p.hidden = hidden.at(side);
        p.tokens = agent.at(side);
        p.n_tokens = tokens;
        p.width = width;
        p.absolute = absolute;
        p.positions = positions.at(side);
        p.gain = gain.at(side);
        p.bias = bias.at(side);
        p.n_own = absolute ? 0 : n_own;
        p.own_from = (frames - 1) * channels;
        p.condition = condition.at(side);
        p.turn_stride = condition_width;
        p.frame_stride = width;
        return p;
    };
    read_out(launcher(), read_out_params(Side::kDevice));
    twin::read_out(read_out_params(Side::kHost));
    compare("read_out", condition, kExact);
    const auto keep_params = [&](Side side) {
        return KeepParams{{count.at(side), most}, turns.at(side), embedded.at(side), tokens * width};
    };
    keep_tokens(launcher(), keep_params(Side::kDevice));
    twin::keep_tokens(keep_params(Side::kHost));
    compare("keep_tokens", kept, 0);
}

}  // namespace

void check_rows(Half half) {
    for (const Kind kind : {Kind::kPlain, Kind::kAffine, Kind::kModulated, Kind::kActivated}) {
        for (const int width : {1, 31, 224, 1030}) check_norm(half, width, kind);
    }
    check_around_the_backbone(false);
    check_around_the_backbone(true);
}

}  // namespace visavis::cuda::test
