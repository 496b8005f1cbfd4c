// Candidates by the paths of operators through their networks: White, Neiswanger and Savani, "BANANAS: Bayesian
// Optimization with Neural Architectures for Neural Architecture Search", AAAI 2021, arXiv:1910.11858, section 4.
//
// A network falls into parts at the tensors that everything passes through: the cells of a cell-based space, the blocks
// of a residual network, the single operators of a chain. A path leads from where a part begins to where it ends, and
// is the sequence of what computes on it: "conv2d 3x3 > avg_pool 3x3". Norms, activations, sums and changes of shape
// are on no path, nor is what is zero. A feature is how many parts have the path, told apart by the size of the tensor
// that a part ends in: "at 32x32: conv2d 3x3 > avg_pool 3x3"; "skip" is the path without an operator.
//
// Which paths are features, the space alone decides: those of 200 random candidates, one for all that agree on each of
// these, and of them the 200 most frequent, as the paths that few random candidates have say little (section 4.1). All
// are 0 for a candidate that does not decode.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "search/predicted/feature_set.hpp"

namespace ridgeline {

// How many parts of a network have each path, by the names above. A part of more than 1,000 paths to one tensor is
// described by the shortest of them.
std::map<std::string, double> path_counts(const Network& network);

class PathFeatures final : public NamedFeatures {
 public:
  // The space must outlive this. No features where all networks are alike.
  explicit PathFeatures(const SearchSpace& space);

 private:
  std::map<std::string, double> describe(const Design& design) const override;
};

}  // namespace ridgeline
