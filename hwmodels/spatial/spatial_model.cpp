#include "hwmodels/spatial/spatial_model.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/device_file.hpp"
#include "hwmodels/device_sources.hpp"
#include "hwmodels/roofline.hpp"
#include "hwmodels/spatial/matrix_product.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

const std::string bound_by_array = "array";

std::uint64_t key_of(const LoopWorkload& workload) {
  Hasher hasher;
  for (const std::int64_t extent : workload.extent) hasher.add(extent);
  for (const int one : {workload.stride[0], workload.stride[1], workload.dilation[0], workload.dilation[1]}) {
    hasher.add(one);
  }
  return hasher.value();
}

class SpatialReader {
 public:
  explicit SpatialReader(JsonReader& root) : root_(root) {}

  SpatialDevice read() {
    SpatialDevice device;
    device.name = root_.string("name");
    device.about = root_.string("about", "");
    device.category = root_.string("category", "");
    const std::string arithmetic = root_.word("arithmetic", arithmetic_names());
    device.arithmetic =
        static_cast<Arithmetic>(std::ranges::find(arithmetic_names(), arithmetic) - arithmetic_names().begin());
    device.clock_hz = number(root_, "", "clock_hz", {.least = 1.0});
    device.architecture.mac_pj = number(root_, "", "mac_pj", {.least = 0.0});
    for (JsonReader& level : root_.array("levels")) device.architecture.levels.push_back(read_level(level));
    if (device.architecture.levels.empty()) root_.note("levels", "at least one storage level, outermost first", "none");
    if (std::optional<JsonReader> mapper = root_.object("mapper", false)) {
      const std::string goal = mapper->word("goal", mapping_goal_names(), mapping_goal_names().front());
      device.mapper.goal =
          static_cast<MappingGoal>(std::ranges::find(mapping_goal_names(), goal) - mapping_goal_names().begin());
      device.mapper.evaluations =
          mapper->integer("evaluations", {.fallback = device.mapper.evaluations, .least = 1, .most = 10'000'000});
      mapper->finish();
    }
    check_sources(root_, numbers_, true);
    return device;
  }

 private:
  StorageLevel read_level(JsonReader& reader) {
    StorageLevel level;
    level.name = reader.string("name");
    const std::string path = "levels." + level.name + ".";
    if (reader.has("keeps")) {
      level.keeps = {false, false, false};
      for (const std::string& name : reader.strings("keeps")) {
        const auto found = std::ranges::find(operand_names(), name);
        if (found == operand_names().end()) {
          reader.note("keeps", "operands", '"' + name + '"', known_words(name, operand_names()));
        } else {
          level.keeps[static_cast<std::size_t>(found - operand_names().begin())] = true;
        }
      }
    }
    const auto optional = [&](const char* key) {
      if (reader.has(key)) numbers_.push_back(path + key);
      return reader.number(key, {.fallback = 0.0, .least = 0.0});
    };
    level.words = static_cast<std::int64_t>(optional("words"));
    level.words_per_access = std::max<std::int64_t>(1, static_cast<std::int64_t>(optional("words_per_access")));
    level.read_pj = optional("read_pj");
    level.write_pj = optional("write_pj");
    level.update_pj = reader.has("update_pj") ? optional("update_pj") : level.write_pj;
    level.leak_pj = optional("leak_pj");
    level.read_words_per_cycle = optional("read_words_per_cycle");
    level.write_words_per_cycle = optional("write_words_per_cycle");
    if (reader.has("fan_out")) numbers_.push_back(path + "fan_out");
    level.fan_out = reader.integer("fan_out", {.fallback = 1, .least = 1, .most = 1 << 30});
    reader.finish();
    return level;
  }

  double number(JsonReader& reader, const std::string& parent, const std::string& key, const NumberRule& rule) {
    numbers_.push_back(parent + key);
    return reader.number(key, rule);
  }

  JsonReader& root_;
  std::vector<std::string> numbers_;
};

}  // namespace

SpatialDevice read_spatial(JsonReader& reader) {
  SpatialDevice device = SpatialReader(reader).read();
  for (const LoopOperand operand : {LoopOperand::weights, LoopOperand::inputs, LoopOperand::outputs}) {
    const auto at = static_cast<std::size_t>(operand);
    if (device.architecture.levels.empty() || device.architecture.levels.front().keeps[at]) continue;
    reader.note("levels", "an outermost level that keeps every operand", "none for " + operand_names()[at]);
  }
  return device;
}

std::unique_ptr<HardwareModel> SpatialModel::make(JsonDocument document) {
  return std::make_unique<SpatialModel>(read_device_file(document, read_spatial));
}

