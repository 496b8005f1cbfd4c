#include "search/evolution/genetic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "search/evolution/variation.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;  // at a candidate that is valid and new, before any valid one will do

// The hashes of the genomes of one generation: open addressing, cleared by a new stamp.
class SeenSet {
 public:
  void clear(std::size_t capacity) {
    std::size_t slots = 64;
    while (slots < 4 * capacity) slots *= 2;
    if (slots > slots_.size()) {
      slots_.assign(slots, {});
      stamp_ = 0;
    }
    ++stamp_;
  }
  bool insert(std::uint64_t hash) {  // false: it was there
    for (std::size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].stamp != stamp_) {
        slots_[at] = {hash, stamp_};
        return true;
      }
      if (slots_[at].hash == hash) return false;
    }
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint64_t stamp = 0;
  };
  std::vector<Slot> slots_;
  std::uint64_t stamp_ = 0;
};

class GeneticSearch final : public SearcherBase {
 public:
  GeneticSearch(const SearchSpace& space, const SearcherSetup& setup, const std::string& signature,
                MakeSurvival make_survival, std::int64_t offspring)
      : SearcherBase(space, setup, signature), members_(space, setup), text_(space), variation_(space) {
    OptionsReader options(setup);
    capacity_ = options.count("population", 20, 2, 1'000'000);
    offspring_ = options.count("offspring", offspring, 1, 1'000'000);
    crossover_ = options->number("crossover", {.fallback = 0.5, .least = 0.0, .most = 1.0});
    mutation_ = options->number("mutation", {.fallback = 0.5, .least = 0.0, .most = 1e6});
    initial_ = options.genomes("begin_with", space);
    if (initial_.size() > capacity_) {
      options->note("begin_with", fmt::format("at most as many as the population, {}", capacity_),
                    std::to_string(initial_.size()));
    }
    survival_ = make_survival(options, members_, capacity_);
    options.done();
  }

 private:
  std::vector<Genome> propose(std::size_t n) override {
    n = std::min(n, generation_size() - told_);
    if (seen_is_stale_) refill_seen();
    std::vector<Genome> genomes;
    genomes.reserve(n);
    while (genomes.size() < n) {
      const std::size_t place = told_ + genomes.size();
      if (parents_ == 0 && place < initial_.size()) {
        genomes.push_back(initial_[place]);
        seen_.insert(hash_genes(genomes.back().genes));
      } else {
        genomes.push_back(parents_ == 0 ? draw() : child());
      }
    }
    return genomes;
  }

  std::size_t generation_size() const { return parents_ == 0 ? capacity_ : offspring_; }

  // What must not be made again: the parents and all children of this generation.
  void refill_seen() {
    seen_.clear(2 * (capacity_ + offspring_));
    for (std::size_t i = 0; i < members_.size(); ++i) seen_.insert(members_.hash(i));
    for (const Genome& genome : failed_) seen_.insert(hash_genes(genome.genes));
    seen_is_stale_ = false;
  }

  Genome draw() {
    Genome genome;
    for (int i = 0; i < attempts; ++i) {
      genome = SearcherBase::draw();
      if (seen_.insert(hash_genes(genome.genes))) break;
    }
    return genome;
  }

  Genome child() {
    std::optional<Genome> valid;
    for (int i = 0; i < attempts; ++i) {
      const std::size_t first = tournament();
      const bool two = parents_ > 1 && rng().chance(crossover_);
      const Variation::Parent other = two ? parent(tournament()) : Variation::Parent{};
      std::optional<Genome> made = variation_.breed(parent(first), other, mutation_, rng());
      if (!made) continue;
      if (seen_.insert(hash_genes(made->genes))) return std::move(*made);
      valid = std::move(made);
    }
    return valid ? std::move(*valid) : draw();
  }

  Variation::Parent parent(std::size_t i) const { return {members_.genes(i), active_[i]}; }

  std::size_t tournament() {
    const std::size_t a = rng().below(parents_);
    const std::size_t b = rng().below(parents_);
    return survival_->before(b, a) ? b : a;
  }

  void learn(std::span<const Trial> trials) override {
    for (const Trial& trial : trials) {
      if (!members_.add(trial)) failed_.push_back(trial.genome);
    }
    told_ += trials.size();
    if (told_ == generation_size()) next_generation();
  }

