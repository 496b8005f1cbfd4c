// From timed networks to a layer table: own times as prior, whole times as evidence.
#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "experiments/calibration/calibrate.hpp"
#include "kernels/statistics.hpp"
#include "predictors/metrics.hpp"
#include "predictors/ridge.hpp"

namespace ridgeline {
namespace {

// Layers whose corrections are alike: what fusion and reorders do depends on the kind of layer more than on its size.
std::string group_of(const LayerKey& key) {
  return fmt::format("{} {} {} {} {} {}", name_of(key.kind), key.depthwise(), key.kernel[0], key.add,
                     name_of(key.activation), key.entry || key.exit);
}

struct Collected {
  std::vector<LayerKey> keys;
  std::vector<double> own_s, mad_s;  // medians over networks, a key
  std::vector<std::int64_t> seen;
  std::vector<std::vector<std::size_t>> rows;  // network -> keys of its layers
  std::vector<double> whole_s;                 // network
  std::vector<double> footprint_bytes;         // network
};

Collected collect(std::span<const TimedNetwork> networks) {
  Collected all;
  std::unordered_map<std::uint64_t, std::size_t> index;
  std::vector<std::vector<double>> own, mads;
  for (const TimedNetwork& network : networks) {
    std::vector<std::size_t> row;
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const auto [at, added] = index.emplace(network.layers[i].hash(), all.keys.size());
      if (added) {
        all.keys.push_back(network.layers[i]);
        own.emplace_back();
        mads.emplace_back();
      }
      if (!network.layer_s.empty()) {
        own[at->second].push_back(network.layer_s[i]);
        mads[at->second].push_back(network.layer_mad_s[i]);
      }
      row.push_back(at->second);
    }
    all.rows.push_back(std::move(row));
    all.whole_s.push_back(median(network.whole_s));
    all.footprint_bytes.push_back(network.footprint_bytes);
  }
  for (std::size_t key = 0; key < all.keys.size(); ++key) {
    all.own_s.push_back(median(own[key]));
    all.mad_s.push_back(median(mads[key]));
    all.seen.push_back(static_cast<std::int64_t>(own[key].size()));
  }
  return all;
}

// Columns: a factor a key, a factor a group, one factor for all, each multiplying the own times it stands for; then a
// constant and the bends of the footprint curve. Rows are divided by the network's whole time, so that relative errors
// are minimised.
struct LinearSystem {
  Eigen::MatrixXd X;
  std::vector<std::size_t> group;  // of each key
  Eigen::Index keys = 0, groups = 0, knots = 0;

