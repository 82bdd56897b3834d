// Parsing of a GGUF file: every check stands before the use of what it checks.
#include "model_file/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "error.h"
#include "text.h"

namespace visavis::gguf {
namespace {

static_assert(std::endian::native == std::endian::little, "the reader copies little-endian numbers as they are");

constexpr std::uint64_t kMaxU64 = std::numeric_limits<std::uint64_t>::max();

struct Block {
    std::uint64_t n_values;
    std::uint64_t n_bytes;
};

// Values and bytes of a tensor type's smallest unit.
std::optional<Block> block_of(std::uint32_t type) {
    switch (static_cast<TensorType>(type)) {
        case TensorType::kI8: return Block{1, 1};
        case TensorType::kF16:
        case TensorType::kBF16:
        case TensorType::kI16: return Block{1, 2};
        case TensorType::kF32:
        case TensorType::kI32: return Block{1, 4};
        case TensorType::kI64:
        case TensorType::kF64: return Block{1, 8};
        case TensorType::kQ8_0: return Block{32, 34};
    }
    return std::nullopt;
}

// Bytes of a number of that type; none for strings, arrays and types that do not exist.
std::optional<std::uint64_t> width_of(std::uint32_t type) {
    switch (static_cast<ValueType>(type)) {
        case ValueType::kU8:
        case ValueType::kI8:
        case ValueType::kBool: return 1;
        case ValueType::kU16:
        case ValueType::kI16: return 2;
        case ValueType::kU32:
        case ValueType::kI32:
        case ValueType::kF32: return 4;
        case ValueType::kU64:
        case ValueType::kI64:
        case ValueType::kF64: return 8;
        default: return std::nullopt;
    }
}

std::string number(std::uint64_t value) { return std::to_string(value); }

// Names a place of the file for an error message; text is made only when there is one.
struct What {
    const char* kind = "";           // "magic", "metadata ", "tensor "
    std::string_view name = {};      // shown in quotes
    std::uint64_t index = kMaxU64;   // shown where there is no name
    const char* part = "";           // "type of "
    std::uint64_t string = kMaxU64;  // which string of an array
    bool length = false;             // the length in front of a text

    What part_named(const char* name_of_part) const {
        What what = *this;
        what.part = name_of_part;
        return what;
    }

    std::string text() const {
        std::string text = length ? "length of " : "";
        text += part;
        if (string != kMaxU64) text += "string " + number(string) + " of ";
        text += kind;
        if (!name.empty()) return text + quote(name);
        return index == kMaxU64 ? text : text + number(index);
    }
};

std::string operator+(const What& what, const std::string& text) { return what.text() + text; }
std::string operator+(const std::string& text, const What& what) { return text + what.text(); }

std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

// Walks through the bytes once, front to back.
class Parser {
  public:
    Parser(std::span<const std::byte> bytes, std::string source) : bytes_(bytes) { file_.source_ = std::move(source); }

    File run() {
        read_header();
        for (std::uint64_t i = 0; i < n_metadata_; ++i) read_metadata(i);
        read_alignment();
        for (std::uint64_t i = 0; i < n_tensors_; ++i) read_tensor_entry(i);
        place_tensors();
        return std::move(file_);
    }

  private:
    struct Entry {
        Tensor tensor;
        std::uint64_t offset;
        std::uint64_t n_bytes;
    };

    [[noreturn]] void fail(const std::string& what) const { file_.fail(what); }
    std::uint64_t left() const { return bytes_.size() - at_; }

    std::span<const std::byte> take(std::uint64_t n_bytes, const What& what) {
        if (n_bytes > left()) {
            fail("truncated: " + what + " needs " + number(n_bytes) + " bytes at offset " + number(at_) + ", " +
                 number(left()) + " are left");
        }
        const auto taken = bytes_.subspan(at_, static_cast<std::size_t>(n_bytes));
        at_ += static_cast<std::size_t>(n_bytes);
        return taken;
    }

    template <class T>
    T get(const What& what) {
        T value;
        std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
        return value;
    }

    std::span<const std::byte> take_text(std::uint64_t limit, const What& what) {
        What length_of = what;
        length_of.length = true;
        const auto length = get<std::uint64_t>(length_of);
        if (length > limit) fail(what + " has " + number(length) + " bytes; at most " + number(limit) + " are allowed");
        const auto text = take(length, what);
        if (!is_utf8(as_text(text))) fail(what + " is not UTF-8: " + quote(as_text(text)));
        return text;
    }

