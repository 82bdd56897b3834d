// Wire protocol v1 (docs/protocol.md): messages to bytes and back.
//
// Encoding writes into the caller's memory, decoding returns views into the packet: nothing here allocates, throws or
// keeps state, and any thread may call any function.  Decoding believes nothing: a packet from a stranger is either
// taken whole or refused with the reason.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "wire/layout.h"

namespace visavis::wire {

inline constexpr std::size_t kHeaderBytes = VVW_HEADER_BYTES;
inline constexpr std::size_t kMaxMessageBytes = VVW_MAX_MESSAGE_BYTES;
inline constexpr std::size_t kHeadBytes = VVW_HEAD_BYTES;
inline constexpr std::size_t kTopicBytes = VVW_TOPIC_BYTES;
inline constexpr std::uint32_t kMinAudioRate = VVW_MIN_AUDIO_RATE;
inline constexpr std::uint32_t kMaxAudioRate = VVW_MAX_AUDIO_RATE;

enum class Kind : std::uint8_t {
    kMotion = VVW_MOTION,           // VVM1
    kAgentAudio = VVW_AGENT_AUDIO,  // VVA1
    kCut = VVW_CUT,                 // VVC1
    kDescribe = VVW_DESCRIBE,       // VVD1
    kUserInput = VVW_USER_INPUT,    // VVU1, the user's voice to the server
    kAgentInput = VVW_AGENT_INPUT,  // VVG1, the agent's voice to the server
    kFaceInput = VVW_FACE_INPUT,    // VVT1, the user's tracked face to the server
};
inline constexpr int kKinds = VVW_KINDS;

enum class Dtype : std::uint8_t {
    kNone = VVW_NONE,
    kF32 = VVW_F32,
    kNorm16 = VVW_NORM16,  // unorm16 for weights, snorm16 over -pi..pi for angles
    kS16 = VVW_S16,        // PCM
    kJson = VVW_JSON,
};

enum class Unit : std::uint8_t { kWeight, kAngle };  // "1", "rad"

inline constexpr std::uint16_t kFlagTimed = VVW_TIMED;
inline constexpr std::uint16_t kFlagEnd = VVW_END;

enum class Result : std::uint8_t {
    kOk,
    kTooShort,
    kTooLong,
    kMagic,
    kHead,
    kHeaderSize,
    kDtype,
    kChannels,
    kRate,
    kPayload,
    kNotFinite,
    kUnits,
    kRoom,
};

// What was wrong, in words, for logs and exceptions.
std::string_view describe(Result result) noexcept;

// Head id, inline so that a header can be copied without allocating.
class Head {
  public:
    Head() = default;
    // False: not 1 to 16 bytes of UTF-8, or with control characters.
    bool assign(std::string_view name) noexcept;
    std::string_view view() const noexcept { return {bytes_, size_}; }

  private:
    char bytes_[kHeadBytes] = {};
    std::size_t size_ = 0;
};

struct Header {
    Kind kind = Kind::kMotion;
    Head head;
    std::uint16_t flags = 0;
    std::uint64_t schema_hash = 0;
    std::uint64_t sequence = 0;
    std::int64_t frame = 0;
    std::int64_t presentation_ns = 0;  // session clock
    std::int64_t publish_ns = 0;       // sender's monotonic clock
    std::uint32_t epoch = 0;
    std::uint16_t state = 0;  // bits of FrameState
    std::uint16_t channels = 0;
    Dtype dtype = Dtype::kNone;
    std::uint8_t revision = 0;
    std::uint32_t rate = 0;  // Hz
};

struct Message {
    Header header;
    std::span<const std::byte> payload;
    std::size_t n_values() const noexcept;  // channels, samples, or 0
};

// Bytes of a message with n values (of JSON: bytes) of that dtype.
std::size_t encoded_size(Dtype dtype, std::size_t n_values) noexcept;

// Writes header and values; `size` gets the bytes written.  `units` (one per value) is read for norm16 alone.  The
// header's dtype says how; what a kind cannot carry is refused, so that whatever was encoded can be decoded.
Result encode(const Header& header, std::span<const float> values, std::span<const Unit> units,
              std::span<std::byte> out, std::size_t& size) noexcept;
Result encode_json(const Header& header, std::string_view json, std::span<std::byte> out, std::size_t& size) noexcept;

// Takes a packet apart and checks all of it but what needs the units or a JSON parser.
Result decode(std::span<const std::byte> packet, Message& message) noexcept;

// The values of a decoded message: n_values() floats into `out`.
Result read_values(const Message& message, std::span<const Unit> units, std::span<float> out) noexcept;

std::string_view magic_of(Kind kind) noexcept;
bool kind_of(std::string_view magic, Kind& kind) noexcept;

// FNV-1a 64 over "name\nunit\nname\nunit..." of all channels.
std::uint64_t schema_hash(std::span<const std::string> names, std::span<const std::string> units) noexcept;

}  // namespace visavis::wire
