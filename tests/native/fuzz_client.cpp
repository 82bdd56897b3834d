// Targets `client` and `stream`: the C client fed with messages and with the bytes of its connections.  What its
// decoder says of a message must be what the C++ one says; what it shows of one must be a face.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "fuzz.h"
#include "visavis/client.h"
#include "wire/frame_codec.h"

extern "C" {
#include "client/wire.h"
}

namespace fuzz {
namespace {

namespace wire = visavis::wire;
constexpr std::int64_t kStepNs = 7'000'000;
constexpr const char* kHeads[] = {"npc", "Zo\xC3\xAB", "guard", "sixteen-bytes-xx"};

void expect(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "client: %s\n", what);
    std::abort();
}

// One client for all messages of a run, as a hostile server would have it.
struct Client {
    vvc_client* client = nullptr;
    std::int64_t now_ns = 0;

    Client() {
        vvc_options options;
        vvc_default_options(&options, sizeof(options));
        options.flags = VVC_MANUAL;
        expect(vvc_open("fuzz", &options, &client) == VVC_OK, "the client does not open");
        for (const char* head : kHeads) expect(vvc_follow(client, head) >= 0, "a head is not followed");
    }
    ~Client() { vvc_close(client); }

    void use() {
        for (std::int32_t head = 0; head < 4; ++head) {
            vvc_frame frame;
            frame.struct_size = sizeof(frame);
            expect(vvc_sample(client, head, now_ns, &frame) == VVC_OK, "no sample");
            for (const float shape : frame.shapes) expect(shape >= 0.0F && shape <= 1.0F, "a weight beyond 0 to 1");
            expect(std::isfinite(frame.yaw) && std::isfinite(frame.pitch) && std::isfinite(frame.roll), "an angle");
            float samples[64];
            expect(vvc_read_audio(client, head, now_ns, samples, 64, 48000, nullptr) == VVC_OK, "no audio");
            char text[300];
            expect(vvc_status_text(client, head, text, sizeof(text)) == VVC_OK && text[0] != '\0', "no status");
        }
        vvc_drain(client, VVC_LINK_MOTION, nullptr, 0, now_ns);
        now_ns += kStepNs;
    }
};

bool same(const vvi_message& c, const wire::Message& cpp) {
    const wire::Header& header = cpp.header;
    return c.kind == static_cast<std::uint32_t>(header.kind) && header.head.view() == c.head &&
           c.flags == header.flags && c.schema_hash == header.schema_hash && c.sequence == header.sequence &&
           c.frame == header.frame && c.presentation_ns == header.presentation_ns &&
           c.publish_ns == header.publish_ns && c.epoch == header.epoch && c.state == header.state &&
           c.channels == header.channels && c.dtype == static_cast<std::uint32_t>(header.dtype) &&
           c.revision == header.revision && c.rate == header.rate && c.n_bytes == cpp.payload.size() &&
           vvi_n_values(&c) == cpp.n_values();
}

bool same_values(const vvi_message& c, const wire::Message& cpp) {
    std::vector<wire::Unit> units(cpp.n_values());
    for (std::size_t i = 0; i < units.size(); ++i) units[i] = i % 3 == 0 ? wire::Unit::kAngle : wire::Unit::kWeight;
    std::vector<float> values(cpp.n_values());
    if (wire::read_values(cpp, units, values) != wire::Result::kOk) return false;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const float value = vvi_value(&c, i, i % 3 == 0);
        if (std::memcmp(&value, &values[i], sizeof(value)) != 0) return false;
    }
    return true;
}

// Header and values of the C encoder's are the C++ encoder's.
void check_header(const vvi_message& c, std::span<const std::byte> packet) {
    std::uint8_t header[VVW_HEADER_BYTES];
    vvi_put_header(&c, header);
    std::vector<std::byte> sent(packet.begin(), packet.begin() + VVW_HEADER_BYTES);
    sent[74] = sent[75] = std::byte{0};
    sent[VVW_AT_HEADER_SIZE] = std::byte{VVW_HEADER_BYTES};
    sent[VVW_AT_HEADER_SIZE + 1] = std::byte{0};
    expect(std::memcmp(header, sent.data(), sizeof(header)) == 0, "the header is written otherwise than it was read");
}

class ClientTarget final : public Target {
  public:
    Seed seed(Bytes valid) const override { return wire_target().seed(std::move(valid)); }

    bool read(std::span<const std::byte> bytes) const override {
        static Client client;
        const auto* at = reinterpret_cast<const std::uint8_t*>(bytes.data());
        vvi_message c;
        wire::Message cpp;
        const bool taken = vvi_decode(at, bytes.size(), &c) == nullptr;
        expect(taken == (wire::decode(bytes, cpp) == wire::Result::kOk), "the decoders do not agree");
        if (taken) {
            expect(same(c, cpp), "the decoders read other headers");
            expect(c.dtype == VVW_JSON || same_values(c, cpp), "the decoders read other values");
            check_header(c, bytes);
        }
        expect(vvc_feed(client.client, VVC_LINK_MESSAGE, at, bytes.size(), client.now_ns) == VVC_OK, "not fed");
        client.use();
        return taken;
    }
};

class StreamTarget final : public Target {
  public:
    // The first byte says which link the stream belongs to.
    Seed seed(Bytes valid) const override {
        Seed seed{std::move(valid), {}, {}};
        for (std::size_t at = 0; at < seed.bytes.size(); ++at) seed.fields.push_back({at, at < 200 ? 1U : 2U});
        seed.fields.pop_back();
        return seed;
    }

    bool read(std::span<const std::byte> bytes) const override {
        if (bytes.empty()) return false;
        static Client client;
        const std::uint32_t link = std::to_integer<std::uint32_t>(bytes[0]) % 3;
        const auto* at = reinterpret_cast<const std::uint8_t*>(bytes.data()) + 1;
        const std::size_t n_bytes = bytes.size() - 1;
        expect(vvc_set_link(client.client, link, 1, client.now_ns) == VVC_OK, "no link");
        vvc_set_dial(client.client, 0, "temperature", 1.0);
        bool taken = true;
        for (std::size_t done = 0; done < n_bytes && taken;) {  // in pieces, as TCP brings them
            const std::size_t n_piece = std::min(n_bytes - done, 1 + done % 97);
            taken = vvc_feed(client.client, link, at + done, n_piece, client.now_ns) == VVC_OK;
            done += n_piece;
            char out[4096];
            while (vvc_drain(client.client, link, out, sizeof(out), client.now_ns) == sizeof(out)) continue;
        }
        client.use();
        vvc_set_link(client.client, link, 0, client.now_ns);
        return taken;
    }
};

}  // namespace

const Target& client_target() {
    static const ClientTarget target;
    return target;
}

const Target& stream_target() {
    static const StreamTarget target;
    return target;
}

}  // namespace fuzz
