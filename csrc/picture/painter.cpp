#include "picture/painter.h"

#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "error.h"

namespace visavis {
namespace {

constexpr int kShadowSize = 640;
constexpr float kSceneRadius = 0.24F;  // metres round the head that cast shadows
constexpr float kPi = std::numbers::pi_v<float>;

struct Lamp {
    Vec3 towards;  // unit
    Vec3 colour;
    float size;  // added to the roughness: a large lamp has soft highlights
};

// A portrait: a warm key from the upper left of the picture, a cool fill, a rim light from behind.
const std::array<Lamp, 3> kLamps = {Lamp{unit({-0.62F, 0.62F, 0.95F}), {2.75F, 2.55F, 2.30F}, 0.16F},
                                    Lamp{unit({0.95F, 0.10F, 0.60F}), {0.50F, 0.56F, 0.66F}, 0.35F},
                                    Lamp{unit({0.70F, 0.55F, -0.85F}), {2.10F, 2.25F, 2.60F}, 0.25F}};

// The room's light from a direction: a bright ceiling, a darker floor, a large soft window before the face.
Vec3 room(Vec3 direction) {
    const float up = 0.5F + 0.5F * direction.y;
    const Vec3 wall = mix({0.16F, 0.14F, 0.13F}, {0.50F, 0.53F, 0.58F}, up);
    // The window is a rectangle seen from the face; only clear coats are sharp enough to show it.
    const Vec3 middle = unit({-0.42F, 0.50F, 0.80F}), right = unit(cross({0, 1, 0}, middle)),
               top = cross(middle, right);
    const float across = std::abs(dot(direction, right)), along = std::abs(dot(direction, top));
    const bool before = dot(direction, middle) > 0;
    const float window = before ? clamp01((0.26F - across) * 14.0F) * clamp01((0.34F - along) * 14.0F) : 0.0F;
    return wall + Vec3{30.0F, 30.0F, 29.0F} * window;
}

Vec3 room_diffuse(Vec3 normal) {
    const Vec3 wall = mix({0.20F, 0.17F, 0.155F}, {0.50F, 0.53F, 0.58F}, 0.5F + 0.5F * normal.y);
    return wall * (0.85F + 0.15F * normal.z);
}

// (1 - v) to the fifth, after Schlick.
float grazing(float v) {
    const float rest = clamp01(1 - v), square = rest * rest;
    return square * square * rest;
}

// GGX highlight times the cosine of the lamp.
float highlight(Vec3 normal, Vec3 towards_eye, Vec3 towards_lamp, float roughness, float specular) {
    const float n_l = dot(normal, towards_lamp), n_v = std::max(dot(normal, towards_eye), 1e-3F);
    if (n_l <= 0) return 0;
    const Vec3 half = unit(towards_eye + towards_lamp);
    const float n_h = std::max(dot(normal, half), 0.0F), v_h = std::max(dot(towards_eye, half), 0.0F);
    const float alpha2 = roughness * roughness * roughness * roughness;
    const float d = n_h * n_h * (alpha2 - 1) + 1;
    const float k = (roughness + 1) * (roughness + 1) / 8;
    const float shape = alpha2 / (kPi * d * d) / (4 * (n_l * (1 - k) + k) * (n_v * (1 - k) + k));
    return shape * (specular + (1 - specular) * grazing(v_h)) * n_l;
}

// Cosine that reaches round the edge by `reach`, each colour its own way.
float wrapped(float n_l, float reach) {
    const float v = clamp01((n_l + reach) / (1 + reach));
    return v * (reach > 0 ? (0.5F + 0.5F * v) : 1.0F);
}

// The film curve of Narkowicz (2015), then sRGB.
std::uint8_t developed(float v) {
    v *= 0.80F;
    v = clamp01(v * (2.51F * v + 0.03F) / (v * (2.43F * v + 0.59F) + 0.14F));
    v = v <= 0.0031308F ? 12.92F * v : 1.055F * std::pow(v, 1 / 2.4F) - 0.055F;
    return static_cast<std::uint8_t>(v * 255.0F + 0.5F);
}

Vec3 backdrop(float x, float y) {
    const float r = (x - 0.5F) * (x - 0.5F) * 1.3F + (y - 0.42F) * (y - 0.42F);
    return mix({0.135F, 0.15F, 0.175F}, {0.020F, 0.023F, 0.030F}, clamp01(r * 2.1F));
}

Vec3 weighted(std::span<const float> values, const std::uint32_t* corners, const Sample& s) {
    return load(&values[std::size_t{3} * corners[0]]) * s.a + load(&values[std::size_t{3} * corners[1]]) * s.b +
           load(&values[std::size_t{3} * corners[2]]) * s.c;
}

}  // namespace

Painter::Painter(int width, int height, int samples_per_side, std::vector<Material> materials)
    : width_(width),
      height_(height),
      samples_per_side_(samples_per_side),
      materials_(std::move(materials)),
      image_(width * samples_per_side, height * samples_per_side, false),
      shadow_(kShadowSize, kShadowSize, true) {}

void Painter::check(std::span<const Surface> surfaces, std::span<const std::uint8_t> rgb) const {
    const auto refuse = [](const std::string& what) { throw Error(Status::kInvalidArgument, "picture: " + what); };
    if (rgb.size() != std::size_t{3} * static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_))
        refuse("buffer of " + std::to_string(rgb.size()) + " bytes; expected height x width x 3");
    for (const Surface& surface : surfaces) {
        const std::size_t n = surface.positions.size() / 3;
        if (surface.material >= materials_.size())
            refuse("material " + std::to_string(surface.material) + " of " + std::to_string(materials_.size()));
        if (surface.positions.size() != 3 * n || surface.normals.size() != 3 * n || surface.uvs.size() != 2 * n ||
            surface.triangles.size() % 3 != 0)
            refuse("positions, normals and uvs of different lengths; expected (V, 3), (V, 3), (V, 2), (T, 3)");
        for (const std::uint32_t corner : surface.triangles)
            if (corner >= n)
                refuse("triangle corner " + std::to_string(corner) + " of " + std::to_string(n) + " vertices");
    }
}

