// The insides of a search space, shared by the files that read, count and use it. Internal to spaces/.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "spaces/model_space.hpp"
#include "spaces/search_space.hpp"
#include "spaces/template.hpp"

namespace ridgeline {

struct Constraint {
  Expr require = no_expr;
  std::string text;  // the author's "why", else the expression
  std::string path;
};

// Where lists of choices were written: the file of a problem, and what its path begins with.
struct NarrowingPlace {
  std::string file = "choices", prefix{};
};

struct Narrowing {
  std::map<std::string, Json> choices;
  NarrowingPlace place;
};

// A space file with what it narrows: the document of the whole space, and what is left of it, in the order in which it
// is to be narrowed.
struct NarrowedDocument {
  JsonDocument whole;
  std::string name, about;  // of the outermost file
  std::map<std::string, Json> parameters;
  std::vector<Narrowing> narrowings;
};
// Follows "narrows" from file to file. Throws ConfigError with every problem of the first file that has one.
NarrowedDocument read_narrowed(JsonDocument document, const SpaceOptions& options);

// One value that the genes give to the hardware or the schedule.
struct Setting {
  std::string name, path;
  Expr value = no_expr;
};

struct SearchSpace::Impl {
  // For the other files of spaces/: a nested struct may look into what it is nested in.
  static const Impl& of(const SearchSpace& space) { return *space.impl_; }

  std::string origin, name, about;
  std::int64_t batch = 1;
  Expressions pool;
  std::vector<Dimension> dims;
  std::vector<std::string> paths;          // of each dimension, in the file
  std::vector<Value> values;               // of the choices of all dimensions, one after the other
  std::vector<std::uint32_t> first_value;  // where each dimension's begin
  std::vector<Value> resting;              // of each dimension while it is inactive: the file's first choice
  std::vector<std::vector<std::uint16_t>>
      kept;                                  // of each dimension of a narrowed space, the file's gene of each choice
  std::shared_ptr<const SearchSpace> whole;  // of a narrowed space
  std::vector<Expr> conditions;              // one a dimension; no_expr: always active
  std::vector<std::vector<std::uint32_t>> reads;  // the dimensions each condition refers to, ascending
  std::vector<std::uint32_t> conditional;         // dimensions with a condition, each after those its condition reads
  std::vector<Constraint> constraints;
  SearchSpace::Refusal refusal;                           // empty: nothing is refused beside the constraints
  std::vector<std::vector<std::uint16_t>> refusal_genes;  // the refusal's gene of each choice; empty: the same
  std::vector<Setting> hardware, schedule;
  NetworkTemplate network;
  std::optional<ModelSpace> model;  // instead of the template
  std::map<std::string, std::uint32_t> by_name;
  double log10_size = 0.0;
  std::uint64_t enumeration_size = 0;
  std::uint64_t fingerprint = 0;

  std::size_t choices(std::size_t dimension) const { return dims[dimension].choices.size(); }
  const Value& value(std::size_t dimension, std::uint16_t gene) const { return values[first_value[dimension] + gene]; }
  // Drops choices, noting at `place` what they cannot mean. After everything is compiled.
  void narrow(const std::map<std::string, Json>& choices, const NarrowingPlace& place, JsonDocument& document);
  // Why the genome does not belong to this space (length, range); empty when it does.
  std::string misfit(const Genome& genome) const;
  // Sets inactive genes to 0 and returns every gene's value. Throws ConfigError when the genome does not fit or a
  // condition fails.
  std::vector<Value> settle(Genome& genome, std::vector<bool>* active = nullptr) const;
  // Leaves these genes of each dimension, ascending and at least one, and nothing else.
  void keep(std::span<const std::vector<std::uint16_t>> genes);
  Genome in_whole(const Genome& genome) const;
  // What the refusal says of a normalised genome that keeps the constraints.
  std::optional<std::string> refused(const Genome& genome) const;
  // Genes by those that `genes` has for each choice, inactive ones 0.
  Genome renumbered(const Genome& genome, std::span<const std::vector<std::uint16_t>> genes) const;
  Design decode(const Genome& genome, std::vector<std::string>* places) const;
  // An object of the settings' values; null where there are none. Throws ConfigError.
  std::shared_ptr<const Json> settings(const std::vector<Setting>& templates, std::span<const Value> genes) const;
  bool holds(Expr condition, Evaluation& state) const;
  // The first broken constraint of these values; constraints.size() when none is. `why` says what is wrong with it.
  std::size_t broken(std::span<const Value> genes, std::string& why) const;
  Problem problem(std::string path, std::string expected, std::string found, std::string remedy = {}) const {
    return {origin, std::move(path), std::move(expected), std::move(found), std::move(remedy)};
  }
};

// The number of distinct normalised genomes, as in SearchSpace::log10_size().
double count_log10(const SearchSpace::Impl& space);
// The product of choice counts, as in SearchSpace::enumeration_size().
std::uint64_t count_combinations(const SearchSpace::Impl& space);

}  // namespace ridgeline
