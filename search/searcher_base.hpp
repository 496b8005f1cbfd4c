// What the searchers of this folder share: the contract's order of calls, a generator, and a state with a signature.
//
// A searcher derives from this and writes propose(), learn(), write() and read(). The base checks that ask and tell
// alternate, that told trials have the right shape, and that a state belongs to this searcher and this space.
#pragma once

#include <string>
#include <vector>

#include "search/searcher.hpp"

namespace ridgeline {

class SearcherBase : public Searcher {
 public:
  std::vector<Genome> ask(std::size_t n) final;
  void tell(std::span<const Trial> trials) final;
  State save() const final;
  void load(const State& state) final;

 protected:
  // `signature`: "name/version"; the version changes with the meaning of the state.
  SearcherBase(const SearchSpace& space, const SearcherSetup& setup, std::string signature);

  const SearchSpace& space() const { return *space_; }
  Rng& rng() { return rng_; }
  std::uint64_t seed() const { return seed_; }
  // A candidate to begin with: the next of those that the searcher was given, then a random one.
  Genome draw() { return draw(rng_); }
  Genome draw(Rng& rng);  // the same by another generator's numbers
  const WarmStart& warm() const { return warm_; }
  std::size_t begun_with() const { return begun_with_; }  // how many of them were drawn

 private:
  virtual std::vector<Genome> propose(std::size_t n) = 0;
  virtual void learn(std::span<const Trial> trials) = 0;
  virtual void write(Json& data) const = 0;
  // Reads what write() wrote, noting problems in the reader; throws ConfigError itself only where it cannot go on.
  virtual void read(JsonReader& data) = 0;

  void check(const Trial& trial) const;

  const SearchSpace* space_;
  std::string signature_;
  std::string fingerprint_;  // of the space, as text
  std::size_t objectives_;
  std::uint64_t seed_;
  Rng rng_;
  WarmStart warm_;
  std::size_t begun_with_ = 0;  // of warm_.genomes; saved where there are any
  std::size_t asked_ = 0;
};

// A copy of the options that is read strictly: OptionsReader options(setup); options->integer(...); options.done();
class OptionsReader {
 public:
  explicit OptionsReader(const SearcherSetup& setup)
      : document_(JsonDocument::from_value(setup.options, setup.origin)), reader_(document_.root()) {}
  JsonReader* operator->() { return &reader_; }
  JsonReader& operator*() { return reader_; }
  std::size_t count(const std::string& key, std::int64_t fallback, std::int64_t least, std::int64_t most);
  // A list of genomes, normalised; empty where the key is absent. Notes those that are none of the space.
  std::vector<Genome> genomes(const std::string& key, const SearchSpace& space);
  void done();  // throws ConfigError with everything that was wrong

 private:
  JsonDocument document_;
  JsonReader reader_;
};

}  // namespace ridgeline
