// The store's insides, shared by its own files.
#pragma once

#include <array>
#include <set>
#include <string>
#include <vector>

#include "experiments/store/store_lock.hpp"
#include "experiments/store/store_sqlite.hpp"
#include "search/fronts/pareto.hpp"

namespace ridgeline {

// The front of one fidelity, in memory and as the ids that the table has.
struct KeptFront {
  ParetoArchive archive;
  std::set<std::int64_t> stored;
};

// A study this store may write.
struct HeldStudy {
  StudyId id = 0;
  std::string token;  // of the lock row: if it is another, somebody took the study over
  std::int64_t environment = 0;
  std::vector<Objective> objectives;
  std::vector<KeptFront> fronts;  // by fidelity
};

struct Store::Impl {
  Impl(const std::string& file, Mode mode) : path(file), database(file, mode) {}

  HeldStudy& held(StudyId study);  // throws StoreError when it is not held
  std::vector<Objective> objectives(StudyId study);
  std::vector<double> rung_costs(StudyId study);
  void read_values(StudyId study, Trial& trial, std::span<const Objective> objectives);
  void require_whole(const Trial& trial, std::size_t values) const;  // throws StoreError
  std::optional<Holder> holder_of(StudyId study);                    // who has the lock
  void require_unlocked(StudyId study, const std::string& name, const std::string& updated_utc);
  void take_lock(HeldStudy& study);
  void release_locks() noexcept;
  void load_fronts(HeldStudy& study);
  void insert_trial(const HeldStudy& study, const Trial& trial);
  void update_fronts(HeldStudy& study, std::span<const Trial> trials);
  void insert_measurement(const HeldStudy& study, const MeasurementRecord& record);
  std::vector<StudyRecord> read_studies(Statement& rows);

  std::string path;
  Database database;
  std::vector<HeldStudy> studies;
  std::string genome_text;  // reused
};

}  // namespace ridgeline
