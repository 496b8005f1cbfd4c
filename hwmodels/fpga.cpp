#include "hwmodels/fpga.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hwmodels/device_file.hpp"
#include "hwmodels/device_sources.hpp"
#include "hwmodels/roofline.hpp"
#include "spaces/quantization.hpp"

namespace ridgeline {
namespace {

const std::string bound_by_units = "units";

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// RAMB36 (AMD UG573): width and depth of one block.
constexpr std::array<std::array<std::int64_t, 2>, 7> bram_shapes{
    {{1, 32768}, {2, 16384}, {4, 8192}, {9, 4096}, {18, 2048}, {36, 1024}, {72, 512}}};
constexpr std::int64_t bram_bits = 36864;

std::int64_t brams_of(std::int64_t width, std::int64_t depth) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const auto& [wide, deep] : bram_shapes) least = std::min(least, ceil_div(width, wide) * ceil_div(depth, deep));
  return least;
}

// Products that one output element sums.
std::int64_t products_of(const LayerKey& key) {
  if (key.kind == OpKind::conv2d) return key.in[0] / key.groups * key.kernel[0] * key.kernel[1];
  return key.in[0];
}

// Bits that a layer holds of what flows through it.
std::int64_t buffered_bits(const LayerKey& key) {
  const std::int64_t bits = key.activations.width_bits;
  if (key.kind == OpKind::matmul) return key.in[0] * key.out[0] * bits;
  if (key.kind != OpKind::conv2d || (key.kernel[0] == 1 && key.kernel[1] == 1)) return 0;
  const std::int64_t lines = std::int64_t{key.dilation[0]} * (key.kernel[0] - 1);
  const std::int64_t places = std::int64_t{key.dilation[1]} * (key.kernel[1] - 1) + 1;
  return (lines * key.in[2] + places) * key.in[0] * bits;
}

Format as_executed(Format activations, bool never_negative) {
  if (activations.kind == Format::Kind::integer && never_negative) activations.kind = Format::Kind::unsigned_integer;
  return activations;
}

constexpr double most_cycles = 1e15;  // an image: they are counted in integers

class FpgaReader {
 public:
  explicit FpgaReader(JsonReader& root) : root_(root) {}

  FpgaDevice read() {
    FpgaDevice device;
    device.name = root_.string("name");
    device.about = root_.string("about", "");
    device.category = root_.string("category", "");
    device.clock_hz = number(root_, "", "clock_hz", {.least = 1.0});
    device.images_per_s = number(root_, "", "images_per_s", {.least = 1e-6});
    if (device.images_per_s > device.clock_hz) {
      root_.note("images_per_s", "at most one image a cycle", fmt::format("{}", device.images_per_s));
    }
    if (device.clock_hz / device.images_per_s > most_cycles) {
      root_.note("clock_hz", fmt::format("at most {:g} cycles an image", most_cycles),
                 fmt::format("{:g}", device.clock_hz / device.images_per_s));
    }
    static const std::vector<std::string> multipliers{"lut", "dsp"};
    device.dsp_multipliers = root_.word("multipliers", multipliers, "lut") == "dsp";
    if (std::optional<JsonReader> part = root_.object("part")) {
      device.luts = integer(*part, "part.", "luts", 1);
      device.dsps = integer(*part, "part.", "dsps", 0);
      device.brams = integer(*part, "part.", "brams", 0);
      part->finish();
    }
    if (std::optional<JsonReader> fabric = root_.object("fabric")) read_fabric(*fabric, device);
    check_sources(root_, numbers_, true);
    return device;
  }

 private:
  void read_fabric(JsonReader& fabric, FpgaDevice& device) {
    const NumberRule positive{.least = 1e-6};
    device.fabric.lut_inputs = static_cast<int>(integer(fabric, "fabric.", "lut_inputs", 3, 16));
    device.fabric.luts_per_partial_product_bit = number(fabric, "fabric.", "luts_per_partial_product_bit", positive);
    device.fabric.luts_per_adder_bit = number(fabric, "fabric.", "luts_per_adder_bit", positive);
    device.fabric.luts_per_multiplexer_bit = number(fabric, "fabric.", "luts_per_multiplexer_bit", positive);
    device.lut_ram_bits = static_cast<int>(integer(fabric, "fabric.", "lut_ram_bits", 1, 1 << 20));
    device.luts_per_layer = number(fabric, "fabric.", "luts_per_layer", {.least = 0.0});
    device.overhead = number(fabric, "fabric.", "overhead", {.least = 1.0});
    fabric.finish();
  }

  double number(JsonReader& reader, const std::string& parent, const std::string& key, const NumberRule& rule) {
    numbers_.push_back(parent + key);
    return reader.number(key, rule);
  }

