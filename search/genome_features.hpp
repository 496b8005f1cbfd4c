// Genomes as rows of numbers, for predictors: one feature for each choice of each dimension, 1 where the dimension is
// active and the gene is that choice, else 0; and for each dimension whose choices are different numbers one more, the
// value scaled to 0 (the least) to 1 (the largest), 0 where the dimension is inactive. Dimensions with one choice have
// one feature that says whether they are active. The space must outlive this. Pure and thread-safe.
#pragma once

#include <span>
#include <vector>

#include "predictors/predictor.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {

class GenomeFeatures {
 public:
  explicit GenomeFeatures(const SearchSpace& space);

  std::size_t size() const { return size_; }
  // genomes.size() x size(), a row a genome. The genomes must be of the space.
  Eigen::MatrixXd rows(std::span<const Genome> genomes) const;

 private:
  const SearchSpace* space_;
  std::vector<std::size_t> first_;            // by dimension: where its features begin
  std::vector<std::vector<double>> numbers_;  // by dimension: each choice from 0 to 1; empty where not numbers
  std::size_t size_ = 0;
};

}  // namespace ridgeline