    void read_header() {
        const std::string_view magic = as_text(take(4, {"magic"}));
        if (magic != "GGUF") fail("begins with " + quote(magic) + "; a GGUF file begins with \"GGUF\"");
        const auto version = get<std::uint32_t>({"version"});
        if (version == 0x03000000) fail("is big-endian; expected little-endian GGUF version 3");
        if (version != 3) fail("GGUF version " + number(version) + "; expected 3");
        n_tensors_ = get<std::uint64_t>({"tensor count"});
        n_metadata_ = get<std::uint64_t>({"metadata count"});
        if (n_tensors_ > kMaxTensors) fail("tensor count " + number(n_tensors_) + "; at most " + number(kMaxTensors));
        if (n_metadata_ > kMaxMetadata) {
            fail("metadata count " + number(n_metadata_) + "; at most " + number(kMaxMetadata));
        }
    }

    void read_metadata(std::uint64_t index) {
        const What key_of{.kind = "metadata entry ", .index = index, .part = "key of "};
        const std::string_view key = as_text(take_text(kMaxKeyBytes, key_of));
        if (key.empty()) fail(key_of + " is empty");
        const What what{.kind = "metadata ", .name = key};
        Value value = read_value(what);
        if (!file_.metadata_.emplace(key, std::move(value)).second) fail(what + " appears twice");
    }

    Value read_value(const What& what) {
        const auto type = get<std::uint32_t>(what.part_named("type of "));
        Value value;
        value.type = static_cast<ValueType>(type);
        if (value.type == ValueType::kString) {
            value.raw = take_text(kMaxTextBytes, what);
        } else if (value.type == ValueType::kArray) {
            read_array(value, what);
        } else if (const auto width = width_of(type)) {
            value.raw = take(*width, what);
            if (value.type == ValueType::kBool) check_bools(value.raw, what);
        } else {
            fail(what + " has type " + number(type) + "; known are 0 to 12");
        }
        return value;
    }

    void read_array(Value& value, const What& what) {
        const auto type = get<std::uint32_t>(what.part_named("item type of "));
        value.item_type = static_cast<ValueType>(type);
        value.n_items = get<std::uint64_t>(what.part_named("item count of "));
        if (value.item_type == ValueType::kArray) fail(what + " is an array of arrays; expected scalars or strings");
        if (value.n_items > kMaxArrayItems) {
            fail(what + " has " + number(value.n_items) + " items; at most " + number(kMaxArrayItems));
        }
        if (value.item_type == ValueType::kString) {
            if (value.n_items > left() / 8) {  // a length stands before each string
                fail("truncated: " + what + " has " + number(value.n_items) + " strings, " + number(left()) +
                     " bytes are left");
            }
            value.texts.reserve(static_cast<std::size_t>(value.n_items));
            for (std::uint64_t i = 0; i < value.n_items; ++i) {
                What item = what;
                item.string = i;
                value.texts.push_back(as_text(take_text(kMaxTextBytes, item)));
            }
        } else if (const auto width = width_of(type)) {
            value.raw = take(value.n_items * *width, what);  // <= 2^20 items of 8 bytes: cannot wrap
            if (value.item_type == ValueType::kBool) check_bools(value.raw, what);
        } else {
            fail(what + " has items of type " + number(type) + "; known are 0 to 12");
        }
    }

    void check_bools(std::span<const std::byte> raw, const What& what) const {
        for (const std::byte value : raw) {
            const auto found = std::to_integer<unsigned>(value);
            if (found > 1) fail(what + " is a bool of value " + number(found) + "; expected 0 or 1");
        }
    }

    void read_alignment() {
        if (!file_.has("general.alignment")) return;
        const std::uint64_t alignment = file_.u32("general.alignment");
        if (alignment < 8 || alignment > kMaxAlignment || !std::has_single_bit(alignment)) {
            fail("general.alignment is " + number(alignment) + "; expected a power of two from 8 to " +
                 number(kMaxAlignment));
        }
        file_.alignment_ = alignment;
    }

