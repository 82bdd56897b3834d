// _core.Painter.  visavis/render/painter.py is its public face.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "error.h"
#include "picture/painter.h"

namespace py = pybind11;

namespace visavis::bindings {
namespace {

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;
using Bytes = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;
using Indices = py::array_t<std::uint32_t, py::array::c_style | py::array::forcecast>;

template <typename T>
std::span<const T> view(const py::array_t<T, py::array::c_style | py::array::forcecast>& array) {
    return {array.data(), static_cast<std::size_t>(array.size())};
}

Texture texture(const py::object& image) {
    if (image.is_none()) return {};
    const Bytes texels = image.cast<Bytes>();
    if (texels.ndim() != 3 || texels.shape(0) < 1 || texels.shape(1) < 1 || texels.shape(2) < 3 || texels.shape(2) > 4)
        throw Error(Status::kInvalidArgument, "picture: texture of shape " +
                                                  py::str(texels.attr("shape")).cast<std::string>() +
                                                  "; expected (height, width, 3 or 4)");
    const auto bytes = view(texels);
    return {static_cast<int>(texels.shape(1)),
            static_cast<int>(texels.shape(0)),
            static_cast<int>(texels.shape(2)),
            {bytes.begin(), bytes.end()}};
}

Vec3 vec3(const std::array<float, 3>& v) { return {v[0], v[1], v[2]}; }

Material material(const py::dict& values) {
    Material m;
    m.colour = vec3(values["colour"].cast<std::array<float, 3>>());
    m.roughness = values["roughness"].cast<float>();
    m.specular = values["specular"].cast<float>();
    m.scattering = values["scattering"].cast<float>();
    m.mirror = values["mirror"].cast<float>();
    m.alpha_cutoff = values["alpha_cutoff"].cast<float>();
    m.two_sided = values["two_sided"].cast<bool>();
    m.colour_map = texture(values["colour_map"]);
    m.surface_map = texture(values["surface_map"]);
    return m;
}

std::unique_ptr<Painter> make_painter(int width, int height, int samples, const std::vector<py::dict>& materials) {
    if (width < 1 || width > 8192 || height < 1 || height > 8192 || samples < 1 || samples > 4)
        throw Error(Status::kInvalidArgument, "picture: " + std::to_string(width) + " x " + std::to_string(height) +
                                                  " pixels, " + std::to_string(samples) +
                                                  " samples a side; expected 1 to 8192 pixels, 1 to 4");
    std::vector<Material> list;
    for (const py::dict& values : materials) list.push_back(material(values));
    return std::make_unique<Painter>(width, height, samples, std::move(list));
}

using SurfaceArrays = std::tuple<std::size_t, Floats, Floats, Floats, Indices>;

py::array_t<std::uint8_t> paint(Painter& painter, const std::vector<SurfaceArrays>& arrays,
                                const std::array<float, 3>& eye, const std::array<float, 3>& target,
                                float field_of_view) {
    std::vector<Surface> surfaces;
    for (const auto& [index, positions, normals, uvs, triangles] : arrays)
        surfaces.push_back({index, view(positions), view(normals), view(uvs), view(triangles)});
    py::array_t<std::uint8_t> rgb({painter.height(), painter.width(), 3});
    const std::span<std::uint8_t> out(rgb.mutable_data(), static_cast<std::size_t>(rgb.size()));
    const py::gil_scoped_release release;
    painter.paint(surfaces, {vec3(eye), vec3(target), field_of_view}, out);
    return rgb;
}

}  // namespace

void register_picture(py::module_& module) {
    py::class_<Painter>(module, "Painter", "Draws heads on the processor; see visavis.render.")
        .def(py::init(&make_painter), py::arg("width"), py::arg("height"), py::arg("samples"), py::arg("materials"))
        .def("paint", &paint, py::arg("surfaces"), py::arg("eye"), py::arg("target"), py::arg("field_of_view"),
             "(material, positions, normals, uvs, triangles) of each surface to (height, width, 3) bytes of sRGB.");
}

}  // namespace visavis::bindings