std::span<const std::string> SpatialModel::resources() const {
  static const std::array<std::string, 1> names{"utilisation"};
  return names;
}

const FoundMapping* SpatialModel::mapping(const LayerKey& layer) const {
  const LoopWorkload workload = loop_workload(layer);
  const std::uint64_t key = key_of(workload);
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = found_.find(key); known != found_.end()) return known->second.get();
  }
  std::optional<FoundMapping> found = find_mapping(workload, device_.architecture, device_.mapper);
  const std::lock_guard lock(mutex_);
  auto kept = found ? std::make_unique<const FoundMapping>(std::move(*found)) : nullptr;
  return found_.emplace(key, std::move(kept)).first->second.get();
}

std::string SpatialModel::unsupported(const ExecutedLayer& layer, const Network& network) const {
  const int most = bits_of(device_.arithmetic);
  for (const Format& format : {layer.key.activations, layer.key.weights}) {
    const Arithmetic wanted = arithmetic_of(format);
    const bool whole = device_.arithmetic >= Arithmetic::integer16 && device_.arithmetic <= Arithmetic::integer4;
    const bool wants_whole = wanted >= Arithmetic::integer16 && wanted <= Arithmetic::integer4;
    if (bits_of(wanted) <= most && whole == wants_whole) continue;
    return fmt::format("{} computes in {}, not in {} ({} '{}')", name(),
                       arithmetic_names()[static_cast<std::size_t>(device_.arithmetic)], format.text(),
                       name_of(layer.key.kind), network.name(layer.anchor));
  }
  return {};
}

std::optional<OpCost> SpatialModel::layer_cost(const ExecutedLayer& layer, const Network& network,
                                               std::string& why) const {
  const StorageLevel& outermost = device_.architecture.levels.front();
  const double word_bytes = bits_of(device_.arithmetic) / 8.0;
  OpCost op;
  op.node = layer.node;
  op.macs = layer.macs;
  if (layer.macs == 0) {
    op.bytes = layer.input_bytes + layer.output_bytes;
    const double words = static_cast<double>(op.bytes) / word_bytes;
    const double rate = outermost.read_words_per_cycle > 0 ? outermost.read_words_per_cycle : 1.0;
    op.latency_s = words / rate / device_.clock_hz;
    op.energy_j = words / static_cast<double>(outermost.words_per_access) * outermost.read_pj * 1e-12;
    op.bound_by = outermost.name;
    return op;
  }
  why = unsupported(layer, network);
  if (!why.empty()) return std::nullopt;
  const FoundMapping* found = mapping(layer.key);
  if (found == nullptr) {
    why = fmt::format("{} has a level too small for any mapping of {} '{}'", name(), name_of(layer.key.kind),
                      network.name(layer.anchor));
    return std::nullopt;
  }
  op.latency_s = found->cost.cycles / device_.clock_hz;
  op.energy_j = found->cost.energy_pj * 1e-12;
  const bool by_array = found->cost.bound_by >= device_.architecture.levels.size();
  op.bound_by = by_array ? bound_by_array : device_.architecture.levels[found->cost.bound_by].name;
  op.utilisation = found->cost.utilisation;
  double words = 0;
  for (const OperandTraffic& one : found->cost.levels.front().operand) {
    words += static_cast<double>(one.reads + one.updates);
  }
  op.bytes = static_cast<std::int64_t>(words * word_bytes);
  return op;
}

void SpatialModel::estimate_one(const Design& design, Cost& cost) const {
  const Network& network = design.network;
  const std::vector<NodeId> live = network.live_nodes();
  const std::vector<Format> stored = stored_formats(network, design.precision);
  start_cost(design, live, cost);
  double utilisation = 0, products = 0;
  for (const ExecutedLayer& layer : executed_layers(network, design.precision, stored, live)) {
    cost.weight_bytes += layer.weight_bytes;
    std::optional<OpCost> one = layer_cost(layer, network, cost.unsupported);
    if (!one) return;
    OpCost& op = *std::ranges::find(cost.ops, layer.node, &OpCost::node);
    op = std::move(*one);
    cost.latency_s += op.latency_s;
    cost.energy_j += op.energy_j;
    if (op.macs == 0) continue;
    utilisation += op.utilisation;
    products += 1;
  }
  cost.resources = {{"utilisation", products > 0 ? utilisation / products : 0, 0}};
}

void SpatialModel::estimate(std::span<const Design> designs, std::span<Cost> costs) const {
  for (std::size_t i = 0; i < designs.size(); ++i) estimate_one(designs[i], costs[i]);
}

}  // namespace ridgeline
