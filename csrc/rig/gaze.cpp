#include "rig/gaze.h"

#include <algorithm>
#include <cmath>

#include "constants.h"

namespace visavis {
namespace {

constexpr double kFrames = kFrameRate;  // a second
// Spells at the partner and away.  Listening 75 %, talking 41 % of the time at the partner (Argyle & Cook); a
// comfortable mutual gaze lasts 3.3 +- 0.7 s (Binetti 2016), mutual face gaze comes in 2.2 s spells (Rogers 2018).
constexpr double kAtS[] = {3.3, 1.6};     // mean, listening and speaking
constexpr double kAwayS[] = {1.1, 2.3};   // mean; 3.3 / 4.4 = 75 %, 1.6 / 3.9 = 41 %
constexpr double kSpellS[] = {0.4, 9.0};  // bounds (own choice); lengths are gamma of shape 3 (own choice)
// More than 70 % of long utterances start looking away and end looking back (Kendon 1967; Ho 2015).
constexpr double kAvert = 0.7, kReturn = 0.75;    // chance where the gaze is not there already
constexpr double kAvertDelayS[] = {0.40, 0.65};   // after onset: shorter ones are backchannels (own choice)
constexpr double kReturnDelayS[] = {0.05, 0.25};  // after the state's own 200 ms hang (own choice)
// Where to (own choices): away to a side and around it; at the partner's face between eyes and mouth.  Eye-to-eye gaze
// is rare beside face gaze (3.5 % of the time, Mayrand; face 60 %, Rogers 2018).
constexpr double kAwayYaw[] = {6, 18}, kAwayPitchMean = 3, kAwayPitchWidth = 6, kAwayPitchMost = 14;
constexpr double kSideYaw = 16, kOtherSide = 0.05;  // a head turned by 7 degrees averts to the other side in 5 %
constexpr double kAwayAround = 3;                   // of fixations around the averted point, standard deviation
constexpr double kEyeYaw = 1.5;                     // half the partner's eye distance at 1.2 m
constexpr double kMouthPitch = 3.5;                 // down to the mouth
constexpr double kMouthShare = 0.3;                 // of face fixations
constexpr double kFixationS[] = {0.3, 1.6};         // log-uniform
// Main sequence of saccades: 21 ms + 2.2 ms a degree (textbook values).
constexpr double kSaccadeS = 0.021, kSaccadePerDegreeS = 0.0022;
constexpr double kMicroS[] = {0.4, 1.6};  // between micro-saccades: one to two a second (textbook values)
constexpr double kMicroDegrees[] = {0.1, 0.5};

double log_uniform(double u, const double (&range)[2]) { return range[0] * std::pow(range[1] / range[0], u); }

}  // namespace

Gaze::Gaze(std::uint64_t seed)
    : spells_(seed, Stream::kSpells),
      fixations_(seed, Stream::kFixations),
      micro_saccades_(seed, Stream::kMicroSaccades),
      utterances_(seed, Stream::kUtterances) {}

Direction Gaze::direction(std::int64_t frame, bool speaking, double head_yaw, double partner) {
    head_yaw_ = head_yaw;
    partner_ = partner;
    const auto now = static_cast<double>(frame);
    shift_ = 0;
    if (!started_) {
        started_ = true;
        speaking_ = speaking;
        begin_spell(now, false, speaking);
    }
    follow_utterances(now, speaking);
    if (now >= spell_end_) begin_spell(now, !away_, speaking);
    if (now >= fixation_end_) fixate(now);
    if (now >= micro_at_) {
        const auto u = micro_saccades_.uniform(n_micro_saccades_++);
        const double size = between(u[0], kMicroDegrees[0], kMicroDegrees[1]), turn = 2 * std::numbers::pi * u[1];
        micro_ = {size * std::cos(turn), size * std::sin(turn)};
        micro_at_ = now + kFrames * log_uniform(u[2], kMicroS);
    }
    const Direction present = at(now);
    return {present.yaw + micro_.yaw, present.pitch + micro_.pitch};
}

void Gaze::follow_utterances(double now, bool speaking) {
    if (speaking != speaking_) {
        speaking_ = speaking;
        const auto u = utterances_.uniform(n_utterances_++);
        avert_at_ = return_at_ = -1;
        if (speaking && u[0] < kAvert) avert_at_ = now + kFrames * between(u[1], kAvertDelayS[0], kAvertDelayS[1]);
        if (!speaking && u[0] < kReturn) return_at_ = now + kFrames * between(u[1], kReturnDelayS[0], kReturnDelayS[1]);
    }
    if (avert_at_ >= 0 && now >= avert_at_) {
        avert_at_ = -1;
        if (!away_) begin_spell(now, true, speaking);
    }
    if (return_at_ >= 0 && now >= return_at_) {
        return_at_ = -1;
        if (away_) begin_spell(now, false, speaking);
    }
}

void Gaze::begin_spell(double now, bool away, bool speaking) {
    const auto u = spells_.uniform(n_spells_, 0), v = spells_.uniform(n_spells_, 1);
    ++n_spells_;
    away_ = away;
    const double mean = away ? kAwayS[speaking] : kAtS[speaking] * partner_;
    const double length = -std::log(u[0] * u[1] * u[2]) * mean / 3;  // gamma of shape 3
    spell_end_ = now + kFrames * std::clamp(length, kSpellS[0], kSpellS[1]);
    const double to_left = std::clamp(0.5 + head_yaw_ / kSideYaw, kOtherSide, 1 - kOtherSide);
    const double side = v[0] < to_left ? 1 : -1;
    spell_ = {side * between(v[1], kAwayYaw[0], kAwayYaw[1]),
              std::clamp(kAwayPitchMean + kAwayPitchWidth * normal(v[2], v[3]), -kAwayPitchMost, kAwayPitchMost)};
    fixation_end_ = now;
}

void Gaze::fixate(double now) {
    const auto u = fixations_.uniform(n_fixations_++);
    const double length = kFrames * log_uniform(u[0], kFixationS);
    if (away_) {
        const double z = normal(u[1], u[2]), side = spell_.yaw < 0 ? -1 : 1;
        const double yaw = side * std::clamp(std::abs(spell_.yaw) + kAwayAround * z, kAwayYaw[0], kAwayYaw[1]);
        look(now, {yaw, spell_.pitch + kAwayAround * (2 * u[3] - 1)}, length);
    } else if (u[1] < kMouthShare) {
        look(now, {0, kMouthPitch}, length);
    } else {
        look(now, {u[2] < 0.5 ? -kEyeYaw : kEyeYaw, 0}, length);
    }
}

void Gaze::look(double now, Direction target, double length) {
    from_ = at(now);
    to_ = target;
    shift_ = std::hypot(to_.yaw - from_.yaw, to_.pitch - from_.pitch);
    left_at_ = now;
    saccade_length_ = kFrames * (kSaccadeS + kSaccadePerDegreeS * shift_);
    fixation_end_ = now + length;
}

// Smooth start and landing; a saccade takes one to two frames.
Direction Gaze::at(double now) const {
    const double x = std::clamp((now - left_at_) / saccade_length_, 0.0, 1.0);
    const double share = x * x * (3 - 2 * x);
    return {from_.yaw + share * (to_.yaw - from_.yaw), from_.pitch + share * (to_.pitch - from_.pitch)};
}

}  // namespace visavis
