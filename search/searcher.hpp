// Ask and tell: a searcher proposes genomes and is told what they turned out to be.
//
// Contract, checked for every registered searcher by the conformance suite:
// - ask(n), n >= 1, returns at most n normalised, valid genomes (violation() == nullopt), at least one unless the
// searcher
//   is exhausted; duplicates of earlier genomes are allowed (the study answers them from its cache).
// - Every genome asked for is told, once, in the order of asking, before the next ask. A told trial may have any
//   status; only ok and infeasible ones have values.
// - What comes out depends on the space, the options, the seed and what was told, and on nothing else.
// - save() between tell and the next ask holds everything: a searcher loaded with it continues identically.
// A searcher sees no file, store, device or clock. Not thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "search/trial.hpp"

namespace ridgeline {

// A searcher's whole state: `signature` is "name/version" and is refused by a searcher with another.
struct State {
  std::string signature;
  Json data;
};

class Searcher {
 public:
  virtual ~Searcher() = default;
  virtual std::vector<Genome> ask(std::size_t n) = 0;
  virtual void tell(std::span<const Trial> trials) = 0;
  virtual bool exhausted() const { return false; }  // nothing is left to propose
  virtual State save() const = 0;
  virtual void load(const State& state) = 0;  // throws ConfigError on another signature or a damaged state
};

struct SearcherSetup {
  std::uint64_t seed = 0;
  std::vector<Objective> objectives;  // without the constraint-only ones the order is that of Trial::values
  Json options = Json::object();      // the searcher's own, e.g. {"population": 50}
  std::string origin = "searcher";    // where the options were written, for messages
};

struct SearcherEntry {
  std::string name;
  std::string about;                                                            // one line, with the paper
  std::unique_ptr<Searcher> (*make)(const SearchSpace&, const SearcherSetup&);  // throws ConfigError on bad options
};

// The registry: a visible table, in search/registry.cpp.
std::span<const SearcherEntry> searchers();
// Throws ConfigError listing the known names. The space must outlive the searcher.
std::unique_ptr<Searcher> make_searcher(const std::string& name, const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
