// Which plans are timed, and what their timings say about the parts they are made of.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "experiments/calibration/calibrate.hpp"
#include "experiments/quantization/layer_costs.hpp"
#include "kernels/environment.hpp"
#include "kernels/measure.hpp"
#include "kernels/statistics.hpp"
#include "spaces/config_error.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

using Genes = std::vector<std::uint16_t>;

constexpr std::size_t pool_size = 512;               // plans whose parts are to be covered
constexpr int turns = 6;                             // of every plan
constexpr int least_samples = 2, most_samples = 60;  // a turn

// What the machine can run: choices a dimension, and why not the others.
class Support {
 public:
  Support(const PlanSpace& space, const LayerCostOptions& options) : space_(space), options_(options) {
    choices_.resize(space.names.size());
    std::vector<std::string> why(space.words.size());
    std::vector<bool> everywhere(space.words.size(), false);
    for (std::uint16_t c = 0; c < space.words.size(); ++c) {
      why[c] = refusal(Genes(space.names.size(), c));
      everywhere[c] = why[c].empty();
    }
    const auto base = std::ranges::find(everywhere, true);
    if (base == everywhere.end()) {
      throw ConfigError(Problem{"", "formats", "a format that this machine executes everywhere",
                                fmt::format("none: {}", fmt::join(why, "; ")), "add f32"});
    }
    base_ = static_cast<std::uint16_t>(base - everywhere.begin());
    for (std::uint16_t c = 0; c < space.words.size(); ++c) {
      for (std::size_t d = 0; d < space.names.size(); ++d) {
        const std::string reason = everywhere[c] ? std::string() : refusal_of(d, c);
        if (reason.empty()) {
          choices_[d].push_back(c);
        } else {
          left_out_.push_back({d, c, reason});
        }
      }
    }
    std::ranges::sort(left_out_, {}, [](const LeftOut& one) { return std::pair(one.dimension, one.choice); });
  }

  const std::vector<Genes>& choices() const { return choices_; }
  const std::vector<LeftOut>& left_out() const { return left_out_; }
  bool anywhere(std::uint16_t choice) const {
    return std::ranges::any_of(choices_, [&](const Genes& can) { return std::ranges::binary_search(can, choice); });
  }
  // The plan with what cannot be had replaced by a choice that runs everywhere.
  Genes possible(Genes genes) const {
    for (std::size_t d = 0; d < genes.size(); ++d) {
      if (!std::ranges::binary_search(choices_[d], genes[d])) genes[d] = base_;
    }
    return genes;
  }

 private:
  std::string refusal(const Genes& genes) const {
    const Design design = space_.decode(genes);
    try {
      if (options_.timer) {
        options_.timer(design);
      } else {
        ExecutableOptions compile;
        compile.threads = options_.threads;
        const Executable executable(design, compile);
      }
    } catch (const Unsupported& problem) {
      return problem.what();
    }
    return {};
  }
  std::string refusal_of(std::size_t dimension, std::uint16_t choice) const {
    Genes genes(space_.names.size(), base_);
    genes[dimension] = choice;
    return refusal(genes);
  }

  const PlanSpace& space_;
  const LayerCostOptions& options_;
  std::uint16_t base_ = 0;
  std::vector<Genes> choices_;
  std::vector<LeftOut> left_out_;
};

// Uniform plans first; then those of a pool that show the most parts not seen yet, until all were seen.
class PlanChoice {
 public:
  PlanChoice(const PlanParts& parts, const Support& support, const LayerCostOptions& options) : parts_(parts) {
    const PlanSpace& space = parts.space();
    const auto formats = static_cast<std::uint16_t>(space.words.size());
    for (std::uint16_t c = 0; c < formats; ++c) {
      if (!support.anywhere(c)) continue;
      uniform_.push_back(c);
      take(support.possible(Genes(space.names.size(), c)));
    }
    for (std::uint16_t a = 0; a < formats; ++a) {
      for (std::uint16_t b = 0; b < formats; ++b) {
        Genes genes(space.names.size(), a);
        for (std::size_t d = 1; d < genes.size(); d += 2) genes[d] = b;
        if (a != b) offer(support.possible(std::move(genes)));
      }
    }
    Rng rng(options.seed, "layer-costs-plans");
    for (std::size_t i = 0; i < pool_size; ++i) {
      Genes genes;
      for (const Genes& can : support.choices()) genes.push_back(can[rng.below(can.size())]);
      offer(std::move(genes));
    }
    for (std::size_t more = 0; more < options.plans && take_best(); ++more) {
    }
  }

