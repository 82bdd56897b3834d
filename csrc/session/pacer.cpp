#include "session/pacer.h"

#include <algorithm>

namespace visavis {
namespace {

constexpr std::int64_t kForgetTurns = 50;

int next_lower(int steps) { return steps - std::max(1, steps / 4); }

}  // namespace

Pacer::Pacer(LatePolicy policy, int steps, int least_steps) : policy_(policy) {
    levels_.push_back({steps, 0, 0, 0});
    if (policy != LatePolicy::kFewerSteps) return;
    for (int fewer = next_lower(steps); fewer >= least_steps; fewer = next_lower(fewer))
        levels_.push_back({fewer, 0, 0, 0});
}

std::vector<int> Pacer::ladder() const {
    std::vector<int> steps;
    for (const Level& level : levels_) steps.push_back(level.steps);
    return steps;
}

std::int64_t Pacer::expected(const Level& level) const {
    return n_turns_ - level.turn > kForgetTurns ? 0 : std::min(level.last_ns, level.before_ns);
}

std::int64_t Pacer::expected_ns() const { return expected(levels_[level_]); }

int Pacer::choose(std::int64_t begin_ns, std::int64_t first_frame_ns) {
    if (begin_ns + expected_ns() > first_frame_ns) {
        level_ = std::min(level_ + 1, levels_.size() - 1);
    } else if (level_ > 0 && begin_ns + expected(levels_[level_ - 1]) <= first_frame_ns) {
        --level_;
    }
    return levels_[level_].steps;
}

void Pacer::measured(std::int64_t cost_ns) {
    Level& level = levels_[level_];
    level.before_ns = level.last_ns;
    level.last_ns = cost_ns;
    level.turn = ++n_turns_;
}

}  // namespace visavis
