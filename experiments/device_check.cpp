#include "experiments/device_check.hpp"

#include <algorithm>
#include <unordered_set>

#include "experiments/calibrate.hpp"
#include "experiments/calibrate_networks.hpp"
#include "hwmodels/table_model.hpp"
#include "kernels/statistics.hpp"
#include "predictors/metrics.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

struct Drawn {
  std::vector<Genome> genomes;
  std::vector<Design> designs;
  std::vector<Cost> costs;
};

std::unordered_set<std::string> seen_in_calibration(const TableModel* table) {
  std::unordered_set<std::string> seen;
  if (table == nullptr) return seen;
  const Json& about = table->device().about_calibration;
  if (!about.is_object() || !about.contains("seen")) return seen;
  for (const Json& hash : about["seen"]) {
    if (hash.is_string()) seen.insert(hash.get<std::string>());
  }
  return seen;
}

Drawn draw(const HardwareModel& device, const SearchSpace& space, const DeviceCheckOptions& options,
           DeviceCheckResult& result) {
  std::unordered_set<std::string> known = seen_in_calibration(dynamic_cast<const TableModel*>(&device));
  const std::unordered_set<std::string> calibrated = known;
  Rng rng(options.seed, "device-check");
  Drawn drawn;
  for (std::size_t tries = 0; tries < 50 * options.n + 100 && drawn.genomes.size() < options.n; ++tries) {
    Genome genome = space.sample(rng);
    Design design = decode_as(space, genome, options.format);
    const std::string hash = hex64(function_hash(design));
    result.skipped_seen += calibrated.count(hash);
    if (!known.insert(hash).second) continue;
    Cost cost = device.estimate(design);
    if (!cost.unsupported.empty()) {
      ++result.unsupported;
      result.unsupported_reason = cost.unsupported;
      continue;
    }
    drawn.genomes.push_back(std::move(genome));
    drawn.designs.push_back(std::move(design));
    drawn.costs.push_back(std::move(cost));
  }
  return drawn;
}

double share_unseen(std::span<const Cost> costs) {
  double layers = 0, unseen = 0;
  for (const Cost& cost : costs) {
    for (const OpCost& op : cost.ops) {
      if (op.bound_by.empty()) continue;
      layers += 1;
      unseen += op.bound_by == "table" ? 0 : 1;
    }
  }
  return layers > 0 ? unseen / layers : 0.0;
}

double median_gap(std::span<const Design> designs, const DeviceCheckOptions& options) {
  std::vector<double> gaps;
  MeasureOptions measure_options;
  measure_options.threads = options.threads;
  measure_options.target_s = 0.05;
  measure_options.per_operator = true;
  measure_options.max_relative_mad = 1e9;
  for (std::size_t i = 0; i < std::min(options.gap_networks, designs.size()); ++i) {
    const Measurement one = measure(designs[i], measure_options);
    if (one.outcome == Measurement::Outcome::ok) gaps.push_back(100.0 * (one.sum_of_ops_s / one.median_s - 1.0));
  }
  return gaps.empty() ? 0.0 : median(gaps);
}

}  // namespace

AgreementScores agreement(std::span<const double> predicted, std::span<const double> measured) {
  return {spearman(predicted, measured), kendall_tau_b(predicted, measured),
          mean_absolute_percentage_error(predicted, measured), share_within(predicted, measured, 0.05),
          share_within(predicted, measured, 0.10)};
}

DeviceCheckResult check_device(const HardwareModel& device, const SearchSpace& space, const DeviceCheckOptions& options,
                               const std::function<void(std::size_t, std::size_t)>& progress) {
  DeviceCheckResult result;
  const auto* table = dynamic_cast<const TableModel*>(&device);
  const Drawn drawn = draw(device, space, options, result);
  MeasureOptions timing;
  timing.threads = options.threads;
  timing.seed = options.seed;
  timing.max_relative_mad = 1e9;  // everything measured is shown; the interval says how sure it is
  timing.target_s = drawn.designs.empty() ? 0.0 : options.seconds / static_cast<double>(drawn.designs.size());
  timing.min_samples = 3 * options.rounds;
  InterleaveOptions interleave;
  interleave.rounds = options.rounds;
  interleave.block_bytes = std::int64_t{6} << 30;
  interleave.progress = progress;
  double nominal_s = 0.0;
  Design reference;
  if (table != nullptr) {
    result.environment_warning = environment_mismatch(table->device(), this_environment());
    const auto& references = table->device().reference_s;
    const auto found = references.find(options.format);
    if (found != references.end()) {
      nominal_s = found->second;
      reference = reference_network(Format::parse(options.format));
      interleave.reference = &reference;
    }
  }
  const std::vector<Measurement> measured = measure_interleaved(drawn.designs, timing, interleave);
  std::vector<double> predicted, plain, corrected, speeds;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const Measurement& one = measured[i];
    if (one.outcome == Measurement::Outcome::unsupported) {
      ++result.unsupported;
      result.unsupported_reason = one.reason;
      continue;
    }
    std::vector<double> samples = one.samples_s;
    for (std::size_t s = 0; nominal_s > 0 && s < samples.size(); ++s) {
      samples[s] *= nominal_s / one.reference_s[s];
      speeds.push_back(one.reference_s[s] / nominal_s);
    }
    result.pairs.push_back(
        {drawn.genomes[i], drawn.costs[i].latency_s, one.median_s, median(samples), one.ci_low_s, one.ci_high_s});
    predicted.push_back(drawn.costs[i].latency_s);
    plain.push_back(one.median_s);
    corrected.push_back(result.pairs.back().at_reference_s);
  }
  if (result.pairs.empty()) {
    throw ConfigError(Problem{"device check", "", "networks that the device and this machine run", "none",
                              result.unsupported_reason});
  }
  result.as_timed = agreement(predicted, plain);
  result.at_reference = agreement(predicted, corrected);
  if (!speeds.empty()) result.speed = median(speeds);
  if (table != nullptr) result.unseen_layers = share_unseen(drawn.costs);
  result.gap_percent = median_gap(drawn.designs, options);
  return result;
}

}  // namespace ridgeline
