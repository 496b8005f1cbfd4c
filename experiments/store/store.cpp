#include "experiments/store/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "experiments/store/environment_json.hpp"
#include "experiments/store/store_impl.hpp"
#include "experiments/store/store_rows.hpp"
#include "experiments/store/store_schema.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {

Store::Store(const std::string& path, Mode mode) : impl_(std::make_unique<Impl>(path, mode)) {
  if (mode == Mode::write) {
    migrate(impl_->database);
    return;
  }
  const int version = check_schema(impl_->database);
  if (version == 0) throw StoreError(path + ": holds no ridgeline database; check the path");
  if (version < schema_version()) {
    Store(path, Mode::write);
    impl_ = std::make_unique<Impl>(path, mode);
  }
}

Store::Store(Store&&) noexcept = default;

Store& Store::operator=(Store&& other) noexcept {
  if (impl_ && impl_ != other.impl_) impl_->release_locks();
  impl_ = std::move(other.impl_);
  return *this;
}

Store::~Store() {
  if (impl_) impl_->release_locks();
}

const std::string& Store::path() const { return impl_->path; }

HeldStudy& Store::Impl::held(StudyId study) {
  const auto it = std::find_if(studies.begin(), studies.end(), [&](const HeldStudy& held) { return held.id == study; });
  if (it == studies.end()) throw StoreError(fmt::format("{}: study {} is not open for writing here", path, study));
  return *it;
}

std::vector<Objective> Store::Impl::objectives(StudyId study) {
  std::vector<Objective> objectives;
  Statement& rows = database.prepared(
      "SELECT name, unit, direction, limit_value, constraint_only FROM objectives WHERE study = ? ORDER BY position");
  rows.add(study);
  while (rows.step()) {
    Objective objective;
    objective.name = rows.view(0);
    objective.unit = rows.view(1);
    objective.direction = rows.view(2) == "maximise" ? Direction::maximise : Direction::minimise;
    objective.limit = rows.maybe_number(3);
    objective.constraint_only = rows.integer(4) != 0;
    objectives.push_back(std::move(objective));
  }
  return objectives;
}

std::vector<double> Store::Impl::rung_costs(StudyId study) {
  std::vector<double> costs;
  Statement& rows = database.prepared("SELECT cost FROM rungs WHERE study = ? ORDER BY rung");
  rows.add(study);
  while (rows.step()) costs.push_back(rows.number(0));
  if (costs.empty()) costs.push_back(1.0);
  return costs;
}

std::vector<StudyRecord> Store::Impl::read_studies(Statement& rows) {
  std::vector<StudyRecord> records;
  while (rows.step()) {
    StudyRecord record;
    record.id = rows.integer(0);
    record.name = rows.view(1);
    record.space_name = rows.view(2);
    record.config_hash = rows.bits(3);
    record.space_fingerprint = rows.bits(4);
    record.seed = rows.bits(5);
    record.config = rows.view(6);
    record.command = rows.view(7);
    record.program_version = rows.view(8);
    record.created_utc = rows.view(9);
    record.updated_utc = rows.view(10);
    record.state = rows.view(11);
    record.trials = rows.integer(12);
    record.environment = parse_environment(rows.text(13));
    record.saved = read_saved(rows, 14);
    records.push_back(std::move(record));
  }
  for (StudyRecord& record : records) {
    record.objectives = objectives(record.id);
    record.rung_costs = rung_costs(record.id);
    const std::optional<Holder> holder = record.state == "running" ? holder_of(record.id) : std::nullopt;
    if (holder && liveness(*holder) == Liveness::dead) record.state = "interrupted";
  }
  return records;
}

std::vector<StudyRecord> Store::studies() const {
  Statement& rows = impl_->database.prepared(
      "SELECT s.id, name, space_name, config_hash, space_fingerprint, seed, config, command, program_version, "
      "created_utc, updated_utc, state, trial_count, e.description, saved_by_genome, saved_by_function FROM studies s "
      "JOIN environments e ON e.id = "
      "s.environment ORDER BY s.id");
  return impl_->read_studies(rows);
}

