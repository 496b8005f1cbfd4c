#include "search/baselines/exhaustive_search.hpp"

#include <fmt/format.h>

#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

class ExhaustiveSearch final : public SearcherBase {
 public:
  ExhaustiveSearch(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, "exhaustive/1"), end_(space.enumeration_size()) {
    OptionsReader(setup).done();
    if (end_ == 0) {
      throw ConfigError({setup.origin, "", "a space of at most 2^40 combinations for the searcher 'exhaustive'",
                         fmt::format("one of 10^{:.1f}", space.log10_size()), "use 'random' or 'nsga2'"});
    }
    advance();
  }

  bool exhausted() const override { return !ahead_; }

 private:
  std::vector<Genome> propose(std::size_t n) override {
    std::vector<Genome> genomes;
    for (; ahead_ && genomes.size() < n; advance()) genomes.push_back(std::move(*ahead_));
    return genomes;
  }
  void learn(std::span<const Trial>) override {}

  void write(Json& data) const override { data["next"] = ahead_ ? next_ - 1 : next_; }
  void read(JsonReader& data) override {
    next_ = static_cast<std::uint64_t>(
        data.integer("next", {.fallback = {}, .least = 0, .most = static_cast<std::int64_t>(end_)}));
    advance();
  }

  // Looks for the next candidate, so that exhausted() is known before anyone asks.
  void advance() {
    ahead_.reset();
    while (!ahead_ && next_ < end_) ahead_ = space().at(next_++);
  }

  std::uint64_t end_;
  std::uint64_t next_ = 0;
  std::optional<Genome> ahead_;  // the candidate of index next_ - 1
};

}  // namespace

std::unique_ptr<Searcher> make_exhaustive_search(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<ExhaustiveSearch>(space, setup);
}

}  // namespace ridgeline
