#include "rig/blinks.h"

#include <algorithm>
#include <cmath>

#include "constants.h"

namespace visavis {
namespace {

// Blinks a minute: 26 in conversation (Bentivoglio 1997; 10.5 to 32.5, Doughty 2001); talking raises the rate.  The
// split between speaking and listening is a working value, not a published one.
constexpr double kSpeakingRate = 26, kListeningRate = 18;
constexpr double kIntervalSigma = 0.6;  // of the log-normal intervals (log-normal: Bentivoglio 1997; width: own choice)
constexpr double kShortS = 0.208, kLongS = 0.607;  // medians (Homke 2018)
constexpr double kDurationSigma = 0.12;            // own choice
constexpr double kLongShare = 0.06;                // own choice
constexpr double kDoubleShare = 0.08;              // blinks soon followed by another (own choice)
constexpr double kDoublePauseS[] = {0.08, 0.25};   // between the two (own choice)
constexpr double kPartialShare = 0.1;              // of blinks that do not shut the eye (own choice)
constexpr double kPartialDepth[] = {0.65, 0.9};    // own choice
constexpr double kClosingShare = 0.38;             // of a short blink; lids close faster than they open (own choice)
constexpr double kLongHoldShare = 0.4;             // of a long blink, shut (own choice)
constexpr double kLongClosingShare = 0.18;         // own choice
constexpr double kDueSoonS = 0.8;                  // a blink due within it joins a gaze shift (own choice)
constexpr double kFrames = kFrameRate;             // a second

double smoothstep(double x) {
    x = std::clamp(x, 0.0, 1.0);
    return x * x * (3 - 2 * x);
}

}  // namespace

Blinks::Blinks(std::uint64_t seed) : draws_(seed, Stream::kBlinks) { interval_ = draw_interval(); }

// In mean intervals; the mean is 1.
double Blinks::draw_interval() const {
    const auto u = draws_.uniform(n_blinks_, 1);
    return std::exp(kIntervalSigma * normal(u[0], u[1]) - kIntervalSigma * kIntervalSigma / 2);
}

float Blinks::closure(std::int64_t frame, bool speaking, double rate) {
    const auto now = static_cast<double>(frame);
    const double n_new = last_frame_ < 0 ? 1 : std::clamp(now - static_cast<double>(last_frame_), 0.0, kFrames);
    last_frame_ = frame;
    // Second blinks are not waited for: the others come as much more seldom.
    const double a_frame = rate * (speaking ? kSpeakingRate : kListeningRate) / 60 / kFrames / (1 + kDoubleShare);
    waited_ += a_frame * n_new;
    const double rest = interval_ - waited_;
    const bool soon = attracted_ && rest < kDueSoonS * kFrames * a_frame;
    attracted_ = false;
    if (rate > 0 && now >= shut_at_ + hold_ + opening_) {
        if (second_at_ >= 0 && now >= second_at_) {
            start(now, true);
        } else if (rest <= 0 || soon) {
            start(now, false);
        }
    }
    const double from_shut = now - shut_at_;
    if (from_shut < 0) return static_cast<float>(depth_ * smoothstep(1 + from_shut / closing_));
    if (from_shut <= hold_) return static_cast<float>(depth_);
    const double open = std::min((from_shut - hold_) / opening_, 1.0);
    return static_cast<float>(depth_ * (1 - open) * (1 - open));  // fast, then slow
}

// The lids begin to close.  They are shut on a whole frame, so that no client misses it.
void Blinks::start(double now, bool is_second) {
    const auto u = draws_.uniform(n_blinks_, 0), v = draws_.uniform(n_blinks_, 2);
    const bool is_long = !is_second && u[0] < kLongShare;
    const double length = kFrames * (is_long ? kLongS : kShortS) * std::exp(kDurationSigma * normal(u[1], u[2]));
    closing_ = length * (is_long ? kLongClosingShare : kClosingShare);
    hold_ = is_long ? length * kLongHoldShare : 0;
    opening_ = length - closing_ - hold_;
    shut_at_ = now + std::max(1.0, std::ceil(closing_) - 1);
    depth_ = !is_long && u[3] < kPartialShare ? between(v[0], kPartialDepth[0], kPartialDepth[1]) : 1;
    ++n_blinks_;
    second_at_ = -1;
    if (is_second) return;
    if (v[1] < kDoubleShare)
        second_at_ = shut_at_ + hold_ + opening_ + kFrames * between(v[2], kDoublePauseS[0], kDoublePauseS[1]);
    waited_ -= interval_;  // what an attracted blink came too early, the next comes later
    interval_ = draw_interval();
}

}  // namespace visavis
