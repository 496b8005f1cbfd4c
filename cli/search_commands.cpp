// search, resume
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "cli/study_steps.hpp"
#include "cli/version.hpp"
#include "experiments/report/comparison_formats.hpp"
#include "experiments/report/report_explain.hpp"
#include "experiments/report/report_formats.hpp"
#include "experiments/report/report_html.hpp"
#include "experiments/report/report_preview.hpp"
#include "experiments/study/study.hpp"
#include "experiments/study/study_variants.hpp"

namespace ridgeline {
namespace {

struct RunOptions {
  std::string study;  // file or shipped name; of resume: the stored name
  std::string database, name, report, cache;
  std::vector<std::string> overrides;   // path=value
  std::vector<std::string> warm_start;  // stored studies
  std::optional<std::int64_t> trials;
  std::optional<std::uint64_t> seed;
  std::optional<int> threads;
  std::optional<double> wall_s;
  bool verify_cache = false, dry_run = false, quiet = false, json = false, only_main = false;
};

// --set first, so that a flag wins over it.
std::vector<std::string> all_overrides(const RunOptions& options) {
  std::vector<std::string> overrides = options.overrides;
  if (!options.warm_start.empty()) overrides.push_back("warm_start.from=" + Json(options.warm_start).dump());
  if (options.only_main) overrides.emplace_back("compare=[]");
  if (!options.name.empty()) overrides.push_back("name=" + Json(options.name).dump());
  if (options.trials) overrides.push_back(fmt::format("stop.trials={}", *options.trials));
  if (options.wall_s) overrides.push_back(fmt::format("stop.wall_s={}", *options.wall_s));
  if (options.seed) overrides.push_back(fmt::format("seed={}", *options.seed));
  if (!options.cache.empty()) overrides.push_back("cache=" + options.cache);
  if (options.verify_cache) overrides.emplace_back("verify_cache=true");
  if (options.threads) overrides.push_back(fmt::format("threads={}", *options.threads));
  return overrides;
}

const char* end_phrase(StudyResult::End end) {
  switch (end) {
    case StudyResult::End::budget:
      return "the budget of trials is used";
    case StudyResult::End::wall_clock:
      return "the time is used";
    case StudyResult::End::stagnation:
      return "the front has not changed for as many trials as the stagnation rule allows";
    case StudyResult::End::exhausted:
      return "the searcher has nothing left to propose";
    case StudyResult::End::interrupted:
      return "interrupted";
    case StudyResult::End::infeasible:
      return "nothing feasible was found";
  }
  return "";
}

const char* end_word(StudyResult::End end) {
  static const char* const words[] = {"budget", "wall_clock", "stagnation", "exhausted", "interrupted", "infeasible"};
  return words[static_cast<std::size_t>(end)];
}

std::string phases_text(const StudyResult& result) {
  double total = 0;
  for (const PhaseTime& phase : result.phases) total += phase.seconds;
  if (total <= 0) return "";
  std::string text = "time:";
  for (const PhaseTime& phase : result.phases) {
    if (phase.seconds < 0.0005) continue;
    text += fmt::format(" {} {} ({:.0f} %),", phase.phase, duration(phase.seconds), 100 * phase.seconds / total);
  }
  text.back() = '\n';
  return text;
}

Json result_json(const StudyResult& result, const StudyReport& report) {
  Json json = report_json(report);
  json["run"] = {{"end", end_word(result.end)},
                 {"duplicates", result.saved.total()},
                 {"cache", cache_names()[static_cast<std::size_t>(result.cache)]},
                 {"resumed_trials", result.resumed},
                 {"reused_timings", result.reused},
                 {"phases_s", Json::object()}};
  if (result.cache_check.checked > 0) {
    json["run"]["cache_check"] = {{"checked", result.cache_check.checked}, {"differing", result.cache_check.differing}};
  }
  for (const auto& [rule, count] : result.rejected) json["run"]["rejected"][rule] = count;
  if (!result.begun_with.empty()) json["run"]["begun_with"] = result.begun_with;
  for (const PhaseTime& phase : result.phases) json["run"]["phases_s"][phase.phase] = phase.seconds;
  return json;
}

std::string check_text(const CacheCheck& check) {
  if (check.checked == 0) return "";
  return fmt::format("; {} of {} answers by function evaluated again differ{}{}", grouped(check.differing),
                     grouped(check.checked), check.example.empty() ? "" : ": ", check.example);
}

std::string rejected_text(const StudyResult& result) {
  std::string text;
  for (const auto& [rule, count] : result.rejected) {
    text += fmt::format("{} candidates rejected before evaluation: {}\n", grouped(count), rule);
  }
  return text;
}

std::string end_text(const StudyResult& result) {
  const std::string resumed =
      result.resumed > 0 ? fmt::format("; {} trials were there already", grouped(result.resumed)) : "";
  const std::string begun = result.begun_with.empty() ? "" : result.begun_with + "\n";
  return fmt::format("{}{}\ncache {}: {}{}\n{}{}{}", end_phrase(result.end), resumed,
                     cache_names()[static_cast<std::size_t>(result.cache)], saved_phrase(result.saved),
                     check_text(result.cache_check), begun, rejected_text(result), phases_text(result));
}

// A study and its variants, searched one after the other into one database.
class SearchRun {
 public:
  SearchRun(const CommandLine& cli, const RunOptions& options, StudyConfig config)
      : cli_(cli), options_(options), store_(options.database, Store::Mode::write) {
    names_.push_back(config.name);
    for (const VariantConfig& variant : config.variants) {
      variants_.push_back(variant_of(config, variant));
      names_.push_back(variants_.back().name);
      abouts_.push_back(variant.about);
    }
    main_ = std::move(config);
  }

