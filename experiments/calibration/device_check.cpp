#include "experiments/calibration/device_check.hpp"

#include <algorithm>
#include <unordered_set>

#include "experiments/calibration/calibrate.hpp"
#include "experiments/calibration/calibrate_networks.hpp"
#include "experiments/calibration/calibrate_timing.hpp"
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
    if (!cost.problem().empty()) {
      ++result.unsupported;
      result.unsupported_reason = cost.problem();
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

void add_anchors(const TableModel& table, const SearchSpace& space, const std::string& format, Drawn& drawn) {
  for (const Anchor& anchor : table.device().anchors) {
    if (anchor.space_fingerprint != hex64(space.fingerprint()) || anchor.format != format) continue;
    Genome genome{anchor.genes};
    if (space.violation(genome)) continue;
    drawn.designs.push_back(decode_as(space, genome, format));
    drawn.costs.push_back(table.estimate(drawn.designs.back()));
    drawn.genomes.push_back(std::move(genome));
  }
}

struct Timings {
  std::vector<Measurement> measured;
  std::vector<double> steady_s;  // medians of samples brought to the run's median speed by the reference around them
  double speed = 1;              // the reference's median over its time in calibration; 1 = unknown
};

int rounds_within(const DeviceCheckOptions& options, std::span<const Cost> costs) {
  double round_s = 0;
  for (const Cost& cost : costs) round_s += (warm_up_runs + calibration_turn_samples) * cost.latency_s;
  const double affordable = round_s > 0 ? options.seconds / round_s : options.rounds;
  return static_cast<int>(std::clamp<double>(affordable, std::min(5, options.rounds), options.rounds));
}

Timings time_all(const Drawn& drawn, const TableModel* table, const DeviceCheckOptions& options,
                 const std::function<void(std::size_t, std::size_t)>& progress) {
  MeasureOptions timing;
  timing.threads = options.threads;
  timing.seed = options.seed;
  timing.max_relative_mad = 1e9;  // everything measured is shown; the interval says how sure it is
  InterleaveOptions interleave;
  interleave.rounds = rounds_within(options, drawn.costs);
  timing.min_samples = timing.max_samples = calibration_turn_samples * interleave.rounds;
  interleave.block_bytes = std::int64_t{6} << 30;
  interleave.progress = progress;
  Design reference;
  if (table != nullptr && table->device().reference_s.contains(options.format)) {
    reference = reference_network(Format::parse(options.format));
    interleave.reference = &reference;
  }
  Timings timings;
  timings.measured = measure_interleaved(drawn.designs, timing, interleave);
  std::vector<double> references;
  for (const Measurement& one : timings.measured) {
    references.insert(references.end(), one.reference_s.begin(), one.reference_s.end());
  }
  const double usual_s = references.empty() ? 0.0 : median(references);
  if (usual_s > 0) timings.speed = usual_s / table->device().reference_s.at(options.format);
  for (const Measurement& one : timings.measured) {
    std::vector<double> samples = one.samples_s;
    for (std::size_t s = 0; s < one.reference_s.size(); ++s) samples[s] *= usual_s / one.reference_s[s];
    timings.steady_s.push_back(samples.empty() ? 0.0 : median(samples));
  }
  return timings;
}

double speed_now(const Drawn& drawn, std::size_t first_anchor, const Timings& timings, const TableModel* table,
                 std::size_t& anchors) {
  std::vector<double> ratios;
  for (std::size_t i = first_anchor; i < drawn.designs.size(); ++i) {
    if (timings.steady_s[i] > 0) ratios.push_back(timings.steady_s[i] / drawn.costs[i].latency_s);
  }
  anchors = ratios.size();
  if (!ratios.empty()) return median(ratios);
  return table != nullptr ? timings.speed : 1.0;
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
  if (table != nullptr) result.environment_warning = environment_mismatch(table->device(), this_environment());
  Drawn drawn = draw(device, space, options, result);
  const std::size_t tested = drawn.designs.size();
  if (table != nullptr) add_anchors(*table, space, options.format, drawn);
  const Timings timings = time_all(drawn, table, options, progress);
  result.speed = speed_now(drawn, tested, timings, table, result.anchors);
  std::vector<double> predicted, plain, corrected;
  for (std::size_t i = 0; i < tested; ++i) {
    const Measurement& one = timings.measured[i];
    if (one.outcome == Measurement::Outcome::unsupported) {
      ++result.unsupported;
      result.unsupported_reason = one.reason;
      continue;
    }
    result.pairs.push_back({drawn.genomes[i], drawn.costs[i].latency_s, one.median_s,
                            timings.steady_s[i] / result.speed, one.ci_low_s, one.ci_high_s});
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
  if (table != nullptr) result.unseen_layers = share_unseen({drawn.costs.data(), tested});
  result.gap_percent = median_gap({drawn.designs.data(), tested}, options);
  return result;
}

}  // namespace ridgeline
