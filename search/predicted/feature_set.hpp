// What predictors look at: candidates as rows of numbers. Sets are pure and thread-safe once made, and need the space
// that they were made for.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "predictors/predictor.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {

class FeatureSet {
 public:
  virtual ~FeatureSet() = default;
  virtual std::size_t size() const = 0;
  // What each column is, in their order: "kernel=3". size() of them.
  virtual std::vector<std::string> names() const = 0;
  // genomes.size() x size(), a row a genome, all finite. The genomes must be of the space.
  virtual Eigen::MatrixXd rows(std::span<const Genome> genomes) const = 0;
};

// Features by name of what a candidate decodes to; those without a column do not count. All 0 for a candidate that does
// not decode: the study will find the same, and say why.
class NamedFeatures : public FeatureSet {
 public:
  std::size_t size() const final { return columns_.size(); }
  std::vector<std::string> names() const final;
  Eigen::MatrixXd rows(std::span<const Genome> genomes) const final;

 protected:
  explicit NamedFeatures(const SearchSpace& space) : space_(&space) {}
  std::map<std::string, double> described(const Genome& genome) const;
  void add_column(const std::string& name);  // columns stand in the order of their names

 private:
  virtual std::map<std::string, double> describe(const Design& design) const = 0;

  const SearchSpace* space_;
  std::map<std::string, Eigen::Index> columns_;
};

// The columns of one set, then those of another, each `repeats` times: to a predictor that scales what it looks at they
// weigh as much more.
class JoinedFeatures final : public FeatureSet {
 public:
  // Throws std::invalid_argument where one is null or there are no repeats.
  JoinedFeatures(std::shared_ptr<const FeatureSet> first, std::shared_ptr<const FeatureSet> second,
                 std::size_t repeats = 1);

  std::size_t size() const override { return first_->size() + repeats_ * second_->size(); }
  std::vector<std::string> names() const override;
  Eigen::MatrixXd rows(std::span<const Genome> genomes) const override;

 private:
  std::shared_ptr<const FeatureSet> first_, second_;
  std::size_t repeats_;
};

// From what a value is predicted. "costs" are what a device and counts say of a candidate, which only a caller that
// sees hardware models can make: it is given in.
enum class FeatureChoice : std::uint8_t {
  automatic,
  genes,
  architecture,
  pairs,
  network,
  paths,
  profile,
  genes_profile,
  costs,
  genes_costs,
  pairs_costs
};
// "auto", "genes", "architecture", "pairs", "network", "paths", "profile", "genes+profile", "costs", "genes+costs",
// "pairs+costs"
std::span<const std::string> feature_choice_names();
const std::string& name_of(FeatureChoice choice);
bool has_costs(FeatureChoice choice);

// Sets that were made before, each of the space that features are asked for.
struct GivenFeatures {
  std::shared_ptr<const FeatureSet> costs{};             // null: there are none
  std::shared_ptr<const FeatureSet> paths{}, profile{};  // null: made anew, which takes up to 200 networks
};

// The features of that name, null where there are none, or pairs too many for a quick fit (10,000), but for genes.
// `known`: for network, whose features are those that these have.
std::shared_ptr<const FeatureSet> make_feature_set(FeatureChoice choice, const SearchSpace& space,
                                                   std::span<const Genome> known, const GivenFeatures& given = {});

}  // namespace ridgeline