  int run() {
    const int code = run_main();
    if (code == exit_interrupted || variants_.empty()) return finish(code);
    int worst = code;
    for (std::size_t i = 0; i < variants_.size(); ++i) {
      const int variant_code = run_variant(i);
      if (variant_code == exit_interrupted) return finish(variant_code);
      worst = std::max(worst, variant_code);
    }
    compare();
    return finish(worst);
  }

 private:
  bool silent() const { return options_.quiet || options_.json; }

  StudyResult search(StudyConfig config, std::size_t position) {
    const auto form = silent()            ? ProgressLine::Form::none
                      : cli_.progress_bar ? ProgressLine::Form::bar
                                          : ProgressLine::Form::lines;
    const std::string heading =
        variants_.empty() ? "" : fmt::format("{}/{} {}", position + 1, names_.size(), names_[position]);
    ProgressLine line(form, cli_.style.unicode, config.objectives.front().objective, heading);
    StudyHooks hooks;
    hooks.stop = &interrupt_.flag();
    hooks.program_version = program_version();
    hooks.progress = [&](const StudyProgress& progress) { line.show(progress); };
    Study study(std::move(config), cli_.resources, store_, cli_.command, hooks);
    return study.run();
  }

  int code_of(const StudyResult& result, const std::string& name) const {
    if (result.end == StudyResult::End::infeasible) {
      std::cerr << "nothing feasible" << (variants_.empty() ? "" : " in " + name) << ": " << result.infeasibility
                << "\n";
      return exit_infeasible;
    }
    if (result.end != StudyResult::End::interrupted) return exit_done;
    // Of several, and where there are commands to run after it, the command itself goes on: what is done is found done.
    std::cerr << "interrupted; everything is saved. Go on with:\n  "
              << (variants_.empty() && main_.after.empty()
                      ? fmt::format("ridgeline resume {} --db {}", shell_quoted(name), shell_quoted(options_.database))
                      : cli_.command)
              << "\n";
    return exit_interrupted;
  }

  int run_main() {
    const StudyResult result = search(main_, 0);
    StudyReport report = report_of(store_, names_[0], cli_.resources);
    report.searcher_notes = result.searcher_notes;  // those of the last batch too
    if (options_.json) {
      json_ = result_json(result, report);
    } else if (!options_.quiet) {
      if (!variants_.empty()) cli_.print(fmt::format("1/{} {}\n", names_.size(), names_[0]));
      cli_.print(report_text(report, cli_.style));
      cli_.print("\n" + end_text(result));
    }
    if (!options_.report.empty()) {
      write_file(options_.report, report_html(report), "--report");
      if (!silent()) cli_.print("report: " + options_.report + "\n");
    }
    return code_of(result, names_[0]);
  }

