// One batch: asked for, identified, scored, timed, stored, told.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "experiments/study/study_impl.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {

std::uint64_t hash_of(const Genome& genome) {
  Hasher hasher;
  for (const std::uint16_t gene : genome.genes) hasher.add(std::uint64_t{gene});
  return hasher.value();
}

std::uint64_t at_rung(std::uint64_t hash, int rung) {
  return rung == 0 ? hash : mix64(hash + static_cast<std::uint64_t>(rung) * 0x9e3779b97f4a7c15ULL);
}

Batch Study::Impl::ask() {
  Timer timer(*this, "ask");
  Batch batch;
  // Batches after the checkpoint are asked for again on resuming and answered from the store, so a batch of mostly
  // known candidates need not write the searcher's whole state.
  if (!checkpointed || told >= *checkpointed + batch_size) {
    batch.checkpoint = Checkpoint{batch_number, static_cast<std::int64_t>(told), parts.searcher->save()};
    if (saved_whole) batch.checkpoint->saved = saved;
  }
  batch.asked = parts.searcher->ask(batch_size);
  batch.rung = parts.searcher->rung();
  if (batch.rung < 0 || static_cast<std::size_t>(batch.rung) >= parts.rung_costs.size()) {
    throw std::logic_error(fmt::format("searcher '{}' asks on a rung that is not there", config.searcher));
  }
  return batch;
}

// Finds out which of the candidates are new, in the sense of the cache, and numbers those in the order of asking.
void Study::Impl::identify(Batch& batch) {
  constexpr std::size_t later = ~std::size_t{0};
  std::vector<Proposal> unknown;
  std::vector<std::uint64_t> hashes;
  FlatMap first(batch.asked.size());
  for (std::size_t i = 0; i < batch.asked.size(); ++i) {
    const std::uint64_t genome_hash = hash_of(batch.asked[i]);
    hashes.push_back(at_rung(genome_hash, batch.rung));
    const bool alone = cache == StudyCache::off;
    batch.answers.push_back(alone ? later : by_genome.find(hashes[i]).value_or(later));
    if (alone || (batch.answers[i] == later && first.insert(hashes[i], i))) {
      unknown.push_back({.position = i, .genome_hash = genome_hash});
    }
  }
  make_functions(batch, unknown);
  for (Proposal& one : unknown) number(batch, one);
  for (std::size_t i = 0; i < batch.asked.size(); ++i) {
    if (batch.answers[i] == later) batch.answers[i] = batch.answers[first.find(hashes[i]).value()];
  }
  count_saved(batch);
  idle = batch.fresh.empty() ? idle + batch.asked.size() : 0;
}

void Study::Impl::make_functions(const Batch& batch, std::vector<Proposal>& unknown) {
  Timer timer(*this, "decode");
  pool.for_each(unknown.size(), [&](std::size_t i) {
    Proposal& one = unknown[i];
    const Genome& genome = batch.asked[one.position];
    if (const auto broken = parts.space->violation(genome)) {
      throw std::logic_error("searcher '" + config.searcher + "' proposed an invalid candidate: " + *broken);
    }
    try {
      one.design = decode_for(config, *parts.space, genome);
      one.function_hash = cache == StudyCache::genome ? one.genome_hash : function_hash(one.design);
    } catch (const ConfigError& error) {
      one.problem = error.problems().front().text();
      one.function_hash = mix64(one.genome_hash);
    }
  });
  if (cache == StudyCache::off || config.verify_cache) return;
  pool.for_each(unknown.size(), [&](std::size_t i) {
    if (by_function.find(at_rung(unknown[i].function_hash, batch.rung)))
      const Design freed = std::move(unknown[i].design);
  });
}

