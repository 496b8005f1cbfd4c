#include "experiments/quantization/layer_costs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <stdexcept>

#include "kernels/statistics.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

// The part with what may differ between parts that are alike set to 0.
PlanPart like(PlanPart part) {
  if (part.kind == PlanPart::Kind::op) part.to = 0;
  if (part.kind == PlanPart::Kind::other) part.from = part.to = 0;
  part.result = part.node;
  part.context = 0;
  return part;
}

bool converts(const PlanPart& part) { return part.kind == PlanPart::Kind::store || part.kind == PlanPart::Kind::fetch; }

std::vector<std::string> words_of(const std::vector<Format>& formats) {
  std::vector<std::string> words;
  for (const Format& format : formats) words.push_back(format.text());
  return words;
}

void check_fit(const PlanParts& parts, const LayerCosts& costs) {
  const PlanSpace& space = parts.space();
  const auto refuse = [](const std::string& what, const std::string& expected, const std::string& found) {
    throw ConfigError(Problem{"layer costs", what, expected, found, "measure them again"});
  };
  const std::uint64_t hash = structural_hash(space.design.network);
  if (costs.network_hash != hash) refuse("network", hex64(hash), hex64(costs.network_hash));
  const auto same = [&](const char* what, const std::vector<std::string>& wanted,
                        const std::vector<std::string>& found) {
    if (wanted == found) return;
    refuse(what, fmt::format("{}", fmt::join(wanted, ", ")), fmt::format("{}", fmt::join(found, ", ")));
  };
  same("operators", space.names, costs.names);
  same("formats", space.words, costs.words);
  same("tensor_formats", words_of(parts.tensor_formats()), costs.tensor_words);
  for (const PartCost& cost : costs.parts) {
    if (std::max(cost.part.node, cost.part.result) < space.design.network.size()) continue;
    refuse("parts", "nodes of the network", fmt::format("node {}", std::max(cost.part.node, cost.part.result)));
  }
}

template <typename Key>
std::map<Key, double> medians(const std::map<Key, std::vector<double>>& samples) {
  std::map<Key, double> middle;
  for (const auto& [key, values] : samples) middle[key] = median(values);
  return middle;
}

}  // namespace

double LatencyParts::total_s() const {
  return std::accumulate(operators_s.begin(), operators_s.end(), conversions_s + other_s);
}

PlanLatency::PlanLatency(const PlanSpace& space, LayerCosts costs) : costs_(std::move(costs)), parts_(space) {
  check_fit(parts_, costs_);
  for (std::size_t d = 0; d < space.names.size(); ++d) {
    choices_.emplace_back();
    for (std::size_t c = 0; c < space.words.size(); ++c) {
      const bool out = std::ranges::any_of(costs_.left_out,
                                           [&](const LeftOut& one) { return one.dimension == d && one.choice == c; });
      if (!out) choices_.back().push_back(static_cast<std::uint16_t>(c));
    }
    if (!choices_.back().empty()) continue;
    throw ConfigError(Problem{"layer costs", "left_out", "a format for every operator", "none for " + space.names[d],
                              "measure them again"});
  }
  for (const PartCost& cost : costs_.parts) seconds_[cost.part] = costs_.factor * cost.seconds;
  learn_likes();
}

void PlanLatency::learn_likes() {
  std::map<PlanPart, std::vector<double>> likes, elsewhere;
  std::map<std::tuple<PlanPart::Kind, std::uint8_t, std::uint8_t>, std::vector<double>> per_element;
  for (const auto& [part, seconds] : seconds_) {
    elsewhere[without_context(part)].push_back(seconds);
    likes[like(part)].push_back(seconds);
    if (!converts(part)) continue;
    const auto size = static_cast<double>(elements(space().design.network.shape(part.node)));
    per_element[{part.kind, part.from, part.to}].push_back(seconds / size);
  }
  elsewhere_ = medians(elsewhere);
  likes_ = medians(likes);
  element_s_ = medians(per_element);
}

double PlanLatency::cost_of(const PlanPart& part) const {
  if (const auto known = seconds_.find(part); known != seconds_.end()) return known->second;
  if (const auto known = elsewhere_.find(without_context(part)); known != elsewhere_.end()) return known->second;
  if (const auto alike = likes_.find(like(part)); alike != likes_.end()) return alike->second;
  if (!converts(part)) return 0.0;
  const auto rate = element_s_.find({part.kind, part.from, part.to});
  if (rate == element_s_.end()) return 0.0;
  return rate->second * static_cast<double>(elements(space().design.network.shape(part.node)));
}

