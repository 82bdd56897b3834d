// _core.NativeEngine (what sessions take as it is), _core.CpuEngine and _core.CudaEngine, which keep the contract of
// visavis.engine.Engine.
#include "engines/engine.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <array>
#include <optional>

#include "bindings/bindings.h"
#include "constants.h"
#include "engines/cpu/cpu_engine.h"
#include "engines/cuda_engine.h"
#include "error.h"
#include "text.h"

namespace py = pybind11;

namespace visavis::bindings {
namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using FlagArray = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;
using Shape = std::vector<py::ssize_t>;
using OptionalName = std::optional<std::string>;

[[noreturn]] void refuse(const std::string& what) { throw Error(Status::kInvalidArgument, what); }

std::string text_of(const py::object& object) { return py::str(object).cast<std::string>(); }

// The field of a TurnInput as an array of one of these shapes; an empty handle for None.
py::array array_of(const py::object& turn, const char* field, const char* kind, const std::vector<Shape>& shapes) {
    const py::object value = turn.attr(field);
    if (value.is_none()) return py::reinterpret_steal<py::array>(py::handle());
    py::array array = py::array::ensure(value);
    if (!array) refuse(std::string(field) + " is " + text_of(py::type::of(value)) + "; expected a numpy array");
    if (std::string(kind).find(array.dtype().kind()) == std::string::npos) {
        refuse(std::string(field) + " holds " + text_of(array.dtype()) + "; expected " +
               (*kind == 'f' ? "float32" : "bool"));
    }
    const Shape found(array.shape(), array.shape() + array.ndim());
    std::string expected;
    for (const Shape& shape : shapes) {
        if (found == shape) return array;
        expected += (expected.empty() ? "" : " or ") + text_of(py::tuple(py::cast(shape)));
    }
    refuse(std::string(field) + " has shape " + text_of(py::tuple(py::cast(found))) + "; expected " + expected);
}

template <class T, int flags>
std::span<const T> span_of(const py::array_t<T, flags>& array) {
    return {array.data(), static_cast<std::size_t>(array.size())};
}

// A TurnInput of Python with the arrays that its spans point into.
class HeldTurn {
  public:
    HeldTurn(const ModelConfig& config, const py::object& turn) {
        const py::ssize_t frames = config.turn_frames, channels = config.n_channels, samples = config.turn_samples();
        const py::ssize_t ahead = config.agent_lookahead_frames * kSamplesPerFrame;
        input.slot = turn.attr("slot").cast<int>();
        input.steps = count(turn, "steps", 1);
        input.turn = count(turn, "turn", 0);
        if (turn.attr("turn").is_none()) input.turn = -1;
        const int steps = input.steps == 0 ? config.steps : input.steps;
        input.user_audio = hold(array_of(turn, "user_audio", "f", {{samples}}));
        input.agent_audio = hold(array_of(turn, "agent_audio", "f", {{samples}, {samples + ahead}}));
        input.user_motion = hold(array_of(turn, "user_motion", "f", {{frames, channels}}));
        const py::ssize_t styles = config.n_styles();
        if (styles == 0 && !turn.attr("style").is_none()) {
            refuse("style: the model has none; expected None, or a model trained with styles");
        }
        input.style = hold(array_of(turn, "style", "f", {{styles}}));
        input.noise = hold(array_of(turn, "noise", "f", {{1 + steps, frames, channels}}));
        if (const auto flags = array_of(turn, "user_motion_present", "b", {{frames}})) {
            present_ = FlagArray(flags);
            input.user_motion_present = span_of(present_);
        }
        input.seed = turn.attr("seed").cast<std::uint64_t>();
        input.temperature = turn.attr("temperature").cast<float>();
        input.guidance = turn.attr("guidance").cast<float>();
    }

    TurnInput input;

