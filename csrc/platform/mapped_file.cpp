// Read-only file mapping for POSIX and Windows.
#include "platform/mapped_file.h"

#include <cstdint>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

#include "error.h"
#include "text.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#endif

namespace visavis {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& reason) {
    throw Error(Status::kFile, "file " + quote_path(path) + ": " + reason);
}

std::size_t checked_size(const std::filesystem::path& path, std::uint64_t size) {
    if (size == 0) fail(path, "is empty");
    if (size > std::numeric_limits<std::size_t>::max() / 2) fail(path, "is too large for this machine's addresses");
    return static_cast<std::size_t>(size);
}

#ifdef _WIN32
std::string last_error() { return std::system_category().message(static_cast<int>(GetLastError())); }

class Handle {
  public:
    explicit Handle(HANDLE handle) : handle_(handle) {}
    ~Handle() {
        if (valid()) CloseHandle(handle_);
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    bool valid() const { return handle_ != nullptr && handle_ != INVALID_HANDLE_VALUE; }
    HANDLE get() const { return handle_; }

  private:
    HANDLE handle_;
};

std::span<const std::byte> map(const std::filesystem::path& path) {
    const Handle file(CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr,
                                  OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr));
    if (!file.valid()) fail(path, "cannot be opened: " + last_error());
    LARGE_INTEGER length;
    if (!GetFileSizeEx(file.get(), &length)) fail(path, "has no size: " + last_error());
    const std::size_t size = checked_size(path, static_cast<std::uint64_t>(length.QuadPart));
    const Handle mapping(CreateFileMappingW(file.get(), nullptr, PAGE_READONLY, 0, 0, nullptr));
    if (!mapping.valid()) fail(path, "cannot be mapped: " + last_error());
    const void* data = MapViewOfFile(mapping.get(), FILE_MAP_READ, 0, 0, 0);
    if (data == nullptr) fail(path, "cannot be mapped: " + last_error());
    return {static_cast<const std::byte*>(data), size};
}

void unmap(const std::byte* data, std::size_t) noexcept { UnmapViewOfFile(data); }
#else
std::string last_error() { return std::generic_category().message(errno); }

class Descriptor {
  public:
    explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
    ~Descriptor() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return descriptor_; }

  private:
    int descriptor_;
};

std::span<const std::byte> map(const std::filesystem::path& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO must not block
    if (file.get() < 0) fail(path, "cannot be opened: " + last_error());
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) fail(path, "has no size: " + last_error());
    if (!S_ISREG(status.st_mode)) fail(path, "is not a regular file");
    const std::size_t size = checked_size(path, static_cast<std::uint64_t>(status.st_size));
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (data == MAP_FAILED) fail(path, "cannot be mapped: " + last_error());
    return {static_cast<const std::byte*>(data), size};
}

void unmap(const std::byte* data, std::size_t size) noexcept { ::munmap(const_cast<std::byte*>(data), size); }
#endif

}  // namespace

std::filesystem::path path_from_utf8(std::string_view text) {
    return std::filesystem::path(std::u8string(text.begin(), text.end()));
}

std::string quote_path(const std::filesystem::path& path) {
    const std::u8string name = path.u8string();
    return quote({reinterpret_cast<const char*>(name.data()), name.size()});
}

MappedFile::MappedFile(const std::filesystem::path& path) {
    const std::span<const std::byte> mapped = map(path);
    data_ = mapped.data();
    size_ = mapped.size();
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) unmap(data_, size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

}  // namespace visavis