LatencyParts PlanLatency::break_down(std::span<const std::uint16_t> genes) const {
  if (genes.size() != choices_.size()) throw std::invalid_argument("a plan has one choice a dimension");
  for (std::size_t d = 0; d < choices_.size(); ++d) {
    if (std::ranges::binary_search(choices_[d], genes[d])) continue;
    throw std::invalid_argument(space().names[d] + " has no such choice on this machine");
  }
  LatencyParts latency{std::vector<double>(choices_.size(), 0.0), 0.0, 0.0};
  for (const PlanPart& part : parts_.of(genes)) {
    const double seconds = cost_of(part);
    if (part.kind == PlanPart::Kind::op) {
      latency.operators_s[*parts_.dimension_of(part.node)] += seconds;
    } else {
      (converts(part) ? latency.conversions_s : latency.other_s) += seconds;
    }
  }
  return latency;
}

std::vector<LayerCostRow> layer_cost_rows(const PlanLatency& latency) {
  std::map<PlanPart, const PartCost*> known;
  for (const PartCost& cost : latency.costs().parts) known[cost.part] = &cost;
  const PlanSpace& space = latency.space();
  std::vector<LayerCostRow> rows;
  for (std::size_t d = 0; d < space.names.size(); ++d) {
    for (const std::uint16_t choice : latency.choices(d)) {
      std::vector<std::uint16_t> genes;
      for (std::size_t other = 0; other < space.names.size(); ++other) {
        const auto& can = latency.choices(other);
        genes.push_back(std::ranges::binary_search(can, choice) ? choice : can.front());
      }
      for (const PlanPart& part : latency.parts().of(genes)) {
        if (part.kind != PlanPart::Kind::op || latency.parts().dimension_of(part.node) != d) continue;
        const auto found = known.find(part);
        if (found == known.end()) continue;
        const PartCost& cost = *found->second;
        const std::string& own = space.design.network.name(part.node);
        const std::string& name = space.members[d].size() == 1 || own.empty() ? space.names[d] : own;
        rows.push_back({name, space.words[choice], latency.costs().factor * cost.seconds,
                        latency.costs().factor * cost.mad_s, cost.plans, cost.signature});
      }
    }
  }
  return rows;
}

std::vector<LayerCostRow> conversion_rows(const PlanLatency& latency) {
  std::map<PlanPart, std::vector<const PartCost*>> by_formats;
  for (const PartCost& cost : latency.costs().parts) {
    if (converts(cost.part) && cost.seconds > 0) by_formats[without_context(cost.part)].push_back(&cost);
  }
  const Network& network = latency.space().design.network;
  const std::vector<std::string>& words = latency.costs().tensor_words;
  std::vector<LayerCostRow> rows;
  for (const auto& [part, costs] : by_formats) {
    const std::string& own = network.name(part.node);
    LayerCostRow row{own.empty() ? fmt::format("{}_{}", name_of(network.op(part.node).kind), part.node) : own,
                     fmt::format("{} > {}", words[part.from], words[part.to])};
    std::vector<double> seconds, mads;
    for (const PartCost* cost : costs) {
      seconds.push_back(latency.costs().factor * cost->seconds);
      mads.push_back(latency.costs().factor * cost->mad_s);
      row.plans += cost->plans;
      row.signature = cost->signature;
    }
    row.latency_s = median(seconds);
    row.mad_s = median(mads);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<LayerLatency> layer_latencies(const PlanLatency& latency) {
  std::map<std::pair<std::string, std::string>, std::vector<LayerCostRow>> by_code;  // operators that run the same code
  for (LayerCostRow& row : layer_cost_rows(latency)) {
    std::string signature = row.signature;
    by_code[{std::move(signature), row.format}].push_back(std::move(row));
  }
  std::vector<LayerLatency> layers;
  for (const auto& [code, rows] : by_code) {
    std::vector<double> seconds, mads;
    std::int64_t samples = 0;
    for (const LayerCostRow& row : rows) {
      seconds.push_back(row.latency_s);
      mads.push_back(row.mad_s);
      samples += row.plans;
    }
    layers.push_back({code.first, code.second, latency.costs().threads, median(seconds), median(mads), samples});
  }
  return layers;
}

}  // namespace ridgeline
