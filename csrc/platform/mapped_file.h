// A file mapped read-only into memory: the one place that knows how POSIX and Windows do it.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace visavis {

// The path that a UTF-8 text of the C ABI names, on every platform.
std::filesystem::path path_from_utf8(std::string_view text);
std::string quote_path(const std::filesystem::path& path);  // for error messages

// Owns the mapping.  The bytes stay valid while the object lives; a file that is cut short by somebody else while it
// is mapped faults on access, so replace model files by renaming, never by writing into them.
class MappedFile {
  public:
    explicit MappedFile(const std::filesystem::path& path);  // throws Error(kFile)
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

  private:
    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace visavis