  const Genes& uniform() const { return uniform_; }           // choices
  const std::vector<Genes>& plans() const { return plans_; }  // the uniform ones in front

 private:
  struct Offer {
    Genes genes;
    std::set<PlanPart> unseen;
  };
  std::set<PlanPart> parts_in(const Genes& genes) const {
    std::set<PlanPart> in;
    for (const PlanPart& part : parts_.of(genes)) in.insert(without_context(part));
    return in;
  }
  void take(Genes genes) {
    seen_.merge(parts_in(genes));
    plans_.push_back(std::move(genes));
  }
  void offer(Genes genes) {
    std::set<PlanPart> in = parts_in(genes);
    std::erase_if(in, [&](const PlanPart& part) { return seen_.contains(part); });
    if (!in.empty()) pool_.push_back({std::move(genes), std::move(in)});
  }
  bool take_best() {
    const auto best = std::ranges::max_element(pool_, {}, [](const Offer& one) { return one.unseen.size(); });
    if (best == pool_.end() || best->unseen.empty()) return false;
    const std::set<PlanPart> fresh = std::move(best->unseen);
    take(std::move(best->genes));
    pool_.erase(best);
    for (Offer& one : pool_) std::erase_if(one.unseen, [&](const PlanPart& part) { return fresh.contains(part); });
    return true;
  }

  const PlanParts& parts_;
  Genes uniform_;
  std::vector<Genes> plans_;
  std::set<PlanPart> seen_;
  std::vector<Offer> pool_;
};

double seconds_a_run(const Design& design, const LayerCostOptions& options) {
  ExecutableOptions compile;
  compile.threads = options.threads;
  Executable executable(design, compile);
  executable.run();
  const auto start = std::chrono::steady_clock::now();
  executable.run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

PlanTiming timing_of(const Measurement& measured, double usual_s) {
  PlanTiming timing;
  for (const OpTime& op : measured.ops) {
    timing.steps.push_back(op.step);
    timing.step_s.push_back(op.median_s);
  }
  std::vector<double> wholes = measured.samples_s;
  for (std::size_t i = 0; i < wholes.size(); ++i) wholes[i] *= usual_s / measured.reference_s[i];
  timing.whole_s = wholes.empty() ? 0.0 : median(wholes);
  return timing;
}

// All plans in turns, beside the reference. The first ones are the uniform plans, which say how long a run takes.
std::vector<PlanTiming> time_here(const std::vector<Design>& designs, std::size_t uniform,
                                  const LayerCostOptions& options) {
  double run_s = 0.0;
  for (std::size_t i = 0; i < uniform; ++i) run_s += seconds_a_run(designs[i], options) / static_cast<double>(uniform);
  const double turn_runs = options.seconds / (turns * static_cast<double>(designs.size()) * std::max(run_s, 1e-9));
  const int samples = std::clamp(static_cast<int>(0.5 * turn_runs) - warm_up_runs, least_samples, most_samples);
  MeasureOptions measure;
  measure.threads = options.threads;
  measure.seed = options.seed;
  measure.per_operator = true;
  measure.warmup_s = 0.0;
  measure.max_relative_mad = 1e9;  // medians over turns and plans are what counts
  measure.min_samples = measure.max_samples = turns * samples;
  const Design reference = reference_network(f32);
  InterleaveOptions interleave;
  interleave.rounds = turns;
  interleave.seconds = options.seconds;
  interleave.reference = &reference;
  if (options.progress) {
    interleave.progress = [&](std::size_t done, std::size_t total) {
      options.progress(static_cast<double>(done) / static_cast<double>(total));
    };
  }
  const std::vector<Measurement> measured = measure_interleaved(designs, measure, interleave);
  if (options.progress) options.progress(1.0);
  std::vector<double> speeds;
  for (const Measurement& one : measured) {
    speeds.insert(speeds.end(), one.reference_s.begin(), one.reference_s.end());
  }
  std::vector<PlanTiming> timings;
  for (const Measurement& one : measured) timings.push_back(timing_of(one, speeds.empty() ? 1.0 : median(speeds)));
  return timings;
}

std::vector<PlanTiming> time_all(const std::vector<Design>& designs, std::size_t uniform,
                                 const LayerCostOptions& options) {
  if (!options.timer) return time_here(designs, uniform, options);
  std::vector<PlanTiming> timings;
  for (const Design& design : designs) {
    timings.emplace_back();
    try {
      timings.back() = options.timer(design);
    } catch (const Unsupported&) {  // no steps
    }
  }
  return timings;
}

// The times of parts, by plan and by the code that ran.
class PartTimes {
 public:
  // Returns the sum of the plan's steps.
  double add(const PlanParts& parts, const Genes& genes, const PlanTiming& timing) {
    const std::vector<PlanPart> of = parts.of(genes);
    const std::vector<std::size_t> owners = parts.owners(genes, timing.steps);
    std::vector<double> seconds(of.size(), 0.0);
    std::vector<std::string> codes(of.size());
    double sum = 0.0;
    for (std::size_t s = 0; s < owners.size(); ++s) {
      if (!std::isfinite(timing.step_s[s]) || timing.step_s[s] < 0) throw_bad("a step", timing.step_s[s]);
      seconds[owners[s]] += timing.step_s[s];
      std::string& code = codes[owners[s]];
      if (code.empty() || timing.steps[s].kind != "reorder") code = timing.steps[s].signature;
      sum += timing.step_s[s];
    }
    for (std::size_t p = 0; p < of.size(); ++p) samples_[of[p]][codes[p]].push_back(seconds[p]);
    return sum;
  }

  // Of code that differs between plans, the commonest.
  std::vector<PartCost> costs() const {
    std::vector<PartCost> costs;
    for (const auto& [part, by_code] : samples_) {
      const auto& [code, seconds] =
          *std::ranges::max_element(by_code, {}, [](const auto& one) { return one.second.size(); });
      const double middle = median(seconds);
      costs.push_back(
          {part, middle, median_absolute_deviation(seconds, middle), static_cast<std::int64_t>(seconds.size()), code});
    }
    return costs;
  }

  [[noreturn]] static void throw_bad(const std::string& what, double seconds) {
    throw ConfigError(Problem{"layer costs", what, "a time above 0", fmt::format("{} s", seconds), "measure again"});
  }

 private:
  std::map<PlanPart, std::map<std::string, std::vector<double>>> samples_;
};

}  // namespace

