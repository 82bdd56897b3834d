#include "checks.h"
#include "model_file/model_config.h"
#include "twins.h"

namespace visavis::cuda::test {
namespace {

void check_motion(Half half, bool with_own) {
    Random random(70);
    const int frames = 5, channels = 11, pitch = 16, most = 3;
    Ints count({2});
    Floats user(random.floats(most * frames * channels)), own(random.floats(most * frames * channels));
    Floats mean(random.floats(channels)), std(random.floats(channels, 0.1F, 1)),
        mask({1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1});
    Bytes present(random.flags(most * frames));
    Halves out(poison_halves(most * 2 * frames * pitch));
    Turns turns(most);
    turns.point(&Turn::own, own, frames * channels);
    const auto params = [&](Side side) {
        return MotionRowsParams{{count.at(side), most, frames},
                                turns.at(side),
                                user.at(side),
                                present.at(side),
                                mean.at(side),
                                std.at(side),
                                mask.at(side),
                                channels,
                                with_own,
                                out.at(side),
                                pitch};
    };
    motion_rows(launcher(), half, params(Side::kDevice));
    twin::motion_rows(half, params(Side::kHost));
    compare("motion_rows", half, out, tolerance_of(half));
}

void check_gather(Half half, bool markers, bool unconditional, bool masked) {
    Random random(80);
    const int frames = 3, width = 10, model_width = 7, pitch = 16, most = 3;
    std::vector<std::int32_t> kinds, of_frame;
    const auto add = [&](int kind, int frame) {
        kinds.push_back(kind);
        of_frame.push_back(frame);
    };
    if (markers) add(4, -1);
    for (int frame = 0; frame < frames; ++frame) {
        for (const int kind : {kUserSpeech, kUserMotion, kAgentSpeech, kAgentMotion}) {
            if (markers) add(kind, frame);
        }
        if (!markers) add(kUserFrame, frame);
        if (!markers) add(kAgentFrame, frames - 1 - frame);
    }
    if (markers) add(9, -1);
    const auto tokens = static_cast<int>(kinds.size());
    Ints count({2}), kinds_of(kinds), frames_of(of_frame);
    Floats streams(random.floats(most * 4 * frames * width)), fake(random.floats(width)),
        table(random.floats(10 * width));
    Floats mask_token(random.floats(model_width)), embedded(poison(most * tokens * model_width));
    Bytes present(random.flags(most * frames));
    Halves out(poison_halves(most * tokens * pitch));
    const auto params = [&](Side side) {
        GatherParams p;
        p.count = {count.at(side), most, tokens};
        p.streams = streams.at(side);
        p.present = present.at(side);
        p.fake = fake.at(side);
        p.markers = table.at(side);
        p.kinds = kinds_of.at(side);
        p.frames = frames_of.at(side);
        p.n_frames = frames;
        p.token_width = width;
        p.unconditional = unconditional;
        p.masked = masked;
        p.out = out.at(side);
        p.pitch = pitch;
        p.mask_token = mask_token.at(side);
        p.embedded = embedded.at(side);
        p.width = model_width;
        return p;
    };
    gather_tokens(launcher(), half, params(Side::kDevice));
    twin::gather_tokens(half, params(Side::kHost));
    compare("gather_tokens", half, out, tolerance_of(half));
    compare("gather_tokens masked", embedded, 0);
}

}  // namespace

void check_tokens(Half half) {
    check_motion(half, false);
    check_motion(half, true);
    for (int i = 0; i < 8; ++i) check_gather(half, (i & 1) != 0, (i & 2) != 0, (i & 4) != 0);
}

}  // namespace visavis::cuda::test
