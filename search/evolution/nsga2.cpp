#include "search/evolution/nsga2.hpp"

#include "search/evolution/genetic.hpp"

namespace ridgeline {
namespace {

class CrowdedSurvival final : public Survival {
 public:
  using Survival::Survival;
  std::span<const std::uint32_t> survivors(const Population& population, std::size_t keep) override {
    ranking_.update(population, population.size(), threads());
    const auto best = ranking_.best(keep);
    kept_.assign(best.begin(), best.end());
    narrowed_ = true;
    return kept_;
  }
  void rank(const Population& population, std::size_t count) override {
    if (narrowed_) {
      ranking_.narrow(population, kept_);
    } else {
      ranking_.update(population, count, threads());
    }
    narrowed_ = false;
  }
  bool before(std::size_t i, std::size_t j) const override { return ranking_.before(i, j); }

 private:
  Ranking ranking_;
  std::vector<std::uint32_t> kept_;
  bool narrowed_ = false;  // kept_ is what the population now holds
};

}  // namespace

std::unique_ptr<Searcher> make_nsga2(const SearchSpace& space, const SearcherSetup& setup) {
  return make_genetic(space, setup, "nsga2", [](OptionsReader&, const SurvivalSetup& survival) {
    return std::unique_ptr<Survival>(std::make_unique<CrowdedSurvival>(survival.threads));
  });
}

}  // namespace ridgeline
