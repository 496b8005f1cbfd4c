// Genomes as rows of numbers, for predictors. The space must outlive a feature set.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "search/predicted/feature_set.hpp"

namespace ridgeline {

// One feature for each choice of each dimension, 1 where the dimension is active and the gene is that choice, else 0;
// and for each dimension whose choices are different numbers one more, the value scaled to 0 (the least) to 1 (the
// largest), 0 where the dimension is inactive. Dimensions with one choice have one feature that says whether they are
// active. `precision` false: precision dimensions have none.
class GenomeFeatures final : public FeatureSet {
 public:
  explicit GenomeFeatures(const SearchSpace& space, bool precision = true);

  std::size_t size() const override { return size_; }
  std::vector<std::string> names() const override;  // "kernel=3"; "kernel from 3 to 7" of the scaled value
  Eigen::MatrixXd rows(std::span<const Genome> genomes) const override;
  // Of one dimension: a row a choice, its features where that choice is active. No columns where it has no features.
  Eigen::MatrixXd choices(std::size_t dimension) const;
  std::span<const std::size_t> first() const { return first_; }  // by dimension: where its features begin, or would

 private:
  const SearchSpace* space_;
  std::vector<std::size_t> first_;
  std::vector<std::size_t> dims_;             // those with features
  std::vector<std::vector<double>> numbers_;  // by dimension: each choice from 0 to 1; empty where not numbers
  std::size_t size_ = 0;
};

// Those, and the product of any two of different dimensions: what one choice is worth often depends on another.
// Precision dimensions are in no product where there are others, as there are many of them and each decides little.
class PairFeatures final : public FeatureSet {
 public:
  explicit PairFeatures(const SearchSpace& space);

  std::size_t size() const override { return genes_.size() + pairs_; }
  std::vector<std::string> names() const override;  // "kernel=3 and width=8" of a product
  Eigen::MatrixXd rows(std::span<const Genome> genomes) const override;

 private:
  GenomeFeatures genes_;
  // By feature of genes_ that is in products, in order: the column of its product with the first feature of the next
  // dimension less the place of that here, so that adding the other's place gives the column.
  std::vector<Eigen::Index> base_;
  std::vector<Eigen::Index> after_;   // by the same: the place of the next dimension's first feature
  std::vector<std::size_t> members_;  // which features those are
  std::size_t pairs_ = 0;
};

}  // namespace ridgeline
