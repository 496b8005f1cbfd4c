#include "hwmodels/spatial/loop_nest.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/spatial/matrix_product.hpp"

namespace ridgeline {
namespace {

using Extents = std::array<std::int64_t, loop_dimensions>;

constexpr Extents ones{1, 1, 1, 1, 1, 1, 1, 1};
constexpr std::array<char, loop_dimensions> letters{'N', 'G', 'M', 'C', 'P', 'Q', 'R', 'S'};

std::size_t index(LoopDimension dimension) { return static_cast<std::size_t>(dimension); }

void multiply(Extents& extents, std::span<const Loop> loops) {
  for (const Loop& loop : loops) extents[index(loop.dimension)] *= loop.extent;
}

std::int64_t product(std::span<const Loop> loops) {
  std::int64_t all = 1;
  for (const Loop& loop : loops) all *= loop.extent;
  return all;
}

std::int64_t product_of(std::span<const Loop> loops, LoopOperand operand) {
  std::int64_t all = 1;
  for (const Loop& loop : loops) all *= LoopWorkload::has(operand, loop.dimension) ? loop.extent : 1;
  return all;
}

// What the loops of `level` and those inside it touch.
Extents block_of(const Mapping& mapping, std::size_t level) {
  Extents block = ones;
  for (std::size_t l = level; l < mapping.size(); ++l) {
    multiply(block, mapping[l].temporal);
    multiply(block, mapping[l].spatial);
  }
  return block;
}

class NestAnalysis {
 public:
  NestAnalysis(const LoopWorkload& workload, const SpatialArchitecture& architecture, const Mapping& mapping)
      : workload_(workload), architecture_(architecture), mapping_(mapping), depth_(mapping.size()) {
    for (std::size_t l = 0; l <= depth_; ++l) blocks_.push_back(block_of(mapping, l));
  }

  NestCost run() {
    NestCost cost;
    cost.levels.resize(depth_);
    double cycles = 1;
    for (std::size_t l = 0; l < depth_; ++l) {
      cost.levels[l].instances = cost.units;
      cost.units *= product(mapping_[l].spatial);
      cycles *= static_cast<double>(product(mapping_[l].temporal));
    }
    for (const LoopOperand operand : {LoopOperand::weights, LoopOperand::inputs, LoopOperand::outputs})
      move(operand, cost);
    cost.bound_by = depth_;
    double stretch = 1;
    for (std::size_t l = 0; l < depth_; ++l) {
      const double needed = bandwidth_share(l, cost.levels[l], cycles);
      if (needed <= stretch) continue;
      stretch = needed;
      cost.bound_by = l;
    }
    cost.cycles = cycles * stretch;
    add_energy(cost);
    cost.utilisation =
        static_cast<double>(workload_.macs()) / (cost.cycles * static_cast<double>(architecture_.multipliers()));
    return cost;
  }

 private:
  bool keeps(std::size_t level, LoopOperand operand) const {
    return level < depth_ && architecture_.levels[level].keeps[static_cast<std::size_t>(operand)];
  }

  // How many words come into (or out of) one instance of `level`, depth_ = a multiplier, over the whole layer.
  std::int64_t visits(LoopOperand operand, std::size_t level) const {
    const std::int64_t tile = workload_.words(operand, blocks_[level]);
    std::int64_t words = tile;
    bool changed = level == depth_, nearest = true;  // a multiplier keeps nothing
    for (std::size_t l = level; l-- > 0;) {
      const std::vector<Loop>& loops = mapping_[l].temporal;
      for (auto loop = loops.rbegin(); loop != loops.rend(); ++loop) {
        if (loop->extent == 1) continue;
        const bool slides = nearest && operand == LoopOperand::inputs && level < depth_;
        nearest = false;
        if (!changed && !LoopWorkload::has(operand, loop->dimension)) continue;
        words = slides ? tile + (loop->extent - 1) * fresh(loop->dimension, level, l) : words * loop->extent;
        changed = true;
      }
    }
    return words;
  }

  // Words that a step along `dimension` brings into the window of inputs; the step is as long as the block between.
  std::int64_t fresh(LoopDimension dimension, std::size_t level, std::size_t outer) const {
    Extents block = blocks_[level];
    std::int64_t step = block[index(dimension)];
    for (std::size_t l = outer; l < level; ++l) {
      for (const Loop& loop : mapping_[l].spatial) step *= loop.dimension == dimension ? loop.extent : 1;
    }
    const std::int64_t tile = workload_.words(LoopOperand::inputs, block);
    block[index(dimension)] += step;
    return std::min(tile, workload_.words(LoopOperand::inputs, block) - tile);
  }

  // Different words of outputs that one instance of `level` ever makes.
  std::int64_t distinct(std::size_t level) const {
    std::int64_t words = workload_.words(LoopOperand::outputs, blocks_[level]);
    for (std::size_t l = 0; l < level; ++l) words *= product_of(mapping_[l].temporal, LoopOperand::outputs);
    return words;
  }

  void move(LoopOperand operand, NestCost& cost) {
    const auto at = static_cast<std::size_t>(operand);
    const bool outputs = operand == LoopOperand::outputs;
    for (std::size_t l = 0; l < depth_; ++l) {
      if (!keeps(l, operand)) continue;
      OperandTraffic& traffic = cost.levels[l].operand[at];
      traffic.tile = workload_.words(operand, blocks_[l]);
      std::size_t inside = l + 1;
      std::int64_t different = product_of(mapping_[l].spatial, operand);
      while (inside < depth_ && !keeps(inside, operand)) {
        different *= product_of(mapping_[inside].spatial, operand);
        ++inside;
      }
      const std::int64_t moved = visits(operand, inside);
      traffic.reads = (outputs ? moved - distinct(inside) : moved) * different;
      if (outputs) traffic.updates = moved * different;
      if (l > 0) traffic.fills = visits(operand, l) - (outputs ? distinct(l) : 0);
    }
  }

