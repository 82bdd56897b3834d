#include "rig/dials.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "error.h"
#include "text.h"

namespace visavis {
namespace {

constexpr std::array<const char*, 3> kGroupNames = {"mouth", "face", "head"};  // as ChannelGroup
constexpr std::array<const char*, 4> kChannelDials = {"gain", "offset", "min", "max"};
constexpr std::string_view kStylePrefix = "style.";
constexpr double kUnbounded = 1e6;  // what stands for the ends of FLAME's expression coefficients

std::string number(double value) {
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << value;
    return text.str();
}

template <class Names>
std::string joined(const Names& names) {
    std::string text;
    for (const auto& name : names) text.append(text.empty() ? "" : ", ").append(name);
    return text;
}

}  // namespace

Dials::Dials(std::span<const std::string> channels, std::span<const std::string> units, bool eye_layer,
             std::span<const std::string> styles)
    : channels_(channels.begin(), channels.end()) {
    std::ranges::fill(emotions_, kNone);
    add_styles(styles);
    add_general(channels, eye_layer);
    first_channel_ = dials_.size();
    const auto ranges = channel_ranges(channels, units);
    for (std::size_t c = 0; c < channels.size(); ++c) add_channel(channels[c], units[c], ranges[c]);
}

std::size_t Dials::add(std::string name, double low, double high, double standard, std::string meaning) {
    dials_.push_back({std::move(name), low, high, standard, std::move(meaning)});
    values_.push_back(standard);
    return dials_.size() - 1;
}

void Dials::add_styles(std::span<const std::string> styles) {
    n_styles_ = styles.size();
    for (const auto& name : styles)
        add(std::string(kStylePrefix) + name, -1, 1, 0, "of the person: -1 the least, 1 the most; 0: the average");
}

void Dials::add_general(std::span<const std::string> channels, bool eye_layer) {
    const auto has = [&](ChannelGroup group) {
        return std::ranges::any_of(channels, [group](const auto& name) { return channel_group(name) == group; });
    };
    const auto place = [](ChannelGroup group) { return static_cast<std::size_t>(group); };
    constexpr std::array<ChannelGroup, 3> kMoving = {ChannelGroup::kMouth, ChannelGroup::kFace, ChannelGroup::kHead};
    for (const bool speaking : {true, false})
        for (const ChannelGroup group : kMoving) {
            const std::string part = kGroupNames[place(group)], when = speaking ? "speaking" : "listening";
            if (has(group))
                movement_[speaking][place(group)] =
                    add(when + "." + part, 0, 2, 1, "movement of the " + part + " while " + when + "; 0: still");
        }
    for (const ChannelGroup group : kMoving) {
        const std::string part = kGroupNames[place(group)];
        if (has(group))
            smoothing_[place(group)] =
                add("smoothing." + part, 0, 1, 0, "one-euro smoothing of the " + part + "; 0: none");
    }
    for (std::size_t e = 0; e < kEmotionNames.size(); ++e) {
        const bool shown = std::ranges::find(channels, "browInnerUp") != channels.end();
        if (!shown) break;
        const std::string name(kEmotionNames[e]);
        emotions_[e] = add("emotion." + name, 0, 1, 0, "intensity; together at most 1, else all are scaled down");
    }
    if (!has(ChannelGroup::kEyes)) return;
    blinks_ = add("eyes.blinks", 0, 3, 1, "blinks a minute, as a factor; 0: none");
    gaze_ = add("eyes.gaze", 0, 1.5, 1, "how far the gaze moves, as a factor; 0: at the partner");
    eye_layer_ = add("eyes.layer", 0, 1, eye_layer ? 1 : 0, "1: eyes by the eye layer, 0: by the model");
}

void Dials::add_channel(const std::string& channel, const std::string& unit, ChannelRange range) {
    const double low = std::max<double>(static_cast<double>(range.low), -kUnbounded);
    const double high = std::min<double>(static_cast<double>(range.high), kUnbounded);
    const bool angle = unit == "rad";
    const double most = high >= kUnbounded ? 5 : high;
    add(channel + ".gain", -2, 2, 1, "factor; below 0: mirrored");
    add(channel + ".offset", -most, most, 0, angle ? "rad, added" : "added");
    add(channel + ".min", low, high, low, "never below");
    add(channel + ".max", low, high, high, "never above");
}

void Dials::set(std::string_view name, double value) {
    const std::size_t place = find(name);
    const Dial& dial = dials_[place];
    if (!(value >= dial.low && value <= dial.high))  // true for NaN
        throw Error(Status::kInvalidArgument, "dial " + dial.name + " is " + number(value) + "; expected " +
                                                  number(dial.low) + " to " + number(dial.high));
    if (place >= first_channel_) {
        const std::size_t part = (place - first_channel_) % 4;
        if (part == 2 && value > values_[place + 1])
            throw Error(Status::kInvalidArgument, "dial " + dial.name + " is " + number(value) + ", above " +
                                                      dials_[place + 1].name + ", which is " +
                                                      number(values_[place + 1]) + "; set that first");
        if (part == 3 && value < values_[place - 1])
            throw Error(Status::kInvalidArgument, "dial " + dial.name + " is " + number(value) + ", below " +
                                                      dials_[place - 1].name + ", which is " +
                                                      number(values_[place - 1]) + "; set that first");
    }
    values_[place] = value;
}

std::size_t Dials::find(std::string_view name) const {
    const auto found = std::ranges::find(dials_, name, &Dial::name);
    if (found == dials_.end()) fail_unknown(name);
    return static_cast<std::size_t>(found - dials_.begin());
}

void Dials::fail_unknown(std::string_view name) const {
    if (name.starts_with(kStylePrefix)) {
        std::string known;
        for (std::size_t i = 0; i < n_styles_; ++i) known += (i == 0 ? "" : ", ") + dials_[i].name;
        throw Error(Status::kInvalidArgument,
                    "dial " + quote(name) +
                        (n_styles_ == 0 ? ": the model has no styles; use one that was trained "
                                          "with them, or leave the style out"
                                        : " is unknown; the model's styles: " + known));
    }
    const std::size_t dot = name.rfind('.');
    const std::string_view part = dot == std::string_view::npos ? name : name.substr(dot + 1);
    if (dot != std::string_view::npos && std::ranges::find(kChannelDials, part) != kChannelDials.end())
        throw Error(Status::kInvalidArgument, "dial " + quote(name) + ": the model has no channel " +
                                                  quote(name.substr(0, dot)) + "; it has " + joined(channels_));
    std::string known;
    for (std::size_t i = 0; i < first_channel_; ++i) known += dials_[i].name + ", ";
    throw Error(Status::kInvalidArgument,
                "dial " + quote(name) + " is unknown; known: " + known +
                    "and CHANNEL.gain, CHANNEL.offset, CHANNEL.min, CHANNEL.max of the channels " + joined(channels_));
}

float Dials::movement(ChannelGroup group, bool speaking) const {
    return group == ChannelGroup::kEyes ? 1 : at(movement_[speaking][static_cast<std::size_t>(group)]);
}

float Dials::smoothing(ChannelGroup group) const {
    return group == ChannelGroup::kEyes ? 0 : at(smoothing_[static_cast<std::size_t>(group)]);
}

float Dials::emotion(Emotion emotion) const {
    float sum = 0;
    for (const std::size_t dial : emotions_) sum += at(dial);
    return at(emotions_[static_cast<std::size_t>(emotion)]) / std::max(sum, 1.0F);
}

}  // namespace visavis
