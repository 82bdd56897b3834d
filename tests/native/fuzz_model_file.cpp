// Target `model_file`: the GGUF reader, its getters and converters, and the model file on top of them.
#include <numeric>
#include <string>

#include "error.h"
#include "fuzz.h"
#include "model_file/model_file.h"
#include "model_file/tensor_values.h"

namespace fuzz {
namespace {

using visavis::Error;
namespace gguf = visavis::gguf;

// Asks for every key as every type: the getters must refuse or answer, never read beyond a value.
void ask_for_everything(const gguf::File& file) {
    const auto ask = [](auto getter) {
        try {
            getter();
        } catch (const Error&) {
        }
    };
    for (const auto& [key, value] : file.metadata()) {
        ask([&, name = key] { file.u32(name); });
        ask([&, name = key] { file.f64(name); });
        ask([&, name = key] { file.boolean(name); });
        ask([&, name = key] { file.text(name); });
        ask([&, name = key] { file.i32_array(name); });
        ask([&, name = key] { file.text_array(name); });
    }
}

void read_tensors(const gguf::File& file) {
    for (const auto& [name, tensor] : file.tensors()) {
        const std::vector<std::int64_t> shape = tensor.shape();
        unsigned sum = static_cast<unsigned>(shape.size());
        for (const std::byte value : tensor.data) sum += std::to_integer<unsigned>(value);
        if (gguf::is_float_type(tensor.type)) {
            std::vector<float> values(tensor.n_values);
            gguf::convert(tensor, values);
        }
        volatile unsigned used = sum;
        static_cast<void>(used);
    }
}

class ModelFileTarget final : public Target {
  public:
    Seed seed(Bytes valid) const override { return map_gguf(std::move(valid)); }

    bool read(std::span<const std::byte> bytes) const override {
        try {
            const gguf::File file = gguf::File::parse(bytes, "fuzz");
            ask_for_everything(file);
            read_tensors(file);
            const visavis::ModelFile model = visavis::ModelFile::parse(bytes, "fuzz");
            for (const auto& [name, tensor] : model.gguf().tensors()) model.floats(name, tensor.shape());
            return true;
        } catch (const Error&) {
            return false;
        }
    }
};

}  // namespace

const Target& model_file_target() {
    static const ModelFileTarget target;
    return target;
}

}  // namespace fuzz
