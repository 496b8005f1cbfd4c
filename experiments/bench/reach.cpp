#include "experiments/bench/reach.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

// Sums of the same values in another order differ in their last bits; a mean within so much is the same.
constexpr double rounding = 1e-12;

const QualityStep* step_at(const QualityCurve& curve, std::int64_t evaluations) {
  const auto after = std::ranges::upper_bound(curve, evaluations, {}, &QualityStep::evaluations);
  return after == curve.begin() ? nullptr : &*std::prev(after);
}

std::optional<double> mean_at(std::span<const QualityCurve> curves, std::span<const std::size_t> runs,
                              std::int64_t evaluations) {
  double sum = 0;
  for (const std::size_t run : runs) {
    const QualityStep* step = step_at(curves[run], evaluations);
    if (step == nullptr) return std::nullopt;
    sum += step->quality;
  }
  return sum / static_cast<double>(runs.size());
}

// Ratios of the resamples, 0 for those that do not reach the target.
void set_interval(std::vector<double>& ratios, ReachRow& row) {
  if (ratios.empty()) return;
  std::ranges::sort(ratios);
  const auto last = static_cast<double>(ratios.size() - 1);
  const double low = ratios[static_cast<std::size_t>(std::floor(0.025 * last))];
  const double high = ratios[static_cast<std::size_t>(std::ceil(0.975 * last))];
  if (low > 0) row.low = low;
  if (high > 0) row.high = high;
}

class Reach {
 public:
  Reach(std::span<const std::vector<QualityCurve>> curves, std::size_t named, std::span<const std::int64_t> at)
      : curves_(curves), named_(named), at_(at), seeds_(curves[named].size()) {}

  BenchReach make() {
    BenchReach reach{named_, seeds_ > 1, seeds_ > 1 ? reach_resamples : 0, {}};
    std::vector<std::size_t> all(seeds_);
    std::iota(all.begin(), all.end(), std::size_t{0});
    for (const std::int64_t at : at_) reach.targets.push_back(target(all, at));
    if (reach.intervals) bootstrap(reach.targets);
    return reach;
  }

 private:
  ReachTarget target(std::span<const std::size_t> runs, std::int64_t at) const {
    ReachTarget target;
    target.at = at;
    target.quality = mean_at(curves_[named_], runs, at);
    if (!target.quality) return target;
    target.evaluations = first_reach(curves_[named_], runs, *target.quality, at).value();
    target.bound = static_cast<double>(at) / static_cast<double>(at_.back());
    for (std::size_t row = 0; row < curves_.size(); ++row) {
      if (row == named_) continue;
      ReachRow one{row, first_reach(curves_[row], runs, *target.quality, at_.back()), {}, {}, {}};
      if (one.evaluations) {
        one.ratio = static_cast<double>(target.evaluations) / static_cast<double>(*one.evaluations);
      }
      target.rows.push_back(one);
    }
    return target;
  }

  void bootstrap(std::vector<ReachTarget>& targets) const {
    std::vector<std::vector<std::vector<double>>> ratios(targets.size());  // targets x rows x resamples
    for (std::size_t t = 0; t < targets.size(); ++t) ratios[t].resize(targets[t].rows.size());
    Rng rng(0, "bench reach");
    std::vector<std::size_t> drawn(seeds_);
    for (std::size_t b = 0; b < reach_resamples; ++b) {
      for (std::size_t& run : drawn) run = rng.below(seeds_);
      for (std::size_t t = 0; t < targets.size(); ++t) {
        if (targets[t].rows.empty()) continue;
        const ReachTarget again = target(drawn, targets[t].at);
        for (std::size_t i = 0; i < again.rows.size(); ++i) ratios[t][i].push_back(again.rows[i].ratio.value_or(0.0));
      }
    }
    for (std::size_t t = 0; t < targets.size(); ++t) {
      for (std::size_t i = 0; i < targets[t].rows.size(); ++i) set_interval(ratios[t][i], targets[t].rows[i]);
    }
  }

  std::span<const std::vector<QualityCurve>> curves_;
  std::size_t named_;
  std::span<const std::int64_t> at_;
  std::size_t seeds_;
};

}  // namespace

std::optional<std::int64_t> first_reach(std::span<const QualityCurve> curves, std::span<const std::size_t> runs,
                                        double target, std::int64_t most) {
  const double enough = target - rounding * std::abs(target);
  const auto reached = [&](std::int64_t evaluations) {
    const std::optional<double> mean = mean_at(curves, runs, evaluations);
    return mean && *mean >= enough;
  };
  if (runs.empty() || most < 1 || !reached(most)) return std::nullopt;
  std::int64_t below = 0, there = most;  // the mean curve does not fall
  while (there - below > 1) {
    const std::int64_t middle = below + (there - below) / 2;
    (reached(middle) ? there : below) = middle;
  }
  return there;
}

BenchReach bench_reach(std::span<const std::vector<QualityCurve>> curves, std::size_t named,
                       std::span<const std::int64_t> at) {
  if (named >= curves.size() || at.empty()) throw std::invalid_argument("no such setting, or no budget");
  for (const std::vector<QualityCurve>& runs : curves) {
    if (runs.empty() || runs.size() != curves[named].size()) {
      throw std::invalid_argument("settings with equally many runs, at least one each, are needed");
    }
  }
  return Reach(curves, named, at).make();
}

std::size_t reach_setting(std::span<const BenchSetting> settings, const std::string& name) {
  std::vector<std::string> labels;
  std::vector<std::size_t> of_searcher;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    if (settings[i].label == name) return i;
    labels.push_back(settings[i].label);
    if (settings[i].searcher == name) of_searcher.push_back(i);
  }
  if (of_searcher.size() == 1) return of_searcher[0];
  if (of_searcher.size() > 1) {
    throw ConfigError({"--reach", name, "one setting", fmt::format("{} of '{}'", of_searcher.size(), name),
                       fmt::format("name it whole: --reach \"{}\"", labels[of_searcher[0]])});
  }
  throw ConfigError({"--reach", name, "a searcher that is run", "'" + name + "'", known_words(name, labels)});
}

}  // namespace ridgeline
