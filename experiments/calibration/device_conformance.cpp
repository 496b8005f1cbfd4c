#include "experiments/calibration/device_conformance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <thread>

#include "experiments/calibration/conformance_networks.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr double least_latency_s = 1e-9, most_latency_s = 3600.0;
constexpr double least_energy_j = 1e-12, most_energy_j = 1e6;
constexpr double least_power_w = 1e-6, most_power_w = 1e5;
constexpr double rounding = 1e-6;  // relative, between sums that are taken in another order

struct Named {
  std::string name;
  Design design;
};

Named named(const std::string& name, Network network, const std::string& format) {
  Design design;
  design.precision = PrecisionPlan::uniform(network, format);
  design.network = std::move(network);
  return {name + " in " + format, std::move(design)};
}

// Where two costs of one design differ, or empty. Bit for bit.
std::string difference(const Cost& a, const Cost& b) {
  const auto numbers = [](const char* what, double x, double y) {
    return x == y ? std::string() : fmt::format("{} {} and then {}", what, x, y);
  };
  if (a.problem() != b.problem()) return fmt::format("\"{}\" and then \"{}\"", a.problem(), b.problem());
  for (const std::string& text :
       {numbers("latency_s", a.latency_s, b.latency_s), numbers("energy_j", a.energy_j, b.energy_j),
        numbers("peak_bytes", static_cast<double>(a.peak_bytes), static_cast<double>(b.peak_bytes)),
        numbers("weight_bytes", static_cast<double>(a.weight_bytes), static_cast<double>(b.weight_bytes))}) {
    if (!text.empty()) return text;
  }
  if (a.ops.size() != b.ops.size()) return "another number of operators";
  for (std::size_t i = 0; i < a.ops.size(); ++i) {
    const OpCost &x = a.ops[i], &y = b.ops[i];
    if (x.latency_s != y.latency_s || x.energy_j != y.energy_j || x.bound_by != y.bound_by || x.node != y.node) {
      return fmt::format("operator {}: {} s and then {} s", i, x.latency_s, y.latency_s);
    }
  }
  if (a.resources.size() != b.resources.size()) return "another number of resources";
  for (std::size_t i = 0; i < a.resources.size(); ++i) {
    const std::string text = numbers(a.resources[i].name.c_str(), a.resources[i].used, b.resources[i].used);
    if (!text.empty()) return text;
  }
  return "";
}

// The first number of a cost that is none, or negative; or empty.
std::string odd_number(const Cost& cost) {
  const auto odd = [](double value) { return !std::isfinite(value) || value < 0; };
  if (odd(cost.latency_s)) return fmt::format("latency_s {}", cost.latency_s);
  if (odd(cost.energy_j)) return fmt::format("energy_j {}", cost.energy_j);
  if (cost.peak_bytes < 0 || cost.weight_bytes < 0) return "a negative number of bytes";
  for (const OpCost& op : cost.ops) {
    if (odd(op.latency_s) || odd(op.energy_j)) return fmt::format("operator {}: {} s", op.node, op.latency_s);
  }
  for (const ResourceUse& one : cost.resources) {
    if (odd(one.used) || odd(one.available)) return fmt::format("{} {}", one.name, one.used);
  }
  return "";
}

// Clear: there, on one line, and short enough to be read and counted.
bool is_reason(const std::string& text) {
  return !text.empty() && text.size() <= 400 && text.find('\n') == std::string::npos;
}

// Thrown by a check that fails, with its example.
struct Failure {
  std::string example;
};

class Conformance {
 public:
  Conformance(const HardwareModel& device, const ConformanceOptions& options) : device_(device), options_(options) {}

