#include "hwmodels/mcu.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/device_file.hpp"
#include "hwmodels/device_sources.hpp"

namespace ridgeline {
namespace {

constexpr auto vector_class = static_cast<std::size_t>(EfficiencyClass::vector);

// What computes in place of a format that has no kernels of its own.
std::optional<Arithmetic> next_wider(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::integer4:
      return Arithmetic::integer8;
    case Arithmetic::integer8:
      return Arithmetic::integer16;
    case Arithmetic::float16:
    case Arithmetic::bfloat16:
      return Arithmetic::float32;
    default:
      return std::nullopt;
  }
}

std::optional<double> cycles_in(const McuDevice::ByFormat& cycles, const Format& format) {
  for (std::optional<Arithmetic> one = arithmetic_of(format); one; one = next_wider(*one)) {
    if (const double found = cycles[static_cast<std::size_t>(*one)]; found > 0) return found;
  }
  return std::nullopt;
}

// Reads the members of an mcu's object, remembering the path of every number.
class McuReader {
 public:
  explicit McuReader(JsonReader& root) : root_(root) {}

  McuDevice read() {
    McuDevice device;
    device.name = root_.string("name");
    device.about = root_.string("about", "");
    device.category = root_.string("category", "");
    device.clock_hz = number(root_, "", "clock_hz", {.least = 1.0});
    device.sram_bytes = bytes(root_, "", "sram_bytes");
    device.flash_bytes = bytes(root_, "", "flash_bytes");
    if (std::optional<JsonReader> reserved = root_.object("reserved")) {
      device.reserved_sram_bytes = bytes(*reserved, "reserved.", "sram_bytes");
      device.reserved_flash_bytes = bytes(*reserved, "reserved.", "flash_bytes");
      reserved->finish();
    }
    if (std::optional<JsonReader> memory = root_.object("memory")) read_memory(*memory, device.memory);
    read_cycles(device);
    device.cycles_per_layer = number(root_, "", "cycles_per_layer", {.least = 0.0});
    if (std::optional<JsonReader> energy = root_.object("energy", false)) {
      device.joules_per_cycle = number(*energy, "energy.", "joules_per_cycle", {.least = 1e-18});
      energy->finish();
    }
    check_sources(root_, numbers_, true);
    return device;
  }

 private:
  void read_memory(JsonReader& memory, MemoryOptions& options) {
    options.in_place = memory.boolean("in_place", options.in_place);
    options.depthwise_in_place = memory.boolean("depthwise_in_place", options.depthwise_in_place);
    options.tokens_in_place = memory.boolean("tokens_in_place", options.tokens_in_place);
    options.stream_input = memory.boolean("stream_input", options.stream_input);
    options.alignment_bytes = memory.integer("alignment_bytes", {.least = 1, .most = 4096});
    numbers_.emplace_back("memory.alignment_bytes");
    memory.finish();
  }

  void read_cycles(McuDevice& device) {
    if (std::optional<JsonReader> classes = root_.object("cycles_per_mac")) {
      for (std::size_t i = 0; i < efficiency_class_count; ++i) {
        if (i == vector_class) continue;
        read_formats(*classes, "cycles_per_mac.", efficiency_class_names()[i], device.cycles_per_mac[i]);
      }
      classes->finish();
    }
    read_formats(root_, "", "cycles_per_element", device.cycles_per_element);
  }

  void read_formats(JsonReader& parent, const std::string& path, const std::string& key, McuDevice::ByFormat& cycles) {
    std::optional<JsonReader> formats = parent.object(key);
    if (!formats) return;
    bool any = false;
    for (std::size_t i = 0; i < arithmetic_count; ++i) {
      const std::string& name = arithmetic_names()[i];
      if (!formats->has(name)) continue;
      cycles[i] = number(*formats, path + key + ".", name, {.least = 1e-6});
      any = true;
    }
    if (!any) formats->note("", "a number of cycles for a format", "none", "for example {\"int8\": 2}");
    formats->finish();
  }

  double number(JsonReader& reader, const std::string& parent, const std::string& key, const NumberRule& rule) {
    numbers_.push_back(parent + key);
    return reader.number(key, rule);
  }

  std::int64_t bytes(JsonReader& reader, const std::string& parent, const std::string& key) {
    numbers_.push_back(parent + key);
    return reader.integer(key, {.least = 0, .most = std::int64_t{1} << 40});
  }

  JsonReader& root_;
  std::vector<std::string> numbers_;
};

}  // namespace

McuDevice read_mcu(JsonReader& reader) { return McuReader(reader).read(); }

std::unique_ptr<HardwareModel> McuModel::make(JsonDocument document) {
  return std::make_unique<McuModel>(read_device_file(document, read_mcu));
}

std::span<const std::string> McuModel::resources() const {
  static const std::array<std::string, 2> names{"sram_bytes", "flash_bytes"};
  return names;
}

double McuModel::capacity(std::string_view resource) const {
  return static_cast<double>(resource == "sram_bytes" ? device_.sram_bytes : device_.flash_bytes);
}