  void next_generation() {
    told_ = 0;
    failed_.clear();
    const std::size_t known = parents_;
    if (members_.size() > capacity_) {
      const auto kept =
          survival_->survivors(members_, capacity_);  // ascending, so that what is moved down is not overwritten
      const auto parents = std::partition_point(kept.begin(), kept.end(), [&](std::uint32_t i) { return i < known; });
      std::size_t count = 0;
      for (auto i = kept.begin(); i != parents; ++i, ++count) {
        if (*i != count) active_[count] = std::move(active_[*i]);
      }
      active_.resize(count);
      members_.keep(kept);
    }
    take_parents(members_.size());
  }

  // The first active_.size() of them are known already.
  void take_parents(std::size_t count) {
    parents_ = count;
    seen_is_stale_ = true;
    survival_->rank(members_, parents_);
    while (active_.size() < count) active_.push_back(variation_.activity(members_.genome(active_.size())));
  }

  void write(Json& data) const override {
    data["parents"] = parents_;
    data["told"] = told_;
    data["members"] = members_.save();
    Json failed = Json::array();
    for (const Genome& genome : failed_) failed.push_back(text_.write(genome.genes));
    data["failed"] = std::move(failed);
  }

  void read(JsonReader& data) override {
    members_.load(data, "members", capacity_ + offspring_);
    const std::size_t parents = static_cast<std::size_t>(
        data.integer("parents", {.fallback = {}, .least = 0, .most = static_cast<std::int64_t>(capacity_)}));
    parents_ = parents;
    told_ = static_cast<std::size_t>(
        data.integer("told", {.fallback = {}, .least = 0, .most = static_cast<std::int64_t>(generation_size()) - 1}));
    failed_.clear();
    for (const std::string& text : data.strings("failed")) {
      if (auto genome = text_.read(text, data, "failed")) failed_.push_back(std::move(*genome));
    }
    if (parents > members_.size() || members_.size() - parents + failed_.size() != told_) {
      data.note(
          "told", "as many as the children that are members or failed",
          fmt::format("{} parents, {} members, {} failed, {} told", parents, members_.size(), failed_.size(), told_));
      return;
    }
    active_.clear();
    take_parents(parents);
  }

  std::size_t capacity_;
  std::size_t offspring_;
  double crossover_;
  double mutation_;
  std::vector<Genome> initial_;  // the first of the first generation
  Population members_;           // the parents, then the children told so far
  std::vector<Genome> failed_;   // the children told so far that are no members
  GenomeText text_;
  std::size_t parents_ = 0;
  std::size_t told_ = 0;  // trials of this generation
  std::unique_ptr<Survival> survival_;
  std::vector<std::vector<std::uint8_t>> active_;  // by parent
  Variation variation_;
  SeenSet seen_;
  bool seen_is_stale_ = true;
};

}  // namespace

std::span<const std::uint32_t> FrontSurvival::survivors(const Population& population, std::size_t keep) {
  ranking_.update(population, population.size());
  taken_.clear();
  for (std::size_t rank = 0; taken_.size() < keep; ++rank) {
    const auto front = ranking_.front(rank);
    const std::size_t need = keep - taken_.size();
    if (front.size() <= need) {
      taken_.insert(taken_.end(), front.begin(), front.end());
    } else if (rank < ranking_.feasible_fronts()) {
      choose(population, front, need, taken_);
    } else {
      std::vector<std::uint32_t> youngest(front.begin(), front.end());
      std::ranges::sort(youngest, std::greater());
      taken_.insert(taken_.end(), youngest.begin(), youngest.begin() + static_cast<std::ptrdiff_t>(need));
    }
  }
  std::ranges::sort(taken_);
  return taken_;
}

void FrontSurvival::rank(const Population& population, std::size_t count) {
  ranking_.update(population, count);
  worth_.assign(count, 0.0);
  for (std::size_t rank = 0; rank < ranking_.feasible_fronts(); ++rank) weigh(population, ranking_.front(rank), worth_);
}

std::unique_ptr<Searcher> make_genetic(const SearchSpace& space, const SearcherSetup& setup,
                                       const std::string& signature, MakeSurvival make_survival,
                                       std::int64_t offspring) {
  return std::make_unique<GeneticSearch>(space, setup, signature, make_survival, offspring);
}

}  // namespace ridgeline