  ConformanceResult run() {
    check("answers", "a network in one of the usual formats has a cost", [&] { return answers(); });
    check("formats", "every format has a cost or a reason", [&] { return formats(); });
    check("operators", "every kind of operator has a cost or a reason", [&] { return operators(); });
    check("finite", "every number is finite and not negative", [&] { return finite(); });
    check("units", "seconds from 1 ns to 1 h, joules from 1 pJ to 1 MJ, 1 uW to 100 kW", [&] { return units(); });
    check("rows", "one row an operator, none longer than the whole", [&] { return rows(); });
    check("resources", "those that the model names, in their order", [&] { return resources(); });
    check("deterministic", "the same batch twice gives the same costs", [&] { return deterministic(); });
    check("batches", "one by one and in reverse as in one batch; an empty one", [&] { return batches(); });
    check("threads", fmt::format("{} threads at once get the same costs", options_.threads), [&] { return threads(); });
    check("channels", "twice the channels are not cheaper", [&] { return monotone({32, 16, 1}, {64, 16, 1}); });
    check("pixels", "twice the resolution is not cheaper", [&] { return monotone({16, 16, 1}, {16, 32, 1}); });
    check("images", "twice the batch is not cheaper", [&] { return monotone({16, 16, 1}, {16, 16, 2}); });
    check("widths", "a wider format has no fewer bytes", [&] { return widths(); });
    check("speed", fmt::format("at most {:g} s a network", options_.candidate_s), [&] { return speed(); });
    return std::move(result_);
  }

 private:
  void check(const char* name, const std::string& must, const std::function<std::string()>& look) {
    ConformanceCheck& made =
        result_.checks.emplace_back(ConformanceCheck{name, must, ConformanceCheck::Outcome::not_run, ""});
    if (gave_up_) return;
    try {
      made.seen = look();
      made.outcome = ConformanceCheck::Outcome::passed;
    } catch (const Failure& failure) {
      made.seen = failure.example;
      made.outcome = ConformanceCheck::Outcome::failed;
      gave_up_ = format_.empty();  // nothing to look at
    } catch (const ConfigError& error) {
      made.seen = error.problems().front().text();
      made.outcome = ConformanceCheck::Outcome::failed;
      gave_up_ = true;
    }
  }

  std::vector<Cost> estimate(std::span<const Named> networks) const {
    std::vector<Design> designs;
    for (const Named& one : networks) designs.push_back(one.design);
    std::vector<Cost> costs(designs.size());
    device_.estimate(designs, costs);
    return costs;
  }

  Cost estimate(const Named& network) const { return estimate(std::span(&network, 1)).front(); }

  std::string answers() {
    std::string why;
    for (const std::string& format : common_formats()) {
      const Cost cost = estimate(named("a small network", probe_network({}), format));
      if (cost.problem().empty()) {
        format_ = format;
        break;
      }
      if (why.empty()) why = format + ": " + cost.problem();
    }
    if (format_.empty()) throw Failure{"none does; " + why};
    for (const std::string& format : common_formats()) {
      for (const ProbeShape& shape : {ProbeShape{}, {32, 16, 1}, {16, 32, 1}, {16, 16, 2}}) {
        const std::string name =
            fmt::format("{} channels at {}, batch {}", shape.channels, shape.resolution, shape.batch);
        batch_.push_back(named(name, probe_network(shape), format));
      }
    }
    batch_.push_back(named("MobileNetV2", mobilenet_v2_network(), format_of_large()));
    costs_ = estimate(batch_);
    const Cost& large = costs_.back();
    if (!large.failed.empty()) throw Failure{batch_.back().name + ": " + large.failed};
    return large.unsupported.empty() ? fmt::format("{}: {:.4g} s", batch_.back().name, large.latency_s)
                                     : fmt::format("{}: {}", batch_.back().name, large.unsupported);
  }

  // The first format in which MobileNetV2 runs; where none is, that of the small networks.
  std::string format_of_large() const {
    for (const std::string& format : common_formats()) {
      if (estimate(named("MobileNetV2", mobilenet_v2_network(), format)).problem().empty()) return format;
    }
    return format_;
  }

  std::string formats() const {
    std::string has, lacks;
    for (const std::string& format : common_formats()) {
      const Cost cost = estimate(named("a small network", probe_network({}), format));
      if (!cost.failed.empty()) throw Failure{format + ": " + cost.failed};
      if (!cost.unsupported.empty() && !is_reason(cost.unsupported)) throw Failure{format + ": no clear reason"};
      std::string& list = cost.unsupported.empty() ? has : lacks;
      list += (list.empty() ? "" : ", ") + format;
    }
    return has + (lacks.empty() ? "" : "; not " + lacks);
  }

