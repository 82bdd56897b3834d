// Python view of the wire codec: _core.wire.  A message is a dict with the header's fields and `values` or `json`.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <array>

#include "bindings/bindings.h"
#include "error.h"
#include "text.h"
#include "wire/frame_codec.h"

namespace py = pybind11;

namespace visavis::bindings {
namespace {

constexpr std::array<const char*, 5> kDtypes = {"none", "f32", "norm16", "s16", "json"};
using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

[[noreturn]] void refuse(const std::string& what) { throw Error(Status::kInvalidArgument, "wire message: " + what); }

void expect_ok(wire::Result result) {
    if (result != wire::Result::kOk) refuse(std::string(wire::describe(result)));
}

wire::Dtype dtype_from_name(const std::string& name) {
    for (std::size_t i = 0; i < kDtypes.size(); ++i) {
        if (name == kDtypes[i]) return static_cast<wire::Dtype>(i);
    }
    refuse("dtype is " + quote(name) + "; expected one of none, f32, norm16, s16, json");
}

std::vector<wire::Unit> units_from_names(const std::vector<std::string>& names) {
    std::vector<wire::Unit> units;
    for (const std::string& name : names) {
        if (name != "1" && name != "rad") refuse("unit is " + quote(name) + "; expected \"1\" or \"rad\"");
        units.push_back(name == "rad" ? wire::Unit::kAngle : wire::Unit::kWeight);
    }
    return units;
}

// Voices are mono; a face has as many channels as values.
std::uint16_t default_channels(wire::Kind kind, std::size_t n_values) {
    if (kind == wire::Kind::kMotion || kind == wire::Kind::kFaceInput) return static_cast<std::uint16_t>(n_values);
    return n_values == 0 ? 0 : 1;
}

py::bytes encode(const std::string& magic, const std::string& head, const std::optional<Floats>& values,
                 const std::vector<std::string>& units, const std::string& json, const std::string& dtype,
                 std::uint16_t flags, std::uint64_t schema_hash, std::uint64_t sequence, std::int64_t frame,
                 std::int64_t presentation_ns, std::int64_t publish_ns, std::uint32_t epoch, std::uint16_t state,
                 std::optional<std::uint16_t> channels, std::uint32_t rate) {
    std::span<const float> numbers;
    if (values) numbers = {values->data(), static_cast<std::size_t>(values->size())};
    wire::Header header{.kind = wire::Kind::kMotion,
                        .head = {},
                        .flags = flags,
                        .schema_hash = schema_hash,
                        .sequence = sequence,
                        .frame = frame,
                        .presentation_ns = presentation_ns,
                        .publish_ns = publish_ns,
                        .epoch = epoch,
                        .state = state,
                        .channels = 0,
                        .dtype = dtype_from_name(dtype),
                        .revision = 0,
                        .rate = rate};
    if (!wire::kind_of(magic, header.kind)) expect_ok(wire::Result::kMagic);
    if (!header.head.assign(head)) expect_ok(wire::Result::kHead);
    header.channels = channels.value_or(default_channels(header.kind, numbers.size()));
    std::array<std::byte, wire::kMaxMessageBytes> packet;
    std::size_t size = 0;
    if (header.dtype == wire::Dtype::kJson) {
        expect_ok(wire::encode_json(header, json, packet, size));
    } else {
        expect_ok(wire::encode(header, numbers, units_from_names(units), packet, size));
    }
    return {reinterpret_cast<const char*>(packet.data()), size};
}

using Whole = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;
using States = py::array_t<std::uint16_t, py::array::c_style | py::array::forcecast>;

// A message of each of n frames: index (n,), time_ns (n,), state (n,), values (n, C).
py::list encode_motion(const std::string& head, const Whole& index, const Whole& time_ns, const States& state,
                       const Floats& values, const std::vector<std::string>& units, const std::string& dtype,
                       std::uint16_t flags, std::uint64_t schema_hash, std::uint64_t sequence, std::int64_t publish_ns,
                       std::uint32_t epoch, std::uint32_t rate) {
    const py::ssize_t n = index.size();
    if (values.ndim() != 2 || values.shape(0) != n || time_ns.size() != n || state.size() != n)
        refuse("frames: expected index (n,), time_ns (n,), state (n,) and values (n, C)");
    const auto n_channels = static_cast<std::size_t>(values.shape(1));
    const std::vector<wire::Unit> known = units_from_names(units);
    wire::Header header{.kind = wire::Kind::kMotion,
                        .head = {},
                        .flags = flags,
                        .schema_hash = schema_hash,
                        .sequence = sequence,
                        .frame = 0,
                        .presentation_ns = 0,
                        .publish_ns = publish_ns,
                        .epoch = epoch,
                        .state = 0,
                        .channels = static_cast<std::uint16_t>(n_channels),
                        .dtype = dtype_from_name(dtype),
                        .revision = 0,
                        .rate = rate};
    if (!header.head.assign(head)) expect_ok(wire::Result::kHead);
    std::array<std::byte, wire::kMaxMessageBytes> packet;
    py::list messages(n);
    for (py::ssize_t i = 0; i < n; ++i, ++header.sequence) {
        header.frame = index.at(i);
        header.presentation_ns = time_ns.at(i);
        header.state = state.at(i);
        std::size_t size = 0;
        expect_ok(wire::encode(header, {values.data(i, 0), n_channels}, known, packet, size));
        messages[static_cast<std::size_t>(i)] = py::bytes(reinterpret_cast<const char*>(packet.data()), size);
    }
    return messages;
}

py::object payload(const wire::Message& message, const std::optional<std::vector<std::string>>& units) {
    if (message.header.dtype == wire::Dtype::kNorm16 && !units) return py::none();
    py::array_t<float> values(static_cast<py::ssize_t>(message.n_values()));
    const std::vector<wire::Unit> known = units_from_names(units.value_or(std::vector<std::string>{}));
    expect_ok(wire::read_values(message, known, {values.mutable_data(), message.n_values()}));
    return values;
}

py::dict decode(const py::bytes& packet, const std::optional<std::vector<std::string>>& units) {
    const auto text = static_cast<std::string_view>(packet);
    wire::Message message;
    expect_ok(wire::decode({reinterpret_cast<const std::byte*>(text.data()), text.size()}, message));
    const wire::Header& header = message.header;
    py::dict result;
    result["magic"] = wire::magic_of(header.kind);
    result["head"] = header.head.view();
    result["flags"] = header.flags;
    result["schema_hash"] = header.schema_hash;
    result["sequence"] = header.sequence;
    result["frame"] = header.frame;
    result["presentation_ns"] = header.presentation_ns;
    result["publish_ns"] = header.publish_ns;
    result["epoch"] = header.epoch;
    result["state"] = header.state;
    result["channels"] = header.channels;
    result["dtype"] = kDtypes[static_cast<std::size_t>(header.dtype)];
    result["revision"] = header.revision;
    result["rate"] = header.rate;
    if (header.dtype == wire::Dtype::kJson) {
        result["json"] = py::str(reinterpret_cast<const char*>(message.payload.data()), message.payload.size());
    } else {
        result["values"] = payload(message, units);
    }
    return result;
}

}  // namespace

void register_wire(py::module_& module) {
    auto wire_module = module.def_submodule("wire", "Wire protocol v1 (docs/protocol.md): messages to bytes and back.");
    wire_module.attr("FLAG_TIMED") = wire::kFlagTimed;
    wire_module.attr("FLAG_END") = wire::kFlagEnd;
    wire_module.attr("HEADER_BYTES") = wire::kHeaderBytes;
    wire_module.attr("MAX_MESSAGE_BYTES") = wire::kMaxMessageBytes;
    wire_module.def("encode", &encode, py::arg("magic"), py::arg("head"), py::arg("values") = py::none(), py::kw_only(),
                    py::arg("units") = std::vector<std::string>{}, py::arg("json") = "", py::arg("dtype") = "f32",
                    py::arg("flags") = wire::kFlagTimed, py::arg("schema_hash") = 0, py::arg("sequence") = 0,
                    py::arg("frame") = 0, py::arg("presentation_ns") = 0, py::arg("publish_ns") = 0,
                    py::arg("epoch") = 0, py::arg("state") = 0, py::arg("channels") = py::none(), py::arg("rate") = 0,
                    "One message as bytes; InvalidArgument says what does not fit its kind.");
    wire_module.def("encode_motion", &encode_motion, py::arg("head"), py::arg("index"), py::arg("time_ns"),
                    py::arg("state"), py::arg("values"), py::kw_only(), py::arg("units") = std::vector<std::string>{},
                    py::arg("dtype") = "f32", py::arg("flags") = wire::kFlagTimed, py::arg("schema_hash") = 0,
                    py::arg("sequence") = 0, py::arg("publish_ns") = 0, py::arg("epoch") = 0, py::arg("rate") = 0,
                    "A VVM1 message of each frame; the sequence counts up.");
    wire_module.def(
        "decode", &decode, py::arg("packet"), py::arg("units") = py::none(),
        "A message as a dict; norm16 values are None without `units`.  InvalidArgument for malformed ones.");
    wire_module.def(
        "schema_hash",
        [](const std::vector<std::string>& names, const std::vector<std::string>& units) {
            if (names.size() != units.size()) {
                refuse(std::to_string(names.size()) + " names and " + std::to_string(units.size()) + " units");
            }
            return wire::schema_hash(names, units);
        },
        py::arg("names"), py::arg("units"), "FNV-1a 64 of channel names and units.");
}

}  // namespace visavis::bindings
