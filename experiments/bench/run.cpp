#include "experiments/bench/run.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "experiments/study/study_impl.hpp"
#include "search/fronts/population.hpp"

namespace ridgeline {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// Keeps the trials that come to a front, with the evaluation that brought them.
class Recorder {
 public:
  Recorder(const BenchProblem& problem, BenchRun& run) : problem_(problem), run_(run) {
    for (std::size_t f = 0; f < fidelity_names().size(); ++f) {
      archives_.emplace_back(std::vector<Objective>(problem.objectives().begin(), problem.objectives().end()),
                             static_cast<Fidelity>(f));
    }
  }

  void add(const Trial& trial) {
    ++run_.evaluations;
    if (trial.status != Status::ok || !archives_[static_cast<std::size_t>(trial.fidelity)].add(trial)) return;
    BenchStep step{run_.evaluations, {}};
    for (const std::size_t i : problem_.counted()) step.values.push_back(trial.values[i]);
    run_.steps.push_back(std::move(step));
  }

 private:
  const BenchProblem& problem_;
  BenchRun& run_;
  std::vector<ParetoArchive> archives_;
};

class Run {
 public:
  Run(const BenchProblem& problem, const BenchSetting& setting, std::uint64_t seed, const BenchBudget& budget,
      BenchTrajectory* trajectory)
      : problem_(problem), budget_(budget), trajectory_(trajectory), recorder_(problem, run_) {
    SearcherSetup setup;
    setup.seed = seed;
    setup.objectives.assign(problem.objectives().begin(), problem.objectives().end());
    setup.options = setting.options;
    setup.origin = "searcher " + setting.label;
    setup.costs = problem.costs_for(setup.options, setup.origin);
    setup.warm = setting.warm;
    batch_ = find_searcher(setting.searcher).batch;
    searcher_ = make_searcher(setting.searcher, problem.space(), setup);
    run_.seed = seed;
  }

  BenchRun run() {
    while (!ended()) {
      if (trajectory_ != nullptr && run_.evaluations + static_cast<std::int64_t>(batch_) >= budget_.evaluations) {
        trajectory_->checkpoint = Checkpoint{batches_, run_.evaluations, searcher_->save(), saved_};
      }
      const Clock::time_point begin = Clock::now();
      std::vector<Genome> asked = searcher_->ask(batch_);
      run_.ask_s += since(begin);
      run_.asked += static_cast<std::int64_t>(asked.size());
      if (asked.empty()) {
        run_.end = BenchRun::End::exhausted;
        break;
      }
      const std::size_t before = trials_.size();
      answers_.clear();
      const bool complete = answer(asked);
      record(before);
      if (!complete) break;  // the batch reaches beyond the budget
      idle_ = fresh_ > 0 ? 0 : idle_ + asked.size();
      tell();
    }
    return std::move(run_);
  }

 private:
  bool ended() {
    if (run_.evaluations >= budget_.evaluations) return true;
    if (searcher_->exhausted() || idle_ >= most_idle) {
      run_.end = BenchRun::End::exhausted;
      return true;
    }
    if (run_.asked < budget_.asks) return false;
    run_.end = BenchRun::End::asks;
    return true;
  }

  // One trial a candidate; false: the budget was used up before the last of them.
  bool answer(std::vector<Genome>& asked) {
    const Clock::time_point begin = Clock::now();
    fresh_ = 0;
    bool complete = true;
    for (Genome& genome : asked) {
      const std::int64_t before = fresh_;
      std::optional<std::size_t> known = known_by_genome(genome);
      if (!known) {
        Trial trial = problem_.evaluate(genome);
        known = known_by_function(trial);
        if (!known) {
          trial.id = run_.evaluations + fresh_;
          complete = trial.id < budget_.evaluations;
          if (!complete) break;
          ++fresh_;
          if (problem_.cache() == StudyCache::off) {
            trial.genome = std::move(genome);
            answers_.push_back(std::move(trial));
            continue;
          }
          trial.genome = genome;
          known = trials_.size();
          if (problem_.cache() == StudyCache::functional) by_function_.insert(trial.function_hash, *known);
          trials_.push_back(std::move(trial));
        }
        by_genome_.insert(hash_genes(genome.genes), *known);
      }
      if (fresh_ == before) ++(trials_[*known].genome == genome ? saved_.by_genome : saved_.by_function);
      answers_.push_back(trials_[*known]);
      answers_.back().genome = std::move(genome);  // of the same function as the trial's own
    }
    run_.evaluate_s += since(begin);
    return complete;
  }

  // Those of the batch that are new.
  void record(std::size_t before) {
    const bool all = problem_.cache() == StudyCache::off;
    const std::span<const Trial> fresh = all ? std::span<const Trial>(answers_) : std::span(trials_).subspan(before);
    for (const Trial& trial : fresh) recorder_.add(trial);
    if (trajectory_ != nullptr) trajectory_->trials.insert(trajectory_->trials.end(), fresh.begin(), fresh.end());
  }

  std::optional<std::size_t> known_by_genome(const Genome& genome) const {
    if (problem_.cache() == StudyCache::off) return std::nullopt;
    return by_genome_.find(hash_genes(genome.genes));
  }
  std::optional<std::size_t> known_by_function(const Trial& trial) const {
    if (problem_.cache() != StudyCache::functional) return std::nullopt;
    return by_function_.find(trial.function_hash);
  }

  void tell() {
    const Clock::time_point begin = Clock::now();
    searcher_->tell(answers_);
    run_.tell_s += since(begin);
    run_.told += static_cast<std::int64_t>(answers_.size());
    ++batches_;
  }

  const BenchProblem& problem_;
  BenchBudget budget_;
  BenchTrajectory* trajectory_;
  BenchRun run_;
  Recorder recorder_;
  std::unique_ptr<Searcher> searcher_;
  std::size_t batch_ = 1, idle_ = 0;
  std::int64_t batches_ = 0, fresh_ = 0;  // fresh_: evaluations of the batch under way
  SavedEvaluations saved_;
  std::vector<Trial> trials_, answers_;  // distinct ones so far; of the batch
  FlatMap by_genome_, by_function_;
};

}  // namespace

BenchRun run_searcher(const BenchProblem& problem, const BenchSetting& setting, std::uint64_t seed,
                      const BenchBudget& budget, BenchTrajectory* trajectory) {
  return Run(problem, setting, seed, budget, trajectory).run();
}

BenchRun run_of_trials(const BenchProblem& problem, std::span<const Trial> trials, std::int64_t evaluations) {
  BenchRun run;
  run.stored = true;
  Recorder recorder(problem, run);
  for (const Trial& trial : trials) {
    if (run.evaluations == evaluations) break;
    recorder.add(trial);
  }
  return run;
}

}  // namespace ridgeline
