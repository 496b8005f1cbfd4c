#include "search/policies/policy_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "search/policies/curriculum.hpp"
#include "search/policies/policy_gradient.hpp"
#include "search/policies/reward_memory.hpp"
#include "search/policies/team.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr int most_draws = 10;
constexpr std::size_t most_heat = 40;
constexpr double warming = 1.5;  // after each draw that will not do, so that even a policy that is sure finds others

enum class Kind : std::uint8_t { reinforce, ppo, multi_agent };

struct Settings {
  std::string signature;
  bool clipped = false;  // PPO, else REINFORCE
  bool several = false;  // agents
  std::size_t hidden = 16, batch = 4, replay = 0, epochs = 4;
  double learning_rate = 0, baseline_decay = 0, replay_weight = 0;
  PpoOptions ppo;
  RewardMemoryOptions memory;
  CurriculumOptions curriculum;
  bool rest_at_best = true;
};

void read_curriculum(OptionsReader& options, Settings& settings) {
  CurriculumOptions& curriculum = settings.curriculum;
  curriculum.stages = options.count("curriculum", 1, 1, 10'000);
  curriculum.successes = options.count("successes", 5, 1, 1'000'000);
  curriculum.patience = options.count("patience", 50, 1, 1'000'000);
  curriculum.halting = options->number("halting", {.fallback = 0.0, .least = 0.0, .most = 1.0});
  curriculum.failures = options.count("failures", 1, 1, 1'000'000);
  const std::array<std::string, 2> rests{"best", "first"};
  settings.rest_at_best = options->word("rest", rests, curriculum.halting > 0 ? "first" : "best") == "best";
}

Settings settings_of(Kind kind, const SearcherSetup& setup) {
  OptionsReader options(setup);
  Settings settings;
  settings.several = kind == Kind::multi_agent;
  settings.clipped = kind == Kind::ppo;
  settings.signature = settings.several ? "multi-agent/1" : settings.clipped ? "ppo/1" : "reinforce/1";
  if (settings.several) {
    const std::array<std::string, 2> updates{"ppo", "reinforce"};
    settings.clipped = options->word("update", updates, "ppo") == "ppo";
  }
  settings.hidden = options.count("hidden", settings.several ? 8 : 16, 1, 1024);
  settings.batch = options.count("batch", 4, 1, 100'000);
  settings.learning_rate =
      options->number("learning_rate", {.fallback = settings.clipped ? 0.02 : 0.03, .least = 0.0, .most = 10.0});
  settings.ppo.entropy_bonus = options->number("entropy", {.fallback = 0.01, .least = 0.0, .most = 1e3});
  settings.replay = options.count("replay", 8, 0, 10'000);
  settings.replay_weight = options->number("replay_weight", {.fallback = 1.0, .least = 0.0, .most = 1e3});
  settings.memory = {options.count("window", 100, 1, 1'000'000), std::max<std::size_t>(1, settings.replay),
                     options.count("directions", 10, 1, 10'000)};
  if (settings.several || settings.clipped) {
    settings.epochs = options.count("epochs", 4, 1, 1000);
    settings.ppo.clip = options->number("clip", {.fallback = 0.2, .least = 1e-6, .most = 1e3});
    settings.ppo.critic = options->number("critic", {.fallback = 0.5, .least = 0.0, .most = 1e3});
  }
  if (settings.several || !settings.clipped) {
    settings.baseline_decay = options->number("baseline", {.fallback = 0.9, .least = 0.0, .most = 1.0});
  }
  read_curriculum(options, settings);
  options.done();
  return settings;
}

// A candidate that was told, with what the policy knew when it was drawn.
struct Episode {
  Genome genome;
  std::size_t direction = 0, length = 0;
  double reward = 0;
};

class PolicySearch final : public SearcherBase {
 public:
  PolicySearch(const SearchSpace& space, const SearcherSetup& setup, const Settings& settings)
      : SearcherBase(space, setup, settings.signature),
        settings_(settings),
        text_(space),
        memory_(space, setup, settings.memory),
        team_(space, settings.several ? agents_by_group(space) : one_agent(space), context(0).size(), settings.hidden,
              rng()),
        curriculum_(settings.curriculum, team_.positions()),
        baselines_(memory_.directions(), 0.0) {}

  Json notes() const override {
    return {{"updates", updates_},
            {"agents", team_.agents().size()},
            {"stage", curriculum_.stage()},
            {"threshold", curriculum_.threshold()}};
  }

 private:
  // The weights, where there are several directions to tell apart.
  std::span<const double> context(std::size_t direction) const {
    return memory_.directions() > 1 ? memory_.direction(direction) : std::span<const double>{};
  }

  std::vector<Genome> propose(std::size_t n) override {
    std::vector<Genome> genomes;
    asked_.clear();
    for (std::size_t i = 0; i < n; ++i) {
      const bool given = begun_with() < warm().genomes.size();
      asked_.push_back({{}, next_direction_, given ? team_.positions() : curriculum_.length(rng()), 0.0});
      next_direction_ = (next_direction_ + 1) % memory_.directions();
      genomes.push_back(given ? SearcherBase::draw() : draw(asked_.back(), genomes));
    }
    return genomes;
  }

  Genome draw(const Episode& episode, const std::vector<Genome>& before) {
    const Genome rest = rest_of(episode.direction);
    std::optional<Genome> last;
    double temperature = std::pow(warming, static_cast<double>(heat_) / 4);
    for (int i = 0; i < most_draws; ++i, temperature *= warming) {
      std::optional<Genome> made = team_.draw({context(episode.direction), episode.length, &rest, temperature}, rng());
      if (!made || space().violation(*made)) continue;
      last = space().normalise(std::move(*made));
      if (!memory_.knows(*last) && std::ranges::find(before, *last) == before.end()) break;
    }
    return last ? std::move(*last) : space().normalise(space().sample(rng()));
  }

  Genome rest_of(std::size_t direction) const {
    if (settings_.rest_at_best && memory_.elites(direction) > 0) return memory_.elite(direction, 0);
    return {std::vector<std::uint16_t>(space().dims().size(), 0)};
  }

  void learn(std::span<const Trial> trials) override {
    std::vector<bool> fresh;
    for (const Trial& trial : trials) {
      fresh.push_back(trial.id >= next_id_);
      next_id_ = std::max(next_id_, trial.id + 1);
      if (fresh.back()) memory_.add(trial);
      heat_ = fresh.back() ? std::max<std::size_t>(heat_, 1) - 1 : std::min(heat_ + 1, most_heat);
    }
    for (std::size_t i = 0; i < trials.size(); ++i) {
      if (!fresh[i]) continue;
      Episode& episode = asked_[i];
      episode.genome = trials[i].genome;
      episode.reward = curriculum_.judge(memory_.reward(trials[i], episode.direction));
      waiting_.push_back(std::move(episode));
      if (waiting_.size() >= settings_.batch) update();
    }
    asked_.clear();
  }

  void update() {
    std::vector<Script> scripts, replayed;
    std::vector<std::size_t> directions;
    for (const Episode& episode : waiting_) {
      scripts.push_back(team_.script(episode.genome, episode.length));
      const std::size_t elites = memory_.elites(episode.direction);
      if (settings_.replay == 0 || elites == 0) continue;
      replayed.push_back(team_.script(memory_.elite(episode.direction, rng().below(elites)), team_.positions()));
      directions.push_back(episode.direction);
    }
    if (settings_.clipped) prepare(scripts);
    const std::size_t epochs = settings_.clipped ? settings_.epochs : 1;
    for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
      std::vector<Eigen::VectorXd> gradients = team_.no_gradients();
      for (std::size_t i = 0; i < scripts.size(); ++i) climb(i, scripts[i], gradients);
      for (std::size_t i = 0; i < replayed.size(); ++i) {
        const Rollout rollout(team_.agents(), replayed[i], context(directions[i]));
        rollout.backward(reinforce(rollout, settings_.replay_weight, 0.0).by_decision, gradients);
      }
      for (Eigen::VectorXd& gradient : gradients) gradient /= static_cast<double>(scripts.size());
      team_.ascend(gradients, settings_.learning_rate);
    }
    for (const Episode& episode : waiting_) {
      double& baseline = baselines_[episode.direction];
      baseline = settings_.baseline_decay * baseline + (1 - settings_.baseline_decay) * episode.reward;
    }
    waiting_.clear();
    ++updates_;
  }

  // What PPO holds fixed while it takes its steps: log-probabilities, and advantages standardised over the batch.
  void prepare(const std::vector<Script>& scripts) {
    log_probabilities_.assign(scripts.size(), {});
    advantages_.assign(scripts.size(), {});
    double sum = 0, squares = 0, count = 0;
    for (std::size_t i = 0; i < scripts.size(); ++i) {
      const Rollout rollout(team_.agents(), scripts[i], context(waiting_[i].direction));
      for (std::size_t k = 0; k < rollout.size(); ++k) {
        const double advantage = waiting_[i].reward - rollout.value(k);
        log_probabilities_[i].push_back(rollout.log_probability(k));
        advantages_[i].push_back(advantage);
        sum += advantage;
        squares += advantage * advantage;
        count += 1;
      }
    }
    const double mean = count > 0 ? sum / count : 0.0;
    const double deviation = count > 0 ? std::sqrt(std::max(0.0, squares / count - mean * mean)) : 0.0;
    for (std::vector<double>& row : advantages_) {
      for (double& advantage : row) advantage = (advantage - mean) / (deviation + 1e-8);
    }
  }

  void climb(std::size_t i, const Script& script, std::span<Eigen::VectorXd> gradients) const {
    const Episode& episode = waiting_[i];
    const Rollout rollout(team_.agents(), script, context(episode.direction));
    const Gradient made =
        settings_.clipped
            ? ppo(rollout, {log_probabilities_[i], advantages_[i], episode.reward}, settings_.ppo)
            : reinforce(rollout, episode.reward - baselines_[episode.direction], settings_.ppo.entropy_bonus);
    rollout.backward(made.by_decision, gradients);
  }

  void write(Json& data) const override {
    data["agents"] = team_.save();
    data["memory"] = memory_.save();
    data["curriculum"] = curriculum_.save();
    data["baselines"] = baselines_;
    data["next_direction"] = next_direction_;
    data["updates"] = updates_;
    data["next_id"] = next_id_;
    data["heat"] = heat_;
    data["waiting"] = write_waiting();
  }

  Json write_waiting() const {
    Json genes = Json::array(), directions = genes, lengths = genes, rewards = genes;
    for (const Episode& episode : waiting_) {
      genes.push_back(text_.write(episode.genome.genes));
      directions.push_back(episode.direction);
      lengths.push_back(episode.length);
      rewards.push_back(episode.reward);
    }
    return {{"genes", genes}, {"directions", directions}, {"lengths", lengths}, {"rewards", rewards}};
  }

  void read(JsonReader& data) override {
    team_.load(data, "agents");
    memory_.load(data, "memory");
    curriculum_.load(data, "curriculum");
    Eigen::VectorXd baselines = Eigen::VectorXd::Zero(std::ssize(baselines_));
    read_numbers(data, "baselines", 1.0, baselines);
    baselines_.assign(baselines.begin(), baselines.end());
    next_direction_ = count(data, "next_direction", memory_.directions() - 1);
    updates_ = count(data, "updates", 1ULL << 62);
    next_id_ = data.integer("next_id", {.fallback = {}, .least = 0});
    heat_ = count(data, "heat", most_heat);
    waiting_.clear();
    if (std::optional<JsonReader> waiting = data.object("waiting")) read_waiting(*waiting);
  }

  void read_waiting(JsonReader& data) {
    const std::vector<std::string> genes = data.strings("genes");
    const std::vector<double> directions = data.numbers("directions"), lengths = data.numbers("lengths"),
                              rewards = data.numbers("rewards");
    data.finish();
    if (directions.size() != genes.size() || lengths.size() != genes.size() || rewards.size() != genes.size() ||
        genes.size() >= settings_.batch) {
      data.note("", fmt::format("as many genes as other numbers, fewer than {}", settings_.batch),
                fmt::format("{}, {}, {} and {}", genes.size(), directions.size(), lengths.size(), rewards.size()));
      return;
    }
    const auto whole = [](double number, std::size_t most) {
      return number == std::floor(number) && number >= 0 && number <= static_cast<double>(most);
    };
    for (std::size_t i = 0; i < genes.size(); ++i) {
      std::optional<Genome> genome = text_.read(genes[i], data, fmt::format("genes[{}]", i));
      if (!genome) return;
      if (!whole(directions[i], memory_.directions() - 1) || !whole(lengths[i], team_.positions()) ||
          !(std::abs(rewards[i]) <= 1.0)) {
        data.note("", "directions, lengths and rewards of this search", fmt::format("others, of genome {}", i));
        return;
      }
      waiting_.push_back({std::move(*genome), static_cast<std::size_t>(directions[i]),
                          static_cast<std::size_t>(lengths[i]), rewards[i]});
    }
  }

  static std::size_t count(JsonReader& reader, const std::string& key, std::size_t most) {
    return static_cast<std::size_t>(
        reader.integer(key, {.fallback = {}, .least = 0, .most = static_cast<std::int64_t>(most)}));
  }

  Settings settings_;
  GenomeText text_;
  RewardMemory memory_;
  Team team_;
  Curriculum curriculum_;
  std::vector<double> baselines_;  // by direction
  std::vector<Episode> asked_;     // without genome and reward, in the order of asking
  std::vector<Episode> waiting_;   // told, not learnt from yet
  std::size_t next_direction_ = 0, updates_ = 0;
  std::int64_t next_id_ = 0;                                         // of a trial that is no repetition
  std::size_t heat_ = 0;                                             // repetitions told beyond new candidates
  std::vector<std::vector<double>> log_probabilities_, advantages_;  // of the batch, by episode and decision
};

std::unique_ptr<Searcher> make(Kind kind, const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<PolicySearch>(space, setup, settings_of(kind, setup));
}

}  // namespace

std::unique_ptr<Searcher> make_reinforce(const SearchSpace& space, const SearcherSetup& setup) {
  return make(Kind::reinforce, space, setup);
}

std::unique_ptr<Searcher> make_ppo(const SearchSpace& space, const SearcherSetup& setup) {
  return make(Kind::ppo, space, setup);
}

std::unique_ptr<Searcher> make_multi_agent(const SearchSpace& space, const SearcherSetup& setup) {
  return make(Kind::multi_agent, space, setup);
}

}  // namespace ridgeline
