#include "search/evolution/nsga2.hpp"

#include "search/evolution/genetic.hpp"

namespace ridgeline {
namespace {

class CrowdedSurvival final : public Survival {
 public:
  std::span<const std::uint32_t> survivors(const Population& population, std::size_t keep) override {
    ranking_.update(population, population.size());
    return ranking_.best(keep);
  }
  void rank(const Population& population, std::size_t count) override { ranking_.update(population, count); }
  bool before(std::size_t i, std::size_t j) const override { return ranking_.before(i, j); }

 private:
  Ranking ranking_;
};

}  // namespace

std::unique_ptr<Searcher> make_nsga2(const SearchSpace& space, const SearcherSetup& setup) {
  return make_genetic(space, setup, "nsga2/1", [](OptionsReader&, const Population&, std::size_t) {
    return std::unique_ptr<Survival>(std::make_unique<CrowdedSurvival>());
  });
}

}  // namespace ridgeline
