// Turns without a step in the mouth: a turn hears what follows the last frame of the turn before, and corrects it.
//
// The first frame of a turn goes `share` of the way to the mean of its neighbours, in the channels of the mouth alone;
// head, brows and eyes have no such step.  The model's own past is not touched.  Measured in docs/decisions.md, 65.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace visavis {

class TurnJoin {
  public:
    // share: 0 to 1, 0: nothing is done
    TurnJoin(std::span<const std::string> channels, int turn_frames, float share);
    std::size_t size() const { return turn_frames_ * last_.size(); }  // F*C
    // The turn's motion (F*C), in place; turns in rising order.  A turn whose predecessor was skipped stays as it is,
    // and with `shown` false any does: the face does not come from the turn before.
    void apply(std::int64_t turn, std::span<float> motion, bool shown);

  private:
    float share_;
    std::size_t turn_frames_;
    std::vector<std::uint8_t> mouth_;  // (C) flags
    std::vector<float> last_;          // (C) of the turn before
    std::int64_t turn_ = -2;           // that turn
};

}  // namespace visavis
