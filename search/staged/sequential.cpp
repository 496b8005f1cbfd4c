#include "search/staged/sequential.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <unordered_set>

#include "search/inner_searcher.hpp"
#include "search/staged/held_front.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;              // at a projection that is valid and new, before any valid one will do
constexpr std::int64_t most_idle = 1000;  // duplicates in a row that end stage one
constexpr std::size_t remembered = 256;   // the latest candidates of stage two
const std::vector<std::string> stages = {"architecture", "precision"};
const std::vector<std::string> second_groups = {"precision", "hardware", "schedule"};

class Sequential final : public SearcherBase {
 public:
  Sequential(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, "sequential/2"), setup_(setup), text_(space) {
    OptionsReader options(setup);
    read_held(options);
    read_looks(options);
    first_ = inner_searcher(options, "first");
    second_ = inner_searcher(options, "second");
    first_trials_ = options->integer("first_trials", {.fallback = 100, .least = 1, .most = 1'000'000'000});
    if (const Json* then = by_formats_ ? options->any("then") : nullptr; then != nullptr && *then != "search") {
      then_ = held_formats(space, *then, *options.operator->(), "then").genes;
    }
    inner_space_ = std::make_unique<SearchSpace>(space.holding(held_.genes));
    inner_ = checked_inner(options, first_, *inner_space_, setup_for(first_));
    checked_inner(options, second_, space, setup_for(second_));
    options.done();
    SearcherSetup first = setup;
    first.objectives = first_objectives_;
    front_.emplace(space, first, held_.held);
    for (std::size_t dim = 0; dim < held_.held.size(); ++dim) {
      if (held_.held[dim] && space.dims()[dim].choices.size() > 1) free_.push_back(dim);
    }
  }

  bool exhausted() const override {
    if (in_second_ && then_) return next_ >= listed_.size();
    return inner_->exhausted() && (in_second_ || front_->size() == 0);
  }

  Json notes() const override {
    Json notes = {{"stage", stages[in_second_ ? 1 : 0]}, {"architectures", front_->size()}};
    Json inner = inner_ ? inner_->notes() : Json();
    if (!inner.is_null()) notes["searcher"] = std::move(inner);
    return notes;
  }

 private:
  void read_held(OptionsReader& options) {
    JsonReader& reader = *options.operator->();
    by_formats_ = reader.word("by", second_groups, second_groups.front()) == second_groups.front();
    if (by_formats_) {
      const Json* formats = reader.any("formats", true);
      held_ = held_formats(space(), formats != nullptr ? *formats : Json(), reader, "formats");
      return;
    }
    const auto group = std::ranges::find(gene_group_names(), setup_.options.at("by").get<std::string>());
    const Json* choices = reader.any("held");
    const Json given = choices != nullptr && choices->is_object() ? *choices : Json::object();
    held_ = held_group(space(), static_cast<GeneGroup>(group - gene_group_names().begin()), given, reader, "held");
  }

  // What stage one does not look at is neither optimised nor limited there.
  void read_looks(OptionsReader& options) {
    JsonReader& reader = *options.operator->();
    first_objectives_ = setup_.objectives;
    if (!reader.has("first_looks_at")) return;
    const std::vector<std::string> names = reader.strings("first_looks_at");
    std::vector<std::string> known;
    bool any = false;
    for (Objective& objective : first_objectives_) {
      known.push_back(objective.name);
      const bool looked_at = std::ranges::find(names, objective.name) != names.end();
      any = any || (looked_at && !objective.constraint_only);
      if (looked_at) continue;
      objective.limit.reset();
      objective.constraint_only = true;
    }
    for (const std::string& name : names) {
      if (std::ranges::find(known, name) != known.end()) continue;
      reader.note("first_looks_at", "names of objectives", fmt::format("'{}'", name), known_words(name, known));
    }
    if (!any) reader.note("first_looks_at", "an objective that is optimised", Json(names).dump());
  }

  // As stage one sees it.
  Trial looked_at(Trial trial) const {
    if (trial.status != Status::infeasible || !trial.has_values()) return trial;
    trial.violation = 0;
    for (std::size_t i = 0; i < first_objectives_.size(); ++i) {
      trial.violation += limit_excess(first_objectives_[i], natural(trial.values[i], first_objectives_[i].direction));
    }
    if (trial.violation == 0.0) trial.status = Status::ok;
    return trial;
  }

  SearcherSetup setup_for(const InnerSearcher& inner) const {
    SearcherSetup setup = setup_;
    setup.seed = Rng::derive(seed(), "sequential " + inner.key, 0);
    if (&inner == &first_) setup.objectives = first_objectives_;
    return setup;
  }

  std::vector<Genome> propose(std::size_t n) override {
    if (!in_second_) {
      const auto left = static_cast<std::size_t>(std::max<std::int64_t>(first_trials_ - distinct_, 0));
      std::vector<Genome> asked = inner_->ask(left > 0 ? std::min(n, left) : n);
      for (Genome& genome : asked) genome = outward(std::move(genome));
      if (!asked.empty()) return asked;
      inner_->tell({});
      if (front_->size() == 0) return {};
      begin_second();
    }
    if (then_) {
      const std::size_t first = next_;
      next_ = std::min(next_ + n, listed_.size());
      return {listed_.begin() + static_cast<std::ptrdiff_t>(first),
              listed_.begin() + static_cast<std::ptrdiff_t>(next_)};
    }
    std::vector<Genome> asked = inner_->ask(n);
    if (asked.empty()) inner_->tell({});
    std::unordered_set<std::uint64_t> batch;
    for (Genome& genome : asked) genome = project(outward(std::move(genome)), batch);
    return asked;
  }

  // Between the inner searcher's space, where held dimensions have the gene 0 alone, and the whole one.
  Genome outward(Genome genome) const {
    const auto& held = in_second_ ? agreed_ : held_.genes;
    for (std::size_t dim = 0; dim < held.size(); ++dim) genome.genes[dim] = held[dim].value_or(genome.genes[dim]);
    return space().normalise(std::move(genome));
  }
  Genome inward(Genome genome) const {
    const auto& held = in_second_ ? agreed_ : held_.genes;
    for (std::size_t dim = 0; dim < held.size(); ++dim) genome.genes[dim] = held[dim] ? 0 : genome.genes[dim];
    return inner_space_->normalise(std::move(genome));
  }

  // Onto an architecture of the front, see the header.
  Genome project(Genome genome, std::unordered_set<std::uint64_t>& batch) {
    while (next_ < listed_.size()) {
      const Genome& listed = listed_[next_++];
      if (!recent_.contains(hash_genes(listed.genes)) && batch.insert(hash_genes(listed.genes)).second) return listed;
    }
    const std::size_t member = front_->nearest(genome);
    // Where the proposal has no format the architecture may want one, and the 0 of normalisation means nothing.
    const std::vector<bool> active = space().active(genome);
    for (const std::size_t dim : free_) {
      if (!active[dim]) genome.genes[dim] = static_cast<std::uint16_t>(rng().below(choices(dim)));
    }
    std::optional<Genome> valid;
    for (int i = 0; i < attempts; ++i) {
      if (std::optional<Genome> made = front_->with_held(member, genome)) {
        const std::uint64_t hash = hash_genes(made->genes);
        if (!recent_.contains(hash) && batch.insert(hash).second) return std::move(*made);
        if (!valid) valid = std::move(made);
      }
      if (free_.empty()) break;
      const std::size_t dim = free_[rng().below(free_.size())];
      genome.genes[dim] =
          static_cast<std::uint16_t>((genome.genes[dim] + 1 + rng().below(choices(dim) - 1)) % choices(dim));
    }
    return valid ? std::move(*valid) : front_->genome(member);
  }

  bool all_looked_at() const { return !setup_.options.contains("first_looks_at"); }

  std::uint64_t choices(std::size_t dim) const { return space().dims()[dim].choices.size(); }

  void learn(std::span<const Trial> trials) override {
    std::vector<Trial> told(trials.begin(), trials.end());
    if (inner_) {
      for (Trial& trial : told) {
        if (!in_second_ && !all_looked_at()) trial = looked_at(std::move(trial));
        trial.genome = inward(std::move(trial.genome));
      }
      inner_->tell(told);
      // What it knows beyond its state is of its own proposals, not of their projections, and would be lost on
      // resuming.
      if (in_second_) inner_->load(inner_->save());
    }
    if (in_second_) {
      if (!then_) remember(trials);
      return;
    }
    for (const Trial& trial : trials) {
      front_->add(all_looked_at() ? trial : looked_at(trial));
      const bool fresh = trial.id >= next_id_;
      next_id_ = std::max(next_id_, trial.id + 1);
      distinct_ += fresh ? 1 : 0;
      idle_ = fresh ? 0 : idle_ + 1;
    }
    const bool over = distinct_ >= first_trials_ || idle_ >= most_idle || inner_->exhausted();
    if (over && front_->size() > 0) begin_second();
  }

  void remember(std::span<const Trial> trials) {
    for (const Trial& trial : trials) {
      if (!recent_.insert(hash_genes(trial.genome.genes)).second) continue;
      ++tried_;
      latest_.push_back(trial.genome);
      if (latest_.size() <= remembered) continue;
      recent_.erase(hash_genes(latest_.front().genes));
      latest_.pop_front();
    }
  }

  // From the front alone, so that it is the same after load().
  void begin_second() {
    in_second_ = true;
    agreed_ = front_->agreed();
    inner_.reset();
    if (!then_) {
      inner_space_ = std::make_unique<SearchSpace>(space().holding(agreed_));
      inner_ = make_inner(second_, *inner_space_, setup_for(second_));
    }
    listed_.clear();
    if (then_) return list_front(*then_);
    if (!by_formats_) return;
    for (const UniformFormat& format : uniform_formats(space())) list_front(format.genes);
  }

  // Those members of the front that can have these formats and had others.
  void list_front(const std::vector<std::optional<std::uint16_t>>& formats) {
    Genome precision{std::vector<std::uint16_t>(formats.size(), 0)};
    for (std::size_t dim = 0; dim < formats.size(); ++dim) precision.genes[dim] = formats[dim].value_or(0);
    for (std::size_t i = 0; i < front_->size(); ++i) {
      std::optional<Genome> made = front_->with_held(i, precision);
      if (made && (then_ || *made != front_->genome(i))) listed_.push_back(std::move(*made));
    }
  }

  void write(Json& data) const override {
    data["stage"] = stages[in_second_ ? 1 : 0];
    data["distinct"] = distinct_;
    data["idle"] = idle_;
    data["next_id"] = next_id_;
    data["front"] = front_->save();
    data["next"] = next_;
    data["tried"] = tried_;
    Json latest = Json::array();
    for (const Genome& genome : latest_) latest.push_back(text_.write(genome.genes));
    data["latest"] = std::move(latest);
    if (inner_) data["searcher"] = inner_state(*inner_);
  }

  void read(JsonReader& data) override {
    const bool second = data.word("stage", stages) == stages[1];
    distinct_ = data.integer("distinct", {.fallback = {}, .least = 0});
    idle_ = data.integer("idle", {.fallback = {}, .least = 0});
    next_id_ = data.integer("next_id", {.fallback = {}, .least = 0});
    front_->load(data, "front", ~std::size_t{0});
    next_ = static_cast<std::size_t>(data.integer("next", {.fallback = {}, .least = 0}));
    tried_ = data.integer("tried", {.fallback = {}, .least = 0});
    latest_.clear();
    recent_.clear();
    for (const std::string& text : data.strings("latest")) {
      std::optional<Genome> genome = text_.read(text, data, "latest");
      if (!genome) return;
      recent_.insert(hash_genes(genome->genes));
      latest_.push_back(std::move(*genome));
    }
    const auto wanted = static_cast<std::size_t>(std::min<std::int64_t>(tried_, remembered));
    if (latest_.size() != wanted || recent_.size() != wanted) {
      data.note("latest", fmt::format("{} different genomes", wanted), fmt::to_string(recent_.size()));
    }
    if (second && front_->size() == 0) data.note("front", "a front in the second stage", "nothing");
    read_inner(data, second && front_->size() > 0);
  }

  void read_inner(JsonReader& data, bool second) {
    if (second) {
      begin_second();
    } else {
      in_second_ = false;
      inner_space_ = std::make_unique<SearchSpace>(space().holding(held_.genes));
      inner_ = make_inner(first_, *inner_space_, setup_for(first_));
    }
    if (inner_) load_inner(data, "searcher", *inner_);
  }

  SearcherSetup setup_;
  GenomeText text_;
  HeldDimensions held_;
  bool by_formats_ = true;
  std::vector<Objective> first_objectives_;  // as stage one sees them
  InnerSearcher first_, second_;
  std::int64_t first_trials_ = 100;
  std::optional<std::vector<std::optional<std::uint16_t>>> then_;  // the genes every architecture takes; else a search
  std::vector<std::size_t> free_;                                  // precision dimensions with a choice
  std::unique_ptr<SearchSpace> inner_space_;                       // what the inner searcher sees; outlives it
  std::unique_ptr<Searcher> inner_;                                // none in the second stage of a listed choice
  bool in_second_ = false;
  std::int64_t distinct_ = 0, idle_ = 0, next_id_ = 0;  // stage one: trials, duplicates in a row, the next new id
  std::optional<HeldFront> front_;                      // of stage one
  std::vector<std::optional<std::uint16_t>> agreed_;    // stage two: what the front has in common
  std::vector<Genome> listed_;                          // what stage two is, or begins with
  std::size_t next_ = 0;                                // of listed_
  std::int64_t tried_ = 0;                              // of stage two, as far as remembered
  std::deque<Genome> latest_;                           // of stage two
  std::unordered_set<std::uint64_t> recent_;            // the hashes of latest_
};

}  // namespace

std::unique_ptr<Searcher> make_sequential(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<Sequential>(space, setup);
}

}  // namespace ridgeline
