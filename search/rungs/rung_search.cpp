#include "search/rungs/rung_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_set>
#include <utility>

#include "search/fronts/ranking.hpp"
#include "search/rungs/brackets.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 32;  // at a candidate that the bracket does not have, before it has one twice
constexpr std::int64_t most_candidates = 1'000'000;

using Brackets = std::vector<std::vector<std::size_t>>;

Halving read_halving(OptionsReader& options, const SearcherSetup& setup) {
  return {setup.rung_costs, options->has("eta") ? options->number("eta", {.least = 2.0, .most = 1000.0}) : 0.0};
}

// The members by rank and crowding, best first; equal genes once. A copy in Ranking's sense, which has the values of
// another candidate, stands in that one's front, as its least lonely.
std::vector<std::size_t> best_first(const Population& members) {
  Ranking ranking;
  ranking.update(members, members.size());
  const auto copies = static_cast<std::uint32_t>(ranking.feasible_fronts());
  std::map<std::vector<double>, std::uint32_t> ranks;  // of feasible values
  const auto values = [&](std::size_t i) {
    return std::vector<double>(members.values(i).begin(), members.values(i).end());
  };
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members.violation(i) == 0.0 && ranking.rank(i) < copies) ranks.emplace(values(i), ranking.rank(i));
  }
  struct Place {
    std::size_t member;
    std::uint32_t rank;
    double crowding;
  };
  std::vector<Place> places;
  std::unordered_set<std::uint64_t> taken;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!taken.insert(members.hash(i)).second) continue;
    const bool copy = members.violation(i) == 0.0 && ranking.rank(i) >= copies;
    places.push_back({i, copy ? ranks.at(values(i)) : ranking.rank(i), copy ? 0.0 : ranking.crowding(i)});
  }
  std::ranges::stable_sort(places, [](const Place& a, const Place& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.crowding > b.crowding;
  });
  std::vector<std::size_t> order;
  for (const Place& place : places) order.push_back(place.member);
  return order;
}

class RungSearch final : public SearcherBase {
 public:
  RungSearch(const SearchSpace& space, const SearcherSetup& setup, std::string signature, Brackets brackets)
      : SearcherBase(space, setup, std::move(signature)),
        brackets_(std::move(brackets)),
        told_(space, setup),
        text_(space) {}

  int rung() const override { return asked_rung_; }

 private:
  const std::vector<std::size_t>& sizes() const { return brackets_[bracket_]; }

  std::vector<Genome> propose(std::size_t n) override {
    asked_rung_ = static_cast<int>(sizes().size() - 1 - step_);
    std::vector<Genome> genomes;
    for (std::size_t at = told_count_; at < sizes()[step_] && genomes.size() < n; ++at) {
      if (at == members_.size()) {
        if (step_ > 0) break;  // fewer than the bracket has room for went on
        members_.push_back(fresh());
      }
      genomes.push_back(members_[at]);
    }
    return genomes;
  }

  Genome fresh() {
    Genome genome = draw();
    for (int i = 1; i < attempts && drawn_.contains(hash_genes(genome.genes)); ++i) genome = draw();
    drawn_.insert(hash_genes(genome.genes));
    return genome;
  }

  void learn(std::span<const Trial> trials) override {
    for (const Trial& trial : trials) told_.add(trial);
    told_count_ += trials.size();
    if (told_count_ == (step_ == 0 ? sizes()[0] : members_.size())) go_on();
  }

  // To the next rung with the best of this one, or to the next bracket.
  void go_on() {
    std::vector<Genome> best;
    if (step_ + 1 < sizes().size()) {
      for (const std::size_t member : best_first(told_)) {
        if (best.size() < sizes()[step_ + 1]) best.push_back(told_.genome(member));
      }
    }
    if (best.empty()) {
      bracket_ = (bracket_ + 1) % brackets_.size();
      step_ = 0;
      drawn_.clear();
    } else {
      ++step_;
    }
    members_ = std::move(best);
    told_.clear();
    told_count_ = 0;
  }

