// The loop that generational evolutionary searchers share: a population; each generation breeds children from parents
// won by binary tournaments, and some of both go on. Which ones, and who wins, is a Survival's: NSGA-II, NSGA-III,
// SMS-EMOA and HypE differ in that alone.
//
// Options of all: "population" (default 20), "offspring" (children a generation, default 10), "crossover" (chance that
// a child has two parents, each gene from either, default 0.5), "mutation" (expected number of mutated genes, default
// 0.5: a child that mutation leaves equal to a member is bred again, so every child differs in one gene at least),
// "begin_with" (genomes to begin with, as arrays of gene indices or {"dimension": choice}; the rest of the first
// generation is random).
// Published settings of about 100 members and children suit tens of thousands of evaluations; the defaults are for
// hundreds to thousands, and the front a study reports is that of all its trials, not of the population.
// Children that equal a member, or a child of the same generation, are bred again a few times; trials without anything
// to compare (failed, unsupported ...) do not enter the population. Any number of objectives; with one it is an elitist
// genetic algorithm. ask(n) ends at the end of a generation; what is searched does not depend on n.
// A generation of more than 64 children is bred on several threads, each child with random numbers of its own; what
// comes out is the same for any number of them. Of fewer children all come from one generator.
// State: the population and the children told so far, those that failed included; the generator. Version 1 with up to
// 64 children a generation, version 2 with more.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "search/fronts/population.hpp"
#include "search/fronts/ranking.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {

// Who goes on to the next generation. What it decides depends on its arguments alone, so that a searcher that is loaded
// decides the same.
class Survival {
 public:
  explicit Survival(std::size_t threads) : threads_(threads) {}
  virtual ~Survival() = default;
  // `keep` < size() of the members, in the population's order. Valid until the next call.
  virtual std::span<const std::uint32_t> survivors(const Population& population, std::size_t keep) = 0;
  // Before tournaments between the first `count` members. After survivors(): these are the members, and all of them.
  virtual void rank(const Population& population, std::size_t count) = 0;
  virtual bool before(std::size_t i, std::size_t j) const = 0;  // i wins a tournament with j; of several threads

 protected:
  std::size_t threads() const { return threads_; }  // at most; what is decided does not depend on it

 private:
  std::size_t threads_;
};

// Whole fronts go on (search/fronts/ranking.hpp), and of the first front that does not fit those that choose() takes.
// Where that front is not one of feasible members with different values, the youngest go on.
class FrontSurvival : public Survival {
 public:
  using Survival::Survival;
  std::span<const std::uint32_t> survivors(const Population& population, std::size_t keep) final;
  void rank(const Population& population, std::size_t count) final;
  bool before(std::size_t i, std::size_t j) const final {
    return ranking_.rank(i) != ranking_.rank(j) ? ranking_.rank(i) < ranking_.rank(j) : worth_[i] > worth_[j];
  }

 private:
  // `need` < front.size() of the front, appended to `taken`, which holds the members of the better fronts.
  virtual void choose(const Population& population, std::span<const std::uint32_t> front, std::size_t need,
                      std::vector<std::uint32_t>& taken) = 0;
  // The worth of a front's members in a tournament between them, the larger the better; all 0 before.
  virtual void weigh(const Population& population, std::span<const std::uint32_t> front,
                     std::vector<double>& worth) = 0;

  Ranking ranking_;
  std::vector<double> worth_;  // by member
  std::vector<std::uint32_t> taken_;
  bool narrowed_ = false;  // taken_ is what the population now holds
};

struct SurvivalSetup {
  std::size_t objectives = 1;
  std::size_t capacity = 2;  // how many go on
  std::size_t threads = 1;
};
using MakeSurvival = std::unique_ptr<Survival> (*)(OptionsReader& options, const SurvivalSetup& setup);
// `name`: of the searcher, in the signature of the state; `offspring`: the default of that option. Throws ConfigError
// on bad options.
std::unique_ptr<Searcher> make_genetic(const SearchSpace& space, const SearcherSetup& setup, const std::string& name,
                                       MakeSurvival make_survival, std::int64_t offspring = 10);

}  // namespace ridgeline
