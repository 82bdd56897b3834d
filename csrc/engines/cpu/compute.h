// What a thread computes with: the kernels, the memory that products convert their inputs into, and, where turns are
// shared, the crew that shares the work.
#pragma once
#include <vector>

#include "engines/cpu/crew.h"
#include "engines/cpu/matrix.h"

namespace visavis::cpu {

// Row-major views of activations; `stride` floats from one row to the next.
struct Rows {
    float* data = nullptr;
    int rows = 0;
    std::ptrdiff_t stride = 0;

    float* row(int i) const { return data + i * stride; }
};
// Rows may overlap (stride below their width), and may lie in groups: `group` rows, then the next ones group_stride
// floats after the first of these (group 0: all rows are one).
struct ConstRows {
    const float* data = nullptr;
    std::ptrdiff_t stride = 0;
    int group = 0;
    std::ptrdiff_t group_stride = 0;

    ConstRows(const float* values, std::ptrdiff_t row_stride, int rows_of_group = 0, std::ptrdiff_t stride_of_group = 0)
        : data(values), stride(row_stride), group(rows_of_group), group_stride(stride_of_group) {}
    ConstRows(const Rows& rows) : data(rows.data), stride(rows.stride) {}  // NOLINT: a view of the same rows
    const float* row(int i) const {
        return group == 0 ? data + i * stride : data + i / group * group_stride + i % group * stride;
    }
};

class Compute {
  public:
    // crew: the threads that share the products of this one and what share() is given; null: none.
    explicit Compute(const Kernels& kernels, Crew* crew = nullptr);

    const Kernels& kernels() const { return *kernels_; }
    const Kernels* operator->() const { return kernels_; }
    // Products of so many rows and inputs will come: allocates what they need.
    void reserve(int rows, int n_in);

    // y = epilogue(x W^T + bias).
    void apply(const Linear& linear, ConstRows x, Rows y, const Epilogue& epilogue = {});
    // y = x W^T with only the first n_out outputs and n_in inputs of W (a cache that is not yet full).
    void multiply(const PackedMatrix& weight, int n_out, int n_in, ConstRows x, Rows y);
    // Each row to bfloat16, an odd one with a 0 more, `stride` values from one to the next; valid until the next call.
    struct Halved {
        const std::uint16_t* data;
        std::ptrdiff_t stride;
    };
    Halved convert(ConstRows x, int rows, int n);

    // Threads that share() hands its tasks to, and what each of them computes with inside a task.
    int n_workers() const { return crew_ ? crew_->size() : 1; }
    Compute& own(int worker) { return crew_ ? helpers_[static_cast<std::size_t>(worker)] : *this; }
    // work(worker, task) for tasks 0 .. n-1, in any order and on any thread; returns when all are done.
    template <class Work>
    void share(int n_tasks, const Work& work) {
        if (crew_ && n_tasks > 1) {
            crew_->run(n_tasks, work);
        } else {
            for (int task = 0; task < n_tasks; ++task) work(0, task);
        }
    }
    // work(begin, end) for parts of so many rows, each of which takes some `cost` operations.
    template <class Work>
    void share_rows(int rows, int cost, const Work& work) {
        constexpr int kTask = 1 << 15;  // operations: some microseconds
        const int at_once = !crew_ ? rows : kTask / cost + 1;
        share((rows + at_once - 1) / at_once,
              [&](int, int task) { work(task * at_once, std::min(rows, (task + 1) * at_once)); });
    }

  private:
    // An input in the format of a matrix.
    struct Bytes {
        const std::uint8_t* data;
        std::ptrdiff_t stride;
    };
    Bytes to_bytes(ConstRows x, int rows, int n);
    void product(const PackedMatrix& weight, const GemmArgs<float>& args, ConstRows x);
    void product_of_floats(GemmArgs<float> args, ConstRows x);
    template <class Weight>
    void run(void (*gemm)(const GemmArgs<Weight>&), const GemmArgs<Weight>& args);

    const Kernels* kernels_;
    Crew* crew_;
    std::vector<Compute> helpers_;
    Halves halves_;
    Array<std::uint8_t> bytes_;
    Array<ByteScale> byte_scales_;
};

}  // namespace visavis::cpu