  private:
    // None: 0.
    static int count(const py::object& turn, const char* field, int least) {
        const py::object value = turn.attr(field);
        if (value.is_none()) return 0;
        if (!py::isinstance<py::int_>(value) || value.cast<std::int64_t>() < least ||
            value.cast<std::int64_t>() > std::numeric_limits<int>::max()) {
            refuse(std::string(field) + " is " + text_of(value) + "; expected a whole number of at least " +
                   std::to_string(least));
        }
        return value.cast<int>();
    }
    std::span<const float> hold(const py::array& array) {
        if (!array) return {};
        arrays_.emplace_back(array);
        return span_of(arrays_.back());
    }

    std::vector<FloatArray> arrays_;
    FlagArray present_;
};

py::object turn_output(const py::array_t<float>& motion, const TurnOutput& output) {
    py::dict stage_ns;
    stage_ns["speech"] = output.speech_ns;
    stage_ns["backbone"] = output.backbone_ns;
    stage_ns["denoise"] = output.denoise_ns;
    return py::module_::import("visavis.engine").attr("TurnOutput")(motion, stage_ns, output.steps);
}

template <class NativeEngine>
py::list step(NativeEngine& engine, const py::sequence& turns) {
    const ModelConfig& config = engine.config();
    std::vector<HeldTurn> held;
    std::vector<TurnInput> inputs;
    std::vector<TurnOutput> outputs(turns.size());
    std::vector<py::array_t<float>> motions;
    for (std::size_t i = 0; i < turns.size(); ++i) {
        held.emplace_back(config, turns[i]);
        inputs.push_back(held.back().input);
        motions.emplace_back(Shape{config.turn_frames, config.n_channels});
        outputs[i].motion = {motions.back().mutable_data(), static_cast<std::size_t>(motions.back().size())};
    }
    {
        const py::gil_scoped_release release;
        engine.step(inputs, outputs);
    }
    py::list results;
    for (std::size_t i = 0; i < outputs.size(); ++i) results.append(turn_output(motions[i], outputs[i]));
    return results;
}

template <class T>
std::optional<T> option(const OptionalName& name, T (*from_name)(std::string_view)) {
    if (!name) return std::nullopt;
    return from_name(*name);
}

GuidanceSchedule schedule_from_name(const std::string& name) {
    if (name == "constant") return GuidanceSchedule::kConstant;
    if (name == "linear") return GuidanceSchedule::kLinear;
    refuse("guidance_schedule is " + quote(name) + "; expected constant or linear");
}

cpu::Precision precision_from_name(const std::string& name) {
    if (name == "auto") return cpu::Precision::kAuto;
    if (name == "f32") return cpu::Precision::kF32;
    if (name == "bf16") return cpu::Precision::kBf16;
    if (name == "int8") return cpu::Precision::kInt8;
    refuse("precision is " + quote(name) + "; expected auto, f32, bf16 or int8");
}

std::string precision(const CpuEngine& engine) {
    if (engine.precision() == cpu::Precision::kInt8) return "int8";
    return engine.precision() == cpu::Precision::kBf16 ? "bf16" : "f32";
}

// What load_engine may ask of all native engines.
EngineOptions engine_options(const OptionalName& window, const OptionalName& history, std::optional<int> steps,
                             int passes, const OptionalName& sampler, const std::string& guidance_schedule) {
    EngineOptions options;
    options.window = option(window, window_from_name);
    options.history = option(history, own_past_from_name);
    options.sampler = option(sampler, sampler_from_name);
    options.steps = steps;
    options.passes = passes;
    options.guidance_schedule = schedule_from_name(guidance_schedule);
    return options;
}

std::shared_ptr<CpuEngine> load_cpu(const std::filesystem::path& path, const OptionalName& window,
                                    const OptionalName& history, std::optional<int> steps, int passes,
                                    const OptionalName& sampler, const std::string& guidance_schedule,
                                    const std::string& precision, int threads) {
    CpuEngineOptions options;
    static_cast<EngineOptions&>(options) = engine_options(window, history, steps, passes, sampler, guidance_schedule);
    options.precision = precision_from_name(precision);
    options.threads = threads;
    const py::gil_scoped_release release;
    return std::make_shared<CpuEngine>(ModelFile::open(path), options);
}

CudaPrecision cuda_precision_from_name(const std::string& name) {
    if (name == "auto") return CudaPrecision::kAuto;
    if (name == "bf16") return CudaPrecision::kBf16;
    if (name == "f16") return CudaPrecision::kF16;
    refuse("precision is " + quote(name) + "; expected auto, bf16 or f16");
}

std::string cuda_precision(const CudaEngine& engine) {
    return engine.facts().precision == CudaPrecision::kBf16 ? "bf16" : "f16";
}

std::string capability(const CudaEngine& engine) {
    const int found = engine.facts().capability;
    return std::to_string(found / 10) + "." + std::to_string(found % 10);
}

std::shared_ptr<CudaEngine> load_cuda(const std::filesystem::path& path, const OptionalName& window,
                                      const OptionalName& history, std::optional<int> steps, int passes,
                                      const OptionalName& sampler, const std::string& guidance_schedule,
                                      const std::string& precision, int device, int multiprocessors, bool fuse) {
    CudaEngineOptions options;
    static_cast<EngineOptions&>(options) = engine_options(window, history, steps, passes, sampler, guidance_schedule);
    options.precision = cuda_precision_from_name(precision);
    options.device = device;
    options.multiprocessors = multiprocessors;
    options.fuse = fuse;
    const py::gil_scoped_release release;
    return std::make_shared<CudaEngine>(ModelFile::open(path), options);
}

template <class NativeEngine>
py::object info(const NativeEngine& engine) {
    const ModelInfo& info = engine.info();
    return py::module_::import("visavis.engine")
        .attr("ModelInfo")(info.name, py::tuple(py::cast(info.channels)), py::tuple(py::cast(info.units)),
                           info.turn_frames, info.user_lag_frames, info.agent_lookahead_frames, info.context_turns,
                           info.steps, engine.config().noise_coherence, info.eye_layer, info.least_steps,
                           info.normalised_audio, py::tuple(py::cast(info.styles)), engine.config().turn_join,
                           engine.config().noise_scale);
}

// The name of an enum value, in the order of visavis.model.config.CHOICES.
template <class T>
py::object name_of(const char* field, T value) {
    const py::object choices = py::module_::import("visavis.model.config").attr("CHOICES");
    return choices[field][py::int_(static_cast<int>(value))];
}

template <class NativeEngine>
py::object config(const NativeEngine& engine) {
    const ModelConfig& c = engine.config();
    py::dict fields;
    const auto add = [&fields](const char* name, const auto& value) { fields[name] = py::cast(value); };
    const auto add_choice = [&fields](const char* name, auto value) { fields[name] = name_of(name, value); };
    add("motion_space", c.motion_space);
    add("turn_frames", c.turn_frames);
    add("context_turns", c.context_turns);
    add("user_lag_frames", c.user_lag_frames);
    add("agent_lookahead_frames", c.agent_lookahead_frames);
    add_choice("speech_encoder", c.speech_encoder);
    add("speech_width", c.speech_width);
    add("mel_bands", c.mel_bands);
    add("conv_widths", c.conv_widths);
    add("conv_kernels", c.conv_kernels);
    add("conv_strides", c.conv_strides);
    add_choice("layout", c.layout);
    add_choice("positions", c.positions);
    add_choice("window", c.window);
    add_choice("own_past", c.own_past);
    add("token_width", c.token_width);
    add("width", c.width);
    add("depth", c.depth);
    add("heads", c.heads);
    add("mlp_ratio", c.mlp_ratio);
    add_choice("denoise_unit", c.denoise_unit);
    add("head_context_frames", c.head_context_frames);
    add_choice("denoise_target", c.denoise_target);
    add("head_width", c.head_width);
    add("head_depth", c.head_depth);
    add_choice("sampler", c.sampler);
    add("steps", c.steps);
    add("noise_coherence", c.noise_coherence);
    add("lip_noise", c.lip_noise);
    add("noise_scale", c.noise_scale);
    add("turn_join", c.turn_join);
    add_choice("eyes", c.eyes);
    add("styles", c.styles);
    return py::module_::import("visavis.model.config").attr("ModelConfig").attr("from_dict")(fields);
}

}  // namespace

