#include "search/constructive/seen_values.hpp"

#include <algorithm>
#include <cmath>

namespace ridgeline {
namespace {

constexpr double least_weight = 1e-3;  // an objective without weight still breaks ties
constexpr double augmentation = 0.05;  // share of the sum of costs beside the largest

void load_row(JsonReader& reader, const char* key, std::vector<double>& row) {
  const std::vector<double> read = reader.numbers(key);
  if (read.size() != row.size()) {
    reader.note(key, std::to_string(row.size()) + " numbers", std::to_string(read.size()));
  } else {
    row = read;
  }
}

}  // namespace

SeenValues::SeenValues(std::size_t objectives)
    : mean_(objectives, 0.0), squares_(objectives, 0.0), best_(objectives, 0.0), worst_(objectives, 0.0) {}

void SeenValues::count(std::span<const double> values) {
  counted_ += 1.0;
  for (std::size_t k = 0; k < mean_.size(); ++k) {
    const double off = values[k] - mean_[k];
    mean_[k] += off / counted_;
    squares_[k] += off * (values[k] - mean_[k]);
    best_[k] = counted_ == 1.0 ? values[k] : std::min(best_[k], values[k]);
    worst_[k] = counted_ == 1.0 ? values[k] : std::max(worst_[k], values[k]);
  }
}

double SeenValues::cost(std::size_t objective, double value) const {
  if (counted_ == 0.0) return 0.0;
  const double deviation = std::sqrt(squares_[objective] / counted_);
  const double top = std::min(worst_[objective], mean_[objective] + 2.0 * deviation);
  const double range = top - best_[objective];
  return range > 0.0 ? std::clamp((value - best_[objective]) / range, 0.0, 1.0) : 0.0;
}

double SeenValues::cost(std::span<const double> values, std::span<const double> weights) const {
  if (values.size() == 1) return cost(0, values[0]);
  double most = 0.0, sum = 0.0, heaviest = 0.0, weight_sum = 0.0;
  for (std::size_t k = 0; k < values.size(); ++k) {
    const double weight = std::max(weights[k], least_weight);
    const double one = weight * cost(k, values[k]);
    most = std::max(most, one);
    sum += one;
    heaviest = std::max(heaviest, weight);
    weight_sum += weight;
  }
  return (most / heaviest + augmentation * sum / weight_sum) / (1.0 + augmentation);
}

Json SeenValues::save() const {
  return {{"counted", counted_}, {"mean", mean_}, {"squares", squares_}, {"best", best_}, {"worst", worst_}};
}

void SeenValues::load(JsonReader& reader, const std::string& key) {
  std::optional<JsonReader> data = reader.object(key);
  if (!data) return;
  counted_ = data->number("counted", {.fallback = {}, .least = 0.0});
  load_row(*data, "mean", mean_);
  load_row(*data, "squares", squares_);
  load_row(*data, "best", best_);
  load_row(*data, "worst", worst_);
  data->finish();
  if (std::ranges::any_of(squares_, [](double sum) { return sum < 0.0; })) {
    data->note("squares", "sums of squares", "a negative one");
  }
}

}  // namespace ridgeline
