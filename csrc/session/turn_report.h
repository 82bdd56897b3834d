// What became of each turn, for callers that want to know: the last ones, oldest first.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace visavis {

// What was done about a turn that was late.  Values of vv_late_action.
enum class LateAction { kNone = 0, kHeld = 1, kFewerSteps = 2, kIdle = 3 };

// Times are those of the session clock; in the push drive a turn begins when it would be due.
struct TurnReport {
    std::int64_t turn = 0;
    std::int64_t skipped_turns = 0;  // turns before this one that were never generated
    std::int64_t due_ns = 0;
    std::int64_t begin_ns = 0, end_ns = 0;  // the engine's work
    std::int64_t speech_ns = 0, backbone_ns = 0, denoise_ns = 0;
    int steps = 0;  // denoising steps that were run
    LateAction action = LateAction::kNone;
    int dropped_frames = 0;
};

class TurnReports {
  public:
    void push(const TurnReport& report) {
        ring_[static_cast<std::size_t>(written_++ % kKept)] = report;
        if (written_ - read_ > kKept) read_ = written_ - kKept;
    }
    std::size_t pop(std::span<TurnReport> out) {
        std::size_t n = 0;
        for (; n < out.size() && read_ < written_; ++read_) out[n++] = ring_[static_cast<std::size_t>(read_ % kKept)];
        return n;
    }

  private:
    static constexpr std::int64_t kKept = 64;
    std::array<TurnReport, kKept> ring_{};
    std::int64_t read_ = 0, written_ = 0;
};

}  // namespace visavis