  int run_variant(std::size_t i) {
    const std::string& name = names_[i + 1];
    const StudyResult result = search(variants_[i], i + 1);
    StudyReport report = report_of(store_, name, cli_.resources);
    report.searcher_notes = result.searcher_notes;
    if (options_.json) {
      json_["compared"].push_back(result_json(result, report));
      json_["compared"].back()["about"] = abouts_[i];
    } else if (!options_.quiet) {
      const std::string about = abouts_[i].empty() ? "" : ": " + abouts_[i];
      cli_.print(fmt::format("\n{}/{} {}{}\n{}\n{}", i + 2, names_.size(), name, about, summary_text(report),
                             end_text(result)));
    }
    return code_of(result, name);
  }

  void compare() {
    if (options_.quiet) return;
    const ComparisonReport report = comparison_report_of(store_, std::vector<std::string>{names_[0]}, cli_.resources);
    if (options_.json) {
      json_["comparison"] = comparison_json(report);
    } else if (!report.table.box.ideal.empty()) {
      cli_.print("\n" + comparison_text(report, cli_.style));
    }
  }

  int finish(int code) const {
    if (options_.json) cli_.print_json(json_);
    return code;
  }

  const CommandLine& cli_;
  const RunOptions& options_;
  const InterruptFlag interrupt_;
  Store store_;
  StudyConfig main_;
  std::vector<StudyConfig> variants_;
  std::vector<std::string> names_, abouts_;  // of all, the main one first; of the variants
  Json json_;
};

int run_study(const CommandLine& cli, const RunOptions& options, StudyConfig config) {
  if (!options.report.empty()) check_writable(options.report, "--report");
  check_different(options.report, "--report", options.database, "--db");
  return SearchRun(cli, options, std::move(config)).run();
}

std::string preview_text(const StudyPreview& preview, const TextStyle& style) {
  std::string text =
      fmt::format("{}: {} candidates in {} dimensions; {} of {} random combinations keep the space's constraints\n",
                  preview.space, size_text(preview.log10_size), preview.dimensions, percent(preview.valid_share),
                  grouped(static_cast<std::int64_t>(preview.draws)));
  text += fmt::format("{} of a random sample of {} keep every limit that was checked\n\n",
                      percent(preview.feasible_share), grouped(static_cast<std::int64_t>(preview.sample)));
  TextTable table(
      {{"objective", false}, {"least", true}, {"median", true}, {"most", true}, {"within limit", true}, {"by", false}});
  for (const PreviewObjective& one : preview.objectives) {
    const UnitScale& scale = one.objective.scale;
    const bool has = one.values > 0;
    table.add({one.objective.label, has ? scale.text(one.least) : "", has ? scale.text(one.median) : "",
               has ? scale.text(one.most) : "", one.objective.objective.limit && has ? percent(one.within_limit) : "",
               one.by.empty() ? "only timing can tell; not done in a dry run" : one.by});
  }
  text += table.text(style);
  for (const auto& [reason, count] : preview.reasons) text += fmt::format("{:>8} had no value: {}\n", count, reason);
  return text;
}

int preview(const CommandLine& cli, const RunOptions& options, const StudyConfig& config) {
  StudyPreview main = preview_study(config, cli.resources);
  bool feasible = main.feasible_share > 0;
  Json json = preview_json(main);
  std::string text = preview_text(main, cli.style);
  for (const VariantConfig& variant : config.variants) {
    const StudyConfig other = variant_of(config, variant);
    const StudyPreview preview = preview_study(other, cli.resources);
    feasible = feasible && preview.feasible_share > 0;
    json["compared"].push_back(preview_json(preview));
    json["compared"].back()["study"] = other.name;
    text += fmt::format("\n{}{}\n{}", other.name, variant.about.empty() ? "" : ": " + variant.about,
                        preview_text(preview, cli.style));
  }
  if (options.json) {
    cli.print_json(json);
  } else {
    cli.print(text);
  }
  return feasible ? exit_done : exit_infeasible;
}

int search_study(const CommandLine& cli, const RunOptions& options) {
  const std::vector<std::string> overrides = all_overrides(options);
  const StudyConfig study = peek_study(options.study, overrides, cli.resources);
  const StepContext context{study.name, options.database, options.quiet, options.json};
  if (!options.dry_run) {
    const int code = run_steps(study.before, context);
    if (code != exit_done) return code;
  }
  StudyConfig config = load_study(options.study, overrides, cli.resources);
  if (options.dry_run) return preview(cli, options, config);
  const int code = run_study(cli, options, std::move(config));
  return code == exit_done ? run_steps(study.after, context) : code;
}

void add_run_options(CLI::App& command, RunOptions& options) {
  add_database_option(command, options.database);
  command
      .add_option("--trials", options.trials,
                  "distinct trials in the study, stored ones included, a cheaper evaluation (of successive-halving "
                  "and hyperband) counted as its share of a whole one; default: the study's")
      ->check(CLI::PositiveNumber);
  command.add_option("--wall", options.wall_s, "stop after so many seconds of this run; default: the study's")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--threads", options.threads,
                  "threads for what is computed (timings have their own); 0 = all; default: the study's")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--report", options.report, "also write an HTML report to this file");
  command.add_flag("--only-main", options.only_main, "leave out the variants that the study is compared with");
  command.add_flag("--quiet", options.quiet, "no progress and no result; errors only");
  add_json_option(command, options.json);
}

}  // namespace