namespace {

using Unlocked = py::call_guard<py::gil_scoped_release>;

// What every native engine has.
template <class NativeEngine>
void add_contract(py::class_<NativeEngine, Engine, std::shared_ptr<NativeEngine>>& type) {
    type.def_property_readonly("info", &info<NativeEngine>)
        .def_property_readonly("config", &config<NativeEngine>)
        .def("open", &NativeEngine::open, Unlocked(), "A new slot: one session's history.")
        .def("close", &NativeEngine::close, py::arg("slot"), Unlocked(), "Give the slot back.")
        .def("reset", &NativeEngine::reset, py::arg("slot"), Unlocked(), "Forget the slot's history.")
        .def(
            "set_own_motion",
            [](NativeEngine& engine, int slot, const FloatArray& motion) {
                engine.set_own_motion(slot, span_of(motion));
            },
            py::arg("slot"), py::arg("motion"),
            "What the next turn of the slot takes for its own past, (F, C) raw, in place of what was generated.")
        .def("step", &step<NativeEngine>, py::arg("inputs"),
             "Generate one turn for each TurnInput, each of another slot; on an error no slot has moved on.");
}

}  // namespace

void register_engine(py::module_& module) {
    py::class_<Engine, std::shared_ptr<Engine>>(module, "NativeEngine", "What sessions take as it is.");
    py::class_<CpuEngine, Engine, std::shared_ptr<CpuEngine>> cpu(module, "CpuEngine",
                                                                  "The native CPU engine; see visavis.engine.Engine.");
    cpu.def(py::init(&load_cpu), py::arg("path"), py::kw_only(), py::arg("window") = py::none(),
            py::arg("history") = py::none(), py::arg("steps") = py::none(), py::arg("passes") = 1,
            py::arg("sampler") = py::none(), py::arg("guidance_schedule") = "constant", py::arg("precision") = "f32",
            py::arg("threads") = 1)
        .def_property_readonly("isa", &CpuEngine::isa,
                               "Instruction set in use: base, neon, avx2, avx512, avx512vnni or avx512bf16.")
        .def_property_readonly("precision", &precision, "What the large products are computed in: f32, bf16 or int8.")
        .def_property_readonly("threads", &CpuEngine::threads,
                               "Threads that share a step's turns, and each turn of a large model.");
    add_contract(cpu);
    py::class_<CudaEngine, Engine, std::shared_ptr<CudaEngine>> cuda(module, "CudaEngine",
                                                                     "The CUDA engine; see visavis.engine.Engine.");
    cuda.def(py::init(&load_cuda), py::arg("path"), py::kw_only(), py::arg("window") = py::none(),
             py::arg("history") = py::none(), py::arg("steps") = py::none(), py::arg("passes") = 1,
             py::arg("sampler") = py::none(), py::arg("guidance_schedule") = "constant", py::arg("precision") = "auto",
             py::arg("device") = 0, py::arg("multiprocessors") = 0, py::arg("fuse") = true)
        .def_property_readonly("precision", &cuda_precision, "What products are computed in: bf16 or f16.")
        .def_property_readonly("capability", &capability, "Compute capability of the GPU, such as 8.6.")
        .def_property_readonly(
            "multiprocessors", [](const CudaEngine& engine) { return engine.facts().multiprocessors; },
            "Multiprocessors that the engine may fill at once.");
    add_contract(cuda);
}

}  // namespace visavis::bindings
