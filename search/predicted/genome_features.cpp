#include "search/predicted/genome_features.hpp"

#include <algorithm>

namespace ridgeline {
namespace {

// Each choice scaled to the range of all; empty unless all are numbers and two differ.
std::vector<double> scaled_numbers(const std::vector<Json>& choices) {
  std::vector<double> numbers;
  for (const Json& choice : choices) {
    if (!choice.is_number()) return {};
    numbers.push_back(choice.get<double>());
  }
  const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
  const double begin = *least, range = *most - *least;
  if (!(range > 0.0)) return {};
  for (double& number : numbers) number = (number - begin) / range;
  return numbers;
}

std::string text_of(const Json& choice) { return choice.is_string() ? choice.get<std::string>() : choice.dump(); }

}  // namespace

GenomeFeatures::GenomeFeatures(const SearchSpace& space, bool precision) : space_(&space) {
  for (std::size_t dim = 0; dim < space.dims().size(); ++dim) {
    const Dimension& dimension = space.dims()[dim];
    first_.push_back(size_);
    numbers_.push_back(scaled_numbers(dimension.choices));
    if (!precision && dimension.group == GeneGroup::precision) continue;
    dims_.push_back(dim);
    size_ += dimension.choices.size() + (numbers_.back().empty() ? 0 : 1);
  }
}

std::vector<std::string> GenomeFeatures::names() const {
  std::vector<std::string> names;
  for (const std::size_t dim : dims_) {
    const Dimension& dimension = space_->dims()[dim];
    for (const Json& choice : dimension.choices) names.push_back(dimension.name + "=" + text_of(choice));
    if (numbers_[dim].empty()) continue;
    const auto [least, most] = std::ranges::minmax_element(numbers_[dim]);
    const auto choice_at = [&](auto place) {
      return dimension.choices[static_cast<std::size_t>(place - numbers_[dim].begin())].dump();
    };
    names.push_back(dimension.name + " from " + choice_at(least) + " to " + choice_at(most));
  }
  return names;
}

Eigen::MatrixXd GenomeFeatures::rows(std::span<const Genome> genomes) const {
  Eigen::MatrixXd rows =
      Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(genomes.size()), static_cast<Eigen::Index>(size_));
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    const std::vector<bool> active = space_->active(genomes[i]);
    const auto row = static_cast<Eigen::Index>(i);
    for (const std::size_t dim : dims_) {
      if (!active[dim]) continue;
      const std::uint16_t gene = genomes[i].genes[dim];
      rows(row, static_cast<Eigen::Index>(first_[dim] + gene)) = 1.0;
      if (numbers_[dim].empty()) continue;
      rows(row, static_cast<Eigen::Index>(first_[dim] + space_->dims()[dim].choices.size())) = numbers_[dim][gene];
    }
  }
  return rows;
}

Eigen::MatrixXd GenomeFeatures::choices(std::size_t dimension) const {
  const auto count = static_cast<Eigen::Index>(space_->dims()[dimension].choices.size());
  if (std::ranges::find(dims_, dimension) == dims_.end()) return Eigen::MatrixXd(count, 0);
  const std::vector<double>& numbers = numbers_[dimension];
  Eigen::MatrixXd rows = Eigen::MatrixXd::Identity(count, count + (numbers.empty() ? 0 : 1));
  for (Eigen::Index c = 0; c < count && !numbers.empty(); ++c) rows(c, count) = numbers[static_cast<std::size_t>(c)];
  return rows;
}

PairFeatures::PairFeatures(const SearchSpace& space) : genes_(space) {
  const auto precision = [](const Dimension& dimension) { return dimension.group == GeneGroup::precision; };
  const bool all = std::ranges::all_of(space.dims(), precision);
  std::vector<std::pair<std::size_t, std::size_t>> ranges;  // of features, by dimension that is in products
  for (std::size_t dim = 0; dim < space.dims().size(); ++dim) {
    if (precision(space.dims()[dim]) && !all) continue;
    const bool last = dim + 1 == space.dims().size();
    ranges.emplace_back(genes_.first()[dim], last ? genes_.size() : genes_.first()[dim + 1]);
  }
  for (const auto& [begin, end] : ranges) {
    const auto after = static_cast<Eigen::Index>(members_.size() + end - begin);
    for (std::size_t feature = begin; feature < end; ++feature) {
      members_.push_back(feature);
      after_.push_back(after);
    }
  }
  const auto count = static_cast<Eigen::Index>(members_.size());
  auto column = static_cast<Eigen::Index>(genes_.size());
  for (const Eigen::Index after : after_) {
    base_.push_back(column - after);
    column += count - after;
  }
  pairs_ = static_cast<std::size_t>(column) - genes_.size();
}

std::vector<std::string> PairFeatures::names() const {
  std::vector<std::string> names = genes_.names();
  const std::vector<std::string> genes = names;
  for (std::size_t a = 0; a < members_.size(); ++a) {
    for (auto b = static_cast<std::size_t>(after_[a]); b < members_.size(); ++b) {
      names.push_back(genes[members_[a]] + " and " + genes[members_[b]]);
    }
  }
  return names;
}

Eigen::MatrixXd PairFeatures::rows(std::span<const Genome> genomes) const {
  Eigen::MatrixXd rows =
      Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(genomes.size()), static_cast<Eigen::Index>(size()));
  rows.leftCols(static_cast<Eigen::Index>(genes_.size())) = genes_.rows(genomes);
  const auto value = [&](Eigen::Index row, std::size_t member) {
    return rows(row, static_cast<Eigen::Index>(members_[member]));
  };
  for (Eigen::Index row = 0; row < rows.rows(); ++row) {
    for (std::size_t a = 0; a < members_.size(); ++a) {
      if (value(row, a) == 0.0) continue;
      for (auto b = static_cast<std::size_t>(after_[a]); b < members_.size(); ++b) {
        rows(row, base_[a] + static_cast<Eigen::Index>(b)) = value(row, a) * value(row, b);
      }
    }
  }
  return rows;
}

}  // namespace ridgeline