  Eigen::Index overall() const { return keys + groups; }
  Eigen::Index constant() const { return keys + groups + 1; }
  Eigen::Index first_knot() const { return keys + groups + 2; }
};

// Slopes are of the order of one over a cache's bandwidth; in this unit their coefficients are of order one.
constexpr double slope_unit_s_per_byte = 1.0 / 50e9;
constexpr double constant_unit_s = 20e-6;

LinearSystem build_system(const Collected& all, std::span<const double> knots) {
  LinearSystem system;
  std::unordered_map<std::string, std::size_t> groups;
  for (const LayerKey& key : all.keys)
    system.group.push_back(groups.emplace(group_of(key), groups.size()).first->second);
  system.keys = static_cast<Eigen::Index>(all.keys.size());
  system.groups = static_cast<Eigen::Index>(groups.size());
  system.knots = static_cast<Eigen::Index>(knots.size());
  const auto rows = static_cast<Eigen::Index>(all.rows.size());
  system.X = Eigen::MatrixXd::Zero(rows, system.first_knot() + system.knots);
  for (std::size_t i = 0; i < all.rows.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    for (const std::size_t key : all.rows[i]) {
      const double share = all.own_s[key] / all.whole_s[i];
      system.X(row, static_cast<Eigen::Index>(key)) += share;
      system.X(row, system.keys + static_cast<Eigen::Index>(system.group[key])) += share;
      system.X(row, system.overall()) += share;
    }
    system.X(row, system.constant()) = constant_unit_s / all.whole_s[i];
    for (std::size_t k = 0; k < knots.size(); ++k) {
      const double beyond_s = std::max(0.0, all.footprint_bytes[i] - knots[k]) * slope_unit_s_per_byte;
      system.X(row, system.first_knot() + static_cast<Eigen::Index>(k)) = beyond_s / all.whole_s[i];
    }
  }
  return system;
}

struct Penalties {
  double key, group, constant, knot;
};

RidgeSolution solve(const LinearSystem& system, const Penalties& penalties, const Eigen::VectorXd& weight) {
  RidgeProblem problem;
  problem.weight = weight;
  const Eigen::Index all = system.X.cols();
  problem.prior = Eigen::VectorXd::Zero(all);
  problem.prior[system.overall()] = 1.0;
  problem.penalty = Eigen::VectorXd::Constant(all, penalties.key);
  problem.penalty.segment(system.keys, system.groups).setConstant(penalties.group);
  problem.penalty.tail(system.knots).setConstant(penalties.knot);
  problem.penalty[system.overall()] = 1e-6;
  problem.penalty[system.constant()] = penalties.constant;
  return solve_ridge(system.X, Eigen::VectorXd::Ones(system.X.rows()), problem);
}

// Networks timed during a disturbance count less: Huber's weights at two deviations, robustly estimated.
Eigen::VectorXd huber_weights(const Eigen::VectorXd& residual) {
  const std::vector<double> sizes(residual.data(), residual.data() + residual.size());
  const double limit = 2.0 * std::max(1.4826 * median_absolute_deviation(sizes, 0.0), 1e-4);
  return (limit / residual.array().abs().max(limit)).matrix();
}

// The penalties with the least leave-one-out error, absolute, not squared, for the same reason.
RidgeSolution best_solution(const LinearSystem& system, double& chosen_penalty) {
  RidgeSolution best;
  double least = std::numeric_limits<double>::infinity();
  for (const double knot : {1e-3, 1e-2, 1e4}) {
    for (const double key : {1e-3, 1e-2, 1e-1, 1.0}) {
      const Penalties penalties{key, 1e-3, 1e-4, knot};
      const RidgeSolution first = solve(system, penalties, Eigen::VectorXd());
      RidgeSolution solution = solve(system, penalties, huber_weights(first.loo_residual));
      const double error = solution.loo_residual.cwiseAbs().mean();
      if (!(error < least)) continue;
      least = error;
      chosen_penalty = key;
      best = std::move(solution);
    }
  }
  return best;
}

void judge(const Collected& all, const RidgeSolution& solution, CalibrationFit& quality) {
  const std::vector<double> ones(all.rows.size(), 1.0);
  std::vector<double> predicted, gaps;
  for (std::size_t i = 0; i < all.rows.size(); ++i) {
    predicted.push_back(1.0 - solution.loo_residual[static_cast<Eigen::Index>(i)]);
    double sum = 0.0;
    for (const std::size_t key : all.rows[i]) sum += all.own_s[key];
    gaps.push_back(100.0 * (sum / all.whole_s[i] - 1.0));
  }
  quality.networks = all.rows.size();
  quality.layers = all.keys.size();
  quality.mape_percent = mean_absolute_percentage_error(predicted, ones);
  quality.within_5 = share_within(predicted, ones, 0.05);
  quality.within_10 = share_within(predicted, ones, 0.10);
  quality.gap_percent = median(gaps);
}

}  // namespace

std::vector<double> footprint_knots(const Environment& environment, int threads) {
  std::vector<double> knots{0.0};
  for (const CacheLevel& cache : environment.caches) {
    if (cache.level < 2) continue;
    const double bytes = static_cast<double>(cache.bytes) * (cache.shared_by > 1 ? 1 : threads);
    for (const double share : {0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0}) {
      knots.push_back(share * bytes);
    }
  }
  std::sort(knots.begin(), knots.end());
  knots.erase(std::unique(knots.begin(), knots.end()), knots.end());
  return knots;
}

LayerFit fit_layers(std::span<const TimedNetwork> networks, std::span<const double> knots_bytes) {
  const Collected all = collect(networks);
  const LinearSystem system = build_system(all, knots_bytes);
  LayerFit fit;
  const RidgeSolution best = best_solution(system, fit.quality.penalty);
  judge(all, best, fit.quality);
  for (std::size_t key = 0; key < all.keys.size(); ++key) {
    const double factor = best.coefficients[static_cast<Eigen::Index>(key)] +
                          best.coefficients[system.keys + static_cast<Eigen::Index>(system.group[key])] +
                          best.coefficients[system.overall()];
    TableEntry entry;
    entry.key = all.keys[key];
    entry.measured_s = all.own_s[key];
    entry.latency_s = std::max(factor, 0.0) * entry.measured_s;
    entry.mad_s = all.mad_s[key];
    entry.samples = all.seen[key];
    fit.entries.push_back(entry);
  }
  const auto [least, most] = std::minmax_element(all.footprint_bytes.begin(), all.footprint_bytes.end());
  fit.footprint.least_bytes = *least;
  fit.footprint.most_bytes = *most;
  fit.footprint.constant_s = best.coefficients[system.constant()] * constant_unit_s;
  for (std::size_t k = 0; k < knots_bytes.size() && knots_bytes[k] < *most; ++k) {
    fit.footprint.knots_bytes.push_back(knots_bytes[k]);
    fit.footprint.slopes_s_per_byte.push_back(best.coefficients[system.first_knot() + static_cast<Eigen::Index>(k)] *
                                              slope_unit_s_per_byte);
  }
  return fit;
}

}  // namespace ridgeline
