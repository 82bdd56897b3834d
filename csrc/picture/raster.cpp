#include "picture/raster.h"

#include <array>
#include <cmath>

namespace visavis {
namespace {

constexpr float kFarthest = 1e30F;
constexpr float kNearest = 0.01F;  // metres before the camera; nearer triangles are left out

float srgb_to_linear(float v) { return v <= 0.04045F ? v / 12.92F : std::pow((v + 0.055F) / 1.055F, 2.4F); }

const std::array<float, 256>& linear_of_byte() {
    static const std::array<float, 256> table = [] {
        std::array<float, 256> values{};
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = srgb_to_linear(static_cast<float>(i) / 255.0F);
        return values;
    }();
    return table;
}

int wrap(int i, int n) { return i >= 0 && i < n ? i : ((i % n) + n) % n; }

// Calls `add(texel, weight)` for the four texels round a place.
template <typename Add>
void blend(const Texture& texture, float u, float v, const Add& add) {
    const float x = u * static_cast<float>(texture.width) - 0.5F, y = v * static_cast<float>(texture.height) - 0.5F;
    const float x0 = std::floor(x), y0 = std::floor(y), fx = x - x0, fy = y - y0;
    const int left = wrap(static_cast<int>(x0), texture.width), right = wrap(left + 1, texture.width);
    const int top = wrap(static_cast<int>(y0), texture.height), bottom = wrap(top + 1, texture.height);
    const auto texel = [&](int column, int row) {
        return &texture.texels[static_cast<std::size_t>(row * texture.width + column) *
                               static_cast<std::size_t>(texture.n_channels)];
    };
    add(texel(left, top), (1 - fx) * (1 - fy));
    add(texel(right, top), fx * (1 - fy));
    add(texel(left, bottom), (1 - fx) * fy);
    add(texel(right, bottom), fx * fy);
}

}  // namespace

Projection Projection::perspective(const Camera& camera, int width, int height) {
    Projection p;
    p.back_ = unit(camera.eye - camera.target);
    p.right_ = unit(cross({0, 1, 0}, p.back_));
    p.up_ = cross(p.back_, p.right_);
    p.origin_ = camera.eye;
    p.half_width_ = static_cast<float>(width) / 2;
    p.half_height_ = static_cast<float>(height) / 2;
    p.scale_ = p.half_height_ / std::tan(camera.field_of_view / 2);
    p.perspective_ = true;
    return p;
}

Projection Projection::parallel(Vec3 towards_lamp, Vec3 centre, float radius, int size) {
    Projection p;
    p.back_ = unit(towards_lamp);
    p.right_ = unit(cross({0, 1, 0}, p.back_));
    p.up_ = cross(p.back_, p.right_);
    p.origin_ = centre;
    p.half_width_ = p.half_height_ = static_cast<float>(size) / 2;
    p.scale_ = p.half_height_ / radius;
    return p;
}

Projection::Point Projection::operator()(Vec3 world) const {
    const Vec3 p = world - origin_;
    const float distance = -dot(p, back_);
    const float inverse_w = perspective_ ? 1.0F / std::max(distance, 1e-6F) : 1.0F;
    return {half_width_ + scale_ * dot(p, right_) * inverse_w, half_height_ - scale_ * dot(p, up_) * inverse_w,
            distance, perspective_ && distance < kNearest ? 0.0F : inverse_w};
}

Raster::Raster(int width, int height, bool depth_only)
    : width_(width),
      height_(height),
      depths_(static_cast<std::size_t>(width) * static_cast<std::size_t>(height)),
      samples_(depth_only ? 0 : depths_.size()) {}

void Raster::clear() {
    std::fill(depths_.begin(), depths_.end(), kFarthest);
    std::fill(samples_.begin(), samples_.end(), Sample{});
}

void Raster::draw(std::int32_t index, const Surface& surface, const Material& material, const Projection& projection) {
    const std::size_t n_points = surface.positions.size() / 3;
    points_.resize(n_points);
    for (std::size_t i = 0; i < n_points; ++i) points_[i] = projection(load(&surface.positions[3 * i]));
    const auto n_triangles = static_cast<std::uint32_t>(surface.triangles.size() / 3);
    for (std::uint32_t t = 0; t < n_triangles; ++t) fill(surface, material, t, index);
}

// Corners in samples, y down: a triangle that faces the camera has a negative area.
void Raster::fill(const Surface& surface, const Material& material, std::uint32_t triangle, std::int32_t index) {
    const std::uint32_t* corners = &surface.triangles[std::size_t{3} * triangle];
    const Projection::Point p = points_[corners[0]], q = points_[corners[1]], r = points_[corners[2]];
    if (p.inverse_w == 0 || q.inverse_w == 0 || r.inverse_w == 0) return;
    const float area = (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x);
    if (area == 0 || (area > 0 && !material.two_sided)) return;
    const int left = std::max(0, static_cast<int>(std::floor(std::min({p.x, q.x, r.x}) - 0.5F)));
    const int right = std::min(width_ - 1, static_cast<int>(std::ceil(std::max({p.x, q.x, r.x}) - 0.5F)));
    const int top = std::max(0, static_cast<int>(std::floor(std::min({p.y, q.y, r.y}) - 0.5F)));
    const int bottom = std::min(height_ - 1, static_cast<int>(std::ceil(std::max({p.y, q.y, r.y}) - 0.5F)));
    const float k = 1.0F / area;
    for (int y = top; y <= bottom; ++y) {
        const float sy = static_cast<float>(y) + 0.5F;
        for (int x = left; x <= right; ++x) {
            const float sx = static_cast<float>(x) + 0.5F;
            const float a = ((q.x - sx) * (r.y - sy) - (q.y - sy) * (r.x - sx)) * k;
            const float b = ((r.x - sx) * (p.y - sy) - (r.y - sy) * (p.x - sx)) * k;
            const float c = 1.0F - a - b;
            if (a < 0 || b < 0 || c < 0) continue;
            const float aw = a * p.inverse_w, bw = b * q.inverse_w, cw = c * r.inverse_w;
            const float w = 1.0F / (aw + bw + cw);
            const float depth = (aw * p.depth + bw * q.depth + cw * r.depth) * w;
            const std::size_t place = this->index(x, y);
            if (depth >= depths_[place]) continue;
            const Sample found{index, triangle, aw * w, bw * w, cw * w};
            if (material.alpha_cutoff > 0) {
                const float* uv = surface.uvs.data();
                const float u =
                    found.a * uv[2 * corners[0]] + found.b * uv[2 * corners[1]] + found.c * uv[2 * corners[2]];
                const float v = found.a * uv[2 * corners[0] + 1] + found.b * uv[2 * corners[1] + 1] +
                                found.c * uv[2 * corners[2] + 1];
                if (sample_alpha(material.colour_map, u, v) < material.alpha_cutoff) continue;
            }
            depths_[place] = depth;
            if (!samples_.empty()) samples_[place] = found;
        }
    }
}

Vec3 sample_texture(const Texture& texture, float u, float v, bool srgb) {
    if (texture.texels.empty()) return {1, 1, 1};
    float sum[3] = {0, 0, 0};
    blend(texture, u, v, [&](const std::uint8_t* texel, float weight) {
        for (int i = 0; i < 3; ++i)
            sum[i] += weight * (srgb ? linear_of_byte()[texel[i]] : static_cast<float>(texel[i]) / 255.0F);
    });
    return {sum[0], sum[1], sum[2]};
}

float sample_alpha(const Texture& texture, float u, float v) {
    if (texture.n_channels != 4) return 1;
    float sum = 0;
    blend(texture, u, v,
          [&](const std::uint8_t* texel, float weight) { sum += weight * static_cast<float>(texel[3]); });
    return sum / 255.0F;
}

}  // namespace visavis
