// Matrices as the GEMM takes them, and the linear layers made of them.
//
// A matrix W (n_out, n_in) lies in panels of P = Kernels::panel rows of W: panel p holds, for each input k, the values
// W[pP..pP+P, k]; the last panel is filled up with zeros.  Of bfloat16 two inputs lie together, of 8-bit integers four:
// for each group of inputs the P groups (W[out, k], W[out, k+1], ..), the last one filled up with zeros.
//
// 8-bit integers have a scale for each output, W[out, k] = scale * integer, |integer| <= 127.
#pragma once
#include <span>

#include "engines/cpu/buffer.h"
#include "engines/cpu/kernels.h"

namespace visavis::cpu {

enum class Format { kF32, kBf16, kInt8 };

constexpr int inputs_together(Format format) { return format == Format::kF32 ? 1 : format == Format::kBf16 ? 2 : 4; }

// The format itself; in place of bytes bfloat16 where the kernels have it, else float32.
inline Format finer(const Kernels& kernels, Format format) {
    if (format != Format::kInt8) return format;
    return kernels.gemm_bf16 ? Format::kBf16 : Format::kF32;
}

std::uint16_t to_bf16(float x);  // nearest, halves to even; x is finite

class PackedMatrix {
  public:
    PackedMatrix() = default;
    PackedMatrix(const Kernels& kernels, Format format, int n_out, int n_in);  // zeros
    PackedMatrix(const Kernels& kernels, Format format, std::span<const float> row_major, int n_out, int n_in);

    // One value, in the format of the matrix: of floats or halves.
    void set(int out, int in, float value) { floats_.data()[offset(out, in)] = value; }
    void set(int out, int in, std::uint16_t value) { halves_.data()[offset(out, in)] = value; }

    Format format() const { return format_; }
    int n_out() const { return n_out_; }
    int n_in() const { return n_in_; }
    int panel() const { return panel_; }
    int padded_out() const { return (n_out_ + panel_ - 1) / panel_ * panel_; }
    float* floats() { return floats_.data(); }
    std::uint16_t* halves() { return halves_.data(); }
    const float* floats() const { return floats_.data(); }
    const std::uint16_t* halves() const { return halves_.data(); }
    const std::int8_t* bytes() const { return bytes_.data(); }
    const float* scales() const { return scales_.data(); }     // (padded_out), of bytes
    const std::int32_t* sums() const { return sums_.data(); }  // (padded_out), of the bytes of an output
    std::ptrdiff_t panel_stride() const { return static_cast<std::ptrdiff_t>(padded_in()) * panel_; }
    // Where the value of an output and an input lies.
    std::ptrdiff_t offset(int out, int in) const {
        const int group = inputs_together(format_);
        const std::ptrdiff_t panel = static_cast<std::ptrdiff_t>(out / panel_) * padded_in();
        return (panel + in - in % group) * panel_ + out % panel_ * group + in % group;
    }

  private:
    int padded_in() const {
        const int group = inputs_together(format_);
        return (n_in_ + group - 1) / group * group;
    }
    void set_row(int out, const float* values);
    void set_bytes(int out, const float* values);

    Format format_ = Format::kF32;
    int n_out_ = 0, n_in_ = 0, panel_ = 1;
    Buffer floats_;  // one of the three
    Halves halves_;
    Array<std::int8_t> bytes_;
    Buffer scales_;
    Array<std::int32_t> sums_;
};

struct Linear {
    PackedMatrix weight;
    Buffer bias;  // padded to whole panels

    Linear() = default;
    Linear(const Kernels& kernels, Format format, std::span<const float> weight, std::span<const float> bias, int n_out,
           int n_in);
};

}  // namespace visavis::cpu
