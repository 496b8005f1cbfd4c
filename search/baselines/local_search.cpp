#include "search/baselines/local_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "search/evolution/variation.hpp"
#include "search/fronts/population.hpp"
#include "search/fronts/ranking.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

// What no known candidate beats, and of which of them all neighbours were tried.
class Archive {
 public:
  Archive(const SearchSpace& space, const SearcherSetup& setup, std::size_t capacity)
      : members_(space, setup), capacity_(capacity) {}

  const Population& members() const { return members_; }

  void add(const Trial& trial) {
    if (!members_.add(trial)) return;
    const std::size_t last = members_.size() - 1;
    kept_.clear();
    bool stays = true;
    for (std::uint32_t i = 0; i < last; ++i) {
      stays = stays && !members_.beats(i, last) && !members_.equals(i, last);
      if (!members_.beats(last, i)) kept_.push_back(i);
    }
    if (stays) kept_.push_back(static_cast<std::uint32_t>(last));
    tried_.push_back(0);
    keep();
    if (members_.size() > capacity_) {
      ranking_.update(members_, members_.size());
      const auto best = ranking_.best(capacity_);
      kept_.assign(best.begin(), best.end());
      keep();
    }
  }

  void mark_tried(std::uint64_t hash) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (members_.hash(i) == hash) tried_[i] = 1;
    }
  }

  // The loneliest member that has neighbours left, if there is one.
  std::optional<std::size_t> next() {
    ranking_.update(members_, members_.size());
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (tried_[i] == 0 && (!found || ranking_.before(i, *found))) found = i;
    }
    return found;
  }

  Json save() const {
    Json data = members_.save();
    std::string tried;
    for (const std::uint8_t flag : tried_) tried += flag != 0 ? '1' : '0';
    return {{"members", std::move(data)}, {"tried", std::move(tried)}};
  }

  void load(JsonReader& reader, const std::string& key) {
    std::optional<JsonReader> data = reader.object(key);
    if (!data) return;
    members_.load(*data, "members", capacity_);
    const std::string tried = data->string("tried");
    data->finish();
    if (tried.size() != members_.size() || tried.find_first_not_of("01") != std::string::npos) {
      data->note("tried", "a 0 or 1 for each member", fmt::format("'{}'", tried));
    }
    tried_.assign(members_.size(), 0);
    for (std::size_t i = 0; i < std::min(tried.size(), tried_.size()); ++i) tried_[i] = tried[i] == '1' ? 1 : 0;
  }

 private:
  void keep() {
    for (std::size_t i = 0; i < kept_.size(); ++i) tried_[i] = tried_[kept_[i]];  // ascending: nothing is overwritten
    tried_.resize(kept_.size());
    members_.keep(kept_);
  }

  Population members_;
  std::vector<std::uint8_t> tried_;  // by member
  std::size_t capacity_;
  Ranking ranking_;
  std::vector<std::uint32_t> kept_;
};

constexpr std::uint64_t circle = (std::uint64_t{1} << 62) - 1;  // places on it, less one: they fit a JSON integer

struct Options {
  std::size_t initial;
  std::size_t archive;
};

