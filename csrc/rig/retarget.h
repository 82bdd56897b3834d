// flame56 to arkit55: per frame the ARKit weights in [0, 1] whose image under a matrix comes nearest to FLAME's
// expression and jaw, and head angles from the neck.  docs/retarget.md has the formula and where matrices come from.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "rig/box_solver.h"

namespace visavis {

inline constexpr std::size_t kRetargetShapes = 51;    // ARKit's without tongueOut, in the order of arkit55
inline constexpr std::size_t kRetargetColumns = 103;  // FLAME's 100 expression coefficients, then jaw X, Y, Z
inline constexpr std::size_t kFlameWidth = 56;        // expression 50, jaw 3, neck 3
inline constexpr std::size_t kArkitWidth = 55;

struct RetargetOptions {
    double jaw_weight = 10;  // of a jaw radian against an expression unit, before it is squared
    double symmetry = 0.02;  // cost of (left - right)^2 of a pair, as a share of the mean diagonal of A'A
    double l2 = 0.002;       // cost of w^2, the same
};

// Yaw, pitch and roll of a rotation vector, R = Ry(yaw) Rx(pitch) Rz(roll).
std::array<double, 3> yxz_of_rotation_vector(std::span<const double, 3> vector);

class Retarget {
  public:
    // `matrix` (51, 103): arkit weights times it give FLAME coefficients; expression columns 0-49 and the jaw are used.
    // Throws Error(kInvalidArgument) for a wrong size, values that are not finite, costs out of range.
    Retarget(std::span<const float> matrix, const RetargetOptions& options);

    // One frame: (56) to (55).  A value that is not finite counts as 0.  Warm-started from the frame before.
    void process(std::span<const float> flame, std::span<float> arkit);
    void reset() { solver_.reset(); }
    std::int64_t n_factorisations() const { return solver_.n_factorisations(); }

    // The least-squares problem that is solved, for tests: rows of (53 + symmetric pairs + 51, 51).
    const std::vector<double>& rows() const { return rows_; }

  private:
    static constexpr std::size_t kObservations = 53;
    std::vector<double> rows_;
    BoxSolver solver_;
    double jaw_weight_;
    std::array<double, kRetargetShapes> g_{}, w_{};
};

}  // namespace visavis
