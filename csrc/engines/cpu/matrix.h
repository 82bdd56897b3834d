// Matrices as the GEMM takes them, and the linear layers made of them.
//
// A matrix W (n_out, n_in) lies in panels of P = Kernels::panel rows of W: panel p holds, for each input k, the values
// W[pP..pP+P, k]; the last panel is filled up with zeros.
#pragma once
#include <span>

#include "engines/cpu/buffer.h"
#include "engines/cpu/kernels.h"

namespace visavis::cpu {

// Row-major views of activations; `stride` floats from one row to the next.
struct Rows {
    float* data = nullptr;
    int rows = 0;
    std::ptrdiff_t stride = 0;

    float* row(int i) const { return data + i * stride; }
};
struct ConstRows {
    const float* data = nullptr;
    std::ptrdiff_t stride = 0;

    ConstRows(const float* values, std::ptrdiff_t row_stride) : data(values), stride(row_stride) {}
    ConstRows(const Rows& rows) : data(rows.data), stride(rows.stride) {}  // NOLINT: a view of the same rows
};

class PackedMatrix {
  public:
    PackedMatrix() = default;
    PackedMatrix(const Kernels& kernels, int n_out, int n_in);  // zeros
    PackedMatrix(const Kernels& kernels, std::span<const float> row_major, int n_out, int n_in);

    void set(int out, int in, float value) { panels_.data()[offset(out, in)] = value; }
    // Sets W[out .. out+n, in] from values: a run across outputs.
    void set_outputs(int out, int n, int in, const float* values);

    int n_out() const { return n_out_; }
    int n_in() const { return n_in_; }
    int padded_out() const { return (n_out_ + panel_ - 1) / panel_ * panel_; }
    const float* panels() const { return panels_.data(); }
    std::ptrdiff_t panel_stride() const { return static_cast<std::ptrdiff_t>(n_in_) * panel_; }

  private:
    std::ptrdiff_t offset(int out, int in) const {
        return (static_cast<std::ptrdiff_t>(out / panel_) * n_in_ + in) * panel_ + out % panel_;
    }
    int n_out_ = 0, n_in_ = 0, panel_ = 1;
    Buffer panels_;
};

struct Linear {
    PackedMatrix weight;
    Buffer bias;  // padded to whole panels; empty: none

    Linear() = default;
    Linear(const Kernels& kernels, std::span<const float> weight, std::span<const float> bias, int n_out, int n_in);
};

enum class Store { kOverwrite, kAdd };

// y = x W^T + bias, or y += that, for each row of y; the rows of x may overlap (stride < n_in).
void apply(const Kernels& kernels, const Linear& linear, ConstRows x, Rows y, Store store = Store::kOverwrite);
// y = x W^T with only the first n_out outputs and n_in inputs of W (a cache that is not yet full).
void multiply(const Kernels& kernels, const PackedMatrix& weight, int n_out, int n_in, ConstRows x, Rows y);

}  // namespace visavis::cpu
