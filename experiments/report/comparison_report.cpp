#include "experiments/report/comparison_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "experiments/report/report_explain.hpp"
#include "experiments/study/study_parts.hpp"
#include "experiments/study/study_variants.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_steps = 400;

struct Chosen {
  std::string study, variant, run;
};

std::vector<std::string> stored_variants(const std::vector<StudyRecord>& records, const std::string& study) {
  std::vector<std::string> names;  // in the order in which they were begun
  for (const StudyRecord& record : records) {
    if (const std::string variant = variant_in(study, record.name); !variant.empty()) names.push_back(variant);
  }
  return names;
}

void add_run(std::vector<Chosen>& chosen, const std::string& study, const std::string& own_row,
             const std::vector<std::string>& variants) {
  chosen.push_back({study, own_row, study});
  for (const std::string& variant : variants) chosen.push_back({variant_study_name(study, variant), variant, study});
}

std::vector<Chosen> chosen_studies(const Store& store, std::span<const std::string> studies, bool& grouped) {
  const std::vector<StudyRecord> records = store.studies();
  std::set<std::string> seen;
  std::vector<std::vector<std::string>> variants;
  for (const std::string& study : studies) {
    find_study(store, study);
    if (!seen.insert(study).second) {
      throw ConfigError({store.path(), "", "studies that differ", fmt::format("'{}' twice", study), "name it once"});
    }
    variants.push_back(stored_variants(records, study));
  }
  const bool each = std::ranges::none_of(variants, [](const auto& names) { return names.empty(); });
  std::vector<Chosen> chosen;
  if (studies.size() == 1) {
    if (!each) {
      throw ConfigError({store.path(), "", "a study with variants, or several studies",
                         fmt::format("'{}', which has none", studies[0]),
                         "name another study beside it, or give its file \"compare\" and search again"});
    }
    add_run(chosen, studies[0], studies[0], variants[0]);
    return chosen;
  }
  grouped = each;
  for (std::size_t i = 0; i < studies.size(); ++i) {
    if (each) {
      add_run(chosen, studies[i], std::string(main_variant), variants[i]);
    } else {
      chosen.push_back({studies[i], studies[i], ""});
    }
  }
  return chosen;
}

void require_same_objectives(const Store& store, const std::vector<ComparedStudy>& studies) {
  for (const ComparedStudy& one : studies) {
    const std::string difference = objectives_difference(studies.front().record.objectives, one.record.objectives);
    if (difference.empty()) continue;
    throw ConfigError(
        {store.path(), "", fmt::format("studies with the objectives of '{}'", studies.front().record.name),
         fmt::format("'{}': {}", one.record.name, difference), "compare studies that search for the same"});
  }
}

std::string about_of(const StudyRecord& record) {
  const Json config = Json::parse(record.config, nullptr, false);
  const Json about = config.is_object() ? config.value("about", Json()) : Json();
  return about.is_string() ? about.get<std::string>() : "";
}

ComparedStudy compared_study(const Chosen& chosen, const StudyReport& report) {
  ComparedStudy study;
  study.record = report.record;
  study.variant = chosen.variant;
  study.run = chosen.run;
  study.about = about_of(report.record);
  study.fidelity = report.front_fidelity;
  study.evaluations = report.evaluations;
  for (const FrontMember& one : report.front) {
    ComparedMember member;
    member.member = one;
    for (const std::size_t i : report.optimised) {
      const bool again = one.intervals[i] && one.intervals[i]->again;
      member.values.push_back(again ? one.intervals[i]->median : one.values[i]);
      member.again = member.again || again;
    }
    study.members.push_back(std::move(member));
  }
  return study;
}

Point searched_values(const std::vector<double>& values, std::span<const std::size_t> optimised) {
  Point point;
  for (const std::size_t i : optimised) point.push_back(values[i]);
  return point;
}

void fill_histories(ComparisonReport& report, const Store& store, std::span<const Objective> objectives,
                    std::span<const std::size_t> optimised) {
  std::vector<ComparedFront> searched;
  for (const ComparedStudy& study : report.studies) {
    searched.emplace_back();
    for (const ComparedMember& one : study.members) {
      searched.back().members.push_back(searched_values(one.member.values, optimised));
    }
  }
  report.searched_box = common_box(objectives, searched);
  for (ComparedStudy& study : report.studies) {
    const std::vector<Objective>& all = study.record.objectives;
    ParetoArchive archive(all, study.fidelity);
    const auto share = [&](std::span<const Trial> front) {
      std::vector<Point> points;
      for (const Trial& trial : front) {
        points.emplace_back();
        for (const std::size_t i : optimised) points.back().push_back(natural(trial.values[i], all[i].direction));
      }
      return hypervolume_share(objectives, report.searched_box, points);
    };
    std::vector<Trial> trials = store.load_every_rung(study.record.id);
    std::vector<double> spent;
    if (study.record.rung_costs.size() > 1) spent = cost_through(trials, study.record.rung_costs);
    std::erase_if(trials, [](const Trial& trial) { return trial.rung != 0; });
    study.history = front_history(trials, archive, share, most_steps, spent);
  }
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  }
  return text;
}