    void read_tensor_entry(std::uint64_t index) {
        Entry entry_read{};
        Tensor& tensor = entry_read.tensor;
        const What name_of{.kind = "tensor ", .index = index, .part = "name of "};
        tensor.name = as_text(take_text(kMaxTensorNameBytes, name_of));
        if (tensor.name.empty()) fail(name_of + " is empty");
        const What what{.kind = "tensor ", .name = tensor.name};
        read_dims(tensor, what);
        const auto type = get<std::uint32_t>(what.part_named("type of "));
        const auto block = block_of(type);
        if (!block) fail(what + " has type " + number(type) + "; expected F32, F16, BF16, F64, Q8_0 or I8 to I64");
        tensor.type = static_cast<TensorType>(type);
        if (tensor.dims[0] % block->n_values != 0) {
            fail(what + " has rows of " + number(tensor.dims[0]) + " values; blocks of " +
                 std::string(type_name(tensor.type)) + " take " + number(block->n_values));
        }
        const std::uint64_t n_blocks = tensor.n_values / block->n_values;
        if (n_blocks > kMaxU64 / block->n_bytes) fail(what + ": its size in bytes overflows 64 bits");
        entry_read.n_bytes = n_blocks * block->n_bytes;
        entry_read.offset = get<std::uint64_t>(what.part_named("offset of "));
        if (entry_read.offset % file_.alignment_ != 0) {
            fail(what + " has offset " + number(entry_read.offset) + "; expected a multiple of the alignment " +
                 number(file_.alignment_));
        }
        entries_.push_back(entry_read);
    }

    void read_dims(Tensor& tensor, const What& what) {
        tensor.rank = get<std::uint32_t>(what.part_named("rank of "));
        if (tensor.rank < 1 || tensor.rank > kMaxRank) {
            fail(what + " has rank " + number(tensor.rank) + "; expected 1 to " + number(kMaxRank));
        }
        tensor.n_values = 1;
        for (std::uint32_t d = 0; d < tensor.rank; ++d) {
            const auto dim = get<std::uint64_t>(what.part_named("dimension of "));
            if (dim == 0) fail(what + " has a dimension of 0; expected at least 1");
            if (dim > kMaxU64 / 2 / tensor.n_values) fail(what + ": its number of values overflows 63 bits");
            tensor.dims[d] = dim;
            tensor.n_values *= dim;
        }
    }

    void place_tensors() {
        if (entries_.empty()) return check_tail(left(), file_.alignment_);
        const std::uint64_t padding = (file_.alignment_ - at_ % file_.alignment_) % file_.alignment_;
        take(padding, {"padding before the tensor data"});
        const auto data = bytes_.subspan(at_);
        std::uint64_t expected = 0;  // where the next tensor begins
        for (Entry& placed : entries_) {
            const What what{.kind = "tensor ", .name = placed.tensor.name};
            if (placed.offset != expected) {
                fail(what + " has offset " + number(placed.offset) + "; expected " + number(expected) +
                     ": tensors may not overlap or leave gaps");
            }
            if (expected > data.size() || placed.n_bytes > data.size() - expected) {
                fail(what + " is truncated: it needs " + number(placed.n_bytes) + " bytes at data offset " +
                     number(expected) + " of " + number(data.size()));
            }
            placed.tensor.data =
                data.subspan(static_cast<std::size_t>(expected), static_cast<std::size_t>(placed.n_bytes));
            const std::uint64_t end = expected + placed.n_bytes;  // <= data.size(): cannot wrap
            expected = end + (file_.alignment_ - end % file_.alignment_) % file_.alignment_;
            if (!file_.tensors_.emplace(placed.tensor.name, placed.tensor).second) fail(what + " appears twice");
        }
        if (data.size() > expected) check_tail(data.size() - expected, 0);
    }

    void check_tail(std::uint64_t n_bytes, std::uint64_t limit) const {
        if (n_bytes > limit) fail(number(n_bytes) + " bytes follow the last entry; expected the end of the file");
    }

    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
    std::uint64_t n_tensors_ = 0;
    std::uint64_t n_metadata_ = 0;
    std::vector<Entry> entries_;
    File file_;
};

File File::parse(std::span<const std::byte> bytes, std::string source) {
    return Parser(bytes, std::move(source)).run();
}

}  // namespace visavis::gguf
