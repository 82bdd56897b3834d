// Copies each turn into a visavis.TurnInput and its TurnOutput back.  The slow road: Python engines are references.
#include "bindings/python_engine.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "constants.h"
#include "error.h"

namespace py = pybind11;

namespace visavis::bindings {
namespace {

ModelInfo read_info(const py::object& engine) {
    const py::object from = engine.attr("info");
    ModelInfo info;
    info.name = from.attr("name").cast<std::string>();
    info.channels = from.attr("channels").cast<std::vector<std::string>>();
    info.units = from.attr("units").cast<std::vector<std::string>>();
    info.turn_frames = from.attr("turn_frames").cast<int>();
    info.user_lag_frames = from.attr("user_lag_frames").cast<int>();
    info.agent_lookahead_frames = from.attr("agent_lookahead_frames").cast<int>();
    info.context_turns = from.attr("context_turns").cast<int>();
    info.steps = from.attr("steps").cast<int>();
    info.noise_coherence = from.attr("noise_coherence").cast<float>();
    info.noise_scale = from.attr("noise_scale").cast<float>();
    info.turn_join = from.attr("turn_join").cast<float>();
    info.eye_layer = from.attr("eye_layer").cast<bool>();
    info.least_steps = from.attr("least_steps").cast<int>();
    info.normalised_audio = from.attr("normalised_audio").cast<bool>();
    info.styles = from.attr("styles").cast<std::vector<std::string>>();
    return info;
}

py::object array_or_none(std::span<const float> values) {
    if (values.empty()) return py::none();
    return py::array_t<float>(static_cast<py::ssize_t>(values.size()), values.data());
}

class PythonEngine : public Engine {
  public:
    explicit PythonEngine(py::object engine)
        : engine_(std::move(engine)),
          turn_input_(py::module_::import("visavis.engine").attr("TurnInput")),
          info_(read_info(engine_)) {}
    ~PythonEngine() override {
        const py::gil_scoped_acquire gil;
        engine_ = py::object();
        turn_input_ = py::object();
    }
    PythonEngine(const PythonEngine&) = delete;
    PythonEngine& operator=(const PythonEngine&) = delete;

    const ModelInfo& info() const override { return info_; }
    int open() override {
        const py::gil_scoped_acquire gil;
        return engine_.attr("open")().cast<int>();
    }
    void close(int slot) override {
        const py::gil_scoped_acquire gil;
        engine_.attr("close")(slot);
    }
    void reset(int slot) override {
        const py::gil_scoped_acquire gil;
        engine_.attr("reset")(slot);
    }
    void step(std::span<const TurnInput> inputs, std::span<TurnOutput> outputs) override {
        const py::gil_scoped_acquire gil;
        py::list turns;
        for (const TurnInput& input : inputs) turns.append(turn_input(input));
        const auto results = engine_.attr("step")(turns).cast<py::sequence>();
        if (results.size() != outputs.size())
            throw Error(Status::kInternal, "engine: step gave " + std::to_string(results.size()) +
                                               " outputs; expected one for each of " + std::to_string(outputs.size()) +
                                               " inputs");
        for (std::size_t i = 0; i < outputs.size(); ++i) read_output(results[i], outputs[i]);
    }

  private:
    py::object turn_input(const TurnInput& input) const {
        const py::ssize_t n_frames = info_.turn_frames, n_channels = info_.n_channels();
        py::object turn = turn_input_(input.slot);
        turn.attr("user_audio") = array_or_none(input.user_audio);
        turn.attr("agent_audio") = array_or_none(input.agent_audio);
        if (!input.user_motion.empty())
            turn.attr("user_motion") = py::array_t<float>({n_frames, n_channels}, input.user_motion.data());
        if (!input.user_motion_present.empty()) {
            py::array_t<bool> present(n_frames);
            std::ranges::transform(input.user_motion_present, present.mutable_data(),
                                   [](auto flag) { return flag != 0; });
            turn.attr("user_motion_present") = present;
        }
        if (!input.noise.empty()) {
            const auto n_sets = static_cast<py::ssize_t>(input.noise.size()) / (n_frames * n_channels);
            turn.attr("noise") = py::array_t<float>({n_sets, n_frames, n_channels}, input.noise.data());
        }
        turn.attr("seed") = input.seed;
        turn.attr("temperature") = input.temperature;
        turn.attr("guidance") = input.guidance;
        turn.attr("style") = array_or_none(input.style);
        if (input.turn >= 0) turn.attr("turn") = input.turn;
        if (input.steps > 0) turn.attr("steps") = input.steps;
        return turn;
    }

    static void read_output(const py::object& result, TurnOutput& output) {
        const auto motion =
            py::array_t<float, py::array::c_style | py::array::forcecast>::ensure(result.attr("motion"));
        if (!motion || static_cast<std::size_t>(motion.size()) != output.motion.size())
            throw Error(Status::kInternal, "engine: motion has " + std::to_string(motion ? motion.size() : 0) +
                                               " values; expected " + std::to_string(output.motion.size()));
        std::copy_n(motion.data(), output.motion.size(), output.motion.begin());
        const auto stage_ns = result.attr("stage_ns").cast<std::map<std::string, std::int64_t>>();
        const auto stage = [&stage_ns](const char* name) { return stage_ns.contains(name) ? stage_ns.at(name) : 0; };
        output.speech_ns = stage("speech");
        output.backbone_ns = stage("backbone");
        output.denoise_ns = stage("denoise");
        output.steps = result.attr("steps").cast<int>();
    }

    py::object engine_;
    py::object turn_input_;
    ModelInfo info_;
};

}  // namespace

std::shared_ptr<Engine> engine_of(const py::object& object) {
    if (py::isinstance<Engine>(object)) return object.cast<std::shared_ptr<Engine>>();
    return std::make_shared<PythonEngine>(object);
}

}  // namespace visavis::bindings
