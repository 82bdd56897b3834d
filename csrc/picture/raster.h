// Which triangle each sample of an image sees: the first pass of a picture, and the whole of a shadow map.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "picture/scene.h"

namespace visavis {

// From the world to samples: x, y in samples, z the depth (smaller is nearer), w the divisor of perspective.
class Projection {
  public:
    static Projection perspective(const Camera& camera, int width, int height);
    static Projection parallel(Vec3 towards_lamp, Vec3 centre, float radius, int size);

    struct Point {
        float x, y, depth, inverse_w;
    };
    Point operator()(Vec3 p) const;

  private:
    Vec3 right_, up_, back_, origin_;
    float scale_ = 1, half_width_ = 0, half_height_ = 0;
    bool perspective_ = false;
};

struct Sample {
    std::int32_t surface = -1;
    std::uint32_t triangle = 0;
    float a = 0, b = 0, c = 0;  // weights of the triangle's corners, right for attributes in perspective
};

class Raster {
  public:
    // `depth_only`: `at` is not to be asked.
    Raster(int width, int height, bool depth_only);
    void clear();
    void draw(std::int32_t index, const Surface& surface, const Material& material, const Projection& projection);

    int width() const { return width_; }
    int height() const { return height_; }
    const Sample& at(int x, int y) const { return samples_[index(x, y)]; }
    float depth(int x, int y) const { return depths_[index(x, y)]; }

  private:
    std::size_t index(int x, int y) const {
        return static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x);
    }
    void fill(const Surface& surface, const Material& material, std::uint32_t triangle, std::int32_t index);

    int width_, height_;
    std::vector<float> depths_;
    std::vector<Sample> samples_;
    std::vector<Projection::Point> points_;
};

// A texture between its texels, 0 to 1; u and v wrap.  `srgb`: the colours are made linear.  White without a texture.
Vec3 sample_texture(const Texture& texture, float u, float v, bool srgb);
float sample_alpha(const Texture& texture, float u, float v);

}  // namespace visavis
