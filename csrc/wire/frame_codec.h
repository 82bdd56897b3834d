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

namespace visavis::wire {

inline constexpr std::size_t kHeaderBytes = 80;
inline constexpr std::size_t kMaxMessageBytes = 65536;
inline constexpr std::size_t kHeadBytes = 16;
inline constexpr std::size_t kTopicBytes = 20;  // magic and head id: what a SUB socket subscribes to
inline constexpr std::uint32_t kMinAudioRate = 4000;
inline constexpr std::uint32_t kMaxAudioRate = 384000;

enum class Kind : std::uint8_t {
    kMotion,      // VVM1
    kAgentAudio,  // VVA1
    kCut,         // VVC1
    kDescribe,    // VVD1
    kUserInput,   // VVU1, the user's voice to the server
    kAgentInput,  // VVG1, the agent's voice to the server
    kFaceInput,   // VVT1, the user's tracked face to the server
};
inline constexpr int kKinds = 7;

enum class Dtype : std::uint8_t {
    kNone = 0,
    kF32 = 1,
    kNorm16 = 2,  // unorm16 for weights, snorm16 over -pi..pi for angles
    kS16 = 3,     // PCM
    kJson = 4,
};

enum class Unit : std::uint8_t { kWeight, kAngle };  // "1", "rad"

inline constexpr std::uint16_t kFlagTimed = 1;
inline constexpr std::uint16_t kFlagEnd = 2;

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