  double bandwidth_share(std::size_t level, const LevelTraffic& traffic, double cycles) const {
    const StorageLevel& storage = architecture_.levels[level];
    double reads = 0, writes = 0;
    for (const OperandTraffic& one : traffic.operand) {
      reads += static_cast<double>(one.reads);
      writes += static_cast<double>(one.fills + one.updates);
    }
    double share = 0;
    if (storage.read_words_per_cycle > 0) share = reads / cycles / storage.read_words_per_cycle;
    if (storage.write_words_per_cycle > 0) share = std::max(share, writes / cycles / storage.write_words_per_cycle);
    return share;
  }

  void add_energy(NestCost& cost) const {
    cost.energy_pj = architecture_.mac_pj * static_cast<double>(workload_.macs());
    for (std::size_t l = 0; l < depth_; ++l) {
      const StorageLevel& storage = architecture_.levels[l];
      LevelTraffic& level = cost.levels[l];
      for (const OperandTraffic& one : level.operand) {
        level.energy_pj += static_cast<double>(one.reads) * storage.read_pj +
                           static_cast<double>(one.fills) * storage.write_pj +
                           static_cast<double>(one.updates) * storage.update_pj;
      }
      const auto instances = static_cast<double>(level.instances);
      level.energy_pj *= instances / static_cast<double>(storage.words_per_access);
      level.leak_pj = instances * cost.cycles * storage.leak_pj;
      cost.energy_pj += level.energy_pj + level.leak_pj;
    }
  }

  const LoopWorkload& workload_;
  const SpatialArchitecture& architecture_;
  const Mapping& mapping_;
  std::size_t depth_;
  std::vector<Extents> blocks_;  // by level; the last is a single multiply-accumulate
};

}  // namespace

std::span<const std::string> operand_names() {
  static const std::vector<std::string> names{"weights", "inputs", "outputs"};
  return names;
}

bool LoopWorkload::has(LoopOperand operand, LoopDimension dimension) {
  switch (dimension) {
    case LoopDimension::g:
      return true;
    case LoopDimension::m:
      return operand != LoopOperand::inputs;
    case LoopDimension::c:
      return operand != LoopOperand::outputs;
    case LoopDimension::r:
    case LoopDimension::s:
      return operand != LoopOperand::outputs;
    default:
      return operand != LoopOperand::weights;
  }
}

std::int64_t LoopWorkload::macs() const {
  std::int64_t all = 1;
  for (const std::int64_t one : extent) all *= one;
  return all;
}

std::int64_t LoopWorkload::words(LoopOperand operand, const Extents& block) const {
  const auto& [n, g, m, c, p, q, r, s] = block;
  if (operand == LoopOperand::weights) return g * m * c * r * s;
  if (operand == LoopOperand::outputs) return n * g * m * p * q;
  const auto window = [this](std::int64_t outputs, std::int64_t kernel, std::size_t axis) {
    return (outputs - 1) * stride[axis] + (kernel - 1) * dilation[axis] + 1;
  };
  return n * g * c * window(p, r, 0) * window(q, s, 1);
}

LoopWorkload loop_workload(const LayerKey& key) {
  LoopWorkload workload;
  if (key.kind == OpKind::conv2d) {
    workload.extent = {key.batch,  key.groups, key.out[0] / key.groups, key.in[0] / key.groups,
                       key.out[1], key.out[2], key.kernel[0],           key.kernel[1]};
    workload.stride = key.stride;
    workload.dilation = key.dilation;
    return workload;
  }
  if (const auto product = matrix_product(key)) {
    workload.extent = {1, product->count, product->n, product->k, product->m, 1, 1, 1};
  }
  return workload;
}

std::int64_t SpatialArchitecture::multipliers() const {
  std::int64_t all = 1;
  for (const StorageLevel& level : levels) all *= level.fan_out;
  return all;
}

std::string misfit(const LoopWorkload& workload, const SpatialArchitecture& architecture, const Mapping& mapping) {
  if (mapping.size() != architecture.levels.size()) {
    return fmt::format("{} levels of loops for {} storage levels", mapping.size(), architecture.levels.size());
  }
  const Extents whole = mapping.empty() ? ones : block_of(mapping, 0);
  for (std::size_t d = 0; d < loop_dimensions; ++d) {
    if (whole[d] == workload.extent[d]) continue;
    return fmt::format("the factors of {} make {}, not {}", letters[d], whole[d], workload.extent[d]);
  }
  for (std::size_t l = 0; l < mapping.size(); ++l) {
    const StorageLevel& level = architecture.levels[l];
    if (const std::int64_t used = product(mapping[l].spatial); used > level.fan_out) {
      return fmt::format("{} instances inside {}, which has {}", used, level.name, level.fan_out);
    }
    if (level.words == 0) continue;
    const Extents block = block_of(mapping, l);
    std::int64_t words = 0;
    for (const LoopOperand operand : {LoopOperand::weights, LoopOperand::inputs, LoopOperand::outputs}) {
      if (level.keeps[static_cast<std::size_t>(operand)]) words += workload.words(operand, block);
    }
    if (words > level.words) {
      return fmt::format("{} words in {}, which holds {}", words, level.name, level.words);
    }
  }
  return {};
}

NestCost evaluate(const LoopWorkload& workload, const SpatialArchitecture& architecture, const Mapping& mapping) {
  return NestAnalysis(workload, architecture, mapping).run();
}

}  // namespace ridgeline
