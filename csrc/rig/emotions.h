// Emotion bias: named offsets on ARKit shapes and the head, small enough to leave room for the motion.
#pragma once
#include <array>
#include <span>
#include <string_view>

namespace visavis {

enum class Emotion { kJoy, kSadness, kAnger, kSurprise, kFear, kDisgust, kNeutral };
inline constexpr std::array<std::string_view, 7> kEmotionNames = {"joy",  "sadness", "anger",  "surprise",
                                                                  "fear", "disgust", "neutral"};

// At intensity 1.  A name without a side means both sides.
struct EmotionOffset {
    std::string_view shape;
    float listening;  // weight, or rad
    float speaking;   // the same while the mouth talks: lips must still close
};

// docs/rig.md prints this table.  Neutral is empty: it takes its share of the intensities and adds nothing.
std::span<const EmotionOffset> emotion_offsets(Emotion emotion);

// Whether the offset of a shape applies to a channel: the same name, perhaps with Left or Right.
bool offset_applies(std::string_view shape, std::string_view channel);

}  // namespace visavis
