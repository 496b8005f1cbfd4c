#include "search/evolution/genetic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "search/blocks.hpp"
#include "search/evolution/variation.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;  // at a candidate that is valid and new, before any valid one will do

// Whether a generation has so many children that they are bred by several threads: then each has random numbers of its
// own. Of fewer the children come from one generator, one after the other.
bool many_children(const SearcherSetup& setup) {
  constexpr std::int64_t few = 64;
  const auto option = setup.options.find("offspring");
  return option != setup.options.end() && option->is_number_integer() && option->get<std::int64_t>() > few;
}

// The hashes of the genomes of one generation: open addressing, cleared by a new stamp.
class SeenSet {
 public:
  void clear(std::size_t capacity) {
    std::size_t slots = 64;
    while (slots < 2 * capacity) slots *= 2;
    if (slots > slots_.size()) {
      slots_.assign(slots, {});
      stamp_ = 0;
    }
    ++stamp_;
  }
  bool insert(std::uint64_t hash) {  // false: it was there
    Slot& slot = slots_[find(hash)];
    if (slot.stamp == stamp_) return false;
    slot = {hash, stamp_};
    return true;
  }
  bool contains(std::uint64_t hash) const { return slots_[find(hash)].stamp == stamp_; }
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)], 1); }

 private:
  // The slot of this hash, or the free one where it belongs.
  std::size_t find(std::uint64_t hash) const {
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at].stamp == stamp_ && slots_[at].hash != hash) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  struct Slot {
    std::uint64_t hash = 0;
    std::uint64_t stamp = 0;
  };
  std::vector<Slot> slots_;
  std::uint64_t stamp_ = 0;
};

class GeneticSearch final : public SearcherBase {
 public:
  GeneticSearch(const SearchSpace& space, const SearcherSetup& setup, const std::string& name,
                MakeSurvival make_survival, std::int64_t offspring)
      : SearcherBase(space, setup, name + (many_children(setup) ? "/2" : "/1")),
        members_(space, setup),
        text_(space),
        large_(many_children(setup)),
        threads_(thread_count(setup.threads)),
        variations_(threads_, Variation(space)) {
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
    survival_ = make_survival(options, {members_.objectives(), capacity_, threads_});
    options.done();
  }

 private:
  std::vector<Genome> propose(std::size_t n) override {
    n = std::min(n, generation_size() - told_);
    if (seen_is_stale_) refill_seen();
    if (large_ && parents_ > 0) return children(n);
    std::vector<Genome> genomes;
    genomes.reserve(n);
    while (genomes.size() < n) {
      const std::size_t place = told_ + genomes.size();
      if (parents_ == 0 && place < initial_.size()) {
        genomes.push_back(initial_[place]);
        seen_.insert(hash_genes(genomes.back().genes));
      } else if (parents_ == 0) {
        genomes.push_back(draw(rng()));
      } else {
        Child child;
        const bool fresh = breed(child, rng(), variations_[0]);
        genomes.push_back(settled(child, fresh, rng()));
      }
    }
    return genomes;
  }

  std::size_t generation_size() const { return parents_ == 0 ? capacity_ : offspring_; }

