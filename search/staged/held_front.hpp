// The architectures that a first stage leaves to a second one, and how any candidate becomes one of them.
#pragma once

#include <optional>
#include <vector>

#include "search/fronts/population.hpp"

namespace ridgeline {

// Which dimensions of a space a first stage holds, and at which choice.
struct HeldDimensions {
  std::vector<bool> held;                           // one a dimension
  std::vector<std::optional<std::uint16_t>> genes;  // of the held dimensions: the choice
};

// The gene of `choice` in every precision dimension; notes the first dimension without it under `key`, and the absence
// of precision dimensions.
HeldDimensions held_formats(const SearchSpace& space, const Json& choice, JsonReader& reader, const std::string& key);
// Every dimension of a group at the choice that `choices`, an object, has under its declared name, else at its first;
// notes names and choices that the group does not have under `key`, and the absence of its dimensions.
HeldDimensions held_group(const SearchSpace& space, GeneGroup group, const Json& choices, JsonReader& reader,
                          const std::string& key);

// A choice of precision that every dimension with more than one choice of it has, as what is most often shipped: one
// number format throughout. In the order of the first such dimension; none where there is no such dimension.
struct UniformFormat {
  Json choice;
  std::vector<std::optional<std::uint16_t>> genes;  // of all dimensions: the choice; nothing where it has no such
};
std::vector<UniformFormat> uniform_formats(const SearchSpace& space);
// `genome` with those genes, normalised; nullopt where that is not valid.
std::optional<Genome> in_format(const SearchSpace& space, const UniformFormat& format, Genome genome);

// The best trials told, by constraint domination; of equal ones the first. Not thread-safe.
class HeldFront {
 public:
  // `held`: the dimensions that the second stage is about; the others are what is called architecture here.
  HeldFront(const SearchSpace& space, const SearcherSetup& setup, std::vector<bool> held);

  void add(const Trial& trial);
  std::size_t size() const { return members_.size(); }
  Genome genome(std::size_t i) const { return members_.genome(i); }
  const Population& members() const { return members_; }
  // The member whose architecture genes differ from the genome's in the fewest places; the first of several.
  std::size_t nearest(const Genome& genome) const;
  // The architecture of a member with the held dimensions' genes of `genome`, normalised; nullopt where not valid.
  std::optional<Genome> with_held(std::size_t member, const Genome& genome) const;
  // Of each dimension: the gene that the architectures of all members have, nothing where they differ and for
  // held dimensions.
  std::vector<std::optional<std::uint16_t>> agreed() const;

  Json save() const { return members_.save(); }
  void load(JsonReader& reader, const std::string& key, std::size_t most) { members_.load(reader, key, most); }

 private:
  const SearchSpace* space_;
  std::vector<bool> held_;
  Population members_;
};

}  // namespace ridgeline