LayerCosts measure_layer_costs(const PlanSpace& space, const LayerCostOptions& options) {
  const PlanParts parts(space);
  const Support support(space, options);
  const PlanChoice choice(parts, support, options);
  std::vector<Design> designs;
  for (const Genes& genes : choice.plans()) designs.push_back(space.decode(genes));
  const std::vector<PlanTiming> timings = time_all(designs, choice.uniform().size(), options);
  LayerCosts costs;
  costs.threads = options.threads;
  costs.network_hash = structural_hash(space.design.network);
  costs.environment = this_environment().fingerprint();
  costs.names = space.names;
  costs.words = space.words;
  for (const Format& format : parts.tensor_formats()) costs.tensor_words.push_back(format.text());
  costs.left_out = support.left_out();
  PartTimes times;
  for (std::size_t i = 0; i < timings.size(); ++i) {
    if (timings[i].steps.empty()) continue;  // a mixture that does not run, though each of its choices does
    if (!std::isfinite(timings[i].whole_s) || timings[i].whole_s <= 0)
      PartTimes::throw_bad("a whole", timings[i].whole_s);
    const double steps_s = times.add(parts, choice.plans()[i], timings[i]);
    if (i < choice.uniform().size()) costs.uniform.push_back({choice.uniform()[i], timings[i].whole_s, steps_s});
  }
  costs.parts = times.costs();
  const PlanLatency sums(space, costs);  // of a factor of 1
  std::vector<double> factors;
  for (std::size_t i = 0; i < timings.size(); ++i) {
    if (timings[i].steps.empty()) continue;
    const double sum = sums.predict(choice.plans()[i]);
    if (!(sum > 0)) PartTimes::throw_bad("the steps of a plan", sum);
    factors.push_back(timings[i].whole_s / sum);
  }
  costs.factor = median(factors);
  return costs;
}

}  // namespace ridgeline
