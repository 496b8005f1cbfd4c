#include "experiments/quantization/kept_layers.hpp"

#include <algorithm>
#include <numeric>

#include "experiments/study/study.hpp"
#include "hwmodels/hardware_model.hpp"
#include "kernels/measure.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

int bits_of(const std::string& word) {
  Network one;
  Op op;
  op.kind = OpKind::linear;
  op.channels = 1;
  one.add(op, {one.add_input({1, 1})});
  const OperatorFormats formats = PrecisionPlan::uniform(one, word).operators[1];
  return formats.activations.width_bits + formats.weights.width_bits;
}

// Multiplications of the operators of each dimension.
std::vector<std::int64_t> macs_of(const SearchSpace& space, const Genome& plan) {
  std::vector<std::int64_t> result;
  const Design first = space.decode(plan);
  for (std::size_t d = 0; d < plan.genes.size(); ++d) {
    Genome other = plan;
    other.genes[d] = plan.genes[d] == 0 ? 1 : 0;
    const PrecisionPlan changed = space.decode(other).precision;
    std::int64_t sum = 0;
    for (NodeId node = 0; node < changed.operators.size(); ++node) {
      if (changed.operators[node] != first.precision.at(node)) sum += macs(first.network, node);
    }
    result.push_back(sum);
  }
  return result;
}

// The time of every design, the plan's own first: here, taking turns, or on the device.
std::vector<Measurement> times_of(const std::vector<Design>& designs, const KeptLayersTask& task) {
  const MeasureOptions timing{.threads = task.threads, .target_s = 0.05};
  std::vector<Measurement> times;
  if (task.device.empty() && task.measure) {
    for (const Design& design : designs) times.push_back(task.measure(design, timing));
    return times;
  }
  if (task.device.empty()) {
    InterleaveOptions turns;
    turns.progress = [&](std::size_t done, std::size_t total) {
      if (task.progress) task.progress("what fewer bits would change: timing", done, total);
    };
    return measure_interleaved(designs, timing, turns);
  }
  const std::unique_ptr<HardwareModel> model = load_device(task.device);
  for (const Design& design : designs) {
    const Cost cost = model->estimate(design);
    Measurement one;
    one.median_s = one.ci_low_s = one.ci_high_s = cost.latency_s;
    if (!cost.problem().empty()) {
      one.outcome = Measurement::Outcome::unsupported;
      one.reason = cost.problem();
    }
    times.push_back(std::move(one));
  }
  return times;
}

}  // namespace

bool runs_here(const Design& design) {
  try {
    const Executable executable(design);
    return true;
  } catch (const Unsupported&) {
    return false;
  }
}

std::vector<KeptLayer> kept_layers(const Genome& plan, const KeptLayersTask& task) {
  std::vector<int> bits;
  for (const std::string& word : task.formats) bits.push_back(bits_of(word));
  const auto narrowest = static_cast<std::uint16_t>(std::ranges::min_element(bits) - bits.begin());
  std::vector<std::size_t> places;
  for (std::size_t d = 0; d < plan.genes.size(); ++d) {
    if (bits[plan.genes[d]] > bits[narrowest]) places.push_back(d);
  }
  if (places.empty()) return {};
  const std::vector<std::int64_t> work = macs_of(task.space, plan);
  std::ranges::stable_sort(places, std::greater{}, [&](std::size_t d) { return work[d]; });
  places.resize(std::min(places.size(), task.most));

  std::vector<KeptLayer> kept;
  std::vector<Design> designs{task.space.decode(plan)};
  for (const std::size_t d : places) {
    if (task.progress) task.progress("what fewer bits would change", kept.size(), places.size());
    Genome other = plan;
    other.genes[d] = narrowest;
    designs.push_back(task.space.decode(other));
    KeptLayer layer{task.space.dims()[d].name, task.formats[plan.genes[d]], task.formats[narrowest]};
    try {
      layer.quality_change = task.quality.of(designs.back().precision) - task.quality_of_plan;
    } catch (const Unsupported& problem) {
      layer.unsupported = problem.what();
    }
    kept.push_back(std::move(layer));
  }
  const std::vector<Measurement> times = times_of(designs, task);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const Measurement& other = times[i + 1];
    if (other.outcome == Measurement::Outcome::unsupported) kept[i].unsupported = other.reason;
    if (other.outcome != Measurement::Outcome::ok || times[0].outcome != Measurement::Outcome::ok) continue;
    kept[i].latency_change_s = other.median_s - times[0].median_s;
    kept[i].tie = tied(times[0], other);
  }
  return kept;
}

}  // namespace ridgeline
