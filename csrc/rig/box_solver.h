// Bounded least squares: the w in [0, 1]^n that makes w'Hw / 2 - g'w smallest, H symmetric and positive definite.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace visavis {

// Active sets by block principal pivoting (Judice & Pires 1994), warm-started with the sets of the last call: frames
// follow each other, so most need one or two factorisations, often none.  Exact up to rounding.  No allocation in
// solve.
class BoxSolver {
  public:
    // H (n, n), row after row.  Throws Error(kInvalidArgument) if it is not positive definite.
    BoxSolver(std::span<const double> H, std::size_t n);

    void solve(std::span<const double> g, std::span<double> w);  // (n), (n)
    void reset();                                                // forget the sets
    std::int64_t n_factorisations() const { return n_factorisations_; }

  private:
    enum class Set : std::uint8_t { kFree, kZero, kOne };
    bool factor();
    void solve_free(std::span<const double> g, std::span<double> w);
    Set belongs(std::size_t i, std::span<const double> g, std::span<const double> w) const;
    std::size_t count_misplaced(std::span<const double> g, std::span<const double> w);

    std::size_t n_;
    std::vector<double> H_;             // (n, n)
    std::vector<Set> sets_, wanted_;    // (n)
    std::vector<std::size_t> free_;     // indices of the free weights
    std::vector<double> L_, diagonal_;  // Cholesky factor of H over the free weights, columns after each other
    std::vector<double> x_;             // (n)
    bool factored_ = false;
    std::int64_t n_factorisations_ = 0;
};

}  // namespace visavis
