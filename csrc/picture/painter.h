// Pictures of a head without a graphics card: a studio with three lamps, drawn by the processor.
#pragma once
#include <span>
#include <vector>

#include "picture/raster.h"
#include "picture/scene.h"

namespace visavis {

class Painter {
  public:
    // `samples_per_side`: each pixel is the mean of its square, 1 to 4.  Throws Error(kInvalidArgument).
    Painter(int width, int height, int samples_per_side, std::vector<Material> materials);

    // (height, width, 3) 8-bit sRGB into `rgb`.  Throws Error(kInvalidArgument) for surfaces that do not fit together.
    void paint(std::span<const Surface> surfaces, const Camera& camera, std::span<std::uint8_t> rgb);

    int width() const { return width_; }
    int height() const { return height_; }

  private:
    void check(std::span<const Surface> surfaces, std::span<const std::uint8_t> rgb) const;
    Vec3 pixel(std::span<const Surface> surfaces, Vec3 eye, int x, int y) const;
    float lit_share(Vec3 position, Vec3 normal) const;
    Vec3 shade(const Surface& surface, const Sample& sample, Vec3 eye) const;

    int width_, height_, samples_per_side_;
    std::vector<Material> materials_;
    Raster image_, shadow_;
    Projection shadow_view_{};
};

}  // namespace visavis
