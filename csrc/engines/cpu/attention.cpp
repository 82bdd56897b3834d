#include "engines/cpu/attention.h"

#include <cmath>

namespace visavis::cpu {

std::vector<AttentionScratch> attention_scratch(Compute& compute, int queries, int columns, int head_width) {
    std::vector<AttentionScratch> scratch(elements(compute.n_workers()));
    for (AttentionScratch& one : scratch) one = {Buffer(elements(queries, columns)), Buffer(elements(columns))};
    compute.reserve(queries, std::max(columns, head_width));
    return scratch;
}

void attend(Compute& compute, AttentionScratch& scratch, const History& history, int layer, int head, int columns,
            ConstRows queries, Rows out) {
    const int head_width = history.head_width();
    const float scale = 1.0F / std::sqrt(static_cast<float>(head_width));
    const Rows logits{scratch.logits.data(), out.rows, columns};
    compute.multiply(history.keys(layer, head), columns, head_width, queries, logits);
    for (int i = 0; i < out.rows; ++i) compute->softmax(logits.row(i), scratch.bias.data(), scale, columns);
    compute.multiply(history.values(layer, head), head_width, columns, logits, out);
}

}  // namespace visavis::cpu
