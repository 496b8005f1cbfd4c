#include "search/predicted/automatic.hpp"

#include <algorithm>

#include "search/inner_searcher.hpp"

namespace ridgeline {
namespace {

class Automatic final : public SearcherBase {
 public:
  Automatic(const SearchSpace& space, const SearcherSetup& setup) : SearcherBase(space, setup, "auto/1") {
    OptionsReader(setup).done();
    const auto optimised = std::ranges::count(setup.objectives, false, &Objective::constraint_only);
    if (optimised == 1) {
      inner_ = {"bayesian", "bayesian", Json::object()};
    } else {
      inner_ = {"linas", "linas", {{"shaped", true}, {"initial", 12}, {"round", 8}, {"near", 0.25}}};
    }
    searcher_ = make_inner(inner_, space, setup);
  }

  Json notes() const override {
    Json notes = searcher_->notes();
    notes["searcher"] = inner_.name;
    return notes;
  }

 private:
  std::vector<Genome> propose(std::size_t n) override { return searcher_->ask(n); }
  void learn(std::span<const Trial> trials) override { searcher_->tell(trials); }
  void write(Json& data) const override { data[inner_.key] = inner_state(*searcher_); }
  void read(JsonReader& data) override { load_inner(data, inner_.key, *searcher_); }

  InnerSearcher inner_;
  std::unique_ptr<Searcher> searcher_;
};

}  // namespace

std::unique_ptr<Searcher> make_automatic(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<Automatic>(space, setup);
}

}  // namespace ridgeline
