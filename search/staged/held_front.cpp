#include "search/staged/held_front.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ridgeline {

HeldDimensions held_formats(const SearchSpace& space, const Json& choice, JsonReader& reader, const std::string& key) {
  HeldDimensions held;
  bool noted = false;
  for (const Dimension& dimension : space.dims()) {
    held.held.push_back(dimension.group == GeneGroup::precision);
    held.genes.emplace_back();
    if (!held.held.back()) continue;
    const auto found = std::find(dimension.choices.begin(), dimension.choices.end(), choice);
    if (found == dimension.choices.end()) {
      if (std::exchange(noted, true)) continue;
      reader.note(key, fmt::format("a choice of every precision dimension, '{}' among them", dimension.name),
                  describe(choice), "it has " + Json(dimension.choices).dump().substr(0, 200));
      continue;
    }
    held.genes.back() = static_cast<std::uint16_t>(found - dimension.choices.begin());
  }
  if (std::ranges::find(held.held, true) == held.held.end()) {
    reader.note(key, "a space with precision dimensions", fmt::format("none in '{}'", space.name()),
                "give dimensions of formats \"group\": \"precision\", or use another searcher");
  }
  return held;
}

HeldDimensions held_group(const SearchSpace& space, GeneGroup group, const Json& choices, JsonReader& reader,
                          const std::string& key) {
  HeldDimensions held;
  const std::string& group_name = gene_group_names()[static_cast<std::size_t>(group)];
  std::vector<std::string> names;
  for (const Dimension& dimension : space.dims()) {
    held.held.push_back(dimension.group == group);
    held.genes.emplace_back();
    if (!held.held.back()) continue;
    held.genes.back() = 0;
    const std::string declared = dimension.name.substr(0, dimension.name.find('['));
    if (std::ranges::find(names, declared) == names.end()) names.push_back(declared);
    const auto given = choices.find(declared);
    if (given == choices.end()) continue;
    const auto found = std::ranges::find(dimension.choices, *given);
    if (found == dimension.choices.end()) {
      reader.note(key + "." + declared, "one of " + Json(dimension.choices).dump().substr(0, 200), describe(*given));
      continue;
    }
    held.genes.back() = static_cast<std::uint16_t>(found - dimension.choices.begin());
  }
  for (const auto& [name, choice] : choices.items()) {
    if (std::ranges::find(names, name) != names.end()) continue;
    reader.note(key, fmt::format("dimensions of the group '{}'", group_name), fmt::format("'{}'", name),
                known_words(name, names));
  }
  if (names.empty()) {
    reader.note(key, fmt::format("a space with dimensions of the group '{}'", group_name),
                fmt::format("none in '{}'", space.name()), "give them this \"group\", or use another searcher");
  }
  return held;
}

std::vector<UniformFormat> uniform_formats(const SearchSpace& space) {
  std::vector<UniformFormat> formats;
  bool first = true;
  for (std::size_t dim = 0; dim < space.dims().size(); ++dim) {
    const Dimension& dimension = space.dims()[dim];
    if (dimension.group != GeneGroup::precision || dimension.choices.size() < 2) continue;
    if (std::exchange(first, false)) {
      for (const Json& choice : dimension.choices) formats.push_back({choice, {}});
    }
    for (UniformFormat& format : formats) {
      format.genes.resize(space.dims().size());
      const auto found = std::ranges::find(dimension.choices, format.choice);
      if (found != dimension.choices.end()) {
        format.genes[dim] = static_cast<std::uint16_t>(found - dimension.choices.begin());
      }
    }
    std::erase_if(formats, [&](const UniformFormat& format) { return !format.genes[dim]; });
  }
  return formats;
}

std::optional<Genome> in_format(const SearchSpace& space, const UniformFormat& format, Genome genome) {
  for (std::size_t dim = 0; dim < format.genes.size(); ++dim) {
    genome.genes[dim] = format.genes[dim].value_or(genome.genes[dim]);
  }
  if (space.violation(genome)) return std::nullopt;
  return space.normalise(std::move(genome));
}

HeldFront::HeldFront(const SearchSpace& space, const SearcherSetup& setup, std::vector<bool> held)
    : space_(&space), held_(std::move(held)), members_(space, setup) {}

void HeldFront::add(const Trial& trial) {
  if (!members_.add(trial)) return;
  const std::size_t added = members_.size() - 1;
  bool stays = true;
  std::vector<std::uint32_t> kept;
  for (std::uint32_t i = 0; i < added; ++i) {
    const bool same = std::ranges::equal(members_.genes(i), members_.genes(added));  // told again
    stays = stays && !same && !members_.beats(i, added) && !members_.equals(i, added);
    if (!members_.beats(added, i)) kept.push_back(i);
  }
  if (stays) kept.push_back(static_cast<std::uint32_t>(added));
  members_.keep(kept);
}

std::size_t HeldFront::nearest(const Genome& genome) const {
  std::size_t best = 0, least = genome.genes.size() + 1;
  for (std::size_t i = 0; i < size(); ++i) {
    const auto genes = members_.genes(i);
    std::size_t distance = 0;
    for (std::size_t dim = 0; dim < genes.size(); ++dim) {
      distance += !held_[dim] && genes[dim] != genome.genes[dim] ? 1 : 0;
    }
    if (distance >= least) continue;
    best = i;
    least = distance;
  }
  return best;
}

std::optional<Genome> HeldFront::with_held(std::size_t member, const Genome& genome) const {
  Genome made = this->genome(member);
  for (std::size_t dim = 0; dim < held_.size(); ++dim) {
    if (held_[dim]) made.genes[dim] = genome.genes[dim];
  }
  if (space_->violation(made)) return std::nullopt;
  return space_->normalise(std::move(made));
}

std::vector<std::optional<std::uint16_t>> HeldFront::agreed() const {
  std::vector<std::optional<std::uint16_t>> agreed(held_.size());
  for (std::size_t dim = 0; dim < held_.size() && size() > 0; ++dim) {
    if (held_[dim]) continue;
    const std::uint16_t gene = members_.genes(0)[dim];
    bool same = true;
    for (std::size_t i = 1; i < size(); ++i) same = same && members_.genes(i)[dim] == gene;
    if (same) agreed[dim] = gene;
  }
  return agreed;
}

}  // namespace ridgeline
