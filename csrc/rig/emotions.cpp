#include "rig/emotions.h"

namespace visavis {
namespace {

// Shapes after the action units that are commonly given for these faces (EMFACS); all weights are own choices.
constexpr EmotionOffset kJoy[] = {{"mouthSmile", 0.50F, 0.35F},  {"cheekSquint", 0.30F, 0.30F},
                                  {"eyeSquint", 0.15F, 0.15F},   {"mouthDimple", 0.10F, 0.06F},
                                  {"browOuterUp", 0.06F, 0.06F}, {"headPitch", -0.02F, -0.02F}};
constexpr EmotionOffset kSadness[] = {{"browInnerUp", 0.50F, 0.50F}, {"mouthFrown", 0.35F, 0.22F},
                                      {"browDown", 0.08F, 0.08F},    {"eyeSquint", 0.10F, 0.10F},
                                      {"mouthShrugLower", 0.15F, 0}, {"headPitch", 0.07F, 0.05F}};
constexpr EmotionOffset kAnger[] = {{"browDown", 0.60F, 0.60F},   {"noseSneer", 0.22F, 0.22F},
                                    {"eyeSquint", 0.25F, 0.25F},  {"mouthPress", 0.20F, 0.05F},
                                    {"mouthFrown", 0.15F, 0.10F}, {"jawForward", 0.10F, 0.05F},
                                    {"headPitch", 0.04F, 0.04F}};
constexpr EmotionOffset kSurprise[] = {{"browInnerUp", 0.55F, 0.55F},
                                       {"browOuterUp", 0.50F, 0.50F},
                                       {"eyeWide", 0.45F, 0.45F},
                                       {"jawOpen", 0.14F, 0},
                                       {"headPitch", -0.04F, -0.04F}};
constexpr EmotionOffset kFear[] = {{"browInnerUp", 0.60F, 0.60F},  {"browOuterUp", 0.20F, 0.20F},
                                   {"browDown", 0.12F, 0.12F},     {"eyeWide", 0.40F, 0.40F},
                                   {"mouthStretch", 0.30F, 0.20F}, {"jawOpen", 0.06F, 0},
                                   {"headPitch", -0.04F, -0.04F}};
constexpr EmotionOffset kDisgust[] = {{"noseSneer", 0.50F, 0.50F},  {"mouthUpperUp", 0.30F, 0.12F},
                                      {"browDown", 0.30F, 0.30F},   {"cheekSquint", 0.25F, 0.25F},
                                      {"mouthFrown", 0.15F, 0.10F}, {"eyeSquint", 0.20F, 0.20F},
                                      {"headPitch", -0.02F, -0.02F}};

}  // namespace

std::span<const EmotionOffset> emotion_offsets(Emotion emotion) {
    switch (emotion) {
        case Emotion::kJoy: return kJoy;
        case Emotion::kSadness: return kSadness;
        case Emotion::kAnger: return kAnger;
        case Emotion::kSurprise: return kSurprise;
        case Emotion::kFear: return kFear;
        case Emotion::kDisgust: return kDisgust;
        case Emotion::kNeutral: break;
    }
    return {};
}

bool offset_applies(std::string_view shape, std::string_view channel) {
    if (!channel.starts_with(shape)) return false;
    const std::string_view rest = channel.substr(shape.size());
    return rest.empty() || rest == "Left" || rest == "Right";
}

}  // namespace visavis
