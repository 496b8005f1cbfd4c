#include "experiments/report/front_history.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "experiments/report/comparison.hpp"

namespace ridgeline {

std::vector<HypervolumeStep> front_history(std::span<const Trial> trials, ParetoArchive& archive,
                                           const std::function<double(std::span<const Trial>)>& value,
                                           std::size_t most_steps, std::span<const double> spent) {
  const auto evaluations = [&](std::size_t id) {
    return spent.empty() ? static_cast<std::int64_t>(id) + 1 : static_cast<std::int64_t>(std::ceil(spent[id] - 1e-6));
  };
  const std::size_t most = std::max<std::size_t>(most_steps, 2);
  std::vector<HypervolumeStep> steps;
  std::size_t stride = 1, changes = 0;
  for (const Trial& trial : trials) {
    if (!archive.add(trial) || changes++ % stride != 0) continue;
    const HypervolumeStep step{evaluations(static_cast<std::size_t>(trial.id)), value(archive.front())};
    if (!steps.empty() && steps.back().evaluations == step.evaluations) steps.pop_back();
    steps.push_back(step);
    if (steps.size() < most) continue;
    std::vector<HypervolumeStep> kept;
    for (std::size_t i = 0; i < steps.size(); i += 2) kept.push_back(steps[i]);
    steps = std::move(kept);
    stride *= 2;
  }
  if (archive.front().empty()) return {};
  const std::size_t end = spent.empty() ? static_cast<std::size_t>(trials.back().id) : spent.size() - 1;
  const HypervolumeStep last{evaluations(end), value(archive.front())};
  if (!steps.empty() && steps.back().evaluations == last.evaluations) steps.pop_back();
  steps.push_back(last);
  return steps;
}

std::vector<MeanStep> mean_history(std::span<const std::vector<HypervolumeStep>> histories) {
  std::int64_t end = std::numeric_limits<std::int64_t>::max();
  std::set<std::int64_t> places;
  for (const auto& history : histories) {
    if (!history.empty()) end = std::min(end, history.back().evaluations);
    for (const HypervolumeStep& step : history) places.insert(step.evaluations);
  }
  std::vector<std::size_t> next(histories.size(), 0);
  std::vector<MeanStep> means;
  for (const std::int64_t place : places) {
    if (place > end) break;
    std::vector<double> values;
    for (std::size_t i = 0; i < histories.size(); ++i) {
      while (next[i] < histories[i].size() && histories[i][next[i]].evaluations <= place) ++next[i];
      values.push_back(next[i] == 0 ? 0.0 : histories[i][next[i] - 1].value);
    }
    const Spread spread = spread_of(values);
    means.push_back({place, spread.mean, spread.deviation});
  }
  return means;
}

}  // namespace ridgeline
