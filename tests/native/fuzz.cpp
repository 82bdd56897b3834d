// fuzz TARGET N_MUTATIONS SEED VALID_DIR [OTHER_DIR]: reads every file of the folders, then N mutations of the valid
// ones. Deterministic: the same arguments read the same bytes.  Fails on a crash, on a sanitizer's report, on a valid
// file that is refused, on an invalid one that is taken, and on memory taken beyond what an input of that size can
// need.
#include "fuzz.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <string>

namespace {

std::size_t g_largest_allocation = 0;

}  // namespace

void* operator new(std::size_t n_bytes) {
    g_largest_allocation = std::max(g_largest_allocation, n_bytes);
    void* memory = std::malloc(n_bytes);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

fuzz::Bytes read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    fuzz::Bytes bytes(text.size());
    std::transform(text.begin(), text.end(), bytes.begin(), [](char c) { return static_cast<std::byte>(c); });
    return bytes;
}

std::vector<std::filesystem::path> sorted_files(const char* folder) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    return paths;
}

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "fuzz: %s\n", what.c_str());
    std::exit(1);
}

// Reads from a copy of exactly that size, so that a sanitizer sees a read one byte beyond it.
bool read(const fuzz::Target& target, const fuzz::Bytes& bytes) {
    const std::unique_ptr<std::byte[]> exact(new std::byte[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), exact.get());
    g_largest_allocation = 0;
    const bool taken = target.read({exact.get(), bytes.size()});
    const std::size_t limit = 16 * bytes.size() + (1 << 16);
    if (g_largest_allocation > limit) {
        fail(std::to_string(g_largest_allocation) + " bytes taken for an input of " + std::to_string(bytes.size()));
    }
    return taken;
}

const fuzz::Target& target_of(const std::string& name) {
    if (name == "wire") return fuzz::wire_target();
    if (name == "client") return fuzz::client_target();
    if (name == "stream") return fuzz::stream_target();
    if (name != "model_file") fail("no target " + name);
    return fuzz::model_file_target();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) fail("usage: fuzz model_file|wire|client|stream N_MUTATIONS SEED VALID_DIR [INVALID_DIR]");
    const fuzz::Target& target = target_of(argv[1]);
    const std::size_t n_mutations = std::strtoull(argv[2], nullptr, 10);
    std::vector<fuzz::Seed> seeds;
    for (const auto& path : sorted_files(argv[4])) {
        fuzz::Bytes bytes = read_file(path);
        if (!read(target, bytes)) fail("refused the valid " + path.string());
        seeds.push_back(target.seed(std::move(bytes)));
    }
    if (seeds.empty()) fail("no files in " + std::string(argv[4]));
    std::size_t n_invalid = 0;
    if (argc > 5) {
        for (const auto& path : sorted_files(argv[5])) {
            if (read(target, read_file(path))) fail("took the invalid " + path.string());
            ++n_invalid;
        }
    }
    fuzz::Random random(std::strtoull(argv[3], nullptr, 10));
    std::size_t n_taken = 0;
    for (std::size_t i = 0; i < n_mutations; ++i) {
        const fuzz::Seed& seed = seeds[fuzz::below(random, seeds.size())];
        n_taken += read(target, fuzz::mutate(random, seed)) ? 1U : 0U;
    }
    std::printf("{\"valid\": %zu, \"invalid\": %zu, \"mutations\": %zu, \"taken\": %zu}\n", seeds.size(), n_invalid,
                n_mutations, n_taken);
    return 0;
}