// nullopt: a format has no kernels here.
std::optional<double> McuModel::layer_cycles(const Design& design, const MemoryLayout& layout, std::size_t step,
                                             const ExecutedLayer& layer) const {
  const Network& network = design.network;
  const auto kind = static_cast<std::size_t>(efficiency_class_of(layer.key));
  const auto once = [&](std::int64_t macs, std::int64_t elements, const Format& read,
                        const Format& made) -> std::optional<double> {
    double cycles = device_.cycles_per_layer;
    if (macs > 0) {
      const auto by_activations = cycles_in(device_.cycles_per_mac[kind], read);
      const bool product = layer.key.kind == OpKind::matmul;  // of two activations
      const auto by_weights = product ? by_activations : cycles_in(device_.cycles_per_mac[kind], layer.key.weights);
      if (!by_activations || !by_weights) return std::nullopt;
      const bool wider = !product && layer.key.weights.width_bits > read.width_bits;
      cycles += static_cast<double>(macs) * (wider ? *by_weights : *by_activations);
    }
    if (macs == 0 || layer.key.add) {
      const auto by_element = cycles_in(device_.cycles_per_element, made);
      if (!by_element) return std::nullopt;
      cycles += static_cast<double>(elements) * *by_element;
    }
    return cycles;
  };
  const std::int64_t made = elements(network.shape(layer.node));
  if (!layout.patches || step >= layout.patches->schedule.layers) {
    return once(layer.macs, made, layer.key.activations, layer.key.stored_out);
  }
  const PatchStage& stage = *layout.patches;
  const PatchTensor& result = *stage.find(layer.node);
  const Shape& shape = network.shape(layer.node);
  const bool reads_own = stage.reads_own_format(network, layout.steps[step]);
  const bool makes_own = stage.makes_own_format(layout.steps[step]);
  double sum = 0;
  for (std::size_t patch = 0; patch < stage.patches(); ++patch) {
    const Format read = reads_own ? stage.format(patch, layout.steps[step].reads.front()) : layer.key.activations;
    const Format stored = makes_own ? stage.format(patch, layer.node) : layer.key.stored_out;
    const std::int64_t count = made / (shape[2] * shape[3]) * result.positions(patch);
    const auto cycles = once(patch_macs(network, stage, layout.steps[step], patch), count, read, stored);
    if (!cycles) return std::nullopt;
    sum += *cycles;
  }
  return sum;
}

void McuModel::estimate_one(const Design& design, Cost& cost) const {
  static const std::string bound_by_compute = "compute";
  const std::vector<NodeId> live = design.network.live_nodes();
  const std::vector<Format> stored = stored_formats(design.network, design.precision);
  start_cost(design, live, cost);
  const std::optional<MemoryLayout> layout = memory_layout(design, device_.memory, cost.unsupported);
  if (!layout) return;
  cost.peak_bytes = layout->plan.arena_bytes;
  const std::vector<ExecutedLayer> layers = layers_in_order(design.network, design.precision, stored, live);
  for (const ExecutedLayer& layer : layers) cost.weight_bytes += layer.weight_bytes;
  auto row = cost.ops.begin();
  for (std::size_t step = 0; step < layers.size(); ++step) {
    const ExecutedLayer& layer = layers[step];
    const std::optional<double> cycles = layer_cycles(design, *layout, step, layer);
    if (!cycles) {
      cost.unsupported = fmt::format("{} has no kernels for {} of {} and {}", name(), name_of(layer.key.kind),
                                     layer.key.weights.text(), layer.key.activations.text());
      return;
    }
    while (row->node != layer.node) ++row;
    row->latency_s = *cycles / device_.clock_hz;
    row->energy_j = *cycles * device_.joules_per_cycle;
    row->macs = layer.macs;
    row->bytes = layer.weight_bytes + layer.input_bytes + layer.output_bytes;
    row->bound_by = bound_by_compute;
    if (layout->patches && step < layout->patches->schedule.layers) {
      row->macs = 0;
      for (std::size_t patch = 0; patch < layout->patches->patches(); ++patch) {
        row->macs += patch_macs(design.network, *layout->patches, layout->steps[step], patch);
      }
    }
    cost.latency_s += row->latency_s;
    cost.energy_j += row->energy_j;
  }
  cost.resources = {{"sram_bytes", static_cast<double>(cost.peak_bytes + device_.reserved_sram_bytes),
                     static_cast<double>(device_.sram_bytes)},
                    {"flash_bytes", static_cast<double>(cost.weight_bytes + device_.reserved_flash_bytes),
                     static_cast<double>(device_.flash_bytes)}};
  cost.unsupported = misfit_text(cost, name());
}

void McuModel::estimate(std::span<const Design> designs, std::span<Cost> costs) const {
  for (std::size_t i = 0; i < designs.size(); ++i) estimate_one(designs[i], costs[i]);
}

}  // namespace ridgeline
