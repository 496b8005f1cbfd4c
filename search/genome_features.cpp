#include "search/genome_features.hpp"

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

}  // namespace

GenomeFeatures::GenomeFeatures(const SearchSpace& space) : space_(&space) {
  for (const Dimension& dimension : space.dims()) {
    first_.push_back(size_);
    numbers_.push_back(scaled_numbers(dimension.choices));
    size_ += dimension.choices.size() + (numbers_.back().empty() ? 0 : 1);
  }
}

Eigen::MatrixXd GenomeFeatures::rows(std::span<const Genome> genomes) const {
  Eigen::MatrixXd rows =
      Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(genomes.size()), static_cast<Eigen::Index>(size_));
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    const std::vector<bool> active = space_->active(genomes[i]);
    const auto row = static_cast<Eigen::Index>(i);
    for (std::size_t dim = 0; dim < first_.size(); ++dim) {
      if (!active[dim]) continue;
      const std::uint16_t gene = genomes[i].genes[dim];
      rows(row, static_cast<Eigen::Index>(first_[dim] + gene)) = 1.0;
      if (numbers_[dim].empty()) continue;
      rows(row, static_cast<Eigen::Index>(first_[dim] + space_->dims()[dim].choices.size())) = numbers_[dim][gene];
    }
  }
  return rows;
}

}  // namespace ridgeline
