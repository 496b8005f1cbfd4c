// The front measured again: how far what the search believed is from what a second look says.

#include <algorithm>
#include <stdexcept>

#include "experiments/study/study_impl.hpp"

namespace ridgeline {
std::vector<Verified> Study::Impl::verify(std::span<const Trial> front) {
  Timer timer(*this, "verify");
  std::vector<Verified> verified;
  std::vector<Design> designs;
  std::vector<const Trial*> subjects;
  const std::string here = this_environment().fingerprint();
  const std::vector<MeasurementRecord> known = store.measurements(id);
  std::vector<std::size_t> pending;  // indices into verified
  for (const Trial& trial : front) {
    for (std::size_t i = 0; i < objectives.size(); ++i) {
      if (!parts.from[i]->exclusive() || trial.fidelity != Fidelity::measured) continue;
      Verified one;
      one.trial = trial.id;
      one.objective = i;
      one.searched = natural(trial.values[i], objectives[i].direction);
      bool done = false;
      for (const MeasurementRecord& record : known) {
        if (record.trial_id != trial.id || record.objective != objectives[i].name) continue;
        if (record.predicted) one.predicted = record.predicted;
        if (record.purpose != "verify" || record.environment != here) continue;
        if (record.protocol != parts.from[i]->protocol(0)) continue;
        one.again = record.measurement;
        done = true;
      }
      if (!done) pending.push_back(verified.size());
      verified.push_back(std::move(one));
      designs.push_back(done ? Design{} : decode_for(config, *parts.space, trial.genome));
      subjects.push_back(&trial);
    }
  }
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    std::vector<Candidate> candidates;
    std::vector<std::size_t> places;
    for (const std::size_t at : pending) {
      if (verified[at].objective != i) continue;
      places.push_back(at);
      candidates.push_back({subjects[at]->id, &subjects[at]->genome, &designs[at], subjects[at]->function_hash});
    }
    if (candidates.empty()) continue;
    std::vector<Measurement> again = parts.from[i]->time_again(candidates, [this] { progress(); });
    if (again.size() != candidates.size()) throw std::logic_error("an exclusive evaluator cannot time again");
    for (std::size_t k = 0; k < again.size(); ++k) verified[places[k]].again = std::move(again[k]);
  }
  std::vector<MeasurementRecord> records;
  for (const std::size_t at : pending) {
    MeasurementRecord record;
    record.trial_id = verified[at].trial;
    record.function_hash = subjects[at]->function_hash;
    record.protocol = parts.from[verified[at].objective]->protocol(0);
    record.objective = objectives[verified[at].objective].name;
    record.purpose = "verify";
    record.predicted = verified[at].predicted;
    record.measurement = verified[at].again;
    records.push_back(std::move(record));
  }
  if (!records.empty()) store.append(id, {}, records, std::nullopt);
  return verified;
}

}  // namespace ridgeline
