#include "search/baselines/random_search.hpp"

#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

class RandomSearch final : public SearcherBase {
 public:
  RandomSearch(const SearchSpace& space, const SearcherSetup& setup) : SearcherBase(space, setup, "random/1") {
    OptionsReader(setup).done();
  }

 private:
  std::vector<Genome> propose(std::size_t n) override {
    std::vector<Genome> genomes;
    genomes.reserve(n);
    while (genomes.size() < n) genomes.push_back(draw());
    return genomes;
  }
  void learn(std::span<const Trial>) override {}
  void write(Json&) const override {}
  void read(JsonReader&) override {}
};

}  // namespace

std::unique_ptr<Searcher> make_random_search(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<RandomSearch>(space, setup);
}

}  // namespace ridgeline
