// What is in a search space: counts, sizes of a random sample of its networks, one network as a graph.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiments/study/study_config.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

// How a space is made and its genomes are decoded: what every command that names a space takes.
struct DesignOptions {
  std::string space;                    // name or path
  std::vector<std::string> parameters;  // "classes=10": JSON value or bare word
  std::vector<std::string> choices;     // "format=int8", "depth[0]=[1, 2]": what is left of a dimension
  std::int64_t batch = 1;               // images a forward pass
  std::string format;                   // uniform format; empty: as the space says
  std::string genome;                   // JSON; empty: random from `seed`
  std::uint64_t seed = 1;
};

// A study configuration that holds only the space and the format. Throws ConfigError: unknown format, bad parameter.
StudyConfig space_config(const DesignOptions& options);
SearchSpace open_space(const StudyConfig& config, const Resources& resources);
// The genome named by the options, checked against the space. Throws ConfigError.
Genome chosen_genome(const DesignOptions& options, const SearchSpace& space);

struct SpaceCount {
  double log10_size = 0;               // constraints not considered
  std::uint64_t combinations = 0;      // of all choices; 0: more than 2^40
  std::optional<std::uint64_t> valid;  // exact number of valid candidates, where `most_enumerated` allows
  double valid_share = 0;              // of `draws` random combinations
  std::size_t draws = 0;
};
SpaceCount count_space(const SearchSpace& space, std::uint64_t seed, std::uint64_t most_enumerated = 4'000'000);

// Least, median and most of one quantity.
struct SampledRange {
  double least = 0, median = 0, most = 0;
};
struct SpaceSurvey {
  std::size_t sample = 0;
  SampledRange nodes, macs, parameters, weight_bytes, peak_activation_bytes;
};
// Throws ConfigError naming the genome when a valid one does not decode: the file's templates do not fit together.
SpaceSurvey survey_space(const StudyConfig& config, const SearchSpace& space, std::uint64_t seed, std::size_t sample);

// Graphviz source: a box an operator with its shape, live operators only.
std::string network_dot(const Network& network, const std::string& name);

}  // namespace ridgeline