  std::string operators() const {
    std::string lacks;
    std::size_t has = 0;
    for (OperatorNetwork& one : operator_networks()) {
      const std::string kind(name_of(one.kind));
      const Cost cost = estimate(named(kind, std::move(one.network), format_));
      if (!cost.failed.empty()) throw Failure{kind + ": " + cost.failed};
      if (const std::string odd = odd_number(cost); !odd.empty()) throw Failure{kind + ": " + odd};
      if (cost.unsupported.empty()) {
        ++has;
        continue;
      }
      if (!is_reason(cost.unsupported)) throw Failure{kind + ": no clear reason"};
      lacks += (lacks.empty() ? "" : ", ") + kind;
    }
    return fmt::format("{}{}", has, lacks.empty() ? "" : "; not " + lacks);
  }

  // Calls look(name, cost) for every network of the batch that has a cost; returns how many have.
  template <typename Look>
  std::string for_every_cost(const Look& look) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      if (!costs_[i].problem().empty()) continue;
      ++count;
      const std::string wrong = look(i, costs_[i]);
      if (!wrong.empty()) throw Failure{batch_[i].name + ": " + wrong};
    }
    return fmt::format("{} networks", count);
  }

  std::string finite() const {
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      if (!costs_[i].failed.empty()) throw Failure{batch_[i].name + ": " + costs_[i].failed};
    }
    return for_every_cost([](std::size_t, const Cost& cost) { return odd_number(cost); });
  }

  std::string units() const {
    double least_w = most_power_w, most_w = 0;
    const std::string count = for_every_cost([&](std::size_t, const Cost& cost) -> std::string {
      if (cost.latency_s < least_latency_s || cost.latency_s > most_latency_s) {
        return fmt::format("{:.4g} s", cost.latency_s);
      }
      if (!device_.has_energy()) return cost.energy_j == 0 ? "" : "energy, which the model says it has not";
      if (cost.energy_j < least_energy_j || cost.energy_j > most_energy_j)
        return fmt::format("{:.4g} J", cost.energy_j);
      const double power_w = cost.energy_j / cost.latency_s;
      if (power_w < least_power_w || power_w > most_power_w) {
        return fmt::format("{:.4g} J in {:.4g} s are {:.4g} W", cost.energy_j, cost.latency_s, power_w);
      }
      least_w = std::min(least_w, power_w);
      most_w = std::max(most_w, power_w);
      return "";
    });
    return device_.has_energy() ? fmt::format("{}; {:.3g} to {:.3g} W", count, least_w, most_w) : count + "; no energy";
  }

  std::string rows() const {
    return for_every_cost([&](std::size_t i, const Cost& cost) -> std::string {
      const std::vector<NodeId> live = batch_[i].design.network.live_nodes();
      if (cost.ops.size() != live.size()) return fmt::format("{} rows for {} operators", cost.ops.size(), live.size());
      for (std::size_t k = 0; k < live.size(); ++k) {
        if (cost.ops[k].node != live[k]) return "rows in another order";
        if (cost.ops[k].latency_s > cost.latency_s * (1 + rounding)) {
          return fmt::format("operator {} takes {:.4g} s of {:.4g} s", live[k], cost.ops[k].latency_s, cost.latency_s);
        }
      }
      return "";
    });
  }

  std::string resources() const {
    const auto names = device_.resources();
    if (names.empty()) return "none";
    for_every_cost([&](std::size_t, const Cost& cost) -> std::string {
      const bool same = std::ranges::equal(cost.resources, names, {}, &ResourceUse::name);
      return same ? "" : fmt::format("{} resources for {} names", cost.resources.size(), names.size());
    });
    return fmt::format("{}", fmt::join(names, ", "));
  }

  void expect_same(std::span<const Cost> costs, const char* how) const {
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      const std::string differs = difference(costs_[i], costs[i]);
      if (!differs.empty()) throw Failure{fmt::format("{}{}: {}", batch_[i].name, how, differs)};
    }
  }

  std::string deterministic() const {
    expect_same(estimate(batch_), "");
    return fmt::format("{} networks", batch_.size());
  }

  std::string batches() const {
    estimate(std::span<const Named>());
    std::vector<Cost> costs;
    for (const Named& one : batch_) costs.push_back(estimate(one));
    expect_same(costs, " alone");
    std::vector<Named> reversed(batch_.rbegin(), batch_.rend());
    costs = estimate(reversed);
    std::ranges::reverse(costs);
    expect_same(costs, " in reverse order");
    return fmt::format("{} networks", batch_.size());
  }

  std::string threads() const {
    std::vector<std::vector<Cost>> costs(static_cast<std::size_t>(options_.threads));
    std::vector<std::exception_ptr> thrown(costs.size());
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < costs.size(); ++t) {
      threads.emplace_back([&, t] {
        try {
          costs[t] = estimate(batch_);
        } catch (...) {
          thrown[t] = std::current_exception();
        }
      });
    }
    for (std::thread& one : threads) one.join();
    for (const std::exception_ptr& one : thrown) {
      if (one) std::rethrow_exception(one);
    }
    for (const std::vector<Cost>& one : costs) expect_same(one, " in a thread");
    return fmt::format("{} networks each", batch_.size());
  }

  // Where a device gives time for resources (an FPGA folds every network to its rate), more work may be quicker with
  // more of them, but not cheaper in everything.
  std::string monotone(const ProbeShape& less, const ProbeShape& more) const {
    std::size_t compared = 0;
    for (const std::string& format : common_formats()) {
      const std::vector<Named> pair{named("less", probe_network(less), format),
                                    named("more", probe_network(more), format)};
      const std::vector<Cost> costs = estimate(pair);
      if (!costs[0].problem().empty() || !costs[1].problem().empty()) continue;
      ++compared;
      bool cheaper = costs[1].latency_s < costs[0].latency_s * (1 - rounding);
      for (std::size_t i = 0; cheaper && i < costs[0].resources.size(); ++i) {
        cheaper = costs[1].resources[i].used <= costs[0].resources[i].used;
      }
      if (cheaper) {
        throw Failure{fmt::format("{}: {:.6g} s and then {:.6g} s", format, costs[0].latency_s, costs[1].latency_s)};
      }
    }
    return compared > 0 ? fmt::format("in {} formats", compared) : "nothing to compare: the larger one does not run";
  }

  std::string widths() const {
    std::string order;
    std::optional<Cost> wider;
    std::string wider_name;
    for (const char* format : {"f32", "bf16", "int8", "int4@group32"}) {
      const Cost cost = estimate(named("a small network", probe_network({}), format));
      if (!cost.problem().empty()) continue;
      if (wider && (cost.weight_bytes > wider->weight_bytes || cost.peak_bytes > wider->peak_bytes)) {
        throw Failure{fmt::format("{}: {} B of weights, {} B at the peak; {}: {} B, {} B", wider_name,
                                  wider->weight_bytes, wider->peak_bytes, format, cost.weight_bytes, cost.peak_bytes)};
      }
      order += (order.empty() ? "" : ", ") + fmt::format("{} {} B", format, cost.weight_bytes);
      wider = cost;
      wider_name = format;
    }
    return order;
  }

  std::string speed() const {
    std::vector<double> each_s;
    for (int turn = 0; turn < 3; ++turn) {
      const auto begin = std::chrono::steady_clock::now();
      estimate(batch_);
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
      each_s.push_back(taken.count() / static_cast<double>(batch_.size()));
    }
    std::ranges::sort(each_s);
    const std::string seen = fmt::format("{:.3g} s a network", each_s[1]);
    if (each_s[1] > options_.candidate_s) throw Failure{seen};
    return seen;
  }

  const HardwareModel& device_;
  const ConformanceOptions options_;
  ConformanceResult result_;
  bool gave_up_ = false;
  std::string format_;        // the first one that has a cost
  std::vector<Named> batch_;  // small networks in every format and, last, MobileNetV2
  std::vector<Cost> costs_;   // of the batch
};

}  // namespace

std::span<const std::string> common_formats() {
  static const std::vector<std::string> formats{"f32",  "bf16",         "f16",  "int16",
                                                "int8", "int4@group32", "e4m3", "e2m1@group32"};
  return formats;
}

bool ConformanceResult::passed() const {
  return std::ranges::all_of(
      checks, [](const ConformanceCheck& one) { return one.outcome == ConformanceCheck::Outcome::passed; });
}

ConformanceResult check_conformance(const HardwareModel& device, const ConformanceOptions& options) {
  return Conformance(device, options).run();
}

}  // namespace ridgeline
