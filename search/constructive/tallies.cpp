#include "search/constructive/tallies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ridgeline {

void Tallies::append(std::size_t rows) {
  visits_.resize(size() + rows, 0);
  feasible_.resize(size(), 0);
  penalties_.resize(size(), 0.0);
  sums_.resize(size() * objectives_, 0.0);
}

void Tallies::add_feasible(std::size_t row, std::span<const double> values) {
  ++visits_[row];
  ++feasible_[row];
  for (std::size_t k = 0; k < objectives_; ++k) sums_[row * objectives_ + k] += values[k];
}

void Tallies::add_other(std::size_t row, std::optional<double> violation) {
  ++visits_[row];
  penalties_[row] += violation ? *violation / (1.0 + *violation) : 1.0;
}

double Tallies::cost(std::size_t row, std::span<const double> weights, const SeenValues& seen) const {
  const auto visits = static_cast<double>(visits_[row]), feasible = static_cast<double>(feasible_[row]);
  double sum = visits - feasible + penalties_[row];
  if (feasible > 0.0) {
    std::vector<double> means(objectives_);
    for (std::size_t k = 0; k < objectives_; ++k) means[k] = sums_[row * objectives_ + k] / feasible;
    sum += feasible * seen.cost(means, weights);
  }
  return sum / visits;
}

void Tallies::keep(std::span<const std::uint32_t> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    visits_[i] = visits_[rows[i]];
    feasible_[i] = feasible_[rows[i]];
    penalties_[i] = penalties_[rows[i]];
    for (std::size_t k = 0; k < objectives_; ++k) sums_[i * objectives_ + k] = sums_[rows[i] * objectives_ + k];
  }
  visits_.resize(rows.size());
  feasible_.resize(rows.size());
  penalties_.resize(rows.size());
  sums_.resize(rows.size() * objectives_);
}

Json Tallies::save() const {
  return {{"visits", visits_}, {"feasible", feasible_}, {"penalties", penalties_}, {"sums", sums_}};
}

void Tallies::load(JsonReader& reader, const std::string& key, std::size_t rows) {
  std::optional<JsonReader> data = reader.object(key);
  if (!data) return;
  const std::vector<double> visits = data->numbers("visits"), feasible = data->numbers("feasible");
  penalties_ = data->numbers("penalties");
  sums_ = data->numbers("sums");
  data->finish();
  if (visits.size() != rows || feasible.size() != rows || penalties_.size() != rows ||
      sums_.size() != rows * objectives_) {
    data->note("", fmt::format("{} rows of {} objectives", rows, objectives_),
               fmt::format("{} visits, {} feasible, {} penalties, {} sums", visits.size(), feasible.size(),
                           penalties_.size(), sums_.size()));
    *this = Tallies(objectives_);
    append(rows);
    return;
  }
  visits_.clear();
  feasible_.clear();
  for (std::size_t i = 0; i < rows; ++i) {
    const bool whole = visits[i] >= 0 && visits[i] < 0x1p53 && visits[i] == std::floor(visits[i]) && feasible[i] >= 0 &&
                       feasible[i] == std::floor(feasible[i]);
    const bool good = whole && feasible[i] <= visits[i] && penalties_[i] >= 0.0;
    if (!good) {
      data->note("visits", "whole numbers, at least those of the feasible, and penalties of at least 0",
                 fmt::format("{} visits, {} feasible, a penalty of {}", visits[i], feasible[i], penalties_[i]));
    }
    visits_.push_back(good ? static_cast<std::uint64_t>(visits[i]) : 0);
    feasible_.push_back(good ? static_cast<std::uint64_t>(feasible[i]) : 0);
  }
}

}  // namespace ridgeline