  // What must not be made again: the parents and all children of this generation.
  void refill_seen() {
    constexpr std::size_t ahead = 16;
    seen_.clear(capacity_ + 2 * offspring_);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (i + ahead < members_.size()) seen_.prefetch(members_.hash(i + ahead));
      seen_.insert(members_.hash(i));
    }
    for (const Genome& genome : failed_) seen_.insert(hash_genes(genome.genes));
    seen_is_stale_ = false;
  }

  Genome draw(Rng& rng) {
    Genome genome;
    for (int i = 0; i < attempts; ++i) {
      genome = SearcherBase::draw(rng);
      if (seen_.insert(hash_genes(genome.genes))) break;
    }
    return genome;
  }

  // One in the making: the valid genome that was bred last.
  struct Child {
    Genome genome;
    std::uint64_t hash = 0;
    int tried = 0;
    bool valid = false;
  };

  // Until it is valid and new, going on where it was left; false when the attempts are spent.
  bool breed(Child& child, Rng& rng, Variation& variation) const {
    while (child.tried < attempts) {
      ++child.tried;
      const std::size_t first = tournament(rng);
      const bool two = parents_ > 1 && rng.chance(crossover_);
      const Variation::Parent other = two ? parent(tournament(rng)) : Variation::Parent{};
      std::optional<Genome> made = variation.breed(parent(first), other, mutation_, rng);
      if (!made) continue;
      child.genome = std::move(*made);
      child.hash = hash_genes(child.genome.genes);
      child.valid = true;
      if (!seen_.contains(child.hash)) return true;
    }
    return false;
  }

  Genome settled(Child& child, bool fresh, Rng& rng) {
    if (fresh) seen_.insert(child.hash);
    return child.valid ? std::move(child.genome) : draw(rng);
  }

  // Many are bred at once, each by random numbers of its own. Whether one is new among those before it is seen in their
  // order, and where it is not it is bred on: the same children as one by one.
  std::vector<Genome> children(std::size_t n) {
    constexpr std::size_t together = 4096;
    std::vector<Genome> genomes;
    genomes.reserve(n);
    const std::uint64_t key = rng().state()[0];  // the generation's: the generator moves on with it
    std::vector<Child> made(std::min(n, together));
    std::vector<Rng> streams(made.size(), Rng(key));
    std::vector<std::uint8_t> fresh(made.size());
    for (std::size_t done = 0; done < n; done += together) {
      const std::size_t count = std::min(together, n - done);
      over_blocks(count, threads_, [&](std::size_t begin, std::size_t end, std::size_t worker) {
        for (std::size_t i = begin; i < end; ++i) {
          streams[i] = Rng(mix64(key + told_ + done + i));
          made[i] = Child{};
          fresh[i] = breed(made[i], streams[i], variations_[worker]) ? 1 : 0;
        }
      });
      for (std::size_t i = 0; i < count; ++i) {
        while (fresh[i] != 0 && seen_.contains(made[i].hash)) {
          fresh[i] = breed(made[i], streams[i], variations_[0]) ? 1 : 0;
        }
        genomes.push_back(settled(made[i], fresh[i] != 0, streams[i]));
      }
    }
    return genomes;
  }

  Variation::Parent parent(std::size_t i) const {
    return {members_.genes(i), space().unconditional() ? std::span<const std::uint8_t>{} : active_[i]};
  }

  std::size_t tournament(Rng& rng) const {
    const std::size_t a = rng.below(parents_);
    const std::size_t b = rng.below(parents_);
    return survival_->before(b, a) ? b : a;
  }

  void learn(std::span<const Trial> trials) override {
    for (const std::size_t i : members_.add(trials, threads_)) failed_.push_back(trials[i].genome);
    told_ += trials.size();
    if (told_ == generation_size()) next_generation();
  }

  void next_generation() {
    told_ = 0;
    failed_.clear();
    if (large_) rng().next();
    if (members_.size() > capacity_) {
      const auto kept =
          survival_->survivors(members_, capacity_);  // ascending, so that what is moved down is not overwritten
      const auto parents = std::ranges::lower_bound(kept, active_.size());
      std::size_t count = 0;
      for (auto i = kept.begin(); i != parents; ++i, ++count) {
        if (*i != count) active_[count] = std::move(active_[*i]);
      }
      active_.resize(count);
      members_.keep(kept, threads_);
    }
    take_parents(members_.size());
  }

  // The first active_.size() of them are known already.
  void take_parents(std::size_t count) {
    parents_ = count;
    seen_is_stale_ = true;
    survival_->rank(members_, parents_);
    if (space().unconditional()) return;
    const std::size_t known = active_.size();
    active_.resize(count);
    over_blocks(count - known, threads_, [&](std::size_t begin, std::size_t end, std::size_t) {
      for (std::size_t i = known + begin; i < known + end; ++i) {
        active_[i] = variations_[0].activity(members_.genome(i));
      }
    });
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
  std::vector<std::vector<std::uint8_t>> active_;  // by parent; none in a space without conditions
  bool large_;                                     // each child has random numbers of its own
  std::size_t threads_;
  std::vector<Variation> variations_;  // by thread
  SeenSet seen_;
  bool seen_is_stale_ = true;
};

}  // namespace

std::span<const std::uint32_t> FrontSurvival::survivors(const Population& population, std::size_t keep) {
  ranking_.update(population, population.size(), threads());
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
  narrowed_ = true;
  return taken_;
}

void FrontSurvival::rank(const Population& population, std::size_t count) {
  if (narrowed_) {
    ranking_.narrow(population, taken_);
  } else {
    ranking_.update(population, count, threads());
  }
  narrowed_ = false;
  worth_.assign(count, 0.0);
  for (std::size_t rank = 0; rank < ranking_.feasible_fronts(); ++rank) weigh(population, ranking_.front(rank), worth_);
}

std::unique_ptr<Searcher> make_genetic(const SearchSpace& space, const SearcherSetup& setup, const std::string& name,
                                       MakeSurvival make_survival, std::int64_t offspring) {
  return std::make_unique<GeneticSearch>(space, setup, name, make_survival, offspring);
}

}  // namespace ridgeline
