// Typed access to what a parsed GGUF file holds.
#include <algorithm>
#include <cstring>

#include "error.h"
#include "model_file/gguf.h"
#include "text.h"

namespace visavis::gguf {
namespace {

std::string_view value_type_name(ValueType type) noexcept {
    constexpr std::string_view kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                           "bool", "string", "array", "u64", "i64", "f64"};
    return kNames[static_cast<std::uint32_t>(type)];
}

template <class T>
T scalar(const Value& value) {
    T found;
    std::memcpy(&found, value.raw.data(), sizeof(T));
    return found;
}

}  // namespace

std::string_view type_name(TensorType type) noexcept {
    switch (type) {
        case TensorType::kF32: return "F32";
        case TensorType::kF16: return "F16";
        case TensorType::kQ8_0: return "Q8_0";
        case TensorType::kI8: return "I8";
        case TensorType::kI16: return "I16";
        case TensorType::kI32: return "I32";
        case TensorType::kI64: return "I64";
        case TensorType::kF64: return "F64";
        case TensorType::kBF16: return "BF16";
    }
    return "unknown";
}

std::string type_name(const Value& value) {
    if (value.type != ValueType::kArray) return std::string(value_type_name(value.type));
    return std::string(value_type_name(value.item_type)) + " array";
}

std::vector<std::int64_t> Tensor::shape() const {
    std::vector<std::int64_t> slowest_first(dims.begin(), dims.begin() + rank);
    std::reverse(slowest_first.begin(), slowest_first.end());
    return slowest_first;
}

void File::fail(const std::string& what) const { throw Error(Status::kModelFile, source_ + ": " + what); }

const Value& File::value(std::string_view key, ValueType type) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) {
        fail("metadata " + quote(key) + " is missing; expected " + std::string(value_type_name(type)));
    }
    if (found->second.type != type) {
        fail("metadata " + quote(key) + " is " + type_name(found->second) + "; expected " +
             std::string(value_type_name(type)));
    }
    return found->second;
}

const Value& File::array(std::string_view key, ValueType item_type) const {
    const Value& found = value(key, ValueType::kArray);
    if (found.item_type != item_type) {
        fail("metadata " + quote(key) + " is " + type_name(found) + "; expected " +
             std::string(value_type_name(item_type)) + " array");
    }
    return found;
}

std::uint32_t File::u32(std::string_view key) const { return scalar<std::uint32_t>(value(key, ValueType::kU32)); }

double File::f64(std::string_view key) const { return scalar<double>(value(key, ValueType::kF64)); }

bool File::boolean(std::string_view key) const { return scalar<std::uint8_t>(value(key, ValueType::kBool)) != 0; }

std::string File::text(std::string_view key) const {
    const Value& found = value(key, ValueType::kString);
    return {reinterpret_cast<const char*>(found.raw.data()), found.raw.size()};
}

std::vector<std::int32_t> File::i32_array(std::string_view key) const {
    const Value& found = array(key, ValueType::kI32);
    std::vector<std::int32_t> items(static_cast<std::size_t>(found.n_items));
    if (!items.empty()) std::memcpy(items.data(), found.raw.data(), found.raw.size());
    return items;
}

std::vector<std::string> File::text_array(std::string_view key) const {
    const Value& found = array(key, ValueType::kString);
    return {found.texts.begin(), found.texts.end()};
}

const Tensor* File::find_tensor(std::string_view name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace visavis::gguf
