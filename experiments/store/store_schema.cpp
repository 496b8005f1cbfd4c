#include "experiments/store/store_schema.hpp"

#include <fmt/format.h>

#include <array>

namespace ridgeline {
namespace {

// Migration i brings a file from version i to i + 1. A migration that has been released is never changed.
//
// Hashes are 64-bit words kept as the signed integer of the same bits. Objective values are in natural units and
// direction (the unit stands in `objectives`). Times are UTC, ISO 8601. Samples are little-endian doubles, in seconds.
constexpr std::array migrations = {
    R"sql(
CREATE TABLE environments (
  id INTEGER PRIMARY KEY,
  fingerprint TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL
) STRICT;

CREATE TABLE studies (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  space_name TEXT NOT NULL,
  config_hash INTEGER NOT NULL,
  space_fingerprint INTEGER NOT NULL,
  seed INTEGER NOT NULL,
  config TEXT NOT NULL,
  command TEXT NOT NULL,
  program_version TEXT NOT NULL,
  environment INTEGER NOT NULL REFERENCES environments (id),
  created_utc TEXT NOT NULL,
  updated_utc TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'interrupted', 'done', 'infeasible')),
  trial_count INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE objectives (
  study INTEGER NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  unit TEXT NOT NULL,
  direction TEXT NOT NULL CHECK (direction IN ('minimise', 'maximise')),
  limit_value REAL,
  constraint_only INTEGER NOT NULL,
  PRIMARY KEY (study, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE trials (
  study INTEGER NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
  id INTEGER NOT NULL,
  genome TEXT NOT NULL,
  function_hash INTEGER NOT NULL,
  status TEXT NOT NULL,
  fidelity TEXT NOT NULL,
  violation REAL NOT NULL,
  reason TEXT,
  PRIMARY KEY (study, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE trial_values (
  study INTEGER NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
  trial INTEGER NOT NULL,
  objective INTEGER NOT NULL,
  value REAL NOT NULL,
  PRIMARY KEY (study, trial, objective)
) STRICT, WITHOUT ROWID;

CREATE TABLE front (
  study INTEGER NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
  fidelity TEXT NOT NULL,
  trial INTEGER NOT NULL,
  PRIMARY KEY (study, fidelity, trial)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
  study INTEGER PRIMARY KEY REFERENCES studies (id) ON DELETE CASCADE,
  batch INTEGER NOT NULL,
  first_trial INTEGER NOT NULL,
  signature TEXT NOT NULL,
  state TEXT NOT NULL
) STRICT;

CREATE TABLE locks (
  study INTEGER PRIMARY KEY REFERENCES studies (id) ON DELETE CASCADE,
  token TEXT NOT NULL,
  host TEXT NOT NULL,
  boot TEXT NOT NULL,
  pid_namespace TEXT NOT NULL,
  pid INTEGER NOT NULL,
  process_start INTEGER NOT NULL,
  since_utc TEXT NOT NULL
) STRICT;

CREATE TABLE measurements (
  id INTEGER PRIMARY KEY,
  study INTEGER NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
  trial INTEGER,
  objective TEXT NOT NULL,
  purpose TEXT NOT NULL,
  function_hash INTEGER NOT NULL,
  protocol TEXT NOT NULL,
  environment INTEGER NOT NULL REFERENCES environments (id),
  measured_utc TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT,
  predicted REAL,
  median_s REAL NOT NULL,
  ci_low_s REAL NOT NULL,
  ci_high_s REAL NOT NULL,
  mad_s REAL NOT NULL,
  samples_s BLOB NOT NULL,
  ops TEXT,
  sum_of_ops_s REAL NOT NULL,
  arena_bytes INTEGER NOT NULL,
  weight_bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX measurements_by_study ON measurements (study, trial);
CREATE INDEX measurements_by_function ON measurements (function_hash);

CREATE TABLE layer_latency (
  device TEXT NOT NULL,
  signature TEXT NOT NULL,
  format TEXT NOT NULL,
  threads INTEGER NOT NULL,
  latency_s REAL NOT NULL,
  mad_s REAL NOT NULL,
  samples INTEGER NOT NULL,
  PRIMARY KEY (device, signature, format, threads)
) STRICT, WITHOUT ROWID;
)sql",
    // How many evaluations the cache saved; NULL where a study began before they were counted.
    R"sql(
ALTER TABLE studies ADD COLUMN saved_by_genome INTEGER;
ALTER TABLE studies ADD COLUMN saved_by_function INTEGER;
ALTER TABLE checkpoints ADD COLUMN saved_by_genome INTEGER;
ALTER TABLE checkpoints ADD COLUMN saved_by_function INTEGER;
)sql",
    // Rungs: how cheaply a trial was evaluated, 0 being the whole evaluation, which all were before; and what each rung
    // of a study that has several costs, in whole evaluations.
    R"sql(
ALTER TABLE trials ADD COLUMN rung INTEGER NOT NULL DEFAULT 0;
CREATE TABLE rungs (
  study INTEGER NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
  rung INTEGER NOT NULL,
  cost REAL NOT NULL,
  PRIMARY KEY (study, rung)
) STRICT, WITHOUT ROWID;
)sql",
};

int version(Database& database) { return static_cast<int>(database.integer("PRAGMA user_version")); }

}  // namespace

int Store::schema_version() { return static_cast<int>(migrations.size()); }

int check_schema(Database& database) {
  const std::int64_t tables = database.integer("SELECT count(*) FROM sqlite_master");
  const int stored = version(database);
  if (tables == 0 && stored == 0) return 0;
  if (database.integer("PRAGMA application_id") != application_id) {
    throw StoreError(database.path() +
                     ": is another program's SQLite database; name another file, it was left as it is");
  }
  if (stored > Store::schema_version()) {
    throw StoreError(
        fmt::format("{}: was written by a newer ridgeline (schema {}, this program knows 1 to {}); use the "
                    "newer program, or name another file",
                    database.path(), stored, Store::schema_version()));
  }
  return stored;
}

void migrate(Database& database) {
  check_schema(database);
  if (database.path() != ":memory:") {
    Statement mode(database, "PRAGMA journal_mode = WAL");
    if (!mode.step() || mode.view(0) != "wal") {
      throw StoreError(database.path() +
                       ": its file system cannot hold a database that is read while it is written (no "
                       "shared memory); name a file on a local disk");
    }
  }
  // In WAL mode NORMAL syncs at checkpoints only. What a killed process committed is in the operating system's hands
  // and not lost; a power failure may take the last commits with it but never the file's consistency, and a resumed run
  // evaluates those trials again. FULL would cost a sync a batch.
  database.execute("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 4000;");
  while (version(database) < Store::schema_version()) {
    Transaction transaction(database);
    const int from = check_schema(database);  // another process may have migrated while this one waited
    if (from < Store::schema_version()) {
      database.execute(migrations[static_cast<std::size_t>(from)]);
      database.execute(
          fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", application_id, from + 1).c_str());
    }
    transaction.commit();
  }
}

}  // namespace ridgeline
