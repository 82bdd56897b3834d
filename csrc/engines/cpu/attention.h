// Attention of some rows over the keys and values of a History, one head at a time.
#pragma once
#include "engines/cpu/history.h"

namespace visavis::cpu {

// For each of the threads that share the heads: (queries, columns), (columns).
struct AttentionScratch {
    Buffer logits, bias;
};
std::vector<AttentionScratch> attention_scratch(Compute& compute, int queries, int columns, int head_width);

// out = softmax(q k^T / sqrt(head width) + bias) v of one head over the first columns of the history; bias (columns).
void attend(Compute& compute, AttentionScratch& scratch, const History& history, int layer, int head, int columns,
            ConstRows queries, Rows out);

}  // namespace visavis::cpu
