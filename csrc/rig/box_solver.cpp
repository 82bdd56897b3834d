#include "rig/box_solver.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "error.h"

namespace visavis {
namespace {

constexpr double kTolerance = 1e-9;  // of weights and gradients: ties do not pivot for ever
constexpr int kPatience = 4;         // block pivots that may fail to help before single ones
constexpr int kMostPivots = 2000;    // far beyond what 51 weights take

}  // namespace

BoxSolver::BoxSolver(std::span<const double> H, std::size_t n)
    : n_(n), H_(H.begin(), H.end()), sets_(n, Set::kFree), wanted_(n), L_(n * n), diagonal_(n), x_(n) {
    free_.reserve(n);
    if (!factor())
        throw Error(Status::kInvalidArgument, "bounded least squares: the matrix of " + std::to_string(n) +
                                                  " weights is not positive definite; expected l2 above 0");
    reset();
}

void BoxSolver::reset() {
    std::ranges::fill(sets_, Set::kZero);
    factored_ = false;
}

// Cholesky factor of H over the free weights; false where it has none.
bool BoxSolver::factor() {
    free_.clear();
    for (std::size_t i = 0; i < n_; ++i)
        if (sets_[i] == Set::kFree) free_.push_back(i);
    const std::size_t m = free_.size();
    for (std::size_t j = 0; j < m; ++j)
        for (std::size_t i = j; i < m; ++i) L_[j * n_ + i] = H_[free_[j] * n_ + free_[i]];
    for (std::size_t k = 0; k < m; ++k) {
        double* column = &L_[k * n_];
        if (!(column[k] > 0)) return false;
        diagonal_[k] = 1 / std::sqrt(column[k]);
        for (std::size_t i = k; i < m; ++i) column[i] *= diagonal_[k];
        for (std::size_t j = k + 1; j < m; ++j) {
            double* other = &L_[j * n_];
            const double factor = column[j];
            for (std::size_t i = j; i < m; ++i) other[i] -= factor * column[i];
        }
    }
    ++n_factorisations_;
    factored_ = true;
    return true;
}

// The free weights, given the bound ones.
void BoxSolver::solve_free(std::span<const double> g, std::span<double> w) {
    if (!factored_) factor();
    const std::size_t m = free_.size();
    for (std::size_t i = 0; i < n_; ++i) w[i] = sets_[i] == Set::kOne ? 1 : 0;
    for (std::size_t a = 0; a < m; ++a) x_[a] = g[free_[a]];
    for (std::size_t i = 0; i < n_; ++i)
        if (sets_[i] == Set::kOne)
            for (std::size_t a = 0; a < m; ++a) x_[a] -= H_[i * n_ + free_[a]];
    for (std::size_t k = 0; k < m; ++k) {  // L y = x
        const double* column = &L_[k * n_];
        x_[k] *= diagonal_[k];
        for (std::size_t i = k + 1; i < m; ++i) x_[i] -= column[i] * x_[k];
    }
    for (std::size_t k = m; k-- > 0;) {  // L' w = y
        const double* column = &L_[k * n_];
        double sum = x_[k];
        for (std::size_t i = k + 1; i < m; ++i) sum -= column[i] * x_[i];
        x_[k] = sum * diagonal_[k];
    }
    for (std::size_t a = 0; a < m; ++a) w[free_[a]] = x_[a];
}

// The set that weight i asks for: a free one outside its bounds wants to be bound, a bound one whose gradient points
// inwards wants to be free.
BoxSolver::Set BoxSolver::belongs(std::size_t i, std::span<const double> g, std::span<const double> w) const {
    if (sets_[i] == Set::kFree) return w[i] < -kTolerance ? Set::kZero : w[i] > 1 + kTolerance ? Set::kOne : Set::kFree;
    double gradient = -g[i];
    for (std::size_t j = 0; j < n_; ++j) gradient += H_[i * n_ + j] * w[j];
    const double slack = kTolerance * H_[i * n_ + i];
    if (sets_[i] == Set::kZero) return gradient < -slack ? Set::kFree : Set::kZero;
    return gradient > slack ? Set::kFree : Set::kOne;
}

std::size_t BoxSolver::count_misplaced(std::span<const double> g, std::span<const double> w) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < n_; ++i) {
        wanted_[i] = belongs(i, g, w);
        n += wanted_[i] != sets_[i];
    }
    return n;
}

void BoxSolver::solve(std::span<const double> g, std::span<double> w) {
    std::size_t fewest = n_ + 1;
    int patience = kPatience;
    for (int pivot = 0; pivot < kMostPivots; ++pivot) {
        solve_free(g, w);
        const std::size_t n_misplaced = count_misplaced(g, w);
        if (n_misplaced == 0) break;
        factored_ = false;
        if (n_misplaced < fewest) {
            fewest = n_misplaced;
            patience = kPatience;
        } else {
            --patience;
        }
        if (patience > 0) {
            sets_ = wanted_;
        } else {  // one at a time, the last first: this ends (Murty 1974)
            std::size_t last = n_;
            while (wanted_[last - 1] == sets_[last - 1]) --last;
            sets_[last - 1] = wanted_[last - 1];
        }
    }
    for (double& weight : w) weight = std::clamp(weight, 0.0, 1.0);
}

}  // namespace visavis