// Objectives that are told by different means in different studies: one box then holds what cannot be compared.
void note_sources(ComparisonReport& report) {
  for (const ReportObjective& one : report.objectives) {
    std::vector<std::pair<std::string, std::vector<std::string>>> sources;  // what it is told by, and in which studies
    for (const ComparedStudy& study : report.studies) {
      const StudyConfig config = parse_study(JsonDocument::parse(study.record.config, "stored configuration"));
      const auto objective = std::ranges::find(config.objectives, one.objective.name,
                                               [](const ObjectiveConfig& other) { return other.objective.name; });
      if (objective == config.objectives.end()) continue;
      const std::string source = source_text(objective->from);
      const auto known = std::ranges::find(sources, source, &std::pair<std::string, std::vector<std::string>>::first);
      if (known == sources.end()) {
        sources.push_back({source, {study.record.name}});
      } else {
        known->second.push_back(study.record.name);
      }
    }
    if (sources.size() < 2) continue;
    std::string text =
        fmt::format("'{}' is not told by the same means, so that its values do not compare:", one.objective.name);
    for (const auto& [source, names] : sources) {
      text += fmt::format("{} {} by {}", source == sources.front().first ? "" : ";", listed(names), source);
    }
    report.notes.push_back(text + ". 'ridgeline cross' prices each front at the others' costs.");
  }
}

void fill_notes(ComparisonReport& report) {
  note_sources(report);
  std::vector<std::string> empty, unfinished, once;
  std::set<Fidelity> fidelities;
  std::set<std::string> machines;
  for (const ComparedStudy& study : report.studies) {
    const std::string& name = study.record.name;
    if (study.record.state == "running" || study.record.state == "interrupted") unfinished.push_back(name);
    if (study.members.empty()) {
      empty.push_back(name);
      continue;
    }
    fidelities.insert(study.fidelity);
    if (study.fidelity == Fidelity::measured) machines.insert(study.record.environment.fingerprint());
    const bool again = std::ranges::any_of(study.members, &ComparedMember::again);
    report.measured_again = report.measured_again || again;
    if (study.fidelity == Fidelity::measured && !again) once.push_back(name);
  }
  if (report.measured_again) {
    report.notes.emplace_back(
        "Timed values are those measured again at the end: a search's own timings are optimistic, because it keeps "
        "what looked fast.");
    if (!once.empty()) report.notes.push_back(listed(once) + ": not measured again, the values are the search's own.");
  } else if (!once.empty()) {
    report.notes.emplace_back(
        "Timed values are the searches' own, which are optimistic: no front was measured again at the end.");
  }
  if (fidelities.size() > 1) {
    std::vector<std::string> kinds;
    for (const ComparedStudy& study : report.studies) {
      if (study.members.empty()) continue;
      kinds.push_back(study.record.name + " " + fidelity_names()[static_cast<std::size_t>(study.fidelity)]);
    }
    report.notes.push_back("The fronts' values are not of one kind: " + listed(kinds) + ".");
  }
  if (machines.size() > 1) report.notes.emplace_back("The fronts were timed on different machines or libraries.");
  if (!unfinished.empty()) report.notes.push_back("Not finished: " + listed(unfinished) + ".");
  if (!empty.empty()) report.notes.push_back("Without a feasible candidate: " + listed(empty) + ".");
}

// The row that `wanted` names.
std::string baseline_row(const ComparisonReport& report, const std::string& wanted) {
  if (wanted.empty()) return report.studies.back().variant;
  std::vector<std::string> known;
  for (const ComparedStudy& study : report.studies) {
    if (std::ranges::find(known, study.variant) == known.end()) known.push_back(study.variant);
  }
  if (std::ranges::find(known, wanted) != known.end()) return wanted;
  for (const ComparedStudy& study : report.studies) {
    const bool own = study.variant == study.record.name || study.run == study.record.name;
    if (!report.grouped && (study.record.name == wanted || (own && wanted == main_variant))) return study.variant;
  }
  throw ConfigError(
      {"--baseline", "", "the name of what is compared", fmt::format("'{}'", wanted), known_words(wanted, known)});
}

// One scale for all fronts, so that their values can be compared by eye.
void fill_objectives(ComparisonReport& report, const std::vector<ReportObjective>& described,
                     std::span<const std::size_t> optimised) {
  for (std::size_t k = 0; k < optimised.size(); ++k) {
    ReportObjective one = described[optimised[k]];
    std::vector<double> values;
    for (const ComparedStudy& study : report.studies) {
      for (const ComparedMember& member : study.members) values.push_back(member.values[k]);
    }
    one.scale = scale_for(values, one.objective.unit);
    report.objectives.push_back(std::move(one));
  }
}

}  // namespace

ComparisonReport comparison_report_of(const Store& store, std::span<const std::string> studies,
                                      const Resources& resources, const std::string& baseline) {
  ComparisonReport report;
  report.database = store.path();
  std::vector<std::size_t> optimised;
  std::vector<ReportObjective> described;
  for (const Chosen& chosen : chosen_studies(store, studies, report.grouped)) {
    const StudyReport front = front_of(store, chosen.study, resources);
    if (described.empty()) {
      described = front.objectives;
      optimised = front.optimised;
    }
    report.studies.push_back(compared_study(chosen, front));
  }
  require_same_objectives(store, report.studies);
  fill_objectives(report, described, optimised);
  std::vector<Objective> objectives;
  for (const ReportObjective& one : report.objectives) objectives.push_back(one.objective);
  std::vector<ComparedFront> fronts;
  for (const ComparedStudy& study : report.studies) {
    ComparedFront front{study.variant, study.run, std::llround(std::ceil(study.evaluations - 1e-6)), {}};
    for (const ComparedMember& member : study.members) front.members.push_back(member.values);
    fronts.push_back(std::move(front));
  }
  report.table = compare_fronts(objectives, fronts, baseline_row(report, baseline));
  fill_histories(report, store, objectives, optimised);
  fill_notes(report);
  return report;
}

}  // namespace ridgeline
