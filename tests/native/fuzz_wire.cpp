// Target `wire`: the decoder of protocol v1; what it takes must encode to the same bytes again.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "fuzz.h"
#include "wire/frame_codec.h"

namespace fuzz {
namespace {

namespace wire = visavis::wire;

void expect(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "wire: %s\n", what);
    std::abort();
}

// float32 and PCM are copied or exact; a norm16 level comes back as itself except -32768, which no encoder writes.
void check_round_trip(const wire::Message& message, std::span<const std::byte> packet) {
    const wire::Header& header = message.header;
    const bool plain = packet.size() == wire::kHeaderBytes + message.payload.size() && header.revision == 0;
    std::vector<std::byte> again(packet.size());
    std::size_t size = 0;
    expect(wire::encode({}, {}, {}, again, size) == wire::Result::kHead && size == 0, "a message for no head");
    if (header.dtype == wire::Dtype::kJson) {
        const std::string_view json{reinterpret_cast<const char*>(message.payload.data()), message.payload.size()};
        expect(wire::encode_json(header, json, {}, size) == wire::Result::kRoom, "JSON written into no memory");
        expect(wire::encode_json(header, json, again, size) == wire::Result::kOk, "decoded JSON was not encoded");
    } else {
        std::vector<wire::Unit> units(message.n_values());
        for (std::size_t i = 0; i < units.size(); ++i) units[i] = i % 3 == 0 ? wire::Unit::kAngle : wire::Unit::kWeight;
        std::vector<float> values(message.n_values());
        expect(wire::encode(header, values, units, {}, size) == wire::Result::kRoom, "values written into no memory");
        expect(wire::read_values(message, units, values) == wire::Result::kOk, "decoded values were not read");
        expect(wire::encode(header, values, units, again, size) == wire::Result::kOk, "decoded values not encoded");
        if (header.dtype == wire::Dtype::kNorm16) return;
    }
    if (!plain) return;
    std::vector<std::byte> sent(packet.begin(), packet.end());
    sent[74] = sent[75] = std::byte{0};  // reserved: ignored by readers, written as 0
    expect(size == sent.size() && std::equal(sent.begin(), sent.end(), again.begin()), "round trip changed the bytes");
}

class WireTarget final : public Target {
  public:
    Seed seed(Bytes valid) const override {
        Seed seed{std::move(valid), {}, {}};
        for (const std::size_t at : {20, 22, 68, 70}) seed.fields.push_back({at, 2});
        for (const std::size_t at : {24, 32, 40, 48, 56}) seed.fields.push_back({at, 8});
        for (const std::size_t at : {0, 64, 76}) seed.fields.push_back({at, 4});
        for (const std::size_t at : {0, 3, 72, 73}) seed.fields.push_back({at, 1});
        for (std::size_t at = wire::kHeaderBytes; at + 4 <= seed.bytes.size(); at += 4) seed.fields.push_back({at, 4});
        return seed;
    }

    bool read(std::span<const std::byte> bytes) const override {
        wire::Message message;
        const wire::Result result = wire::decode(bytes, message);
        expect(!wire::describe(result).empty(), "a refusal without a reason");
        if (result != wire::Result::kOk) return false;
        check_round_trip(message, bytes);
        return true;
    }
};

}  // namespace

const Target& wire_target() {
    static const WireTarget target;
    return target;
}

}  // namespace fuzz
