// What is drawn: surfaces with materials, seen by a camera.  Metres, x to the character's left, y up, z out of the
// face.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "picture/vec.h"

namespace visavis {

// 8-bit texels, row by row from v = 0; `n_channels` 3 (colour) or 4 (colour and alpha).
struct Texture {
    int width = 0, height = 0, n_channels = 0;
    std::vector<std::uint8_t> texels;
};

struct Material {
    Vec3 colour{1, 1, 1};  // linear; times the texture's
    float roughness = 0.6F;
    float specular = 0.04F;  // reflectance seen straight on
    float scattering = 0;    // 1: skin, where light goes round the edges and reddens them
    float mirror = 0;        // 1: a wet clear coat that reflects the lamps and the room
    float alpha_cutoff = 0;  // texels below are holes
    bool two_sided = false;
    Texture colour_map;   // sRGB
    Texture surface_map;  // linear: red occlusion of the room's light, green times roughness
};

struct Surface {
    std::size_t material = 0;
    std::span<const float> positions, normals;  // (V, 3)
    std::span<const float> uvs;                 // (V, 2)
    std::span<const std::uint32_t> triangles;   // (T, 3), counter-clockwise from outside
};

struct Camera {
    Vec3 eye{0, 0, 1}, target{};
    float field_of_view = 0.4F;  // radians, vertical
};

}  // namespace visavis
