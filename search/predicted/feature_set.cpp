#include "search/predicted/feature_set.hpp"

#include <stdexcept>

#include "search/predicted/genome_features.hpp"
#include "search/predicted/network_features.hpp"
#include "search/predicted/path_features.hpp"
#include "search/predicted/path_profile.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_pairs = 10'000;  // the time of a fit is that of features times the square of the trials

// How much more the paths of networks say than the genes they were made from, which tell apart what paths do not.
constexpr std::size_t profile_repeats = 3;

std::shared_ptr<const FeatureSet> joined(std::shared_ptr<const FeatureSet> first, const GivenFeatures& given) {
  if (!first || !given.costs) return nullptr;
  return std::make_shared<JoinedFeatures>(std::move(first), given.costs);
}

}  // namespace

std::vector<std::string> NamedFeatures::names() const {
  std::vector<std::string> names;
  for (const auto& [name, column] : columns_) names.push_back(name);
  return names;
}

Eigen::MatrixXd NamedFeatures::rows(std::span<const Genome> genomes) const {
  Eigen::MatrixXd rows =
      Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(genomes.size()), static_cast<Eigen::Index>(size()));
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    for (const auto& [name, value] : described(genomes[i])) {
      const auto column = columns_.find(name);
      if (column != columns_.end()) rows(static_cast<Eigen::Index>(i), column->second) = value;
    }
  }
  return rows;
}

std::map<std::string, double> NamedFeatures::described(const Genome& genome) const {
  try {
    return describe(space_->decode(genome));
  } catch (const ConfigError&) {
    return {};
  }
}

void NamedFeatures::add_column(const std::string& name) {
  if (!columns_.emplace(name, 0).second) return;
  Eigen::Index next = 0;
  for (auto& [known, column] : columns_) column = next++;
}

JoinedFeatures::JoinedFeatures(std::shared_ptr<const FeatureSet> first, std::shared_ptr<const FeatureSet> second,
                               std::size_t repeats)
    : first_(std::move(first)), second_(std::move(second)), repeats_(repeats) {
  if (!first_ || !second_ || repeats == 0) throw std::invalid_argument("joined features: a set is missing");
}

std::vector<std::string> JoinedFeatures::names() const {
  std::vector<std::string> names = first_->names();
  const std::vector<std::string> second = second_->names();
  for (std::size_t r = 0; r < repeats_; ++r) names.insert(names.end(), second.begin(), second.end());
  return names;
}

Eigen::MatrixXd JoinedFeatures::rows(std::span<const Genome> genomes) const {
  Eigen::MatrixXd rows(static_cast<Eigen::Index>(genomes.size()), static_cast<Eigen::Index>(size()));
  rows << first_->rows(genomes), second_->rows(genomes).replicate(1, static_cast<Eigen::Index>(repeats_));
  return rows;
}

std::span<const std::string> feature_choice_names() {
  static const std::vector<std::string> names{"auto",    "genes",       "architecture", "pairs",
                                              "network", "paths",       "profile",      "genes+profile",
                                              "costs",   "genes+costs", "pairs+costs"};
  return names;
}

const std::string& name_of(FeatureChoice choice) { return feature_choice_names()[static_cast<std::size_t>(choice)]; }

bool has_costs(FeatureChoice choice) {
  return choice == FeatureChoice::costs || choice == FeatureChoice::genes_costs || choice == FeatureChoice::pairs_costs;
}

std::shared_ptr<const FeatureSet> make_feature_set(FeatureChoice choice, const SearchSpace& space,
                                                   std::span<const Genome> known, const GivenFeatures& given) {
  std::shared_ptr<const FeatureSet> set;
  switch (choice) {
    case FeatureChoice::automatic:
    case FeatureChoice::genes:
      return std::make_shared<GenomeFeatures>(space);
    case FeatureChoice::architecture:
      set = std::make_shared<GenomeFeatures>(space, false);
      break;
    case FeatureChoice::pairs:
      set = std::make_shared<PairFeatures>(space);
      break;
    case FeatureChoice::network:
      set = std::make_shared<NetworkFeatures>(space, known);
      break;
    case FeatureChoice::paths:
      set = given.paths ? given.paths : std::make_shared<PathFeatures>(space);
      break;
    case FeatureChoice::profile:
      set = given.profile ? given.profile : std::make_shared<PathProfile>(space);
      break;
    case FeatureChoice::genes_profile: {
      auto profile = make_feature_set(FeatureChoice::profile, space, known, given);
      auto genes = make_feature_set(FeatureChoice::genes, space, known);
      return profile ? std::make_shared<JoinedFeatures>(std::move(genes), std::move(profile), profile_repeats) : genes;
    }
    case FeatureChoice::costs:
      return given.costs;
    case FeatureChoice::genes_costs:
      return joined(make_feature_set(FeatureChoice::genes, space, known), given);
    case FeatureChoice::pairs_costs:
      return joined(make_feature_set(FeatureChoice::pairs, space, known), given);
  }
  const bool many = choice == FeatureChoice::pairs && set->size() > most_pairs;
  return set->size() > 0 && !many ? set : nullptr;
}

}  // namespace ridgeline