void Study::Impl::number(Batch& batch, Proposal& proposal) {
  std::optional<std::size_t> known;
  const std::uint64_t function = at_rung(proposal.function_hash, batch.rung);
  if (cache != StudyCache::off) known = by_function.find(function);
  if (!known) {
    known = told + batch.fresh.size();
    by_function.insert(function, *known);
    BatchEvaluation fresh;
    fresh.trial.id = static_cast<std::int64_t>(*known);
    fresh.trial.genome = batch.asked[proposal.position];
    fresh.trial.function_hash = proposal.function_hash;
    fresh.trial.rung = batch.rung;
    fresh.design = std::move(proposal.design);
    fresh.values.resize(objectives.size());
    fresh.estimates.resize(objectives.size());
    fresh.held_back.resize(objectives.size(), false);
    if (!proposal.problem.empty()) {
      fresh.trial.status = Status::failed;
      fresh.trial.reason = std::move(proposal.problem);
    }
    batch.fresh.push_back(std::move(fresh));
  } else if (config.verify_cache && proposal.problem.empty()) {
    batch.hits.push_back({proposal.position, std::move(proposal.design)});
  }
  by_genome.insert(at_rung(proposal.genome_hash, batch.rung), *known);
  batch.answers[proposal.position] = *known;
}

// Sums are over operators in the order of the genome's own network: the last bits may differ.
void Study::Impl::check_hits(const Batch& batch) {
  Timer timer(*this, "decode");
  for (const CacheHit& hit : batch.hits) {
    const Trial& answer = trials[batch.answers[hit.position]];
    if (!answer.has_values()) continue;
    ++cache_check.checked;
    const Candidate candidate{answer.id, &batch.asked[hit.position], &hit.design, 0, answer.rung};
    for (std::size_t i = 0; i < objectives.size(); ++i) {
      if (parts.from[i]->exclusive() || parts.screen[i]) continue;
      Score score;
      parts.from[i]->evaluate({&candidate, 1}, {&score, 1});
      const double known = natural(answer.values[i], objectives[i].direction);
      const double most = 1e-9 * std::max(std::abs(known), std::abs(score.value));
      if (score.status == Status::ok && std::abs(score.value - known) <= most) continue;
      if (cache_check.differing++ == 0) {
        cache_check.example =
            fmt::format("'{}' of trial {} is {:.9g}, of a candidate of its function {}", objectives[i].name, answer.id,
                        known, score.status == Status::ok ? fmt::format("{:.9g}", score.value) : score.reason);
      }
      break;
    }
  }
}

// By the genes of the trial that answers, so that the counts do not depend on what a resumed run still remembers.
void Study::Impl::count_saved(const Batch& batch) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < batch.asked.size(); ++i) {
    const std::size_t answer = batch.answers[i];
    const Genome& genome = answer < told ? trials[answer].genome : batch.fresh[answer - told].trial.genome;
    equal += genome == batch.asked[i] ? 1U : 0U;
  }
  saved.by_genome += static_cast<std::int64_t>(equal - batch.fresh.size());
  saved.by_function += static_cast<std::int64_t>(batch.asked.size() - equal);
}

bool Study::Impl::run_batch() {
  Batch batch = ask();
  if (batch.asked.empty()) {
    idle = ~std::size_t{0};  // exhausted
    return true;
  }
  identify(batch);
  Trial missing;
  missing.id = -1;
  if (trials.size() < told + batch.fresh.size()) trials.resize(told + batch.fresh.size(), missing);
  bool any = false;
  double cost = told_cost;
  for (BatchEvaluation& one : batch.fresh) {
    const Trial& stored_before = trials[static_cast<std::size_t>(one.trial.id)];
    cost += cost_of(one.trial);
    one.wanted = stored_before.id < 0 && cost <= static_cast<double>(config.stop.trials) + slack();
    any = any || one.wanted;
    if (stored_before.id >= 0 && (stored_before.genome != one.trial.genome || stored_before.rung != one.trial.rung)) {
      throw StoreError(
          fmt::format("{}: study '{}' does not go on as it was begun (trial {} is another candidate); it was "
                      "written by another version of the program",
                      store.path(), config.name, one.trial.id));
    }
  }
  if (any) {
    {
      Timer timer(*this, "cost");
      score_cheap(batch);
    }
    std::vector<BatchEvaluation*> ready;
    for (BatchEvaluation& one : batch.fresh) {
      if (one.wanted && !needs_timing(one)) ready.push_back(&one);
    }
    // Freed where they were made, side by side: a network is many small allocations.
    pool.for_each(ready.size(), [&](std::size_t i) { const Design freed = std::move(ready[i]->design); });
    commit(ready, batch.checkpoint);
    if (!time_all(batch)) return false;
  }
  for (std::size_t i = told; i < told + batch.fresh.size(); ++i) {
    if (trials[i].id < 0) return false;
  }
  check_hits(batch);
  tell(batch);
  return true;
}

