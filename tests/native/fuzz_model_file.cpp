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

template <class Getter>
void ask(Getter getter) {
    try {
        getter();
    } catch (const Error&) {
    }
}

void ask_as_number(const gguf::File& file, std::string_view key) {
    ask([&] { file.u32(key); });
    ask([&] { file.f64(key); });
    ask([&] { file.boolean(key); });
}

void ask_as_text_or_array(const gguf::File& file, std::string_view key) {
    ask([&] { file.text(key); });
    ask([&] { file.i32_array(key); });
    ask([&] { file.text_array(key); });
}

// Asks for keys as every type: the getters must refuse or answer, never read beyond a value.  A few keys of each input
// are enough, as exceptions take most of the time here.
void ask_for_values(const gguf::File& file) {
    std::size_t n = file.metadata().size() % 5;
    for (const auto& [key, value] : file.metadata()) {
        if (gguf::type_name(value).empty()) throw Error(visavis::Status::kInternal, "a type without a name");
        if (n++ % 16 == 0) ask_as_number(file, key);
        if (n % 16 == 8) ask_as_text_or_array(file, key);
    }
}

void read_tensors(const gguf::File& file) {
    for (const auto& [name, tensor] : file.tensors()) {
        const std::vector<std::int64_t> shape = tensor.shape();
        auto sum = static_cast<unsigned>(shape.size() + gguf::type_name(tensor.type).size());
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
            ask_for_values(file);
            read_tensors(file);
            const visavis::ModelFile model = visavis::ModelFile::parse(bytes, "fuzz");
            for (const auto& [name, tensor] : model.gguf().tensors()) {
                if (gguf::is_float_type(tensor.type)) model.floats(name, tensor.shape());
            }
            ask([&] { model.floats("missing", {1, 2}); });
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
