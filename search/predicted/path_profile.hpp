// Candidates by what lies on the paths through their networks: how long signals and gradients travel, past what, and
// by how many ways decides much of what a network can learn, and neither genes nor sums over operators say it.
//
// Operators are told apart by their kind (path_label of network_paths.hpp); beside each kind there are two groups, what
// has weights and all. For each of these: how many there are; the most, the least and the mean number on a path from an
// input to an output; and the logarithm of the mean over paths of 0.1 to that number, which is about the share of the
// paths that have none and adds up over parts in a row. Then the logarithm of the number of paths, the number of sums,
// and whether there is any path. Computed node by node, so that exponentially many paths cost nothing.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "search/predicted/feature_set.hpp"

namespace ridgeline {

// The features above by their names, "least conv2d 3x3", those that are 0 left out.
std::map<std::string, double> path_profile(const Network& network);

// Pure and thread-safe once made.
class PathProfile final : public NamedFeatures {
 public:
  // The features are those of 100 random candidates, so that the space alone decides them; none where nothing decodes.
  // The space must outlive this.
  explicit PathProfile(const SearchSpace& space);

  static bool is_amount(const std::string& name);  // a number of operators, sums or whether there is a path

 private:
  std::map<std::string, double> describe(const Design& design) const override;
};

}  // namespace ridgeline
