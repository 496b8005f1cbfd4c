// Ask and tell: a searcher proposes genomes and is told what they turned out to be.
//
// Contract, checked for every registered searcher by the conformance suite:
// - ask(n), n >= 1, returns at most n normalised, valid genomes (violation() == nullopt), at least one unless the
//   searcher is exhausted; duplicates of earlier genomes are allowed (the study answers them from its cache). Fewer
//   than n come where what follows depends on what these turn out to be: at the end of a generation, say.
// - Every genome asked for is told, once, in the order of asking, before the next ask. A told trial may have any
//   status; only ok and infeasible ones have values, one for each objective, finite. A duplicate is told with the id of
//   the trial it repeats. A searcher around another may tell it of another candidate in the place of one it asked for.
// - The genomes of one ask are all for one rung(), and are told as trials on it.
// - What comes out depends on the space, the options, the seed and what was told, and on nothing else.
// - save() between tell and the next ask holds everything: a searcher loaded with it continues identically.
// A call out of this order, and a told trial of the wrong shape, throw std::logic_error: they are our own bugs.
// A searcher sees no file, store, device or clock. Not thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "search/trial.hpp"

namespace ridgeline {

// A searcher's whole state: `signature` is "name/version" and is refused by a searcher with another. It is written with
// every batch, so it holds what the searcher still uses (a population, a front, a position), never the history.
struct State {
  std::string signature;
  Json data;
};

class Searcher {
 public:
  virtual ~Searcher() = default;
  virtual std::vector<Genome> ask(std::size_t n) = 0;
  virtual void tell(std::span<const Trial> trials) = 0;
  // Trial::rung of the genomes last asked for; more than 0 only for those that SearcherEntry::rungs says it of.
  virtual int rung() const { return 0; }
  virtual bool exhausted() const { return false; }  // nothing is left to propose
  // What it knows of itself, for reports; from the state alone. null: nothing. For what is in it see the searcher's
  // header.
  virtual Json notes() const { return {}; }
  virtual State save() const = 0;
  // Throws ConfigError on another signature, another space or a damaged state; the searcher is of no use after that.
  virtual void load(const State& state) = 0;
};

// What is known before a search: good candidates of searches like it.
struct WarmStart {
  std::vector<Genome> genomes;  // valid, normalised, different, the best first
  double similarity = 1.0;      // of the searches they come from to this one, from 0 to 1
};

class FeatureSet;

struct SearcherSetup {
  std::uint64_t seed = 0;
  std::vector<Objective> objectives;  // in the order of Trial::values, those that are only limited included
  Json options = Json::object();      // the searcher's own, e.g. {"population": 50}
  std::string origin = "searcher";    // where the options were written, for messages
  WarmStart warm{};
  int threads = 0;  // at most; 0: as many as there are. What comes out does not depend on it
  // What hardware models say of a candidate, for searchers that predict (search/predicted/feature_set.hpp); of this
  // space. Null: nothing does.
  std::shared_ptr<const FeatureSet> costs{};
  // What an evaluation on each rung that is offered costs, in whole ones: 1 for rung 0, then less and less.
  std::vector<double> rung_costs = {1.0};
};

struct SearcherEntry {
  std::string name;
  std::string about;  // one line, with the paper
  std::size_t batch;  // how many candidates a study asks for at a time where it does not say
  std::unique_ptr<Searcher> (*make)(const SearchSpace&, const SearcherSetup&);  // throws ConfigError on bad options
  // True: has no use for SearcherSetup::warm, and is refused any. The others ask first for the genomes in it, in their
  // order, as many as they begin with at random otherwise.
  bool cold = false;
  bool rungs = false;  // True: asks on rungs, and is refused where one alone is offered
};

// The registry: a visible table, in search/registry.cpp.
std::span<const SearcherEntry> searchers();
// The entry of that name. Throws ConfigError listing the known names; `origin` and `path` say where the name stood.
const SearcherEntry& find_searcher(const std::string& name, const std::string& origin = "searcher",
                                   const std::string& path = "");
// Throws ConfigError listing the known names, and where a searcher that begins with nothing given is given something.
// The space must outlive the searcher.
std::unique_ptr<Searcher> make_searcher(const std::string& name, const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
