// Reading hardware for spiking networks from a device file.
#include <algorithm>

#include "hwmodels/device_file.hpp"
#include "hwmodels/device_sources.hpp"
#include "hwmodels/spiking/spiking_model.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr double positive = 1e-30;
constexpr auto vector_class = static_cast<std::size_t>(EfficiencyClass::vector);

// Reads the members of a spiking device, remembering the path of every number.
class SpikingReader {
 public:
  explicit SpikingReader(JsonReader& root) : root_(root) {}

  SpikingDevice read() {
    device_.name = root_.string("name");
    device_.about = root_.string("about", "");
    device_.category = root_.string("category", "");
    device_.energy = read_operation_energy(root_, numbers_);
    if (std::optional<JsonReader> bits = root_.object("bits")) {
      device_.accumulator_bits = number(*bits, "bits.", "accumulator", 1, 1024);
      device_.potential_bits = number(*bits, "bits.", "potential", 1, 1024);
      bits->finish();
    }
    read_pair("operations_per_fetch", device_.accumulates_per_fetch, device_.multiplies_per_fetch);
    device_.clock_hz = number(root_, "", "clock_hz", 1.0, 1e15);
    read_pair("operations_per_cycle", device_.accumulates_per_cycle, device_.multiplies_per_cycle);
    read_memory();
    read_neurons();
    static const std::vector<std::string> orders{"layer", "network"};
    device_.order =
        root_.word("order", orders) == "layer" ? SpikingDevice::Order::layer : SpikingDevice::Order::network;
    read_run();
    check_sources(root_, numbers_, true);
    return device_;
  }

 private:
  double number(JsonReader& reader, const std::string& parent, const std::string& key, double least, double most) {
    numbers_.push_back(parent + key);
    return reader.number(key, {.least = least, .most = most});
  }

  void read_pair(const std::string& key, double& accumulate, double& multiply) {
    std::optional<JsonReader> pair = root_.object(key);
    if (!pair) return;
    accumulate = number(*pair, key + ".", "accumulate", positive, 1e15);
    multiply = number(*pair, key + ".", "multiply", positive, 1e15);
    pair->finish();
  }

  void read_memory() {
    for (JsonReader& entry : root_.array("memory")) {
      MemoryLevel level;
      level.name = entry.string("name");
      const std::string path = "memory." + level.name + ".";
      level.bytes = number(entry, path, "bytes", 1.0, 1e18);
      level.bandwidth_bytes_per_s = number(entry, path, "bandwidth_bytes_per_s", 1.0, 1e18);
      level.joules_per_byte = number(entry, path, "joules_per_byte", positive, 1.0);
      entry.finish();
      if (!device_.memory.empty() && entry.has("bytes") && level.bytes <= device_.memory.back().bytes) {
        entry.note("bytes", "more than the level before (innermost first)", describe(entry.value()["bytes"]));
      }
      device_.memory.push_back(std::move(level));
    }
    if (device_.memory.empty()) root_.note("memory", "at least one level", "none");
  }

  void read_neurons() {
    for (JsonReader& entry : root_.array("neurons")) {
      SpikingNeuron neuron;
      neuron.name = entry.string("name");
      const std::string path = "neurons." + neuron.name + ".";
      neuron.adds = number(entry, path, "adds", 0, 1e6);
      neuron.multiplies = number(entry, path, "multiplies", 0, 1e6);
      neuron.state_words = number(entry, path, "state_words", 0, 1e6);
      neuron.leaks = entry.boolean("leaks");
      entry.finish();
      names_.push_back(neuron.name);
      device_.neurons.push_back(std::move(neuron));
    }
    if (device_.neurons.empty()) root_.note("neurons", "at least one kind", "none");
  }

  void read_run() {
    std::optional<JsonReader> run = root_.object("run");
    if (!run) return;
    numbers_.emplace_back("run.time_steps");
    device_.run.time_steps = run->integer("time_steps", {.least = 0, .most = most_time_steps});
    if (std::optional<JsonReader> rates = run->object("firing_rate")) {
      for (std::size_t i = 0; i < vector_class; ++i) {
        device_.run.firing_rate[i] = number(*rates, "run.firing_rate.", efficiency_class_names()[i], 0, 1);
      }
      rates->finish();
    }
    device_.run.input_rate = number(*run, "run.", "input_rate", 0, 1);
    const std::string encoding = run->word("encoding", spike_encoding_names());
    device_.run.encoding = encoding == "rate" ? SpikeEncoding::rate : SpikeEncoding::direct;
    if (names_.empty()) {
      run->any("neuron", true);
    } else {
      const std::string neuron = run->word("neuron", names_);
      device_.run.neuron = static_cast<std::size_t>(std::ranges::find(names_, neuron) - names_.begin());
    }
    run->finish();
  }

  JsonReader& root_;
  SpikingDevice device_;
  std::vector<std::string> names_;  // of the neurons
  std::vector<std::string> numbers_;
};

}  // namespace

SpikingDevice read_spiking(JsonReader& root) { return SpikingReader(root).read(); }

std::unique_ptr<HardwareModel> SpikingModel::make(JsonDocument document) {
  return std::make_unique<SpikingModel>(read_device_file(document, read_spiking));
}

}  // namespace ridgeline
