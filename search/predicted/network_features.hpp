// Candidates as rows of numbers, for predictors, by what their networks consist of: latency, energy and size are close
// to sums over operators, which genes one by one cannot say.
//
// Operators are told apart by their class and their number formats: those they read, or the stored one for operators
// that follow. Features are, for each sort of operator, how many operators there are, their multiply-accumulates
// (output elements where they have none), output elements and bytes of weights; and for each pair of formats that a
// reader converts between, how many tensors and elements. Dead nodes and inputs do not count. 0 for a candidate that
// does not decode.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "search/predicted/feature_set.hpp"

namespace ridgeline {

// The kind of an operator: "linear", of convolutions also how dense it is: "conv2d depthwise", "conv2d pointwise".
std::string operator_class(const Network& network, NodeId node);

// Pure and thread-safe once made.
class NetworkFeatures final : public NamedFeatures {
 public:
  // The features are those that the networks of `known` have; what only other candidates have does not count, as
  // nothing is known of it: "macs of conv2d depthwise int8@channel/int8". None where nothing decodes. The space must
  // outlive this.
  NetworkFeatures(const SearchSpace& space, std::span<const Genome> known);

 private:
  std::map<std::string, double> describe(const Design& design) const override;
};

}  // namespace ridgeline
