#include "search/predicted/out_of_sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "predictors/metrics.hpp"

namespace ridgeline {

OutOfSampleErrors::OutOfSampleErrors(std::size_t pairs) : kept_pairs_(std::min(pairs, most_pairs)) {}

void OutOfSampleErrors::add(double predicted, double found) {
  const double error = std::abs(predicted - found);
  const auto count = [](Sum& sum, double value) {
    ++sum.pairs;
    sum.error += value;
  };
  count(absolute_, error);
  count(round_, error);
  if (found != 0.0) count(relative_, error / std::abs(found));
  latest_.emplace_back(predicted, found);
  if (latest_.size() > kept_pairs_) latest_.pop_front();
}

void OutOfSampleErrors::end_round() {
  if (round_.pairs == 0) return;
  rounds_.push_back(round_.error / static_cast<double>(round_.pairs));
  ++ended_;
  if (rounds_.size() > most_rounds) rounds_.pop_front();
  round_ = {};
}

Json OutOfSampleErrors::summary() const {
  std::vector<double> predicted, found;
  for (const auto& [left, right] : latest_) {
    predicted.push_back(left);
    found.push_back(right);
  }
  Json percentage = relative_.mean();
  if (!percentage.is_null()) percentage = 100.0 * percentage.get<double>();
  return {{"trials", absolute_.pairs},
          {"mean_absolute_error", absolute_.mean()},
          {"mean_absolute_percentage_error", std::move(percentage)},
          {"spearman", predicted.size() > 1 ? Json(spearman(predicted, found)) : Json()},
          {"rounds", rounds_}};
}

Json OutOfSampleErrors::save() const {
  std::vector<double> predicted, found;
  for (const auto& [left, right] : latest_) {
    predicted.push_back(left);
    found.push_back(right);
  }
  const auto sum = [](const Sum& one) { return Json{{"pairs", one.pairs}, {"error", one.error}}; };
  return {{"absolute", sum(absolute_)},
          {"relative", sum(relative_)},
          {"round", sum(round_)},
          {"predicted", predicted},
          {"found", found},
          {"rounds", rounds_},
          {"ended", ended_}};
}

void OutOfSampleErrors::load(JsonReader& reader) {
  const auto sum = [&](const char* key) {
    Sum read;
    if (std::optional<JsonReader> object = reader.object(key)) {
      read.pairs = object->integer("pairs", {.fallback = {}, .least = 0});
      read.error = object->number("error", {.fallback = {}, .least = 0.0});
      object->finish();
    }
    return read;
  };
  absolute_ = sum("absolute");
  relative_ = sum("relative");
  round_ = sum("round");
  const std::vector<double> predicted = reader.numbers("predicted"), found = reader.numbers("found");
  const std::vector<double> rounds = reader.numbers("rounds");
  const auto wanted = std::min<std::int64_t>(absolute_.pairs, static_cast<std::int64_t>(kept_pairs_));
  if (predicted.size() != found.size() || static_cast<std::int64_t>(predicted.size()) != wanted) {
    reader.note("predicted", fmt::format("the latest {} pairs", wanted),
                fmt::format("{} predicted, {} found", predicted.size(), found.size()),
                "resume with the options it was written with");
    return;
  }
  ended_ = reader.integer("ended", {.fallback = {}, .least = 0});
  if (static_cast<std::int64_t>(rounds.size()) != std::min<std::int64_t>(ended_, most_rounds)) {
    reader.note("rounds", fmt::format("the latest {} of {}", most_rounds, ended_), fmt::to_string(rounds.size()));
  }
  latest_.clear();
  for (std::size_t i = 0; i < predicted.size(); ++i) latest_.emplace_back(predicted[i], found[i]);
  rounds_.assign(rounds.begin(), rounds.end());
}

}  // namespace ridgeline
