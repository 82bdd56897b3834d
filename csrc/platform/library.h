// Shared libraries that are loaded while the program runs: the one place that knows how POSIX and Windows do it.
#pragma once
#include <filesystem>
#include <string>

namespace visavis {

// Stays loaded for good: what it made may outlive everything else.
class Library {
  public:
    // Throws Error(kUnsupported) with the system's reason.
    static Library open(const std::filesystem::path& path);
    void* find(const char* symbol) const;  // throws Error(kUnsupported)

  private:
    Library(void* handle, std::string name) : handle_(handle), name_(std::move(name)) {}
    void* handle_;
    std::string name_;  // quoted, for errors
};

// The folder of the library or program that this code is part of.
std::filesystem::path own_folder();

}  // namespace visavis
