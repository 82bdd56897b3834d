// Header, checks and JSON payloads of wire protocol v1; numbers of payloads are in payload.cpp.
#include "wire/frame_codec.h"

#include <algorithm>
#include <cstring>

#include "text.h"
#include "wire/payload.h"

namespace visavis::wire {
namespace {

constexpr std::string_view kMagics = VVW_MAGICS;
constexpr std::size_t kMagicBytes = 4;
static_assert(kMagics.size() == kKinds * kMagicBytes);

template <class T>
void put(std::byte* at, T value) noexcept {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        at[i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xFF);
    }
}

template <class T>
T get(const std::byte* at) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value |= std::to_integer<std::uint64_t>(at[i]) << (8 * i);
    return static_cast<T>(value);
}

bool is_audio(Kind kind) noexcept {
    return kind == Kind::kAgentAudio || kind == Kind::kUserInput || kind == Kind::kAgentInput;
}

bool is_face(Kind kind) noexcept { return kind == Kind::kMotion || kind == Kind::kFaceInput; }

Result check_audio(const Header& header, std::size_t payload_bytes) noexcept {
    if (header.rate < kMinAudioRate || header.rate > kMaxAudioRate) return Result::kRate;
    if (header.dtype == Dtype::kNone && (header.flags & kFlagEnd) != 0) {
        if (header.channels != 0) return Result::kChannels;
        return payload_bytes == 0 ? Result::kOk : Result::kPayload;
    }
    if (header.dtype != Dtype::kF32 && header.dtype != Dtype::kS16) return Result::kDtype;
    if (header.channels != 1) return Result::kChannels;
    const std::size_t width = value_bytes(header.dtype);
    return payload_bytes == 0 || payload_bytes % width != 0 ? Result::kPayload : Result::kOk;
}

Result check_face(const Header& header, std::size_t payload_bytes) noexcept {
    if (header.dtype != Dtype::kF32 && header.dtype != Dtype::kNorm16) return Result::kDtype;
    if (header.channels == 0) return Result::kChannels;
    return payload_bytes == header.channels * value_bytes(header.dtype) ? Result::kOk : Result::kPayload;
}

// Do dtype, channels, rate and payload size fit the kind?
Result check(const Header& header, std::size_t payload_bytes) noexcept {
    if (is_audio(header.kind)) return check_audio(header, payload_bytes);
    if (is_face(header.kind)) return check_face(header, payload_bytes);
    if (header.kind == Kind::kDescribe) {
        if (header.dtype != Dtype::kJson) return Result::kDtype;
        return payload_bytes == 0 ? Result::kPayload : Result::kOk;
    }
    if (header.dtype != Dtype::kNone) return Result::kDtype;
    if (header.channels != 0) return Result::kChannels;
    return payload_bytes == 0 ? Result::kOk : Result::kPayload;
}

void put_header(const Header& header, std::byte* at) noexcept {
    std::memset(at, 0, kHeaderBytes);
    std::memcpy(at + VVW_AT_MAGIC, magic_of(header.kind).data(), kMagicBytes);
    std::memcpy(at + VVW_AT_HEAD, header.head.view().data(), header.head.view().size());
    put(at + VVW_AT_HEADER_SIZE, static_cast<std::uint16_t>(kHeaderBytes));
    put(at + VVW_AT_FLAGS, header.flags);
    put(at + VVW_AT_SCHEMA_HASH, header.schema_hash);
    put(at + VVW_AT_SEQUENCE, header.sequence);
    put(at + VVW_AT_FRAME, header.frame);
    put(at + VVW_AT_PRESENTATION, header.presentation_ns);
    put(at + VVW_AT_PUBLISH, header.publish_ns);
    put(at + VVW_AT_EPOCH, header.epoch);
    put(at + VVW_AT_STATE, header.state);
    put(at + VVW_AT_CHANNELS, header.channels);
    put(at + VVW_AT_DTYPE, static_cast<std::uint8_t>(header.dtype));
    put(at + VVW_AT_REVISION, header.revision);
    put(at + VVW_AT_RATE, header.rate);
}

// Checks what both encoders share and writes the header.
Result begin(const Header& header, std::size_t payload_bytes, std::span<std::byte> out, std::size_t& size) noexcept {
    size = 0;
    if (header.head.view().empty()) return Result::kHead;
    if (payload_bytes > kMaxMessageBytes - kHeaderBytes) return Result::kTooLong;
    if (const Result result = check(header, payload_bytes); result != Result::kOk) return result;
    if (out.size() < kHeaderBytes + payload_bytes) return Result::kRoom;
    put_header(header, out.data());
    return Result::kOk;
}

std::string_view as_text(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool read_head(std::string_view field, Head& head) noexcept {
    const std::size_t length = std::min(field.find('\0'), field.size());
    const std::string_view padding = field.substr(length);
    return padding.find_first_not_of('\0') == std::string_view::npos && head.assign(field.substr(0, length));
}

}  // namespace

std::string_view describe(Result result) noexcept {
    switch (result) {
        case Result::kOk: return "ok";
        case Result::kTooShort: return "shorter than the 80 bytes of a header";
        case Result::kTooLong: return "longer than 65536 bytes";
        case Result::kMagic: return "unknown magic; expected VVM1, VVA1, VVC1, VVD1, VVU1, VVG1 or VVT1";
        case Result::kHead: return "head id is not 1 to 16 bytes of zero-padded UTF-8 without control characters";
        case Result::kHeaderSize: return "header size is below 80, no multiple of 4 or beyond the message";
        case Result::kDtype: return "dtype is not one of this kind of message";
        case Result::kChannels: return "number of channels is not one of this kind of message";
        case Result::kRate: return "audio rate is not 4000 to 384000 Hz";
        case Result::kPayload: return "payload is empty or has not the size that channels and dtype say";
        case Result::kNotFinite: return "a value is NaN or infinite";
        case Result::kUnits: return "norm16 values need the unit of each channel";
        case Result::kRoom: return "the memory given is too small";
    }
    return "unknown";
}

