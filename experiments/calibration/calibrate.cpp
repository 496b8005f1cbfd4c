#include "experiments/calibration/calibrate.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "experiments/calibration/calibrate_networks.hpp"
#include "experiments/calibration/calibrate_timing.hpp"
#include "experiments/store/environment_json.hpp"
#include "kernels/pinning.hpp"
#include "kernels/statistics.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr double grid_share = 0.12;        // of the budget
constexpr double seconds_a_network = 0.2;  // what a network of a space is worth, where it is fast enough
constexpr double seconds_a_chain = 0.5;
constexpr std::size_t anchors_a_space = 16;  // kept in the file

double best_rate(std::span<const BandwidthResult> results, const std::string& level, int threads) {
  double best = 0.0;
  for (const BandwidthResult& result : results) {
    if (result.level == level && result.threads == threads) best = std::max(best, result.bytes_per_s);
  }
  return best;
}

double best_peak(std::span<const PeakResult> results, const std::string& format, const std::string& kind, int threads) {
  double best = 0.0;
  for (const PeakResult& result : results) {
    const bool counts = kind.empty() ? result.kind != "depthwise" : result.kind == kind;
    if (result.format == format && result.threads == threads && counts) best = std::max(best, result.ops_per_s);
  }
  return best;
}

class Calibration {
 public:
  Calibration(const CalibrateOptions& options, const std::function<void(const CalibrationProgress&)>& progress)
      : options_(options), progress_(progress), start_(Clock::now()) {
    check();
    measure_.threads = options.threads;
    measure_.seed = options.seed;
    result_.environment = this_environment();
  }

  CalibrationResult run() {
    microbenchmarks();
    describe_roofline();
    const PinnedThreads pinned(options_.threads);
    for (const std::string& format : options_.grid_formats) time_grid(format);
    const std::size_t targets = options_.spaces.size() * options_.formats.size();
    std::size_t done = 0;
    for (const SearchSpace* space : options_.spaces) {
      for (const std::string& format : options_.formats) {
        const double left = 0.98 * options_.budget_s - seconds_since(start_);
        time_space(*space, format, left / static_cast<double>(targets - done));
        ++done;
      }
    }
    report("fit", 0, 1);
    fit();
    describe();
    report("fit", 1, 1);
    return std::move(result_);
  }

 private:
  void check() const {
    std::vector<Problem> problems;
    if (options_.budget_s < 10) {
      problems.push_back({"--budget", "", "at least 10 seconds", fmt::format("{}", options_.budget_s), ""});
    }
    if (options_.threads < 1 || options_.threads > allowed_processors()) {
      problems.push_back({"--threads", "", fmt::format("1 to {}", allowed_processors()),
                          std::to_string(options_.threads), "this process may use so many processors"});
    }
    if (options_.formats.empty()) problems.push_back({"--formats", "", "at least one format", "none", ""});
    if (!problems.empty()) throw ConfigError(std::move(problems));
    for (const std::string& format : options_.formats) Format::parse(format);
    for (const std::string& format : options_.grid_formats) Format::parse(format);
  }

  void report(const std::string& phase, std::size_t done, std::size_t total) const {
    if (progress_) progress_({phase, done, total});
  }

  std::function<void(double)> ticks(const std::string& phase, double seconds) const {
    const auto total = static_cast<std::size_t>(std::max(1.0, 10 * seconds));
    return [this, phase, total](double elapsed_s) {
      report(phase, std::min(total, static_cast<std::size_t>(10 * elapsed_s)), total);
    };
  }

  void microbenchmarks() {
    MicrobenchmarkOptions micro;
    micro.threads = {options_.threads};
    if (options_.microbenchmarks) {
      for (int threads = 1; threads <= allowed_processors(); threads *= 2) micro.threads.push_back(threads);
      std::sort(micro.threads.begin(), micro.threads.end());
      micro.threads.erase(std::unique(micro.threads.begin(), micro.threads.end()), micro.threads.end());
    }
    micro.seconds_each = std::min(0.06, options_.budget_s / 4000);
    micro.progress = [this](std::size_t done, std::size_t total) { report("peaks", done, total); };
    result_.peaks = measure_peaks(micro);
    micro.progress = [this](std::size_t done, std::size_t total) { report("bandwidth", done, total); };
    result_.bandwidths = measure_bandwidths(micro);
  }

