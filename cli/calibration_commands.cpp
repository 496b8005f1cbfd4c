// device calibrate|check
#include <fmt/format.h>

#include <iostream>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "experiments/calibration/calibrate.hpp"
#include "experiments/calibration/device_check.hpp"
#include "experiments/calibration/device_conformance.hpp"
#include "experiments/report/report_formats.hpp"
#include "experiments/report/report_space.hpp"
#include "experiments/store/environment_json.hpp"

namespace ridgeline {
namespace {

struct CalibrationFlags {
  std::vector<std::string> spaces, formats{"f32", "int8"};
  std::string name = "host", out = "host.json", database;
  int threads = 1;
  double budget_s = 270.0;
  std::uint64_t seed = 1;
  bool json = false, quiet = false;
};

Json calibration_json(const CalibrationResult& result, const std::string& path) {
  Json json{{"device", path},
            {"elapsed_s", result.elapsed_s},
            {"layers", result.layers.size()},
            {"environment", environment_json(result.environment)}};
  json["peaks"] = Json::array();
  for (const PeakResult& one : result.peaks) {
    json["peaks"].push_back({{"kind", one.kind},
                             {"format", one.format},
                             {"threads", one.threads},
                             {"ops_per_s", one.ops_per_s},
                             {"implementation", one.implementation}});
  }
  json["bandwidths"] = Json::array();
  for (const BandwidthResult& one : result.bandwidths) {
    json["bandwidths"].push_back(
        {{"level", one.level}, {"kernel", one.kernel}, {"threads", one.threads}, {"bytes_per_s", one.bytes_per_s}});
  }
  json["fits"] = Json::array();
  for (const CalibrationFit& one : result.fits) {
    json["fits"].push_back({{"format", one.format},
                            {"networks", one.networks},
                            {"layers", one.layers},
                            {"mape_percent", one.mape_percent},
                            {"within_5", one.within_5},
                            {"within_10", one.within_10},
                            {"gap_percent", one.gap_percent}});
  }
  return json;
}

std::string calibration_text(const CalibrationResult& result, const TextStyle& style) {
  std::string text;
  TextTable peaks(
      {{"arithmetic", false}, {"format", false}, {"threads", true}, {"peak (Gop/s)", true}, {"implementation", false}});
  for (const PeakResult& one : result.peaks) {
    peaks.add({one.kind, one.format, std::to_string(one.threads), fmt::format("{:.1f}", one.ops_per_s * 1e-9),
               one.implementation});
  }
  TextTable bandwidths({{"memory", false}, {"kernel", false}, {"threads", true}, {"bandwidth (GB/s)", true}});
  for (const BandwidthResult& one : result.bandwidths) {
    bandwidths.add({one.level, one.kernel, std::to_string(one.threads), fmt::format("{:.1f}", one.bytes_per_s * 1e-9)});
  }
  TextTable fits({{"format", false},
                  {"networks", true},
                  {"layers", true},
                  {"mean error", true},
                  {"within ±5 %", true},
                  {"within ±10 %", true},
                  {"sum over whole", true}});
  for (const CalibrationFit& one : result.fits) {
    fits.add({one.format, std::to_string(one.networks), std::to_string(one.layers), percent(one.mape_percent / 100),
              percent(one.within_5), percent(one.within_10), fmt::format("{:+.1f} %", one.gap_percent)});
  }
  if (!result.peaks.empty()) text += peaks.text(style) + "\n";
  if (!result.bandwidths.empty()) text += bandwidths.text(style) + "\n";
  if (!result.fits.empty())
    text += "networks of the calibration, each predicted without itself\n" + fits.text(style) + "\n";
  return text;
}

int calibrate_host(const CommandLine& cli, const CalibrationFlags& flags) {
  check_writable(flags.out, "--out");
  std::vector<SearchSpace> spaces;
  for (const std::string& name : flags.spaces) spaces.push_back(cli.resources.load_space(name));
  CalibrateOptions options;
  options.name = flags.name;
  for (const SearchSpace& space : spaces) options.spaces.push_back(&space);
  options.formats = flags.formats;
  options.grid_formats = flags.formats;
  options.threads = flags.threads;
  options.budget_s = flags.budget_s;
  options.seed = flags.seed;
  std::optional<Store> store;  // opened first: minutes of timing are not for a path that cannot be written
  if (!flags.database.empty()) store.emplace(flags.database, Store::Mode::write);
  CalibrationResult result;
  {
    PhaseLine line(!flags.quiet && !flags.json, cli.progress_bar);
    result = calibrate(options, [&](const CalibrationProgress& now) { line.show(now.phase, now.done, now.total); });
  }
  write_file(flags.out, result.json.dump(1) + "\n", "--out");
  if (store) store->put_layers(flags.name, result.layers);
  if (flags.json) {
    cli.print_json(calibration_json(result, flags.out));
  } else if (!flags.quiet) {
    cli.print(calibration_text(result, cli.style));
    cli.print(fmt::format("wrote {}: {} layers in {}\n", flags.out, result.layers.size(), duration(result.elapsed_s)));
  }
  return exit_done;
}

struct CheckFlags {
  DesignOptions design;
  std::string device;
  std::vector<std::string> formats{"f32"};
  DeviceCheckOptions check;
  ConformanceOptions conformance;
  bool json = false, quiet = false;
};

Json scores_json(const AgreementScores& scores) {
  return {{"spearman", scores.spearman},
          {"kendall", scores.kendall},
          {"mape_percent", scores.mape_percent},
          {"within_5", scores.within_5},
          {"within_10", scores.within_10}};
}

Json check_json(const DeviceCheckResult& result, const std::string& format, const SearchSpace& space) {
  Json json{{"format", format},
            {"networks", result.pairs.size()},
            {"as_timed", scores_json(result.as_timed)},
            {"at_reference", scores_json(result.at_reference)},
            {"speed", result.speed},
            {"gap_percent", result.gap_percent},
            {"unseen_layers", result.unseen_layers},
            {"skipped_seen", result.skipped_seen},
            {"unsupported", result.unsupported},
            {"unsupported_reason", result.unsupported_reason},
            {"environment_warning", result.environment_warning}};
  json["pairs"] = Json::array();
  for (const DeviceCheckPair& pair : result.pairs) {
    json["pairs"].push_back({{"genome", space.describe(pair.genome)},
                             {"predicted_s", pair.predicted_s},
                             {"measured_s", pair.measured_s},
                             {"at_reference_s", pair.at_reference_s},
                             {"ci_low_s", pair.ci_low_s},
                             {"ci_high_s", pair.ci_high_s}});
  }
  return json;
}

void add_scores(TextTable& table, const std::string& format, const char* what, const AgreementScores& scores) {
  table.add({format, what, fmt::format("{:.4f}", scores.spearman), fmt::format("{:.4f}", scores.kendall),
             percent(scores.mape_percent / 100), percent(scores.within_5), percent(scores.within_10)});
}

const char* outcome_word(ConformanceCheck::Outcome outcome) {
  static const char* const words[] = {"pass", "FAIL", "not run"};
  return words[static_cast<std::size_t>(outcome)];
}

int check_behaviour(const CommandLine& cli, const CheckFlags& flags) {
  const std::unique_ptr<HardwareModel> model = load_device(cli.resources.device(flags.device));
  const ConformanceResult result = check_conformance(*model, flags.conformance);
  TextTable table({{"check", false}, {"", false}, {"what must hold", false}, {"seen", false}});
  Json list = Json::array();
  std::string examples;
  for (const ConformanceCheck& one : result.checks) {
    const bool failed = one.outcome == ConformanceCheck::Outcome::failed;
    table.add({one.name, outcome_word(one.outcome), one.must, failed ? "see below" : one.seen});
    if (failed) examples += fmt::format("{}: {}\n", one.name, one.seen);
    list.push_back(
        {{"check", one.name}, {"outcome", outcome_word(one.outcome)}, {"must", one.must}, {"seen", one.seen}});
  }
  if (flags.json) {
    cli.print_json({{"device", flags.device}, {"passed", result.passed()}, {"conformance", list}});
  } else {
    cli.print(fmt::format("{}: does it behave as a search relies on?\n\n", model->name()) + table.text(cli.style));
    if (!examples.empty()) cli.print("\n" + examples);
  }
  return result.passed() ? exit_done : exit_bad_input;
}

int check_host(const CommandLine& cli, const CheckFlags& flags) {
  if (flags.design.space.empty()) return check_behaviour(cli, flags);
  const std::unique_ptr<HardwareModel> model = load_device(cli.resources.device(flags.device));
  const SearchSpace space = open_space(space_config(flags.design), cli.resources);
  TextTable table({{"format", false},
                   {"measured", false},
                   {"Spearman", true},
                   {"Kendall", true},
                   {"mean error", true},
                   {"within ±5 %", true},
                   {"within ±10 %", true}});
  Json list = Json::array();
  std::string notes;
  for (const std::string& format : flags.formats) {
    DeviceCheckOptions options = flags.check;
    options.format = format;
    DeviceCheckResult result;
    {
      PhaseLine line(!flags.quiet && !flags.json, cli.progress_bar);
      result = check_device(*model, space, options,
                            [&](std::size_t done, std::size_t total) { line.show("timing " + format, done, total); });
    }
    add_scores(table, format, "as timed", result.as_timed);
    if (result.speed != 1) add_scores(table, format, "at calibration speed", result.at_reference);
    notes += fmt::format(
        "{}: {} networks; sum of layers {:+.1f} % beside the whole; {} of layers not in the table; machine at {:.3f} "
        "of its "
        "calibration time\n",
        format, result.pairs.size(), result.gap_percent, percent(result.unseen_layers), result.speed);
    if (result.unsupported > 0)
      notes += fmt::format("{}: {} networks unsupported: {}\n", format, result.unsupported, result.unsupported_reason);
    if (!result.environment_warning.empty()) notes += "warning: " + result.environment_warning + "\n";
    list.push_back(check_json(result, format, space));
  }
  if (flags.json) {
    cli.print_json(
        {{"device", flags.device}, {"space", space.name()}, {"threads", flags.check.threads}, {"checks", list}});
  } else {
    cli.print(fmt::format("{} against random networks of {}, {} thread{}\n\n", model->name(), space.name(),
                          flags.check.threads, flags.check.threads == 1 ? "" : "s"));
    cli.print(table.text(cli.style) + notes);
  }
  return exit_done;
}

}  // namespace

void add_calibration_commands(CLI::App& device, CommandLine& cli) {
  auto flags = std::make_shared<CalibrationFlags>();
  CLI::App* calibrate =
      add_command(device, "calibrate", "measure this machine and write a device file with a table of layer latencies",
                  "ridgeline device calibrate --space mobilenet_v2 --format f32 --format int8 --out host.json");
  calibrate->add_option("--space", flags->spaces, "space whose layers are learnt (name or file); may be repeated")
      ->allow_extra_args(false);
  calibrate->add_option("--format", flags->formats, "number format; may be repeated")
      ->allow_extra_args(false)
      ->capture_default_str();
  add_pinned_threads_option(*calibrate, flags->threads);
  calibrate->add_option("--budget", flags->budget_s, "seconds for everything")
      ->check(CLI::Range(10.0, 86400.0))
      ->capture_default_str();
  calibrate->add_option("--seed", flags->seed, "seed of the networks that are timed")->capture_default_str();
  calibrate->add_option("--name", flags->name, "name of the device")->capture_default_str();
  calibrate->add_option("--out", flags->out, "device file to write")->capture_default_str();
  calibrate->add_option("--db", flags->database, "also store the layer latencies in this database");
  add_silent_option(*calibrate, flags->quiet);
  add_json_option(*calibrate, flags->json);
  calibrate->callback([&cli, flags] { cli.action = [&cli, flags] { return calibrate_host(cli, *flags); }; });

  auto checked = std::make_shared<CheckFlags>();
  CLI::App* check =
      add_command(device, "check",
                  "whether a device, also one of your own, behaves as a search relies on; with --space, how far its "
                  "predictions are from random networks measured here",
                  "ridgeline device check my_device.json\n"
                  "  ridgeline device check host.json --space mobilenet_v2 --n 200 --format f32 --format int8");
  check->add_option("device", checked->device, "device file, or the name of a shipped device")->required();
  check->add_option("--candidate", checked->conformance.candidate_s, "seconds that estimating one network may take")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI::Option* space =
      check->add_option("--space", checked->design.space,
                        "measure random networks of this space (name or file); the options below are its");
  check->add_option("--n,-n", checked->check.n, "networks")->check(CLI::Range(2, 100000))->capture_default_str();
  check->add_option("--format", checked->formats, "number format; may be repeated")
      ->allow_extra_args(false)
      ->capture_default_str();
  add_pinned_threads_option(*check, checked->check.threads);
  check->add_option("--seed", checked->check.seed, "seed of the networks")->capture_default_str();
  check->add_option("--seconds", checked->check.seconds, "seconds to time for, all networks of a format together")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_quiet_option(*check, checked->quiet);
  for (const char* name : {"--n", "--format", "--threads", "--seed", "--seconds"}) {
    check->get_option(name)->needs(space);
  }
  add_json_option(*check, checked->json);
  check->callback([&cli, checked] { cli.action = [&cli, checked] { return check_host(cli, *checked); }; });
}

}  // namespace ridgeline
