#include "checks.h"
#include "twins.h"

namespace visavis::cuda::test {
namespace {

struct Case {
    int n_turns, most, tokens, heads, width, context;
    bool past = true, bias = true;
    int sequences = 1;
};

void check(Half half, const Case& c) {
    Random random(static_cast<unsigned>(c.tokens + c.context));
    const int whole = c.heads * c.width, layer = 3 * whole;
    const std::int64_t of_slot = layer + std::int64_t{2} * c.context * c.tokens * whole;
    Ints count({c.n_turns});
    Halves q(random.halves(half, std::int64_t{c.most} * c.sequences * c.tokens * 3 * whole, 1.5F));
    Halves histories(random.halves(half, c.most * of_slot, 1.5F));
    Floats bias(random.floats(c.heads * c.context, 2));
    Halves out(poison_halves(std::int64_t{c.most} * c.sequences * c.tokens * (whole + 2)));
    Turns turns(c.most);
    turns.point(&Turn::history, histories, of_slot);
    for (int i = 0; i < c.most; ++i) {  // rings in every state: beginning, full, anywhere
        turns[i].seen = 1 + (i * 3) % c.context;
        turns[i].place = turns[i].seen == c.context ? random.below(c.context) : turns[i].seen - 1;
        // Places that were never written hold anything.
        const std::int64_t from = i * of_slot + layer + std::int64_t{2} * turns[i].seen * c.tokens * whole;
        for (std::int64_t at = from; at < (i + 1) * of_slot; ++at) histories.host[size(at)] = 0xFFFF;
    }
    const auto params = [&](Side side) {
        AttentionParams p;
        p.count = {count.at(side), c.most, c.tokens};
        p.sequences = c.sequences;
        p.turns = c.past ? turns.at(side) : nullptr;
        p.q = q.at(side);
        p.q_stride = 3 * whole;
        p.layer = layer;
        p.heads = c.heads;
        p.head_width = c.width;
        p.context = c.context;
        p.scale = 0.17F;
        p.turn_bias = c.bias ? bias.at(side) : nullptr;
        p.out = out.at(side);
        p.out_stride = whole + 2;
        return p;
    };
    attention(launcher(), half, params(Side::kDevice));
    twin::attention(half, params(Side::kHost));
    compare(c.past ? "attention" : "attention in a turn", half, out, tolerance_of(half));
}

}  // namespace

void check_attention(Half half) {
    check(half, {3, 4, 10, 3, 32, 5});                   // few queries: keys shared by warps
    check(half, {2, 2, 5, 2, 64, 1, true, false});       // one turn alone
    check(half, {4, 4, 37, 2, 32, 4});                   // queries shared by warps
    check(half, {2, 3, 70, 3, 64, 3, true, false});      // more than one block of queries
    check(half, {1, 1, 25, 2, 64, 8, true, true});       // over 16 queries, too few blocks for the GPU
    check(half, {2, 3, 25, 2, 64, 1, false, false, 2});  // keys beside queries
    check(half, {6, 6, 3, 4, 32, 1, false, false});
}

}  // namespace visavis::cuda::test
