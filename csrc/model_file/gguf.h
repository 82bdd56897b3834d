// Reader of GGUF v3, little-endian: a file of typed metadata and tensors that cannot execute anything.
//
// Layout: "GGUF", u32 version 3, u64 tensor count, u64 metadata count; metadata (string key, u32 type, value); tensor
// entries (string name, u32 rank, u64 dims fastest first, u32 type, u64 offset); zeros up to the alignment; tensor
// data. A string is a u64 length and its bytes.  Nothing in the file is believed: each size, count, length, offset,
// type and sum is checked against what is left of the file before memory is taken for it, and tensors must lie one
// behind another, so that none can overlap, leave the file or hide bytes.  Keys, texts and data are views into the
// bytes.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace visavis::gguf {

enum class ValueType : std::uint32_t {
    kU8 = 0,
    kI8 = 1,
    kU16 = 2,
    kI16 = 3,
    kU32 = 4,
    kI32 = 5,
    kF32 = 6,
    kBool = 7,
    kString = 8,
    kArray = 9,
    kU64 = 10,
    kI64 = 11,
    kF64 = 12,
};

enum class TensorType : std::uint32_t {
    kF32 = 0,
    kF16 = 1,
    kQ8_0 = 8,  // blocks of 32: an F16 scale and 32 signed bytes
    kI8 = 24,
    kI16 = 25,
    kI32 = 26,
    kI64 = 27,
    kF64 = 28,
    kBF16 = 30,
};

inline constexpr std::uint64_t kMaxMetadata = 4096;
inline constexpr std::uint64_t kMaxTensors = 65536;
inline constexpr std::uint64_t kMaxKeyBytes = 256;
inline constexpr std::uint64_t kMaxTensorNameBytes = 63;  // ggml's limit
inline constexpr std::uint64_t kMaxTextBytes = 1 << 20;
inline constexpr std::uint64_t kMaxArrayItems = 1 << 20;
inline constexpr std::uint32_t kMaxRank = 4;  // ggml's limit
inline constexpr std::uint64_t kMaxAlignment = 1 << 16;

struct Value {
    ValueType type = ValueType::kU8;
    ValueType item_type = ValueType::kU8;  // of an array
    std::uint64_t n_items = 1;
    std::span<const std::byte> raw;       // scalars, text and arrays of numbers
    std::vector<std::string_view> texts;  // an array of strings
};

struct Tensor {
    std::string_view name;
    TensorType type = TensorType::kF32;
    std::uint32_t rank = 0;
    std::array<std::uint64_t, kMaxRank> dims{};  // fastest first, as the file has them
    std::uint64_t n_values = 0;
    std::span<const std::byte> data;

    std::vector<std::int64_t> shape() const;  // slowest first, as torch and numpy write it
};

std::string_view type_name(TensorType type) noexcept;
std::string type_name(const Value& value);  // "u32", "i32 array"

class File {
  public:
    // The bytes must outlive the File; `source` names the file in errors.  Throws Error(kModelFile).
    static File parse(std::span<const std::byte> bytes, std::string source);

    // Metadata of exactly that type; a missing key or another type is an error that names key, found and expected.
    std::uint32_t u32(std::string_view key) const;
    double f64(std::string_view key) const;
    bool boolean(std::string_view key) const;
    std::string text(std::string_view key) const;
    std::vector<std::int32_t> i32_array(std::string_view key) const;
    std::vector<std::string> text_array(std::string_view key) const;

    bool has(std::string_view key) const { return metadata_.contains(key); }
    const Tensor* find_tensor(std::string_view name) const;  // nullptr: not there
    const std::map<std::string_view, Value>& metadata() const { return metadata_; }
    const std::map<std::string_view, Tensor>& tensors() const { return tensors_; }
    std::uint64_t alignment() const { return alignment_; }
    const std::string& source() const { return source_; }
    [[noreturn]] void fail(const std::string& what) const;  // throws Error(kModelFile) with the source in front

  private:
    friend class Parser;
    const Value& value(std::string_view key, ValueType type) const;
    const Value& array(std::string_view key, ValueType item_type) const;

    std::string source_;
    std::map<std::string_view, Value> metadata_;
    std::map<std::string_view, Tensor> tensors_;
    std::uint64_t alignment_ = 32;
};

}  // namespace visavis::gguf
