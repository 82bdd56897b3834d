// What a session knows of its engine's speed, and how many denoising steps it can afford.
//
// A number of steps counts as too slow once its last two turns were; after 50 turns it is tried anew.
#pragma once
#include <cstdint>
#include <vector>

namespace visavis {

enum class LatePolicy { kHold = 0, kFewerSteps = 1, kIdle = 2 };

class Pacer {
  public:
    Pacer(LatePolicy policy, int steps, int least_steps);

    std::vector<int> ladder() const;  // the numbers of steps that turns may get, the wanted one first
    // Chooses the steps of the turn that begins now: the next lower number where its first frame would come late, the
    // next higher one where that is in time.
    int choose(std::int64_t begin_ns, std::int64_t first_frame_ns);
    void measured(std::int64_t cost_ns);  // of the turn that began last
    std::int64_t expected_ns() const;     // cost of the next turn; one slow turn alone does not count
    std::int64_t last_ns() const { return levels_[level_].last_ns; }
    bool fewer() const { return level_ > 0; }  // steps than wanted

  private:
    struct Level {
        int steps = 0;
        std::int64_t last_ns = 0, before_ns = 0;  // costs of its last two turns; 0: not yet measured
        std::int64_t turn = 0;                    // when it was measured last
    };
    std::int64_t expected(const Level& level) const;

    LatePolicy policy_;
    std::vector<Level> levels_;  // falling steps
    std::size_t level_ = 0;
    std::int64_t n_turns_ = 0;
};

}  // namespace visavis