  void describe_roofline() {
    RooflineDevice& roofline = result_.device.roofline;
    const int threads = options_.threads;
    roofline.name = options_.name;
    roofline.about = fmt::format("{}, {} thread{}", result_.environment.cpu_model, threads, threads == 1 ? "" : "s");
    roofline.category = "calibrated";
    for (std::size_t i = 0; i < arithmetic_count; ++i) {
      roofline.peak_ops_per_s[i] = best_peak(result_.peaks, arithmetic_names()[i], "", threads);
    }
    double last_bytes = 0.0;
    for (const LevelSize& level : level_sizes(result_.environment, threads)) {
      const double rate = best_rate(result_.bandwidths, level.level, threads);
      double bytes = static_cast<double>(level.capacity_bytes);
      if (level.capacity_bytes == 0) {
        bytes = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
      }
      if (rate > 0 && bytes > last_bytes) {
        roofline.memory.push_back({level.level, bytes, rate, 0.0});
        last_bytes = bytes;
      }
    }
    const double peak = best_peak(result_.peaks, "f32", "", threads);
    const auto share = [&](const std::string& kind) {
      return std::clamp(best_peak(result_.peaks, "f32", kind, threads) / peak, 1e-3, 1.0);
    };
    const auto set = [&](EfficiencyClass which, double value) {
      roofline.efficiency[static_cast<std::size_t>(which)].points = {{1.0, value}};
    };
    set(EfficiencyClass::conv2d, share("conv2d"));
    set(EfficiencyClass::depthwise, share("depthwise"));
    set(EfficiencyClass::linear, share("linear"));
    set(EfficiencyClass::matmul, share("linear"));
    set(EfficiencyClass::vector, share("depthwise"));
  }

  void time_grid(const std::string& format) {
    const double seconds = grid_share * options_.budget_s / static_cast<double>(options_.grid_formats.size());
    const auto count = static_cast<std::uint64_t>(std::clamp(seconds / seconds_a_chain, 4.0, 24.0));
    std::vector<Design> designs;
    for (std::uint64_t i = 0; i < count; ++i) designs.push_back(random_chain(options_.seed, i, Format::parse(format)));
    time_designs(designs, "shapes", format, seconds, false);
  }

  void time_space(const SearchSpace& space, const std::string& format, double seconds) {
    const auto count = static_cast<std::size_t>(std::clamp(seconds / seconds_a_network, 8.0, 256.0));
    const std::vector<SpaceNetwork> networks = calibration_networks(space, format, count, options_.seed);
    std::vector<Design> designs;
    for (const SpaceNetwork& network : networks) designs.push_back(network.design);
    time_designs(designs, space.name(), format, seconds, true);
    // Those drawn at random first: they are as large and as small as the networks that will be compared with them.
    for (const std::size_t first : {std::size_t{1}, std::size_t{0}}) {
      for (std::size_t i = first; i < networks.size(); i += 2) add_anchor(space, format, networks[i].genome);
    }
  }

  void add_anchor(const SearchSpace& space, const std::string& format, const Genome& genome) {
    const std::string fingerprint = hex64(space.fingerprint());
    std::vector<Anchor>& anchors = result_.device.anchors;
    const auto held = std::count_if(anchors.begin(), anchors.end(), [&](const Anchor& anchor) {
      return anchor.space_fingerprint == fingerprint && anchor.format == format;
    });
    if (static_cast<std::size_t>(held) < anchors_a_space) {
      anchors.push_back({space.name(), fingerprint, format, genome.genes});
    }
  }

  void time_designs(std::span<const Design> designs, const std::string& what, const std::string& format, double seconds,
                    bool required) {
    const std::string phase = what + " " + format;
    const Clock::time_point begin = Clock::now();
    report(phase, 0, 1);
    try {
      CalibrationTiming timing(measure_, Format::parse(format));
      for (const Design& design : designs) {
        timing.add(design);
        if (timing.full(seconds - seconds_since(begin))) break;
      }
      if (timing.size() == 0) throw Unsupported("none of its networks is executed here");
      timing.run(std::max(0.0, seconds - seconds_since(begin)), ticks(phase, seconds));
      std::vector<double>& reference = reference_s_[format];
      const std::vector<double>& samples = timing.reference_samples_s();
      reference.insert(reference.end(), samples.begin(), samples.end());
      std::vector<TimedNetwork> timed = timing.take();
      std::vector<TimedNetwork>& all = networks_[format];
      all.insert(all.end(), std::make_move_iterator(timed.begin()), std::make_move_iterator(timed.end()));
    } catch (const Unsupported& reason) {
      if (!required) return;
      throw ConfigError(Problem{"--formats", "", "a format that this machine executes",
                                fmt::format("{} ({})", format, reason.what()), "calibrate for f32, bf16 or int8"});
    }
  }

