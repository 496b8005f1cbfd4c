// One SQLite file holds every study: configuration, trials, values, raw timing samples, environments, layer latencies.
//
// WAL, busy timeout, foreign keys, STRICT tables, numbered migrations (PRAGMA user_version), application_id. Readers
// never block the writer. One writer a study: a lock row with host, boot, pid and start time; a second writer is
// refused with who holds it; the lock of a dead process is taken over (one on another machine, whose processes cannot
// be seen from here, when it has written nothing for an hour). Values are stored in natural units and direction. Every
// failure of the file or the disk throws StoreError with one line a user can act on. Not thread-safe: a Store an owner;
// several Stores, in several processes, may open one file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/environment.hpp"
#include "kernels/measure.hpp"
#include "search/searcher.hpp"

namespace ridgeline {

// Exit code 4: full disk, read-only folder, newer schema, truncated or foreign file, a study another process writes.
class StoreError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using StudyId = std::int64_t;

// Proposals of a searcher that were answered without an evaluation: those with the genes of a trial, and those with
// other genes whose network computes the same function.
struct SavedEvaluations {
  std::int64_t by_genome = 0, by_function = 0;
  std::int64_t total() const { return by_genome + by_function; }
  friend bool operator==(const SavedEvaluations&, const SavedEvaluations&) = default;
};

struct StudyRecord {
  StudyId id = 0;
  std::string name;
  std::string space_name;
  std::uint64_t config_hash = 0;
  std::uint64_t space_fingerprint = 0;
  std::uint64_t seed = 0;
  std::string config;           // canonical JSON
  std::string command;          // what the user typed
  std::string program_version;  // with the code revision
  std::string created_utc, updated_utc;
  std::string state;  // "running", "interrupted" (also where what ran it has died), "done", "infeasible"
  std::vector<Objective> objectives;
  Environment environment;  // where it was begun; what open_study is given is the environment of this run
  std::int64_t trials = 0;  // on every rung
  std::vector<double> rung_costs = {1.0};  // of an evaluation on each rung, in whole ones
  std::optional<SavedEvaluations> saved;   // of the whole study; none where it began before they were counted
};

// One timing of one design, with everything it holds for.
struct MeasurementRecord {
  std::int64_t trial_id = -1;  // within the study; -1 = none
  std::uint64_t function_hash = 0;
  std::string protocol;  // canonical JSON of MeasureOptions
  std::string objective;
  std::string purpose;              // "search", "verify" (of the front), "reuse" (a copy of an earlier timing)
  std::string measured_utc;         // empty: now
  std::optional<double> predicted;  // what the objective's screen said before, natural units
  std::string environment;          // fingerprint; filled by the store with that of the run
  Measurement measurement;
};

// A searcher's state before the batch `batch` was asked for.
struct Checkpoint {
  std::int64_t batch = 0;
  std::int64_t first_trial = 0;  // id the batch's first new trial has
  State state;
  std::optional<SavedEvaluations> saved{};  // before the batch; none: not counted from the beginning
};

struct LayerLatency {
  std::string signature;
  std::string format;
  int threads = 1;
  double latency_s = 0.0;
  double mad_s = 0.0;
  std::int64_t samples = 0;
};

class Store {
 public:
  enum class Mode : std::uint8_t { read, write };  // write creates and migrates

  Store(const std::string& path, Mode mode);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();  // releases the study's lock

  static int schema_version();
  const std::string& path() const;

  std::vector<StudyRecord> studies() const;  // by id
  std::optional<StudyRecord> find(const std::string& name) const;
  // Finds or creates by name and takes the writer's lock. Throws StoreError when another live process holds it or when
  // the stored configuration or space differs (both hashes named, with the remedy).
  StudyRecord open_study(const StudyRecord& wanted);
  void close_study(StudyId study);  // releases its lock before the store does
  // What `write` does with this store, in one transaction: all of it or nothing. Other processes wait for it, and see
  // none of the locks that it takes and releases.
  void atomically(const std::function<void()>& write);
  void set_state(StudyId study, const std::string& state);
  void set_saved(StudyId study, const SavedEvaluations& saved);  // append does it with every checkpoint that has them
  void remove_study(StudyId study);                              // refused while another process writes it

  // One transaction: trials with their values, raw measurements, and the checkpoint.
  void append(StudyId study, std::span<const Trial> trials, std::span<const MeasurementRecord> measurements,
              const std::optional<Checkpoint>& checkpoint);
  std::optional<Checkpoint> checkpoint(StudyId study) const;
  // The whole evaluations, those on rung 0, in id order, values minimised: the results of a study.
  std::vector<Trial> load(StudyId study) const;
  std::vector<Trial> load_every_rung(StudyId study) const;        // the cheaper ones between them too
  std::vector<std::int64_t> trials_by_rung(StudyId study) const;  // how many, one a rung of the study
  std::optional<Trial> trial(StudyId study, std::int64_t id) const;
  // The constrained non-dominated set of one fidelity, kept up to date by append: read without reading every trial.
  std::vector<Trial> front(StudyId study, Fidelity fidelity) const;
  std::vector<MeasurementRecord> measurements(StudyId study) const;  // with the samples
  // A stored timing of the same function, protocol and this environment, if there is one; of one study, or of any.
  std::optional<MeasurementRecord> reusable(std::uint64_t function_hash, const std::string& protocol,
                                            std::optional<StudyId> study = {}) const;

  std::int64_t environment(const Environment& environment);        // finds or adds
  std::optional<Environment> environment_of(StudyId study) const;  // where it was begun
  void put_layers(const std::string& device, std::span<const LayerLatency> layers);
  std::vector<LayerLatency> layers(const std::string& device) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ridgeline