void Study::Impl::tell(const Batch& batch) {
  Timer timer(*this, "tell");
  std::vector<Trial> answers;
  answers.reserve(batch.asked.size());
  for (std::size_t i = 0; i < batch.asked.size(); ++i) {
    answers.push_back(trials[batch.answers[i]]);
    answers.back().genome = batch.asked[i];  // of the same function as the trial's own
  }
  parts.searcher->tell(answers);
  for (std::size_t i = told; i < told + batch.fresh.size(); ++i) {
    told_cost += cost_of(trials[i]);
    follow(trials[i]);
  }
  told += batch.fresh.size();
  ++batch_number;
}

void Study::Impl::time_one(BatchEvaluation& evaluation) {
  Timer timer(*this, "measure");
  BatchEvaluation* const self = &evaluation;
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    if (!needs_timing(evaluation, i)) continue;
    Evaluator& evaluator = *parts.from[i];
    std::optional<MeasurementRecord> earlier;
    // What is the same on every rung is timed once.
    const bool own = parts.rung_costs.size() > 1 && evaluator.rung_costs().size() == 1;
    if (evaluator.may_reuse() || own) {
      earlier = store.reusable(evaluation.trial.function_hash, evaluator.protocol(evaluation.trial.rung),
                               evaluator.may_reuse() ? std::nullopt : std::optional(id));
    }
    if (!earlier) {
      score(std::span(&self, 1), i, false);
      continue;
    }
    evaluation.values[i] = earlier->measurement.median_s;
    evaluation.trial.reason =
        fmt::format("'{}' is a timing of {}, used again", objectives[i].name, earlier->measured_utc);
    earlier->trial_id = evaluation.trial.id;
    earlier->objective = objectives[i].name;
    earlier->purpose = "reuse";
    earlier->predicted = evaluation.estimates[i];
    evaluation.measurements.push_back(std::move(*earlier));
    ++reused;
  }
}

bool Study::Impl::time_all(Batch& batch) {
  std::vector<BatchEvaluation*> order;
  for (BatchEvaluation& one : batch.fresh) {
    if (needs_timing(one)) order.push_back(&one);
  }
  // A drift of the machine must not look like a trend of the search.
  Rng rng(config.seed, "order of timing", static_cast<std::uint64_t>(batch_number));
  rng.shuffle(std::span(order));
  for (BatchEvaluation* const one : order) {
    if (must_pause()) return false;
    time_one(*one);
    commit(std::span(&one, 1), std::nullopt);
  }
  return true;
}

void Study::Impl::commit(std::span<BatchEvaluation* const> done, const std::optional<Checkpoint>& checkpoint) {
  {
    Timer timer(*this, "store");
    std::vector<Trial> concluded;
    std::vector<MeasurementRecord> measurements;
    concluded.reserve(done.size());
    for (BatchEvaluation* const one : done) {
      conclude(*one);
      concluded.push_back(one->trial);
      std::ranges::move(one->measurements, std::back_inserter(measurements));
    }
    store.append(id, concluded, measurements, checkpoint);
    if (checkpoint) checkpointed = static_cast<std::size_t>(checkpoint->first_trial);
    for (Trial& trial : concluded) {
      const auto place = static_cast<std::size_t>(trial.id);
      trials[place] = std::move(trial);
      remember(trials[place]);
    }
    stored += static_cast<std::int64_t>(done.size());
    for (const BatchEvaluation* const one : done) stored_cost += cost_of(one->trial);
  }
  progress();
}

}  // namespace ridgeline
