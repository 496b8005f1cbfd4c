#include "search/predicted/tpe.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "search/evolution/variation.hpp"
#include "search/predicted/trial_memory.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_good = 25;
constexpr std::size_t most_others = 400;  // the latest

// A mixture of kernels, one on each observed candidate: a candidate is near it by how many genes it shares, and in
// ordered dimensions by how far the others are.
class KernelDensity {
 public:
  // `spread`: how many genes a candidate is expected to differ in from the one that a kernel stands on.
  KernelDensity(const SearchSpace& space, double spread) {
    const auto dims = static_cast<double>(space.dims().size());
    for (const Dimension& dimension : space.dims()) {
      first_.push_back(logs_.size());
      const std::size_t choices = dimension.choices.size();
      inactive_.push_back(static_cast<std::uint16_t>(choices));
      const double off = choices == 1 ? 0.0 : std::min(spread / dims, 0.5);
      for (std::size_t from = 0; from <= choices; ++from) {
        for (std::size_t to = 0; to <= choices; ++to) {
          logs_.push_back(static_cast<float>(from == choices || to == choices
                                                 ? (from == to ? 0.0 : -std::log(static_cast<double>(choices)))
                                                 : kernel(from, to, choices, off, dimension.ordered)));
        }
      }
    }
  }

  void clear() { codes_.clear(); }
  void add(const Genome& genome, std::span<const std::uint8_t> active) { append(codes_, genome, active); }

  // Up to a constant; `prior` observations are a uniform distribution.
  double log_density(const Genome& genome, std::span<const std::uint8_t> active, double prior) {
    const std::size_t dims = first_.size();
    code_.clear();
    append(code_, genome, active);
    double uniform = 0;
    rows_.clear();
    for (std::size_t i = 0; i < dims; ++i) {
      const std::size_t width = inactive_[i] + 1U;
      rows_.push_back(logs_.data() + first_[i] + code_[i] * width);  // the kernel is symmetric
      if (code_[i] != inactive_[i]) uniform -= std::log(static_cast<double>(inactive_[i]));
    }
    const std::size_t count = codes_.size() / dims;
    sums_.assign(1, static_cast<float>(uniform + std::log(prior)));
    for (std::size_t o = 0; o < count; ++o) {
      float sum = 0;
      for (std::size_t i = 0; i < dims; ++i) sum += rows_[i][codes_[o * dims + i]];
      sums_.push_back(sum);
    }
    const float most = std::ranges::max(sums_);
    double whole = 0;
    for (const float sum : sums_) whole += std::exp(static_cast<double>(sum - most));
    return static_cast<double>(most) + std::log(whole / (static_cast<double>(count) + prior));
  }

 private:
  static double kernel(std::size_t from, std::size_t to, std::size_t choices, double off, bool ordered) {
    if (from == to) return std::log1p(-off);
    if (!ordered) return std::log(off / static_cast<double>(choices - 1));
    double weights = 0;  // by the greatest possible sum, so that the kernel is symmetric
    for (std::size_t d = 1; d < choices; ++d) weights += 2.0 / static_cast<double>(d);
    const std::size_t apart = from > to ? from - to : to - from;
    return std::log(off / (static_cast<double>(apart) * weights));
  }

  void append(std::vector<std::uint16_t>& codes, const Genome& genome, std::span<const std::uint8_t> active) const {
    for (std::size_t i = 0; i < first_.size(); ++i) {
      codes.push_back(active.empty() || active[i] != 0 ? genome.genes[i] : inactive_[i]);
    }
  }

  std::vector<std::size_t> first_;       // by dimension: where its table begins in logs_
  std::vector<std::uint16_t> inactive_;  // by dimension: the code for it, the number of choices
  std::vector<float> logs_;              // tables from x to
  std::vector<std::uint16_t> codes_;     // observations x dimensions
  std::vector<std::uint16_t> code_;
  std::vector<const float*> rows_;
  std::vector<float> sums_;
};

class Tpe final : public SearcherBase {
 public:
  Tpe(const SearchSpace& space, const SearcherSetup& setup) : SearcherBase(space, setup, "tpe/1"), variation_(space) {
    OptionsReader options(setup);
    initial_ = options.count("initial", 20, 1, 1'000'000);
    share_ = options->number("good", {.fallback = 0.1, .least = 1e-6, .most = 1.0});
    candidates_ = options.count("candidates", 24, 1, 1'000'000);
    prior_ = options->number("prior", {.fallback = 1.0, .least = 1e-6, .most = 1e6});
    const std::size_t memory = options.count("memory", 1000, 10, 1'000'000);
    spread_ = options->number("spread", {.fallback = 1.0, .least = 1e-3, .most = 1e6});
    options.done();
    good_.emplace(space, spread_);
    other_.emplace(space, spread_);
    memory_.emplace(space, setup, memory);
  }