void add_search_commands(CLI::App& app, CommandLine& cli) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* search = add_command(
      app, "search", "search a space as a study file says, and its variants; a study that is there already goes on",
      "ridgeline search demo --db ridgeline.db --trials 400 --set objectives[1].limit=0.02 --report report.html");
  search->add_option("study", options->study, "study file, or the name of a shipped study")->required();
  search->add_option("--set", options->overrides, "path=value: replace a value of the study file; may be repeated")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  search->add_option("--seed", options->seed, "seed of everything random; default: the study's");
  search
      ->add_option("--cache", options->cache,
                   "which candidates are one evaluation: functional (networks that compute the same function), genome "
                   "or off; default: the study's")
      ->check(CLI::IsMember(std::vector<std::string>(cache_names().begin(), cache_names().end())));
  search->add_flag("--verify-cache", options->verify_cache,
                   "evaluate also what the functional cache answers, and say whether it is the same");
  search->add_option("--name", options->name, "name under which the study is stored; default: the study's");
  search
      ->add_option("--warm-start", options->warm_start,
                   "begin with the best of the nearest of these stored studies ('*': of all); may be repeated")
      ->type_name("STUDY")
      ->allow_extra_args(false);
  search->add_flag("--dry-run", options->dry_run,
                   "only print size of the space, range of the costs and feasibility of a sample");
  add_run_options(*search, *options);
  search->callback([&cli, options] { cli.action = [&cli, options] { return search_study(cli, *options); }; });

  auto resumed = std::make_shared<RunOptions>();
  CLI::App* resume =
      add_command(app, "resume", "go on with a stored study, with the configuration it has in the database",
                  "ridgeline resume demo --db ridgeline.db --trials 800");
  resume->add_option("name", resumed->study, "name of the stored study")->required();
  add_run_options(*resume, *resumed);
  resume->callback([&cli, resumed] {
    cli.action = [&cli, resumed] {
      std::string stored;
      {
        const Store store(resumed->database, Store::Mode::read);
        stored = find_study(store, resumed->study).config;
      }
      Json document = JsonDocument::parse(stored, "configuration stored in " + resumed->database).value();
      const std::string origin = "configuration stored in " + resumed->database;
      document = with_overrides(std::move(document), all_overrides(*resumed));
      StudyConfig config = parse_study(JsonDocument::from_value(document, origin));
      JsonDocument problems = JsonDocument::from_value(std::move(document), origin);
      check_variants(config, cli.resources, problems);
      problems.raise();
      return run_study(cli, *resumed, std::move(config));
    };
  });
}

}  // namespace ridgeline