std::optional<StudyRecord> Store::find(const std::string& name) const {
  Statement& rows = impl_->database.prepared(
      "SELECT s.id, name, space_name, config_hash, space_fingerprint, seed, config, command, program_version, "
      "created_utc, updated_utc, state, trial_count, e.description, saved_by_genome, saved_by_function FROM studies s "
      "JOIN environments e ON e.id = "
      "s.environment WHERE s.name = ?");
  rows.add(name);
  std::vector<StudyRecord> found = impl_->read_studies(rows);
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::optional<Holder> Store::Impl::holder_of(StudyId study) {
  Statement& row =
      database.prepared("SELECT host, boot, pid_namespace, pid, process_start, since_utc FROM locks WHERE study = ?");
  row.add(study);
  if (!row.step()) return std::nullopt;
  Holder holder{row.text(0), row.text(1), row.text(2), row.integer(3), row.integer(4), row.text(5)};
  row.reset();
  return holder;
}

void Store::Impl::require_unlocked(StudyId study, const std::string& name, const std::string& updated_utc) {
  const std::optional<Holder> held_by = holder_of(study);
  if (!held_by) return;
  const Holder& holder = *held_by;
  constexpr double patience_s = 3600.0;
  const Liveness life = liveness(holder);
  const bool silent = seconds_since(std::max(updated_utc, holder.since_utc)) > patience_s;
  if (life == Liveness::dead || (life == Liveness::unknown && silent)) return;
  const std::string remedy =
      life == Liveness::alive
          ? fmt::format("wait for it, or stop it with 'kill {}'", holder.pid)
          : std::string("wait for it; it cannot be seen from here and loses the study after an hour without a write");
  throw StoreError(fmt::format("{}: study '{}' is being written by process {} on {} since {}; {}", path, name,
                               holder.pid, holder.host, holder.since_utc, remedy));
}

void Store::Impl::take_lock(HeldStudy& study) {
  static std::atomic<std::uint64_t> taken = 0;  // tells two stores of one process apart; decides nothing else
  const Holder holder = this_process();
  study.token = fmt::format("{}/{}/{}/{}", holder.boot, holder.pid, holder.process_start, ++taken);
  database
      .prepared(
          "INSERT OR REPLACE INTO locks (study, token, host, boot, pid_namespace, pid, process_start, since_utc) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      .add(study.id)
      .add(study.token)
      .add(holder.host)
      .add(holder.boot)
      .add(holder.pid_namespace)
      .add(holder.pid)
      .add(holder.process_start)
      .add(holder.since_utc)
      .run();
}

void Store::Impl::release_locks() noexcept {
  for (const HeldStudy& study : studies) {
    try {
      database.prepared("DELETE FROM locks WHERE study = ? AND token = ?").add(study.id).add(study.token).run();
    } catch (const std::exception&) {  // a full disk: the lock of a process that is gone is taken over anyway
    }
  }
  studies.clear();
}

namespace {

void insert_objectives(Database& database, StudyId study, std::span<const Objective> objectives) {
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    database.prepared("INSERT INTO objectives VALUES (?, ?, ?, ?, ?, ?, ?)")
        .add(study)
        .add(static_cast<std::int64_t>(i))
        .add(objectives[i].name)
        .add(objectives[i].unit)
        .add(objectives[i].direction == Direction::minimise ? "minimise" : "maximise")
        .add(objectives[i].limit)
        .add(objectives[i].constraint_only)
        .run();
  }
}

StudyId insert_study(Database& database, const StudyRecord& wanted, std::int64_t environment) {
  const std::string now = utc_now();
  Statement& insert = database.prepared(
      "INSERT INTO studies (name, space_name, config_hash, space_fingerprint, seed, config, command, program_version, "
      "environment, created_utc, updated_utc, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running') RETURNING id");
  insert.add(wanted.name).add(wanted.space_name).add(wanted.config_hash).add(wanted.space_fingerprint);
  insert.add(wanted.seed).add(wanted.config).add(wanted.command).add(wanted.program_version);
  insert.add(environment).add(now).add(now);
  insert.step();
  const StudyId id = insert.integer(0);
  insert.reset();
  insert_objectives(database, id, wanted.objectives);
  for (std::size_t k = 0; wanted.rung_costs.size() > 1 && k < wanted.rung_costs.size(); ++k) {
    database.prepared("INSERT INTO rungs VALUES (?, ?, ?)")
        .add(id)
        .add(static_cast<std::int64_t>(k))
        .add(wanted.rung_costs[k])
        .run();
  }
  return id;
}

void require_same(const std::string& path, const StudyRecord& stored, const StudyRecord& wanted) {
  const bool config = stored.config_hash == wanted.config_hash;
  if (config && stored.space_fingerprint == wanted.space_fingerprint) return;
  throw StoreError(
      fmt::format("{}: study '{}' was begun with another {} (stored {}, now {}); give the new one another name, go "
                  "back to the old one, or delete the study with 'ridgeline runs delete {} --db {} --yes'",
                  path, wanted.name,
                  config                           ? "search space"
                  : stored.config == wanted.config ? "content of a file that its objectives name: a table, a device, "
                                                     "a supernet or its data"
                                                   : "configuration",
                  hex64(config ? stored.space_fingerprint : stored.config_hash),
                  hex64(config ? wanted.space_fingerprint : wanted.config_hash), wanted.name, path));
}

}  // namespace

StudyRecord Store::open_study(const StudyRecord& wanted) {
  HeldStudy study;
  {
    Transaction transaction(impl_->database);
    study.environment = environment(wanted.environment);
    const std::optional<StudyRecord> stored = find(wanted.name);
    if (stored) {
      require_same(path(), *stored, wanted);
      const bool own = std::any_of(impl_->studies.begin(), impl_->studies.end(),
                                   [&](const HeldStudy& held) { return held.id == stored->id; });
      if (!own) impl_->require_unlocked(stored->id, stored->name, stored->updated_utc);
    }
    study.id = stored ? stored->id : insert_study(impl_->database, wanted, study.environment);
    if (stored) set_state(study.id, "running");
    impl_->take_lock(study);
    transaction.commit();
  }
  study.objectives = impl_->objectives(study.id);
  impl_->load_fronts(study);
  std::erase_if(impl_->studies, [&](const HeldStudy& held) { return held.id == study.id; });
  impl_->studies.push_back(std::move(study));
  return find(wanted.name).value();
}

void Store::close_study(StudyId study) {
  const auto held = std::ranges::find(impl_->studies, study, &HeldStudy::id);
  if (held == impl_->studies.end()) return;
  impl_->database.prepared("DELETE FROM locks WHERE study = ? AND token = ?").add(study).add(held->token).run();
  impl_->studies.erase(held);
}

void Store::atomically(const std::function<void()>& write) {
  Transaction transaction(impl_->database);
  write();
  transaction.commit();
}

void Store::set_state(StudyId study, const std::string& state) {
  impl_->database.prepared("UPDATE studies SET state = ?, updated_utc = ? WHERE id = ?")
      .add(state)
      .add(utc_now())
      .add(study)
      .run();
}

void Store::set_saved(StudyId study, const SavedEvaluations& saved) {
  impl_->database.prepared("UPDATE studies SET saved_by_genome = ?, saved_by_function = ? WHERE id = ?")
      .add(saved.by_genome)
      .add(saved.by_function)
      .add(study)
      .run();
}

void Store::remove_study(StudyId study) {
  Transaction transaction(impl_->database);
  Statement& row = impl_->database.prepared("SELECT name, updated_utc FROM studies WHERE id = ?");
  row.add(study);
  if (!row.step()) throw StoreError(fmt::format("{}: there is no study {}", path(), study));
  const std::string name = row.text(0);
  const std::string updated = row.text(1);
  row.reset();
  const auto held = [&](const HeldStudy& own) { return own.id == study; };
  if (std::none_of(impl_->studies.begin(), impl_->studies.end(), held)) impl_->require_unlocked(study, name, updated);
  impl_->database.prepared("DELETE FROM studies WHERE id = ?").add(study).run();
  transaction.commit();
  std::erase_if(impl_->studies, held);
}

std::int64_t Store::environment(const Environment& environment) {
  const std::string fingerprint = environment.fingerprint();
  impl_->database.prepared("INSERT OR IGNORE INTO environments (fingerprint, description) VALUES (?, ?)")
      .add(fingerprint)
      .add(environment_json(environment).dump())
      .run();
  Statement& row = impl_->database.prepared("SELECT id FROM environments WHERE fingerprint = ?");
  row.add(fingerprint);
  row.step();
  const std::int64_t id = row.integer(0);
  row.reset();
  return id;
}

std::optional<Environment> Store::environment_of(StudyId study) const {
  Statement& row = impl_->database.prepared(
      "SELECT e.description FROM studies s JOIN environments e ON e.id = s.environment WHERE s.id = ?");
  row.add(study);
  if (!row.step()) return std::nullopt;
  const std::string text = row.text(0);
  row.reset();
  return parse_environment(text);
}

}  // namespace ridgeline