  // Spaces are timed one after the other, while the machine changes its speed.
  static void bring_to_speed(std::vector<TimedNetwork>& networks, double reference_s) {
    for (TimedNetwork& network : networks) {
      const double factor = reference_s / network.reference_s;
      for (std::vector<double>* times : {&network.whole_s, &network.layer_s, &network.layer_mad_s}) {
        for (double& time_s : *times) time_s *= factor;
      }
      network.reference_s = reference_s;
    }
  }

  void fit() {
    for (auto& [format, networks] : networks_) {
      result_.device.reference_s[format] = median(reference_s_[format]);
      bring_to_speed(networks, median(reference_s_[format]));
      LayerFit one = fit_layers(networks, footprint_knots(result_.environment, options_.threads));
      const auto arithmetic = static_cast<std::size_t>(arithmetic_of(Format::parse(format)));
      result_.device.footprint[arithmetic_names()[arithmetic]] = one.footprint;
      one.quality.format = format;
      result_.fits.push_back(one.quality);
      for (const TableEntry& entry : one.entries) {
        result_.layers.push_back(
            {entry.key.text(), format, options_.threads, entry.latency_s, entry.mad_s, entry.samples});
        result_.device.layers.push_back(entry);
      }
    }
  }

  void describe() {
    TableDevice& device = result_.device;
    device.threads = options_.threads;
    device.environment = result_.environment.fingerprint();
    device.environment_json = environment_json(result_.environment);
    result_.elapsed_s = seconds_since(start_);
    Json& about = device.about_calibration;
    about = {
        {"budget_s", options_.budget_s},
        {"elapsed_s", result_.elapsed_s},
        {"seed", options_.seed},
        {"formats", options_.formats},
        {"spaces", Json::array()},
        {"peaks", Json::array()},
        {"bandwidths", Json::array()},
        {"fits", Json::array()},
        {"seen", Json::array()},
        {"protocol",
         "caches hot, threads pinned, whole networks and layers in turns of random order, every sample relative to "
         "the time of the reference network around it"}};
    for (const SearchSpace* space : options_.spaces) about["spaces"].push_back(space->name());
    for (const PeakResult& peak : result_.peaks) {
      about["peaks"].push_back({{"kind", peak.kind},
                                {"format", peak.format},
                                {"threads", peak.threads},
                                {"ops_per_s", peak.ops_per_s},
                                {"implementation", peak.implementation}});
    }
    for (const BandwidthResult& one : result_.bandwidths) {
      about["bandwidths"].push_back({{"level", one.level},
                                     {"kernel", one.kernel},
                                     {"threads", one.threads},
                                     {"array_bytes", one.bytes},
                                     {"bytes_per_s", one.bytes_per_s}});
    }
    for (const CalibrationFit& one : result_.fits) {
      about["fits"].push_back({{"format", one.format},
                               {"networks", one.networks},
                               {"layers", one.layers},
                               {"penalty", one.penalty},
                               {"loo_mape_percent", one.mape_percent},
                               {"loo_within_5_percent", one.within_5},
                               {"loo_within_10_percent", one.within_10},
                               {"sum_over_whole_gap_percent", one.gap_percent}});
    }
    for (const auto& [format, networks] : networks_) {
      for (const TimedNetwork& network : networks) about["seen"].push_back(hex64(network.function_hash));
    }
    result_.json = write_table_device(device);
  }

  const CalibrateOptions& options_;
  const std::function<void(const CalibrationProgress&)>& progress_;
  Clock::time_point start_;
  MeasureOptions measure_;
  std::map<std::string, std::vector<TimedNetwork>> networks_;  // by format
  std::map<std::string, std::vector<double>> reference_s_;
  CalibrationResult result_;
};

}  // namespace

CalibrationResult calibrate(const CalibrateOptions& options,
                            const std::function<void(const CalibrationProgress&)>& progress) {
  return Calibration(options, progress).run();
}

std::string environment_mismatch(const TableDevice& device, const Environment& here) {
  if (device.environment.empty() || device.environment == here.fingerprint()) return {};
  const auto word = [&](const char* key) { return device.environment_json.value(key, std::string("?")); };
  return fmt::format(
      "'{}' was calibrated in environment {} ({}, {}, oneDNN {}), this is environment {} ({}, {}, oneDNN {}); "
      "calibrate again to have latencies that hold here",
      device.roofline.name, device.environment, word("cpu_model"), word("isa"), word("onednn_version"),
      here.fingerprint(), here.cpu_model, here.isa, here.onednn_version);
}

}  // namespace ridgeline