bool Head::assign(std::string_view name) noexcept {
    if (name.empty() || name.size() > kHeadBytes || !is_utf8(name)) return false;
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    if (std::any_of(name.begin(), name.end(), is_control)) return false;
    std::memcpy(bytes_, name.data(), name.size());
    size_ = name.size();
    return true;
}

std::size_t Message::n_values() const noexcept {
    const std::size_t width = value_bytes(header.dtype);
    return width == 0 ? 0 : payload.size() / width;
}

std::size_t encoded_size(Dtype dtype, std::size_t n_values) noexcept {
    return kHeaderBytes + n_values * (dtype == Dtype::kJson ? 1 : value_bytes(dtype));
}

Result encode(const Header& header, std::span<const float> values, std::span<const Unit> units,
              std::span<std::byte> out, std::size_t& size) noexcept {
    size = 0;
    if (header.dtype == Dtype::kJson) return Result::kDtype;
    if (values.size() > kMaxMessageBytes) return Result::kTooLong;
    if (header.dtype == Dtype::kNone && !values.empty()) return Result::kPayload;
    const std::size_t n_bytes = values.size() * value_bytes(header.dtype);
    if (const Result result = begin(header, n_bytes, out, size); result != Result::kOk) return result;
    const Result result = write_values(header.dtype, values, units, out.subspan(kHeaderBytes, n_bytes));
    if (result == Result::kOk) size = kHeaderBytes + n_bytes;
    return result;
}

Result encode_json(const Header& header, std::string_view json, std::span<std::byte> out, std::size_t& size) noexcept {
    size = 0;
    if (header.dtype != Dtype::kJson) return Result::kDtype;
    if (!is_utf8(json)) return Result::kPayload;
    if (const Result result = begin(header, json.size(), out, size); result != Result::kOk) return result;
    std::memcpy(out.data() + kHeaderBytes, json.data(), json.size());
    size = kHeaderBytes + json.size();
    return Result::kOk;
}

Result decode(std::span<const std::byte> packet, Message& message) noexcept {
    if (packet.size() < kHeaderBytes) return Result::kTooShort;
    if (packet.size() > kMaxMessageBytes) return Result::kTooLong;
    const std::byte* at = packet.data();
    Header& header = message.header;
    if (!kind_of(as_text(packet.first(kMagicBytes)), header.kind)) return Result::kMagic;
    if (!read_head(as_text(packet.subspan(VVW_AT_HEAD, kHeadBytes)), header.head)) return Result::kHead;
    const std::size_t header_bytes = get<std::uint16_t>(at + VVW_AT_HEADER_SIZE);
    if (header_bytes < kHeaderBytes || header_bytes % 4 != 0 || header_bytes > packet.size()) {
        return Result::kHeaderSize;
    }
    header.flags = get<std::uint16_t>(at + VVW_AT_FLAGS);
    header.schema_hash = get<std::uint64_t>(at + VVW_AT_SCHEMA_HASH);
    header.sequence = get<std::uint64_t>(at + VVW_AT_SEQUENCE);
    header.frame = get<std::int64_t>(at + VVW_AT_FRAME);
    header.presentation_ns = get<std::int64_t>(at + VVW_AT_PRESENTATION);
    header.publish_ns = get<std::int64_t>(at + VVW_AT_PUBLISH);
    header.epoch = get<std::uint32_t>(at + VVW_AT_EPOCH);
    header.state = get<std::uint16_t>(at + VVW_AT_STATE);
    header.channels = get<std::uint16_t>(at + VVW_AT_CHANNELS);
    const auto dtype = get<std::uint8_t>(at + VVW_AT_DTYPE);
    if (dtype > static_cast<std::uint8_t>(Dtype::kJson)) return Result::kDtype;
    header.dtype = static_cast<Dtype>(dtype);
    header.revision = get<std::uint8_t>(at + VVW_AT_REVISION);
    header.rate = get<std::uint32_t>(at + VVW_AT_RATE);
    message.payload = packet.subspan(header_bytes);
    if (const Result result = check(header, message.payload.size()); result != Result::kOk) return result;
    if (header.dtype == Dtype::kJson && !is_utf8(as_text(message.payload))) return Result::kPayload;
    return header.dtype == Dtype::kF32 && !all_finite(message.payload) ? Result::kNotFinite : Result::kOk;
}

std::string_view magic_of(Kind kind) noexcept {
    return kMagics.substr(static_cast<std::size_t>(kind) * kMagicBytes, kMagicBytes);
}

bool kind_of(std::string_view magic, Kind& kind) noexcept {
    for (int i = 0; i < kKinds; ++i) {
        if (magic_of(static_cast<Kind>(i)) != magic) continue;
        kind = static_cast<Kind>(i);
        return true;
    }
    return false;
}

std::uint64_t schema_hash(std::span<const std::string> names, std::span<const std::string> units) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto add = [&hash](std::string_view text) {
        for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    };
    for (std::size_t i = 0; i < std::min(names.size(), units.size()); ++i) {
        if (i != 0) add("\n");
        add(names[i]);
        add("\n");
        add(units[i]);
    }
    return hash;
}

}  // namespace visavis::wire
