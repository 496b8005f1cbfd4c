// From points among features back to candidates.
#pragma once

#include <functional>
#include <vector>

#include "search/predicted/genome_features.hpp"

namespace ridgeline {

// The valid candidates nearest to a point of GenomeFeatures, by the Euclidean distance of their features.
class NearestGenomes {
 public:
  explicit NearestGenomes(const SearchSpace& space);  // which must outlive this

  const GenomeFeatures& features() const { return features_; }

  // At most `count` normalised, valid, different genomes for which wanted() holds, the nearest first. Looked at are the
  // 8 x count + 40 nearest of all combinations of choices, taken as if every dimension were active, so that in a
  // space with conditions some that are near may be missed, and where constraints refuse nearly everything all.
  std::vector<Genome> near(const Eigen::Ref<const Eigen::RowVectorXd>& point, std::size_t count,
                           const std::function<bool(const Genome&)>& wanted) const;

 private:
  const SearchSpace* space_;
  GenomeFeatures features_;
  std::vector<Eigen::MatrixXd> blocks_;  // by dimension: choices x its features, row = choice
};

}  // namespace ridgeline
