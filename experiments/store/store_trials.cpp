// Trials: written by append in one transaction a batch, read back in order of ids.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/store/store.hpp"
#include "experiments/store/store_impl.hpp"
#include "experiments/store/store_rows.hpp"

namespace ridgeline {

void Store::Impl::insert_trial(const HeldStudy& study, const Trial& trial) {
  const bool valued = trial.has_values();
  if (valued && trial.values.size() != study.objectives.size()) {
    throw StoreError(fmt::format("{}: trial {} has {} values, the study {} objectives", path, trial.id,
                                 trial.values.size(), study.objectives.size()));
  }
  for (std::size_t i = 0; i < trial.values.size(); ++i) {
    if (!std::isfinite(trial.values[i])) {
      throw StoreError(fmt::format("{}: trial {}: '{}' is {}, no finite number, and is not stored", path, trial.id,
                                   study.objectives[i].name, trial.values[i]));
    }
  }
  write_genome(trial.genome, genome_text);
  Statement& row = database.prepared("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.add(study.id).add(trial.id).add(genome_text).add(trial.function_hash);
  row.add(status_names()[static_cast<std::size_t>(trial.status)]);
  row.add(fidelity_names()[static_cast<std::size_t>(trial.fidelity)]);
  row.add(trial.violation);
  if (trial.reason.empty()) {
    row.add(std::nullopt);
  } else {
    row.add(trial.reason);
  }
  row.add(trial.rung).run();
  Statement& value = database.prepared("INSERT INTO trial_values VALUES (?, ?, ?, ?)");
  for (std::size_t i = 0; i < trial.values.size(); ++i) {
    value.add(study.id).add(trial.id).add(static_cast<std::int64_t>(i));
    value.add(natural(trial.values[i], study.objectives[i].direction));
    value.run();
  }
}

void Store::Impl::load_fronts(HeldStudy& study) {
  study.fronts.clear();
  for (std::size_t f = 0; f < fidelity_names().size(); ++f) {
    KeptFront kept{ParetoArchive(study.objectives, static_cast<Fidelity>(f)), {}};
    Statement& rows = database.prepared(
        "SELECT t.id, genome, function_hash, status, t.fidelity, violation, reason, rung FROM front f JOIN trials t ON "
        "t.study = f.study AND t.id = f.trial WHERE f.study = ? AND f.fidelity = ? ORDER BY t.id");
    rows.add(study.id).add(fidelity_names()[f]);
    std::vector<Trial> trials;
    while (rows.step()) trials.push_back(read_trial(rows, path));
    for (Trial& trial : trials) {
      read_values(study.id, trial, study.objectives);
      kept.archive.add(trial);
      kept.stored.insert(trial.id);
    }
    study.fronts.push_back(std::move(kept));
  }
}

void Store::Impl::update_fronts(HeldStudy& study, std::span<const Trial> trials) {
  for (std::size_t f = 0; f < study.fronts.size(); ++f) {
    KeptFront& kept = study.fronts[f];
    bool changed = false;
    for (const Trial& trial : trials) changed = kept.archive.add(trial) || changed;
    if (!changed) continue;
    std::set<std::int64_t> now;
    for (const Trial& trial : kept.archive.front()) now.insert(trial.id);
    for (const std::int64_t id : kept.stored) {
      if (now.contains(id)) continue;
      database.prepared("DELETE FROM front WHERE study = ? AND fidelity = ? AND trial = ?")
          .add(study.id)
          .add(fidelity_names()[f])
          .add(id)
          .run();
    }
    for (const std::int64_t id : now) {
      if (kept.stored.contains(id)) continue;
      database.prepared("INSERT INTO front VALUES (?, ?, ?)").add(study.id).add(fidelity_names()[f]).add(id).run();
    }
    kept.stored = std::move(now);
  }
}

void Store::append(StudyId study, std::span<const Trial> trials, std::span<const MeasurementRecord> measurements,
                   const std::optional<Checkpoint>& checkpoint) {
  HeldStudy& held = impl_->held(study);
  Database& database = impl_->database;
  const std::string now = utc_now();
  try {
    Transaction transaction(database);
    Statement& lock = database.prepared("SELECT 1 FROM locks WHERE study = ? AND token = ?");
    lock.add(study).add(held.token);
    const bool ours = lock.step();
    lock.reset();
    if (!ours)
      throw StoreError(fmt::format("{}: another process has taken study {} over; stop one of them", path(), study));
    for (const Trial& trial : trials) impl_->insert_trial(held, trial);
    impl_->update_fronts(held, trials);
    for (const MeasurementRecord& record : measurements) impl_->insert_measurement(held, record);
    if (checkpoint) {
      const std::string state = checkpoint->state.data.dump();
      Statement& row = database.prepared("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)");
      row.add(study).add(checkpoint->batch).add(checkpoint->first_trial).add(checkpoint->state.signature).add(state);
      if (checkpoint->saved) {
        row.add(checkpoint->saved->by_genome).add(checkpoint->saved->by_function).run();
        set_saved(study, *checkpoint->saved);
      } else {
        row.add(std::nullopt).add(std::nullopt).run();
      }
    }
    database.prepared("UPDATE studies SET trial_count = trial_count + ?, updated_utc = ? WHERE id = ?")
        .add(static_cast<std::int64_t>(trials.size()))
        .add(now)
        .add(study)
        .run();
    transaction.commit();
  } catch (const StoreError&) {
    // The fronts in memory have moved on and the file has not.
    try {
      impl_->load_fronts(held);
    } catch (const StoreError&) {  // the file cannot be read either: the first error says so
    }
    throw;
  }
}

std::optional<Checkpoint> Store::checkpoint(StudyId study) const {
  Statement& row = impl_->database.prepared(
      "SELECT batch, first_trial, signature, state, saved_by_genome, saved_by_function FROM "
      "checkpoints WHERE study = ?");
  row.add(study);
  if (!row.step()) return std::nullopt;
  Checkpoint checkpoint;
  checkpoint.batch = row.integer(0);
  checkpoint.first_trial = row.integer(1);
  checkpoint.state.signature = row.view(2);
  const std::string state = row.text(3);
  checkpoint.saved = read_saved(row, 4);
  row.reset();
  checkpoint.state.data = Json::parse(state, nullptr, false);
  if (checkpoint.state.data.is_discarded()) {
    throw StoreError(path() + ": a searcher's state cannot be read; the database is damaged, restore it from a copy");
  }
  return checkpoint;
}

void Store::Impl::read_values(StudyId study, Trial& trial, std::span<const Objective> kinds) {
  Statement& rows =
      database.prepared("SELECT value FROM trial_values WHERE study = ? AND trial = ? ORDER BY objective");
  rows.add(study).add(trial.id);
  while (rows.step() && trial.values.size() < kinds.size()) {
    trial.values.push_back(minimised(rows.number(0), kinds[trial.values.size()].direction));
  }
  rows.reset();
}

// Searchers and fronts count on a feasible trial's values.
void Store::Impl::require_whole(const Trial& trial, std::size_t values) const {
  const bool complete = trial.status != Status::ok || (trial.values.size() == values && values > 0);
  const bool finite = std::all_of(trial.values.begin(), trial.values.end(), [](double v) { return std::isfinite(v); });
  if (complete && finite) return;
  throw StoreError(fmt::format("{}: trial {} lacks values; the database is damaged, restore it from a copy",
                               database.path(), trial.id));
}

std::vector<Trial> Store::load(StudyId study) const {
  std::vector<Trial> trials = load_every_rung(study);
  std::erase_if(trials, [](const Trial& trial) { return trial.rung != 0; });
  return trials;
}

std::vector<Trial> Store::load_every_rung(StudyId study) const {
  Database& database = impl_->database;
  const std::vector<Objective> objectives = impl_->objectives(study);
  std::vector<Trial> trials;
  // One snapshot for both reads, so that a writer's commit between them does not show.
  const bool alone = !database.in_transaction();
  if (alone) database.execute("BEGIN");
  try {
    Statement& rows = database.prepared(
        "SELECT id, genome, function_hash, status, fidelity, violation, reason, rung FROM trials WHERE study = ? ORDER "
        "BY id");
    rows.add(study);
    while (rows.step()) trials.push_back(read_trial(rows, path()));
    Statement& values =
        database.prepared("SELECT trial, value FROM trial_values WHERE study = ? ORDER BY trial, objective");
    values.add(study);
    auto at = trials.begin();
    while (values.step()) {
      const std::int64_t id = values.integer(0);
      while (at != trials.end() && at->id < id) ++at;
      if (at == trials.end() || at->id != id || at->values.size() >= objectives.size()) {
        throw StoreError(
            fmt::format("{}: trial {} has values it should not have; the database is damaged", path(), id));
      }
      if (at->values.empty()) at->values.reserve(objectives.size());
      at->values.push_back(minimised(values.number(1), objectives[at->values.size()].direction));
    }
    for (const Trial& trial : trials) impl_->require_whole(trial, objectives.size());
  } catch (...) {
    if (alone) database.execute("ROLLBACK");
    throw;
  }
  if (alone) database.execute("COMMIT");
  return trials;
}

std::vector<std::int64_t> Store::trials_by_rung(StudyId study) const {
  std::vector<std::int64_t> counts(impl_->rung_costs(study).size(), 0);
  Statement& rows = impl_->database.prepared("SELECT rung, count(*) FROM trials WHERE study = ? GROUP BY rung");
  rows.add(study);
  while (rows.step()) {
    const auto rung = static_cast<std::size_t>(rows.integer(0));
    if (rung < counts.size()) counts[rung] = rows.integer(1);
  }
  return counts;
}

std::optional<Trial> Store::trial(StudyId study, std::int64_t id) const {
  Statement& row = impl_->database.prepared(
      "SELECT id, genome, function_hash, status, fidelity, violation, reason, rung FROM trials WHERE study = ? AND id "
      "= ?");
  row.add(study).add(id);
  if (!row.step()) return std::nullopt;
  Trial trial = read_trial(row, path());
  row.reset();
  const std::vector<Objective> objectives = impl_->objectives(study);
  impl_->read_values(study, trial, objectives);
  impl_->require_whole(trial, objectives.size());
  return trial;
}

std::vector<Trial> Store::front(StudyId study, Fidelity fidelity) const {
  const std::vector<Objective> objectives = impl_->objectives(study);
  ParetoArchive archive(objectives, fidelity);  // for its order: by ascending first counted value
  Statement& rows = impl_->database.prepared("SELECT trial FROM front WHERE study = ? AND fidelity = ? ORDER BY trial");
  rows.add(study).add(fidelity_names()[static_cast<std::size_t>(fidelity)]);
  std::vector<std::int64_t> ids;
  while (rows.step()) ids.push_back(rows.integer(0));
  for (const std::int64_t id : ids) {
    if (const std::optional<Trial> member = trial(study, id)) archive.add(*member);
  }
  return {archive.front().begin(), archive.front().end()};
}

}  // namespace ridgeline