  std::int64_t integer(JsonReader& reader, const std::string& parent, const std::string& key, std::int64_t least,
                       std::int64_t most = 1'000'000'000) {
    numbers_.push_back(parent + key);
    return reader.integer(key, {.least = least, .most = most});
  }

  JsonReader& root_;
  std::vector<std::string> numbers_;  // the path of every number that was read
};

}  // namespace

FpgaDevice read_fpga(JsonReader& reader) { return FpgaReader(reader).read(); }

std::unique_ptr<HardwareModel> FpgaModel::make(JsonDocument document) {
  return std::make_unique<FpgaModel>(read_device_file(document, read_fpga));
}

std::span<const std::string> FpgaModel::resources() const {
  static const std::array<std::string, 3> names{"luts", "dsps", "brams"};
  return names;
}

double FpgaModel::capacity(std::string_view resource) const {
  return static_cast<double>(resource == "luts" ? device_.luts : resource == "dsps" ? device_.dsps : device_.brams);
}

std::optional<FpgaLayer> FpgaModel::layer(const ExecutedLayer& layer, std::array<bool, 2> unsigned_input,
                                          std::string& why) const {
  const LayerKey& key = layer.key;
  const bool product = key.kind == OpKind::matmul;  // of two activations
  const Format left = as_executed(key.activations, unsigned_input[0]);
  const Format right = product ? as_executed(key.activations, unsigned_input[1]) : key.weights;
  const std::optional<FpgaOperand> a = fpga_operand(left, why);
  const std::optional<FpgaOperand> b = a ? fpga_operand(right, why) : std::nullopt;
  if (!b) return std::nullopt;
  FpgaLayer result;
  const std::int64_t macs = ceil_div(layer.macs, key.batch);
  result.units = ceil_div(macs, device_.cycles_per_image());
  result.cycles = ceil_div(macs, result.units);
  result.unit = fpga_unit(*a, *b, products_of(key), device_.fabric, device_.dsp_multipliers);
  result.luts = device_.luts_per_layer + device_.overhead * static_cast<double>(result.units) * result.unit.luts();
  result.dsps = result.units * result.unit.dsps;
  result.brams = ceil_div(buffered_bits(key), bram_bits);
  if (product) return result;
  const std::int64_t weights = key.out[0] * products_of(key);
  const std::int64_t width = std::min(result.units, weights) * right.width_bits;
  const std::int64_t depth = ceil_div(weights, result.units);
  if (depth > device_.lut_ram_bits) {
    result.brams += brams_of(width, depth);
  } else if (depth > 1) {
    result.luts += static_cast<double>(width);
  }
  return result;
}

void FpgaModel::estimate_one(const Design& design, Cost& cost) const {
  const Network& network = design.network;
  const std::vector<NodeId> live = network.live_nodes();
  const std::vector<Format> stored = stored_formats(network, design.precision);
  start_cost(design, live, cost);
  const std::vector<bool> positive = never_negative(network);
  FpgaLayer sum;
  std::string why;
  for (const ExecutedLayer& one : executed_layers(network, design.precision, stored, live)) {
    cost.weight_bytes += one.weight_bytes;
    const auto row = std::ranges::find(cost.ops, one.node, &OpCost::node);
    row->macs = one.macs;
    row->bytes = one.weight_bytes + one.input_bytes + one.output_bytes;
    if (one.macs == 0) continue;
    const auto inputs = network.inputs(one.anchor);
    const std::optional<FpgaLayer> layer = this->layer(one, {positive[inputs.front()], positive[inputs.back()]}, why);
    if (!layer) {
      cost.unsupported =
          fmt::format("{} has no unit for {} ({} '{}')", name(), why, name_of(one.key.kind), network.name(one.anchor));
      return;
    }
    row->latency_s = static_cast<double>(layer->cycles * one.key.batch) / device_.clock_hz;
    row->bound_by = bound_by_units;
    cost.latency_s += row->latency_s;
    sum.luts += layer->luts;
    sum.dsps += layer->dsps;
    sum.brams += layer->brams;
  }
  cost.resources = {{"luts", sum.luts, static_cast<double>(device_.luts)},
                    {"dsps", static_cast<double>(sum.dsps), static_cast<double>(device_.dsps)},
                    {"brams", static_cast<double>(sum.brams), static_cast<double>(device_.brams)}};
  cost.unsupported = misfit_text(cost, name());
}

void FpgaModel::estimate(std::span<const Design> designs, std::span<Cost> costs) const {
  for (std::size_t i = 0; i < designs.size(); ++i) estimate_one(designs[i], costs[i]);
}

}  // namespace ridgeline