void Painter::paint(std::span<const Surface> surfaces, const Camera& camera, std::span<std::uint8_t> rgb) {
    check(surfaces, rgb);
    image_.clear();
    shadow_.clear();
    const Projection view = Projection::perspective(camera, image_.width(), image_.height());
    shadow_view_ = Projection::parallel(kLamps[0].towards, camera.target, kSceneRadius, kShadowSize);
    for (std::size_t i = 0; i < surfaces.size(); ++i) {
        const Material& material = materials_[surfaces[i].material];
        image_.draw(static_cast<std::int32_t>(i), surfaces[i], material, view);
        if (material.alpha_cutoff == 0) shadow_.draw(static_cast<std::int32_t>(i), surfaces[i], material, shadow_view_);
    }
    for (int y = 0; y < height_; ++y)
        for (int x = 0; x < width_; ++x) {
            const Vec3 light = pixel(surfaces, camera.eye, x, y);
            std::uint8_t* out = &rgb[std::size_t{3} * (static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) +
                                                       static_cast<std::size_t>(x))];
            out[0] = developed(light.x);
            out[1] = developed(light.y);
            out[2] = developed(light.z);
        }
}

// The mean of a pixel's samples.  Each surface in it is lit once, at its first sample.
Vec3 Painter::pixel(std::span<const Surface> surfaces, Vec3 eye, int x, int y) const {
    const int n = samples_per_side_;
    std::array<std::int32_t, 16> seen{};
    std::array<Vec3, 16> light{};
    std::size_t n_seen = 0;
    Vec3 sum{};
    for (int i = 0; i < n * n; ++i) {
        const int sx = x * n + i % n, sy = y * n + i / n;
        const Sample& sample = image_.at(sx, sy);
        std::size_t found = 0;
        while (found < n_seen && seen[found] != sample.surface) ++found;
        if (found == n_seen) {
            seen[n_seen] = sample.surface;
            Vec3 c = sample.surface < 0 ? backdrop(static_cast<float>(sx) / static_cast<float>(image_.width()),
                                                   static_cast<float>(sy) / static_cast<float>(image_.height()))
                                        : shade(surfaces[static_cast<std::size_t>(sample.surface)], sample, eye);
            light[n_seen++] = {std::min(c.x, 4.0F), std::min(c.y, 4.0F), std::min(c.z, 4.0F)};
        }
        sum = sum + light[found];
    }
    return sum * (1.0F / static_cast<float>(n * n));
}

