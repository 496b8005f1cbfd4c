#include "hwmodels/spiking/spiking_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr auto vector_class = static_cast<std::size_t>(EfficiencyClass::vector);

double plus_log2(double p) { return p > 0 ? p * std::log2(p) : 0.0; }

// Mean and entropy of P(k) ~ q^k over 0 ... steps.
struct Geometric {
  double mean = 0, bits = 0;
};
Geometric geometric(std::int64_t steps, double q) {
  double sum = 0, moment = 0, power = 1;
  for (std::int64_t k = 0; k <= steps; ++k, power *= q) {
    sum += power;
    moment += static_cast<double>(k) * power;
  }
  Geometric result{moment / sum, 0};
  power = 1;
  for (std::int64_t k = 0; k <= steps; ++k, power *= q) result.bits -= plus_log2(power / sum);
  return result;
}

// Reads the values of a schedule; `why` keeps the first thing that is wrong.
class ScheduleReader {
 public:
  ScheduleReader(const Json& schedule, std::string& why) : schedule_(schedule), why_(why) { why_.clear(); }

  void number(const std::string& key, double most, bool whole, double& value) {
    if (!schedule_.contains(key)) return;
    const Json& found = schedule_.at(key);
    const double read = found.is_number() ? found.get<double>() : -1.0;
    if (read < 0 || read > most || !std::isfinite(read) || (whole && read != std::floor(read))) {
      refuse(key, fmt::format("a {}number from 0 to {}", whole ? "whole " : "", most));
    } else {
      value = read;
    }
  }

  void word(const std::string& key, std::span<const std::string> known, std::size_t& value) {
    if (!schedule_.contains(key)) return;
    const Json& found = schedule_.at(key);
    const auto at = std::ranges::find(known, found.is_string() ? found.get<std::string>() : std::string());
    if (at == known.end()) {
      refuse(key, fmt::format("one of {}", fmt::join(known, ", ")));
    } else {
      value = static_cast<std::size_t>(at - known.begin());
    }
  }

 private:
  void refuse(const std::string& key, const std::string& expected) {
    if (why_.empty()) why_ = fmt::format("the schedule's {} is {}, not {}", key, schedule_.at(key).dump(), expected);
  }

  const Json& schedule_;
  std::string& why_;
};

std::vector<std::string> names_of(std::span<const SpikingNeuron> neurons) {
  std::vector<std::string> names;
  for (const SpikingNeuron& one : neurons) names.push_back(one.name);
  return names;
}

}  // namespace

std::span<const std::string> spike_encoding_names() {
  static const std::vector<std::string> names{"direct", "rate"};
  return names;
}

std::optional<SpikingRun> spiking_run(const Design& design, const SpikingRun& standard,
                                      std::span<const SpikingNeuron> neurons, std::string& why) {
  SpikingRun run = standard;
  if (!design.schedule) return run;
  ScheduleReader schedule(*design.schedule, why);
  auto steps = static_cast<double>(run.time_steps);
  schedule.number("time_steps", static_cast<double>(most_time_steps), true, steps);
  run.time_steps = static_cast<std::int64_t>(steps);
  for (std::size_t i = 0; i < vector_class; ++i) {
    schedule.number("firing_rate", 1.0, false, run.firing_rate[i]);
    schedule.number("firing_rate." + efficiency_class_names()[i], 1.0, false, run.firing_rate[i]);
  }
  schedule.number("input_rate", 1.0, false, run.input_rate);
  auto encoding = static_cast<std::size_t>(run.encoding);
  schedule.word("encoding", spike_encoding_names(), encoding);
  run.encoding = static_cast<SpikeEncoding>(encoding);
  schedule.word("neuron", names_of(neurons), run.neuron);
  if (!why.empty()) return std::nullopt;
  return run;
}

Design with_spiking_run(Design design, const SpikingRun& run, std::span<const SpikingNeuron> neurons) {
  Json schedule = design.schedule ? *design.schedule : Json::object();
  schedule["time_steps"] = run.time_steps;
  schedule.erase("firing_rate");
  for (std::size_t i = 0; i < vector_class; ++i) {
    schedule["firing_rate." + efficiency_class_names()[i]] = run.firing_rate[i];
  }
  schedule["input_rate"] = run.input_rate;
  schedule["encoding"] = spike_encoding_names()[static_cast<std::size_t>(run.encoding)];
  schedule["neuron"] = neurons[run.neuron].name;
  design.schedule = std::make_shared<const Json>(std::move(schedule));
  return design;
}

double spike_information_bits(std::int64_t time_steps, double firing_rate, bool order_matters) {
  if (time_steps <= 0 || firing_rate <= 0 || firing_rate >= 1) return 0;
  const auto steps = static_cast<double>(time_steps);
  if (order_matters) return -steps * (plus_log2(firing_rate) + plus_log2(1 - firing_rate));
  // Firing in a share s of the steps and in 1 - s tell as much: q <= 1, so that no power overflows.
  const double mean = std::min(firing_rate, 1 - firing_rate) * steps;
  double low = 0, high = 1;
  for (int halving = 0; halving < 60; ++halving) {
    const double middle = (low + high) / 2;
    (geometric(time_steps, middle).mean < mean ? low : high) = middle;
  }
  return geometric(time_steps, high).bits;
}

}  // namespace ridgeline