Options read_options(const SearcherSetup& setup) {
  OptionsReader options(setup);
  const Options read{options.count("initial", 5, 1, 1'000'000), options.count("archive", 100, 1, 100'000)};
  options.done();
  return read;
}

class LocalSearch final : public SearcherBase {
 public:
  LocalSearch(const SearchSpace& space, const SearcherSetup& setup, Options options)
      : SearcherBase(space, setup, "local-search/1"),
        initial_(options.initial),
        current_(space, setup),
        archive_(space, setup, options.archive),
        variation_(space) {}

 private:
  std::vector<Genome> propose(std::size_t n) override {
    std::vector<Genome> genomes;
    while (genomes.empty()) {
      if (starting_) {
        n = std::min(n, initial_ - told_starts_);
        while (genomes.size() < n) genomes.push_back(draw());
      } else {
        next_neighbours(n, genomes);
        if (genomes.empty()) leave();
      }
    }
    return genomes;
  }

  void next_neighbours(std::size_t n, std::vector<Genome>& genomes) {
    const Genome here = current_.genome(0);
    while (genomes.size() < n && position_ < moves_.size()) {
      const Move move = moves_[position_++];
      reached_ = place(move) + 1;
      std::optional<Genome> made = variation_.apply(here, move, rng());
      if (made) genomes.push_back(std::move(*made));
    }
  }

  // The current candidate has no better neighbour.
  void leave() {
    archive_.mark_tried(current_.hash(0));
    current_.clear();
    if (const auto member = archive_.next()) {
      current_.add(archive_.members(), *member);
      climb();
    } else {
      starting_ = true;
    }
  }

  void climb() {
    ++climbs_;
    list_moves();
  }

  // Every move has its place on a circle, drawn from the number of the climb. After a step up the walk goes on round
  // the circle from where it stands, because the moves that just failed are the least likely to help now; a saved state
  // needs the number and the start alone.
  void list_moves() {
    position_ = 0;
    moves_ = variation_.moves(current_.genome(0));
    std::vector<std::pair<std::uint64_t, Move>> ordered;
    for (const Move move : moves_) ordered.emplace_back((place(move) - start_) & circle, move);
    std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < moves_.size(); ++i) moves_[i] = ordered[i].second;
  }

  std::uint64_t place(Move move) const {
    const std::uint64_t number = std::uint64_t{move.dim} << 16 | move.choice;
    return Rng::derive(Rng::derive(seed(), "climb", climbs_), "move", number) & circle;
  }

  void learn(std::span<const Trial> trials) override {
    std::uint32_t best = 0;
    for (const Trial& trial : trials) {
      archive_.add(trial);
      if (!current_.add(trial)) continue;
      const auto last = static_cast<std::uint32_t>(current_.size() - 1);
      if (current_.beats(last, best)) best = last;
    }
    if (!current_.empty()) current_.keep({&best, 1});
    if (starting_) {
      told_starts_ += trials.size();
      if (told_starts_ < initial_) return;
      told_starts_ = 0;
      starting_ = current_.empty();
      if (!starting_) climb();
    } else if (best > 0) {
      start_ = reached_ & circle;
      list_moves();
    }
  }

  void write(Json& data) const override {
    data["starting"] = starting_;
    data["told_starts"] = told_starts_;
    data["climbs"] = climbs_;
    data["start"] = start_;
    data["position"] = position_;
    data["current"] = current_.save();
    data["archive"] = archive_.save();
  }

  void read(JsonReader& data) override {
    starting_ = data.boolean("starting");
    told_starts_ = natural(data, "told_starts", initial_ - 1);
    climbs_ = natural(data, "climbs", circle);
    start_ = natural(data, "start", circle);
    current_.load(data, "current", 1);
    archive_.load(data, "archive");
    if (!starting_ && current_.empty()) data.note("current", "the candidate that the search stands at", "none");
    moves_.clear();
    if (!starting_ && !current_.empty()) list_moves();
    const std::size_t position = natural(data, "position", circle);
    if (!starting_ && position > moves_.size()) {
      data.note("position", fmt::format("at most {}", moves_.size()), fmt::to_string(position));
    }
    position_ = std::min(position, moves_.size());
    if (position_ > 0) reached_ = place(moves_[position_ - 1]) + 1;
  }

  static std::size_t natural(JsonReader& data, const std::string& key, std::size_t most) {
    return static_cast<std::size_t>(
        data.integer(key, {.fallback = {}, .least = 0, .most = static_cast<std::int64_t>(most)}));
  }

  std::size_t initial_;
  bool starting_ = true;         // drawing random candidates; current_ is the best of them so far
  std::size_t told_starts_ = 0;  // of this start
  Population current_;           // one member, or none
  std::vector<Move> moves_;      // of the current candidate, in the order of trying
  std::size_t position_ = 0;     // in moves_
  std::size_t climbs_ = 0;       // entered so far
  std::uint64_t start_ = 0;      // the place of moves_[0] on the circle, or just before it
  std::uint64_t reached_ = 0;    // the place behind the last move tried
  Archive archive_;
  Variation variation_;
};

}  // namespace

std::unique_ptr<Searcher> make_local_search(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<LocalSearch>(space, setup, read_options(setup));
}

}  // namespace ridgeline
