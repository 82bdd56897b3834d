// Python view of a model file: _core.ModelFile and _core.read_gguf (metadata and tensor list of any GGUF file).
#include "model_file/model_file.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <cstring>

#include "bindings/bindings.h"
#include "platform/mapped_file.h"

namespace py = pybind11;

namespace visavis::bindings {
namespace {

template <class T>
py::object number(std::span<const std::byte> raw, std::size_t index) {
    T value;
    std::memcpy(&value, raw.data() + index * sizeof(T), sizeof(T));
    return py::cast(value);
}

py::object item(gguf::ValueType type, std::span<const std::byte> raw, std::size_t index) {
    switch (type) {
        case gguf::ValueType::kU8: return number<std::uint8_t>(raw, index);
        case gguf::ValueType::kI8: return number<std::int8_t>(raw, index);
        case gguf::ValueType::kU16: return number<std::uint16_t>(raw, index);
        case gguf::ValueType::kI16: return number<std::int16_t>(raw, index);
        case gguf::ValueType::kU32: return number<std::uint32_t>(raw, index);
        case gguf::ValueType::kI32: return number<std::int32_t>(raw, index);
        case gguf::ValueType::kF32: return number<float>(raw, index);
        case gguf::ValueType::kBool: return py::bool_(raw[index] != std::byte{0});
        case gguf::ValueType::kU64: return number<std::uint64_t>(raw, index);
        case gguf::ValueType::kI64: return number<std::int64_t>(raw, index);
        case gguf::ValueType::kF64: return number<double>(raw, index);
        default: return py::str(reinterpret_cast<const char*>(raw.data()), raw.size());
    }
}

py::object metadata_value(const gguf::Value& value) {
    if (value.type != gguf::ValueType::kArray) return item(value.type, value.raw, 0);
    if (value.item_type == gguf::ValueType::kString) return py::cast(value.texts);
    py::list items;
    for (std::size_t i = 0; i < value.n_items; ++i) items.append(item(value.item_type, value.raw, i));
    return items;
}

py::dict metadata(const gguf::File& file) {
    py::dict result;
    for (const auto& [key, value] : file.metadata()) result[py::cast(key)] = metadata_value(value);
    return result;
}

py::dict tensors(const gguf::File& file) {
    py::dict result;
    for (const auto& [name, tensor] : file.tensors()) {
        result[py::cast(name)] = py::make_tuple(gguf::type_name(tensor.type), py::tuple(py::cast(tensor.shape())));
    }
    return result;
}

py::array_t<float> floats(const ModelFile& file, const std::string& name,
                          const std::optional<std::vector<std::int64_t>>& expected) {
    const gguf::Tensor* found = file.gguf().find_tensor(name);
    const std::vector<std::int64_t> shape = expected ? *expected : found ? found->shape() : std::vector<std::int64_t>{};
    const std::vector<float> values = file.floats(name, shape);
    return py::array_t<float>(shape, values.data());
}

py::tuple read_gguf(const std::filesystem::path& path) {
    const MappedFile mapped(path);
    const gguf::File file = gguf::File::parse(mapped.bytes(), "file " + quote_path(path));
    return py::make_tuple(metadata(file), tensors(file));
}

}  // namespace

void register_model_file(py::module_& module) {
    module.def("read_gguf", &read_gguf, py::arg("path"),
               "Metadata {key: value} and tensors {name: (type, shape)} of any GGUF file.");
    py::class_<ModelFile>(module, "ModelFile", "A checked visavis model file, mapped into memory.")
        .def(py::init(&ModelFile::open), py::arg("path"))
        .def_property_readonly("name", [](const ModelFile& file) { return file.info().name; })
        .def_property_readonly("license", &ModelFile::license)
        .def_property_readonly("data_note", &ModelFile::data_note)
        .def_property_readonly("channels", [](const ModelFile& file) { return file.info().channels; })
        .def_property_readonly("units", [](const ModelFile& file) { return file.info().units; })
        .def_property_readonly("context_samples", [](const ModelFile& file) { return file.config().context_samples(); })
        .def_property_readonly("row_width", [](const ModelFile& file) { return file.config().row_width(); })
        .def_property_readonly("condition_width", [](const ModelFile& file) { return file.config().condition_width(); })
        .def_property_readonly("tokens_per_turn", [](const ModelFile& file) { return file.config().tokens_per_turn(); })
        .def(
            "metadata", [](const ModelFile& file) { return metadata(file.gguf()); }, "Metadata {key: value}.")
        .def(
            "tensors", [](const ModelFile& file) { return tensors(file.gguf()); }, "{name: (type, torch shape)}.")
        .def("floats", &floats, py::arg("name"), py::arg("shape") = py::none(),
             "A tensor's values as float32; `shape`, where given, is checked.");
}

}  // namespace visavis::bindings
