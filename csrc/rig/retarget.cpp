#include "rig/retarget.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "error.h"

namespace visavis {
namespace {

constexpr std::size_t kN = kRetargetShapes;
constexpr std::size_t kExpression = 50, kJawColumn = 100;

// Shapes of arkit55, by place, that usually move together: left and right of the eyes, the mouth and the upper face,
// and gaze to one side (one eye looks in, the other out).  jawLeft and jawRight, mouthLeft and mouthRight are
// directions.
constexpr std::pair<std::size_t, std::size_t> kPairs[] = {{0, 7},   {1, 8},   {2, 10},  {3, 9},   {4, 11},  {5, 12},
                                                          {6, 13},  {23, 24}, {25, 26}, {27, 28}, {29, 30}, {35, 36},
                                                          {37, 38}, {39, 40}, {41, 42}, {44, 45}, {47, 48}, {49, 50}};

void check_cost(const char* name, double value, double low, double high) {
    if (value >= low && value <= high) return;  // false for NaN
    throw Error(Status::kInvalidArgument, std::string("retarget: ") + name + " is " + std::to_string(value) +
                                              "; expected " + std::to_string(low) + " to " + std::to_string(high));
}

void check(std::span<const float> matrix, const RetargetOptions& options) {
    if (matrix.size() != kN * kRetargetColumns)
        throw Error(Status::kInvalidArgument, "retarget matrix: " + std::to_string(matrix.size()) +
                                                  " values; expected 51 x 103 (ARKit shapes by FLAME coefficients)");
    const auto wrong = std::ranges::find_if(matrix, [](float value) { return !std::isfinite(value); });
    if (wrong != matrix.end()) {
        const auto place = static_cast<std::size_t>(wrong - matrix.begin());
        throw Error(Status::kInvalidArgument, "retarget matrix: row " + std::to_string(place / kRetargetColumns) +
                                                  ", column " + std::to_string(place % kRetargetColumns) + " is " +
                                                  std::to_string(*wrong) + "; expected finite numbers");
    }
    check_cost("jaw_weight", options.jaw_weight, 0, 1e4);
    check_cost("symmetry", options.symmetry, 0, 1e4);
    check_cost("l2", options.l2, 1e-9, 1e4);
}

// The rows of min |rows w - (observations, 0)|^2: observations, symmetry, size.
std::vector<double> build_rows(std::span<const float> matrix, const RetargetOptions& options) {
    check(matrix, options);
    std::vector<double> rows(53 * kN);
    double energy = 0;
    for (std::size_t o = 0; o < 53; ++o)
        for (std::size_t i = 0; i < kN; ++i) {
            const bool jaw = o >= kExpression;
            const std::size_t column = jaw ? kJawColumn + o - kExpression : o;
            const double value = static_cast<double>(matrix[i * kRetargetColumns + column]);
            rows[o * kN + i] = value * (jaw ? options.jaw_weight : 1);
            energy += rows[o * kN + i] * rows[o * kN + i];
        }
    if (!(energy > 0))
        throw Error(Status::kInvalidArgument, "retarget matrix: columns 0-49 and 100-102 are all 0; expected a map");
    const double mean = energy / static_cast<double>(kN);
    for (const auto& [left, right] : kPairs) {
        const std::size_t at = rows.size();
        rows.resize(at + kN);
        rows[at + left] = std::sqrt(options.symmetry * mean);
        rows[at + right] = -rows[at + left];
    }
    for (std::size_t i = 0; i < kN; ++i) {
        const std::size_t at = rows.size();
        rows.resize(at + kN);
        rows[at + i] = std::sqrt(options.l2 * mean);
    }
    return rows;
}

std::vector<double> gram(const std::vector<double>& rows) {
    std::vector<double> H(kN * kN);
    for (std::size_t r = 0; r < rows.size(); r += kN)
        for (std::size_t i = 0; i < kN; ++i)
            for (std::size_t j = 0; j < kN; ++j) H[i * kN + j] += rows[r + i] * rows[r + j];
    return H;
}

double finite(float value) { return std::isfinite(value) ? static_cast<double>(value) : 0; }

}  // namespace

std::array<double, 3> yxz_of_rotation_vector(std::span<const double, 3> v) {
    const double angle = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    // R = I + a [v] + b [v]^2 with a = sin t / t, b = (1 - cos t) / t^2.
    const double half = angle / 2, sinc_half = angle > 1e-6 ? std::sin(half) / half : 1 - half * half / 6;
    const double a = angle > 1e-6 ? std::sin(angle) / angle : 1 - angle * angle / 6, b = 0.5 * sinc_half * sinc_half;
    const double x = v[0], y = v[1], z = v[2];
    const double r02 = a * y + b * x * z, r22 = 1 - b * (x * x + y * y), r12 = -a * x + b * y * z;
    const double r10 = a * z + b * x * y, r11 = 1 - b * (x * x + z * z);
    if (std::abs(r12) > 1 - 1e-12) {  // looking straight up or down: roll is free, take none
        const double r00 = 1 - b * (y * y + z * z), r20 = -a * y + b * x * z;
        return {std::atan2(-r20, r00), r12 < 0 ? std::numbers::pi / 2 : -std::numbers::pi / 2, 0};
    }
    return {std::atan2(r02, r22), std::asin(std::clamp(-r12, -1.0, 1.0)), std::atan2(r10, r11)};
}

Retarget::Retarget(std::span<const float> matrix, const RetargetOptions& options)
    : rows_(build_rows(matrix, options)), solver_(gram(rows_), kN), jaw_weight_(options.jaw_weight) {}

void Retarget::process(std::span<const float> flame, std::span<float> arkit) {
    if (flame.size() != kFlameWidth || arkit.size() != kArkitWidth)
        throw Error(Status::kInvalidArgument, "retarget: a frame of " + std::to_string(flame.size()) + " values into " +
                                                  std::to_string(arkit.size()) +
                                                  "; expected 56 (flame56) into 55 (arkit55)");
    g_.fill(0);
    for (std::size_t o = 0; o < kObservations; ++o) {
        const double seen = finite(flame[o]) * (o >= kExpression ? jaw_weight_ : 1);
        for (std::size_t i = 0; i < kN; ++i) g_[i] += rows_[o * kN + i] * seen;
    }
    solver_.solve(g_, w_);
    for (std::size_t i = 0; i < kN; ++i) arkit[i] = static_cast<float>(w_[i]);
    arkit[kN] = 0;  // tongueOut: FLAME has no tongue
    const std::array<double, 3> neck = {finite(flame[53]), finite(flame[54]), finite(flame[55])};
    const auto angles = yxz_of_rotation_vector(neck);
    for (std::size_t i = 0; i < 3; ++i) arkit[kN + 1 + i] = static_cast<float>(angles[i]);
}

}  // namespace visavis
