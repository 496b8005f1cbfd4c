#include "search/staged/nested.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "search/fronts/ranking.hpp"
#include "search/inner_searcher.hpp"
#include "search/staged/held_front.hpp"
#include "search/staged/nested_quality.hpp"

namespace ridgeline {
namespace {

constexpr std::int64_t most_idle = 1000;   // duplicates in a row that end an inner search
constexpr std::size_t remembered = 100;    // proposals that are not searched again
constexpr std::int64_t most_known = 100;   // proposals in a row without a search, before a known one has another
constexpr std::int64_t most_empty = 1000;  // the same, before nothing valid is said to be there

// One proposal of the outer searcher, and the search for what suits it.
struct InnerSearch {
  InnerSearch(Genome genome, HeldFront nothing) : front(std::move(nothing)) { proposal.genome = std::move(genome); }

  Trial proposal;                      // a genome of the outer space; what it was told where that is known
  bool known = false;                  // answered from memory
  std::optional<std::size_t> twin;     // an earlier proposal of the same batch that is the same
  bool searched = false;               // was opened, and may have ended
  std::unique_ptr<SearchSpace> space;  // with the outer genes held; of an open search
  std::unique_ptr<Searcher> searcher;  // none when it has ended
  HeldFront front;                     // the best trials, as genomes of the whole space
  std::vector<Genome> starts;          // what is carried over, as genomes of the whole space
  std::size_t next_start = 0;
  std::int64_t distinct = 0, idle = 0;  // trials, duplicates in a row
  bool replaced = false;                // the current batch has some in the place of what was proposed
};

// The space of some dimensions alone, without conditions and constraints. Its network means nothing.
SearchSpace space_of(const SearchSpace& whole, std::span<const std::size_t> dims) {
  Json dimensions = Json::array();
  std::set<std::string> names;
  for (const std::size_t dim : dims) {
    const Dimension& dimension = whole.dims()[dim];
    std::string name = dimension.name;
    std::ranges::replace(name, '[', '_');
    std::erase(name, ']');
    while (!names.insert(name).second) name += '_';
    dimensions.push_back(Json{{"name", name},
                              {"group", gene_group_names()[static_cast<std::size_t>(dimension.group)]},
                              {"ordered", dimension.ordered},
                              {"choices", dimension.choices}});
  }
  const Json file = {{"ridgeline_space", 1},
                     {"name", whole.name()},
                     {"dimensions", std::move(dimensions)},
                     {"network", {{"input", {1, 1, 1}}, {"body", Json::array({Json{{"op", "relu"}}})}}}};
  return SearchSpace::parse(JsonDocument::from_value(file, whole.name()));
}

class Nested final : public SearcherBase {
 public:
  Nested(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, "nested/1"), setup_(setup), pool_(space, setup) {
    OptionsReader options(setup);
    read_group(options);
    quality_.emplace(setup, options);
    outer_space_ = std::make_unique<SearchSpace>(space_of(space, outer_dims_));
    proposals_.emplace(*outer_space_, remembered);
    outer_options_ = inner_searcher(options, "outer");
    inner_options_ = inner_searcher(options, "inner");
    inner_trials_ = options->integer("inner_trials", {.fallback = 50, .least = 1, .most = 1'000'000'000});
    const bool all = inner_options_.name == "exhaustive";  // of whose candidates none is to be missed
    const std::int64_t few = all ? inner_trials_ : std::max<std::int64_t>(inner_trials_ / 5, 1);
    give_up_after_ = options->integer("give_up_after", {.fallback = few, .least = 1, .most = 1'000'000'000});
    parallel_ = options.count("parallel", 4, 1, 1000);
    carry_ = options.count("carry", all ? 0 : 10, 0, 1000);
    outer_ = checked_inner(options, outer_options_, *outer_space_, outer_setup());
    const SearchSpace tried = space.holding(held(Genome{std::vector<std::uint16_t>(outer_dims_.size(), 0)}));
    checked_inner(options, inner_options_, tried, inner_setup(0));
    options.done();
  }

  bool exhausted() const override { return searches_.empty() && outer_->exhausted(); }

  Json notes() const override {
    Json notes = {{"group", gene_group_names()[static_cast<std::size_t>(group_)]},
                  {"searched", searches_.empty() ? opened_ : opened_before_}};
    if (const Trial* best = proposals_->best()) {
      Json choices = Json::object();
      for (std::size_t i = 0; i < outer_dims_.size(); ++i) {
        const Dimension& dimension = space().dims()[outer_dims_[i]];
        choices[dimension.name] = dimension.choices[best->genome.genes[i]];
      }
      notes["best"] = std::move(choices);
      notes["quality"] = quality_->objective().name;
      notes["value"] = natural(best->values[0], quality_->objective().direction);
    }
    if (searches_.empty()) {
      Json outer = outer_->notes();
      if (!outer.is_null()) notes["searcher"] = std::move(outer);
    }
    return notes;
  }

 private:
  void read_group(OptionsReader& options) {
    const std::string by = options->word("by", gene_group_names(), "hardware");
    group_ = static_cast<GeneGroup>(std::ranges::find(gene_group_names(), by) - gene_group_names().begin());
    for (std::size_t dim = 0; dim < space().dims().size(); ++dim) {
      if (space().dims()[dim].group == group_) outer_dims_.push_back(dim);
    }
    if (!outer_dims_.empty() && outer_dims_.size() < space().dims().size()) return;
    if (outer_dims_.empty()) {
      options->note("by", fmt::format("a space with dimensions of the group '{}'", by),
                    fmt::format("none in '{}'", space().name()),
                    fmt::format("give what the outer search is about \"group\": \"{}\", name another group, or use "
                                "another searcher",
                                by));
      if (!space().dims().empty()) outer_dims_.push_back(0);  // so that the other options are read too
    } else {
      options->note("by", fmt::format("a space with dimensions that are not of the group '{}'", by),
                    fmt::format("none in '{}'", space().name()),
                    "there is nothing for the inner search: use the outer searcher alone");
    }
  }

  SearcherSetup outer_setup() const {
    SearcherSetup setup = setup_;
    setup.seed = Rng::derive(seed(), "nested outer", 0);
    setup.objectives = {quality_->objective()};
    return setup;
  }
  SearcherSetup inner_setup(std::int64_t proposal) const {
    SearcherSetup setup = setup_;
    setup.seed = Rng::derive(seed(), "nested inner", static_cast<std::uint64_t>(proposal));
    return setup;
  }

  std::vector<std::optional<std::uint16_t>> held(const Genome& proposal) const {
    std::vector<std::optional<std::uint16_t>> genes(space().dims().size());
    for (std::size_t i = 0; i < outer_dims_.size(); ++i) genes[outer_dims_[i]] = proposal.genes[i];
    return genes;
  }

  // A genome with the outer genes of a proposal; not normalised.
  Genome on(const Genome& proposal, Genome genome) const {
    for (std::size_t i = 0; i < outer_dims_.size(); ++i) genome.genes[outer_dims_[i]] = proposal.genes[i];
    return genome;
  }
  // In the inner searcher's space, where held dimensions have the gene 0 alone.
  Genome inward(const InnerSearch& search, Genome genome) const {
    for (const std::size_t dim : outer_dims_) genome.genes[dim] = 0;
    return search.space->normalise(std::move(genome));
  }

  std::vector<Genome> propose(std::size_t n) override {
    owners_.clear();
    while (!searches_.empty() || begin_batch()) {
      std::vector<Genome> asked = ask_searches(n);
      if (!asked.empty()) {
        idle_ = 0;
        asked_ = asked;
        return asked;
      }
      end_batch();
    }
    return {};
  }

  // The next proposals; false where the outer searcher has none.
  bool begin_batch() {
    if (outer_->exhausted()) return false;
    outer_before_ = inner_state(*outer_);
    opened_before_ = opened_;
    idle_before_ = idle_;
    std::vector<Genome> asked = outer_->ask(parallel_);
    for (Genome& genome : asked) begin_search(std::move(genome));
    if (asked.empty()) outer_->tell({});
    return !searches_.empty();
  }

  void begin_search(Genome genome) {
    InnerSearch search(std::move(genome), HeldFront(space(), setup_, std::vector<bool>(space().dims().size())));
    const auto same =
        std::ranges::find(searches_, search.proposal.genome,
                          [](const InnerSearch& other) -> const Genome& { return other.proposal.genome; });
    const Trial* known = proposals_->find(search.proposal.genome);
    ++idle_;
    if (same != searches_.end()) {
      search.twin = static_cast<std::size_t>(same - searches_.begin());
    } else if (known != nullptr && idle_ <= most_known) {
      search.known = true;
      search.proposal = *known;
    } else {
      search.proposal.id = opened_++;
      open(search);
    }
    searches_.push_back(std::move(search));
  }

  void open(InnerSearch& search) {
    const Genome& proposal = search.proposal.genome;
    search.space = std::make_unique<SearchSpace>(space().holding(held(proposal)));
    try {
      Rng rng(seed(), "nested drawn", static_cast<std::uint64_t>(search.proposal.id));
      search.space->sample(rng);
    } catch (const ConfigError&) {  // no candidate has these outer genes
      search.space.reset();
      if (idle_ >= most_empty) throw;
      return;
    }
    search.searcher = make_inner(inner_options_, *search.space, inner_setup(search.proposal.id));
    search.searched = true;
    for (std::size_t i = 0; i < pool_.size(); ++i) {
      Genome start = on(proposal, pool_.genome(i));
      if (space().violation(start)) continue;
      start = space().normalise(std::move(start));
      if (std::ranges::find(search.starts, start) == search.starts.end()) search.starts.push_back(std::move(start));
    }
  }

  static void end(InnerSearch& search) {
    search.searcher.reset();
    search.space.reset();
  }

  // What is left of a batch is shared evenly by the open searches that are still to be asked.
  std::vector<Genome> ask_searches(std::size_t n) {
    auto left = static_cast<std::size_t>(
        std::ranges::count_if(searches_, [](const InnerSearch& search) { return search.searcher != nullptr; }));
    std::vector<Genome> asked;
    for (std::size_t i = 0; i < searches_.size(); ++i) {
      if (!searches_[i].searcher) continue;
      const std::size_t share = (n - asked.size() + left - 1) / left;
      --left;
      if (share > 0) ask_search(i, share, asked);
    }
    return asked;
  }

  void ask_search(std::size_t which, std::size_t share, std::vector<Genome>& asked) {
    InnerSearch& search = searches_[which];
    const std::int64_t budget = std::max<std::int64_t>(budget_of(search) - search.distinct, 0);
    std::vector<Genome> proposed;
    try {
      share = std::min(share, static_cast<std::size_t>(budget));
      if (share > 0) proposed = search.searcher->ask(share);
    } catch (const ConfigError&) {  // so few are valid that it draws none
    }
    if (proposed.empty()) return end(search);
    for (Genome& genome : proposed) {
      owners_.push_back(which);
      if (search.next_start < search.starts.size()) {
        asked.push_back(search.starts[search.next_start++]);
        search.replaced = true;
      } else {
        asked.push_back(space().normalise(on(search.proposal.genome, std::move(genome))));
      }
    }
  }

  // For a candidate in whose place one of other outer genes was tried, by a searcher around this one.
  static Trial without_outcome(std::int64_t id, const Genome& genome) {
    Trial trial;
    trial.id = id;
    trial.genome = genome;
    trial.status = Status::failed;
    return trial;
  }

  void learn(std::span<const Trial> trials) override {
    std::vector<std::vector<Trial>> told(searches_.size());
    for (std::size_t i = 0; i < trials.size(); ++i) {
      InnerSearch& search = searches_[owners_[i]];
      const Trial& trial = trials[i];
      const bool fresh = trial.id >= next_id_;
      next_id_ = std::max(next_id_, trial.id + 1);
      search.distinct += fresh ? 1 : 0;
      search.idle = fresh ? 0 : search.idle + 1;
      const bool own = space().normalise(on(search.proposal.genome, trial.genome)) == trial.genome;
      if (own) search.front.add(trial);
      told[owners_[i]].push_back(own ? trial : without_outcome(trial.id, asked_[i]));
      told[owners_[i]].back().genome = inward(search, told[owners_[i]].back().genome);
    }
    for (std::size_t i = 0; i < searches_.size(); ++i) {
      InnerSearch& search = searches_[i];
      if (told[i].empty()) continue;
      search.searcher->tell(told[i]);
      // What it knows beyond its state is of its own proposals, and would be lost on resuming.
      if (std::exchange(search.replaced, false)) search.searcher->load(search.searcher->save());
      if (over(search)) end(search);
    }
    const bool open =
        std::ranges::any_of(searches_, [](const InnerSearch& search) { return search.searcher != nullptr; });
    if (!searches_.empty() && !open) end_batch();
  }

  std::int64_t budget_of(const InnerSearch& search) const {
    const bool feasible = search.front.size() > 0 && search.front.members().violation(0) == 0.0;
    return feasible ? inner_trials_ : std::min(inner_trials_, give_up_after_);
  }

  bool over(const InnerSearch& search) const {
    return search.distinct >= budget_of(search) || search.idle >= most_idle || search.searcher->exhausted();
  }

  void end_batch() {
    std::vector<Trial> told;
    for (const InnerSearch& search : searches_) {
      if (search.twin) {
        told.push_back(told[*search.twin]);
        continue;
      }
      Trial trial = search.proposal;
      if (!search.known) {
        trial = quality_->of(search.front.members());
        trial.id = search.proposal.id;
        trial.genome = search.proposal.genome;
        carry(search.front.members());
      }
      told.push_back(std::move(trial));
    }
    outer_->tell(told);
    for (const Trial& trial : told) proposals_->add(trial);
    searches_.clear();
  }

  void carry(const Population& front) {
    if (carry_ == 0) return;
    for (std::size_t i = 0; i < front.size(); ++i) pool_.add(front, i);
    if (pool_.size() <= carry_) return;
    Ranking ranking;
    ranking.update(pool_, pool_.size());
    pool_.keep(ranking.best(carry_));
  }

  void write(Json& data) const override {
    const bool between = searches_.empty();
    data["outer"] = between ? inner_state(*outer_) : outer_before_;
    data["opened"] = between ? opened_ : opened_before_;
    data["idle"] = between ? idle_ : idle_before_;
    data["next_id"] = next_id_;
    data["proposals"] = proposals_->save();
    data["carried"] = pool_.save();
    data["searching"] = searches_.size();
    Json searches = Json::array();
    for (const InnerSearch& search : searches_) {
      if (!search.searched) continue;
      Json one = {{"open", search.searcher != nullptr},
                  {"distinct", search.distinct},
                  {"idle", search.idle},
                  {"started", search.next_start},
                  {"front", search.front.save()}};
      if (search.searcher) one["searcher"] = inner_state(*search.searcher);
      searches.push_back(std::move(one));
    }
    data["searches"] = std::move(searches);
  }

  static std::int64_t count(JsonReader& reader, const std::string& key) {
    constexpr std::int64_t most = 1'000'000'000'000;
    return std::clamp<std::int64_t>(reader.integer(key, {.fallback = {}, .least = 0, .most = most}), 0, most);
  }

  void read(JsonReader& data) override {
    outer_ = make_inner(outer_options_, *outer_space_, outer_setup());
    load_inner(data, "outer", *outer_);
    opened_ = count(data, "opened");
    idle_ = count(data, "idle");
    next_id_ = count(data, "next_id");
    proposals_->load(data, "proposals");
    pool_.load(data, "carried", carry_);
    searches_.clear();
    const auto searching = static_cast<std::size_t>(std::max<std::int64_t>(
        data.integer("searching", {.fallback = {}, .least = 0, .most = static_cast<std::int64_t>(parallel_)}), 0));
    std::vector<JsonReader> searches = data.array("searches");
    if (searching > 0) begin_batch();
    const auto opened = static_cast<std::size_t>(std::ranges::count(searches_, true, &InnerSearch::searched));
    if (searches_.size() != searching || searches.size() != opened) {
      data.note("searches", fmt::format("the state of {} searches", opened), fmt::to_string(searches.size()));
      return;
    }
    auto state = searches.begin();
    for (InnerSearch& search : searches_) {
      if (search.searched) read_search(*state++, search);
    }
    if (searching > 0) idle_ = 0;
  }

  void read_search(JsonReader& state, InnerSearch& search) const {
    if (!state.value().is_object()) return state.note("", "an object", describe(state.value()));
    const bool open = state.boolean("open");
    search.distinct = count(state, "distinct");
    search.idle = count(state, "idle");
    const auto most = static_cast<std::int64_t>(search.starts.size());
    search.next_start = static_cast<std::size_t>(
        std::clamp<std::int64_t>(state.integer("started", {.fallback = {}, .least = 0, .most = most}), 0, most));
    search.front.load(state, "front", ~std::size_t{0});
    if (open) {
      load_inner(state, "searcher", *search.searcher);
    } else {
      end(search);
    }
    state.finish();
  }

  SearcherSetup setup_;
  GeneGroup group_ = GeneGroup::hardware;
  std::vector<std::size_t> outer_dims_;  // of the group, in the order of the outer space
  std::optional<NestedQuality> quality_;
  std::unique_ptr<SearchSpace> outer_space_;  // what the outer searcher sees; outlives it
  InnerSearcher outer_options_, inner_options_;
  std::int64_t inner_trials_ = 50, give_up_after_ = 10;
  std::size_t parallel_ = 4, carry_ = 0;
  std::unique_ptr<Searcher> outer_;
  std::optional<ProposalMemory> proposals_;
  Population pool_;                              // the best trials so far, at most carry_
  std::vector<InnerSearch> searches_;            // of the outer searcher's current proposals
  std::vector<Genome> asked_;                    // the current batch
  std::vector<std::size_t> owners_;              // of the current batch: which search asked
  Json outer_before_;                            // the outer searcher's state before the current proposals
  std::int64_t opened_ = 0, opened_before_ = 0;  // searches, and before the current proposals
  std::int64_t idle_ = 0, idle_before_ = 0;      // proposals since a candidate was asked for
  std::int64_t next_id_ = 0;                     // the next new trial
};

}  // namespace

std::unique_ptr<Searcher> make_nested(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<Nested>(space, setup);
}

}  // namespace ridgeline