  void write(Json& data) const override {
    std::string members;
    for (const Genome& genome : members_) {
      if (!members.empty()) members += ' ';
      members += text_.write(genome.genes);
    }
    data["bracket"] = bracket_;
    data["step"] = step_;
    data["members"] = std::move(members);
    data["told"] = told_count_;
    data["results"] = told_.save();
  }

  void read(JsonReader& data) override {
    const auto number = [&](const char* key, std::size_t most) {
      return static_cast<std::size_t>(
          data.integer(key, {.fallback = {}, .least = 0, .most = static_cast<std::int64_t>(most)}));
    };
    bracket_ = std::min(number("bracket", brackets_.size() - 1), brackets_.size() - 1);
    step_ = std::min(number("step", sizes().size() - 1), sizes().size() - 1);
    const std::size_t room = sizes()[step_];
    told_count_ = std::min(number("told", room - 1), room - 1);
    told_.load(data, "results", told_count_);
    read_members(data, data.string("members"), room);
    const std::size_t known = step_ == 0 ? told_count_ : told_count_ + 1;  // at least; on the first step exactly
    if (members_.size() < known || (step_ == 0 && members_.size() > known)) {
      data.note("members", fmt::format("the candidates of a rung of which {} were told", told_count_),
                fmt::format("{} candidates", members_.size()));
    }
  }

  void read_members(JsonReader& data, const std::string& text, std::size_t most) {
    members_.clear();
    drawn_.clear();
    for (std::size_t begin = 0; begin < text.size() && members_.size() <= most;) {
      const std::size_t end = std::min(text.find(' ', begin), text.size());
      std::optional<Genome> genome = text_.read(text.substr(begin, end - begin), data, "members");
      if (!genome) return;
      drawn_.insert(hash_genes(genome->genes));
      members_.push_back(std::move(*genome));
      begin = end + 1;
    }
    if (members_.size() > most) data.note("members", fmt::format("at most {} candidates", most), "more");
  }

  Brackets brackets_;                        // in turn; sizes by step, from the cheapest rung of the bracket to rung 0
  std::size_t bracket_ = 0;                  // under way
  std::size_t step_ = 0;                     // in it
  std::vector<Genome> members_;              // of the rung: on the first step those drawn so far, later all
  std::unordered_set<std::uint64_t> drawn_;  // hashes of members_, on the first step
  Population told_;                          // of them, those with something to compare
  std::size_t told_count_ = 0;               // of them, the first ones
  GenomeText text_;
  int asked_rung_ = 0;
};

}  // namespace

std::unique_ptr<Searcher> make_successive_halving(const SearchSpace& space, const SearcherSetup& setup) {
  OptionsReader options(setup);
  const Halving halving = read_halving(options, setup);
  const std::size_t cheapest = setup.rung_costs.size() - 1;
  const std::size_t optimised = static_cast<std::size_t>(
      std::ranges::count_if(setup.objectives, [](const Objective& one) { return !one.constraint_only; }));
  const auto usual = static_cast<std::int64_t>(hyperband_candidates(halving, cheapest) * (optimised > 1 ? 4 : 1));
  const std::size_t candidates = options.count("candidates", std::min(usual, most_candidates), 1, most_candidates);
  options.done();
  return std::make_unique<RungSearch>(space, setup, "successive-halving/1",
                                      Brackets{bracket(halving, cheapest, candidates)});
}

std::unique_ptr<Searcher> make_hyperband(const SearchSpace& space, const SearcherSetup& setup) {
  OptionsReader options(setup);
  const Halving halving = read_halving(options, setup);
  options.done();
  Brackets brackets;
  for (std::size_t first = setup.rung_costs.size(); first-- > 0;) {
    const auto most = static_cast<std::size_t>(most_candidates);
    brackets.push_back(bracket(halving, first, std::min(hyperband_candidates(halving, first), most)));
  }
  return std::make_unique<RungSearch>(space, setup, "hyperband/1", std::move(brackets));
}

}  // namespace ridgeline
