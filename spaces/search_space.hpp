// What may be chosen: the dimensions of a search space, which combinations are valid, and what each decodes to.
//
// A space is read from a JSON file (the language is described in spaces/LANGUAGE.md) and is immutable and thread-safe.
//
// A narrowed space (by a file with "narrows", or by options) has the same dimensions with fewer choices, and another
// fingerprint. Its candidates are those of the whole space whose active choices are all left, and mean the same; an
// inactive gene is 0 in both.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "spaces/design.hpp"
#include "spaces/json_reader.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {

struct Genome {
  std::vector<std::uint16_t> genes;  // genes[i] indexes dims()[i].choices
  friend auto operator<=>(const Genome&, const Genome&) = default;
};

enum class GeneGroup : std::uint8_t { architecture, precision, hardware, schedule, recipe };
std::span<const std::string> gene_group_names();  // in the order of GeneGroup

struct Dimension {
  std::string name;  // "kernel[2][0]": the declared name and, for repeated ones, the indices
  GeneGroup group;
  bool ordered;               // neighbouring choices are alike: 3 < 5 < 7
  std::vector<Json> choices;  // at least one; numbers, strings or booleans
};

struct SpaceOptions {
  std::int64_t batch = 1;                    // images a forward pass
  std::map<std::string, Json> parameters{};  // overrides of the file's "parameters", e.g. {"classes", 10}
  // Narrowing: what is left of a dimension's choices, by its declared name (all of a repeated one) or its full name,
  // which goes before: {"format", ["int8"]}, {"depth[0]", [1, 2]}. Lists; the file's order stays.
  std::map<std::string, Json> choices{};
  std::string library{};  // folder of the shipped spaces, which a file's "narrows" may name
};

class SearchSpace {
 public:
  // Throws ConfigError with every problem of the file.
  static SearchSpace load(const std::string& path, const SpaceOptions& options = {});
  static SearchSpace parse(JsonDocument document, const SpaceOptions& options = {});
  SearchSpace(SearchSpace&&) noexcept;
  SearchSpace& operator=(SearchSpace&&) noexcept;
  ~SearchSpace();

  // Why a candidate is not wanted, where the file's constraints cannot say it; nullopt where it is. Given normalised
  // genomes that keep the constraints, by several threads at once; says the same of the same genome.
  using Refusal = std::function<std::optional<std::string>(const Genome&)>;
  // The same space, in which violation() says what `refusal` says too, so that sample() draws again and no searcher
  // proposes what it refuses; so do the spaces made of this one, in its genes. The same fingerprint: what is refused is
  // no part of what a genome means. whole() and log10_size() know nothing of it. An empty refusal gives a copy.
  SearchSpace refusing(Refusal refusal) const;

  const std::string& name() const;
  const std::string& about() const;
  std::span<const Dimension> dims() const;
  // Without conditions and constraints: every genome in range is valid, normalised and active throughout.
  bool unconditional() const;

  // The same space with some dimensions held at one choice, which is then the only one of that dimension and its gene
  // 0; the other genes keep their meaning. `held`: one entry a dimension, a gene or nothing. Another fingerprint, and a
  // copy of everything. Throws std::invalid_argument: another number of entries, a gene out of range.
  SearchSpace holding(std::span<const std::optional<std::uint16_t>> held) const;

  // The same space with these genes left of each dimension, numbered anew in their order. `left`: one list a dimension,
  // ascending, at least one gene. Another fingerprint, and a copy of everything. Throws std::invalid_argument: another
  // number of lists, one that is empty or does not ascend, a gene out of range.
  SearchSpace keeping(std::span<const std::vector<std::uint16_t>> left) const;

  // Uniform over the choices of each dimension, normalised, repeated until valid. Always feasible by violation();
  // throws ConfigError naming the constraint that refused most when 10,000 draws found nothing valid.
  Genome sample(Rng& rng) const;
  // nullopt = valid, else the reason: wrong length, a gene out of range, or the broken constraint's own words.
  std::optional<std::string> violation(const Genome& genome) const;
  // Which genes matter: a dimension whose condition is false is inactive. One entry a dimension.
  std::vector<bool> active(const Genome& genome) const;
  // The dimensions that a dimension's condition reads, ascending; none where it is always active. No circles.
  std::span<const std::uint32_t> condition_reads(std::size_t dimension) const;
  // The same candidate with every inactive gene set to 0: equal genomes are equal candidates.
  Genome normalise(Genome genome) const;
  // The design; throws ConfigError when the file's templates do not fit this genome (shapes, unknown formats).
  Design decode(const Genome& genome) const;
  // Where each node of decode(genome) stands in the file: the steps and rounds of repeats that lead to it. Nodes of two
  // candidates at the same place are the same operator with other extents; only sums and products of three and more
  // tensors are several nodes at one place.
  std::vector<std::string> places(const Genome& genome) const;

  // log10 of the number of distinct normalised genomes (constraints not considered), by the formula over conditions
  // where it is exact, else of the product of all choices.
  double log10_size() const;
  // Every valid normalised genome by index in a fixed order: 0 <= index < enumeration_size(). Only for spaces of at
  // most 2^40 raw combinations; invalid or non-normal combinations give nullopt.
  std::uint64_t enumeration_size() const;  // product of choice counts; 0 when it does not fit
  std::optional<Genome> at(std::uint64_t index) const;

  // The space before it was narrowed, itself where it was not; and the same candidate there.
  const SearchSpace& whole() const;
  Genome in_whole(const Genome& genome) const;  // normalised; throws ConfigError when it is no genome of this space

  // Changes when anything that decides what a genome means changes (not the name or the comments).
  std::uint64_t fingerprint() const;

  // The choices of a genome by dimension name, active ones only; for reports.
  Json describe(const Genome& genome) const;
  // From {"name": choice} for every active dimension, or from an array of gene indices. Throws ConfigError.
  Genome from_json(const Json& value) const;

  struct Impl;  // internal to spaces/

 private:
  explicit SearchSpace(std::unique_ptr<Impl> impl);
  SearchSpace left_with(std::span<const std::vector<std::uint16_t>> genes, std::uint64_t identity) const;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ridgeline