 private:
  std::vector<Genome> propose(std::size_t n) override {
    std::vector<Genome> genomes;
    std::unordered_set<std::uint64_t> asked;
    const bool known = told_ >= initial_ && fit();
    if (!known && told_ < initial_) n = std::min(n, initial_ - told_);
    while (genomes.size() < n) {
      genomes.push_back(known ? likeliest(asked) : SearcherBase::draw());
      asked.insert(hash_genes(genomes.back().genes));
    }
    return genomes;
  }

  // False: there is nothing to compare yet.
  bool fit() {
    const std::span<const Trial> trials = memory_->trials();
    std::size_t comparable = 0;
    for (const Trial& trial : trials) comparable += trial.status != Status::failed ? 1U : 0U;
    if (comparable == 0) return false;
    const auto wanted = static_cast<std::size_t>(std::ceil(share_ * static_cast<double>(comparable)));
    const std::vector<std::size_t> best = memory_->best(std::min(wanted, most_good));
    good_->clear();
    other_->clear();
    auto next = best.begin();
    for (std::size_t i = 0; i < trials.size(); ++i) {
      const bool is_good = next != best.end() && *next == i;
      if (is_good) ++next;
      if (!is_good && trials.size() - i > most_others) continue;
      (is_good ? good_ : other_)->add(trials[i].genome, activity(trials[i].genome));
    }
    good_trials_ = best;
    return true;
  }

  const std::vector<std::uint8_t>& activity(const Genome& genome) {
    const auto [entry, fresh] = activities_.try_emplace(hash_genes(genome.genes));
    if (fresh) entry->second = variation_.activity(genome);
    return entry->second;
  }

  Genome likeliest(const std::unordered_set<std::uint64_t>& asked) {
    std::optional<Genome> best;
    double most = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < candidates_; ++i) {
      std::optional<Genome> drawn = draw();
      if (!drawn || memory_->knows(*drawn) || asked.contains(hash_genes(drawn->genes))) continue;
      const std::vector<std::uint8_t> active = variation_.activity(*drawn);
      const double score = good_->log_density(*drawn, active, prior_) - other_->log_density(*drawn, active, prior_);
      if (score <= most) continue;
      most = score;
      best = std::move(drawn);
    }
    return best ? std::move(*best) : near_the_best(asked);
  }

  // Of the mixture of the good ones; nullopt: not valid.
  std::optional<Genome> draw() {
    const double share = prior_ / (prior_ + static_cast<double>(good_trials_.size()));
    if (rng().chance(share)) return space().normalise(space().sample(rng()));
    const Genome& from = memory_->trials()[good_trials_[rng().below(good_trials_.size())]].genome;
    return variation_.breed({from.genes, activity(from)}, {}, spread_, rng());
  }

  // Where the distributions give nothing new: a mutation of what is known to be good, or any candidate.
  Genome near_the_best(const std::unordered_set<std::uint64_t>& asked) {
    constexpr int attempts = 64;
    for (int i = 0; i < attempts; ++i) {
      const Genome& from = memory_->trials()[good_trials_[rng().below(good_trials_.size())]].genome;
      auto made = variation_.mutate_one(from, rng());
      if (made && !memory_->knows(*made) && !asked.contains(hash_genes(made->genes))) return std::move(*made);
    }
    return space().normalise(space().sample(rng()));
  }

  void learn(std::span<const Trial> trials) override {
    memory_->add(trials);
    told_ += trials.size();
    if (activities_.size() > 2 * memory_->size() + 1000) activities_.clear();
  }

  void write(Json& data) const override {
    data["told"] = told_;
    data["memory"] = memory_->save();
  }
  void read(JsonReader& data) override {
    told_ = static_cast<std::size_t>(data.integer("told", {.fallback = {}, .least = 0}));
    memory_->load(data, "memory");
  }

  std::size_t initial_ = 0, candidates_ = 0;
  double share_ = 0, prior_ = 0, spread_ = 0;
  std::optional<TrialMemory> memory_;
  std::size_t told_ = 0;
  Variation variation_;
  std::optional<KernelDensity> good_, other_;
  std::vector<std::size_t> good_trials_;                                     // as indices of what is remembered
  std::unordered_map<std::uint64_t, std::vector<std::uint8_t>> activities_;  // by hash; only spares time
};

}  // namespace

std::unique_ptr<Searcher> make_tpe(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<Tpe>(space, setup);
}

}  // namespace ridgeline
