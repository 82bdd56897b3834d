// What the checks of kernels share: values that live on the host for the twin and on the device for the kernel.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <list>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "engines/cuda/halves.h"
#include "engines/cuda/kernels.h"

namespace visavis::cuda::test {

enum class Side { kHost, kDevice };

inline Launcher& launcher() {
    static Launcher made = [] {
        Launcher launcher;
        check(cudaStreamCreateWithPriority(&launcher.stream, cudaStreamNonBlocking, 0), "stream");
        launcher.multiprocessors = 4;  // the same share everywhere, so that every GPU takes the same tiles
        return launcher;
    }();
    return made;
}

// An array of both sides.  The kernel's copy begins as the host's is when the kernel's side is first asked for: before
// the twin has written there, so that checks start the kernel first.
template <class T>
class Both {
  public:
    explicit Both(std::vector<T> values) : host(std::move(values)) {}
    Both(Both&&) = default;
    ~Both() {
        if (device_) cudaFree(device_);
    }
    Both(const Both&) = delete;
    Both& operator=(const Both&) = delete;

    T* at(Side side) {
        if (side == Side::kHost) return host.data();
        if (!device_) {
            void* memory = nullptr;
            check(cudaMalloc(&memory, host.size() * sizeof(T)), "allocation");
            device_ = static_cast<T*>(memory);
            check(cudaMemcpyAsync(device_, host.data(), host.size() * sizeof(T), cudaMemcpyDefault, launcher().stream),
                  "copy");
            check(cudaStreamSynchronize(launcher().stream), "copy");
        }
        return device_;
    }
    std::vector<T> of_device() {
        std::vector<T> out(host.size());
        check(cudaMemcpyAsync(out.data(), at(Side::kDevice), out.size() * sizeof(T), cudaMemcpyDefault,
                              launcher().stream),
              "copy");
        check(cudaStreamSynchronize(launcher().stream), "kernel");
        return out;
    }

    std::vector<T> host;

  private:
    T* device_ = nullptr;
};

using Floats = Both<float>;
using Halves = Both<std::uint16_t>;
using Ints = Both<std::int32_t>;
using Bytes = Both<std::uint8_t>;

inline std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

class Random {
  public:
    explicit Random(unsigned seed) : generator_(seed) {}

    std::vector<float> floats(std::int64_t n, float scale = 1, float mean = 0) {
        std::normal_distribution<float> normal(mean, scale);
        std::vector<float> out(size(n));
        for (float& x : out) x = normal(generator_);
        return out;
    }
    std::vector<std::uint16_t> halves(Half half, std::int64_t n, float scale = 1) {
        std::vector<std::uint16_t> out;
        for (const float x : floats(n, scale)) out.push_back(to_half(half, x));
        return out;
    }
    std::vector<std::uint8_t> flags(std::int64_t n) {
        std::vector<std::uint8_t> out(size(n));
        for (auto& flag : out) flag = static_cast<std::uint8_t>(generator_() & 1U);
        return out;
    }
    int below(int n) { return static_cast<int>(generator_() % static_cast<unsigned>(n)); }

  private:
    std::mt19937 generator_;
};

// What outputs hold before: NaN, whatever the type.
inline std::vector<float> poison(std::int64_t n) {
    return std::vector<float>(size(n), std::numeric_limits<float>::quiet_NaN());
}
inline std::vector<std::uint16_t> poison_halves(std::int64_t n) { return std::vector<std::uint16_t>(size(n), 0xFFFF); }

// Of each kernel the largest error that was seen, relative: |out - twin| / |twin|.
struct Errors {
    void add(const std::string& name, double error);
    void print() const;

    std::vector<std::pair<std::string, double>> worst;
};
Errors& errors();

// Throws if the kernel's values are not those of the twin, or if one wrote where the other did not.
void compare(const std::string& name, const std::vector<float>& kernel, const std::vector<float>& twin,
             double tolerance);
inline void compare(const std::string& name, Floats& values, double tolerance) {
    compare(name, values.of_device(), values.host, tolerance);
}
void compare(const std::string& name, Half half, Halves& values, double tolerance);

inline double tolerance_of(Half half) { return half == Half::kBf16 ? 1e-2 : 2e-3; }
inline constexpr double kExact = 1e-5;

// Turns of a batch as both sides see them.
class Turns {
  public:
    explicit Turns(int n) : values_(size(n)) {}
    Turn& operator[](int i) { return values_[size(i)]; }
    // Sets a field of every turn to a part of an array, `stride` values further each.
    template <class Field, class T>
    void point(Field Turn::* field, Both<T>& array, std::int64_t stride) {
        for (std::size_t i = 0; i < values_.size(); ++i) {
            pointers_.push_back([this, i, field, &array, stride](Side side, std::vector<Turn>& out) {
                out[i].*field = reinterpret_cast<Field>(array.at(side) + static_cast<std::int64_t>(i) * stride);
                (void)this;
            });
        }
    }
    const Turn* at(Side side) {
        std::vector<Turn> turns = values_;
        for (const auto& set : pointers_) set(side, turns);
        made_.emplace_back(std::move(turns));
        return made_.back().at(side);
    }

  private:
    std::vector<Turn> values_;
    std::vector<std::function<void(Side, std::vector<Turn>&)>> pointers_;
    std::list<Both<Turn>> made_;
};

void check_products(Half half);  // gemm, exact_gemm
void check_attention(Half half);
void check_rows(Half half);
void check_tokens(Half half);
void check_speech(Half half);
void check_head(Half half);

}  // namespace visavis::cuda::test