// How much of the key lamp reaches a place, 0 to 1: the mean over a few samples of the shadow map round it.
float Painter::lit_share(Vec3 position, Vec3 normal) const {
    const Projection::Point p = shadow_view_(position + normal * 0.0015F);
    float lit = 0;
    for (int dy = -2; dy <= 2; dy += 2)
        for (int dx = -2; dx <= 2; dx += 2) {
            const int x = static_cast<int>(p.x) + dx, y = static_cast<int>(p.y) + dy;
            const bool inside = x >= 0 && y >= 0 && x < kShadowSize && y < kShadowSize;
            lit += !inside || shadow_.depth(x, y) > p.depth - 0.0020F ? 1.0F : 0.0F;
        }
    return lit / 9.0F;
}

Vec3 Painter::shade(const Surface& surface, const Sample& sample, Vec3 eye) const {
    const Material& material = materials_[surface.material];
    const std::uint32_t* corners = &surface.triangles[std::size_t{3} * sample.triangle];
    const float* uv = surface.uvs.data();
    const float u = sample.a * uv[2 * corners[0]] + sample.b * uv[2 * corners[1]] + sample.c * uv[2 * corners[2]];
    const float v =
        sample.a * uv[2 * corners[0] + 1] + sample.b * uv[2 * corners[1] + 1] + sample.c * uv[2 * corners[2] + 1];
    const Vec3 position = weighted(surface.positions, corners, sample);
    const Vec3 towards_eye = unit(eye - position);
    Vec3 normal = unit(weighted(surface.normals, corners, sample));
    if (dot(normal, towards_eye) < 0 && material.two_sided) normal = normal * -1.0F;
    const Vec3 colour = material.colour * sample_texture(material.colour_map, u, v, true);
    const Vec3 maps = sample_texture(material.surface_map, u, v, false);
    const float open = material.surface_map.texels.empty() ? 1.0F : maps.x;
    const float roughness =
        std::clamp(material.roughness * (material.surface_map.texels.empty() ? 1 : maps.y), 0.05F, 1.0F);

    Vec3 diffuse = room_diffuse(normal) * open, shine{};
    for (std::size_t i = 0; i < kLamps.size(); ++i) {
        const Lamp& lamp = kLamps[i];
        const float n_l = dot(normal, lamp.towards);
        const float lit = i == 0 ? lit_share(position, normal) * (0.35F + 0.65F * open) : clamp01(1.2F * open);
        const float s = material.scattering;
        const Vec3 soft{lit + 0.30F * s * (std::sqrt(lit) - lit), lit, lit};  // red light goes deeper
        diffuse = diffuse +
                  lamp.colour * soft * Vec3{wrapped(n_l, 0.30F * s), wrapped(n_l, 0.17F * s), wrapped(n_l, 0.10F * s)};
        const float size = lamp.size * (1 - 0.7F * material.mirror);
        const float rough = std::min(1.0F, std::sqrt(roughness * roughness + size * size));
        float bright = highlight(normal, towards_eye, lamp.towards, rough, material.specular);
        if (s > 0)  // skin has an oily film over a rough one
            bright = 0.75F * bright + 0.25F * highlight(normal, towards_eye, lamp.towards,
                                                        std::min(1.0F, rough * 0.62F), material.specular);
        shine = shine + lamp.colour * (bright * lit);
    }
    const float n_v = clamp01(dot(normal, towards_eye));
    const Vec3 mirrored = normal * (2 * dot(normal, towards_eye)) - towards_eye;
    const float fresnel = material.specular + (1 - material.specular) * grazing(n_v);
    shine = shine + room_diffuse(mirrored) * (fresnel * open * (1 - 0.8F * roughness));
    if (material.mirror > 0) shine = shine + room(mirrored) * (material.mirror * fresnel);
    return colour * diffuse * (1.0F / kPi) * 1.35F + shine;
}

}  // namespace visavis
