// "cost": what a described device's model estimates.

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>

#include "experiments/device_costs.hpp"
#include "experiments/evaluators.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {

DeviceCosts::Device& DeviceCosts::device(const std::string& path) {
  const auto known = devices_.find(path);
  if (known != devices_.end()) return known->second;
  Device made;
  made.file = JsonDocument::load(path);
  made.model = load_device(path);
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  Hasher hash;
  hash.add(std::string_view(text.str()));
  if (const std::uint64_t contents = made.model->contents_hash(); contents != 0) hash.add(contents);
  made.fingerprint = hash.value();
  return devices_.emplace(path, std::move(made)).first->second;
}

const HardwareModel& DeviceCosts::model(const std::string& path) { return *device(path).model; }

std::uint64_t DeviceCosts::fingerprint(const std::string& path) { return device(path).fingerprint; }

std::vector<const Cost*> DeviceCosts::estimate(const std::string& path, std::span<const Candidate> candidates,
                                               WorkerPool* pool) {
  Device& device = this->device(path);
  const auto is_known = [&](const Candidate& candidate) {
    return candidate.function_hash != 0 && device.known.contains(candidate.function_hash);
  };
  if (!std::all_of(candidates.begin(), candidates.end(), is_known)) {
    device.known.clear();
    device.costs.assign(candidates.size(), {});
    for (const Candidate& candidate : candidates) prepare(device, *candidate.design);
    const bool own =
        std::ranges::any_of(candidates, [](const Candidate& one) { return one.design->hardware != nullptr; });
    if (device.model->in_batches() && !own) {
      std::vector<Design> designs;
      designs.reserve(candidates.size());
      for (const Candidate& candidate : candidates) designs.push_back(*candidate.design);
      device.model->estimate(designs, device.costs);
    } else {
      for_each(pool, candidates.size(),
               [&](std::size_t i) { estimate_one(device, *candidates[i].design, device.costs[i]); });
    }
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i].function_hash != 0) device.known.emplace(candidates[i].function_hash, i);
    }
  }
  std::vector<const Cost*> costs;
  costs.reserve(candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const bool shared = candidates[i].function_hash != 0;
    costs.push_back(&device.costs[shared ? device.known.at(candidates[i].function_hash) : i]);
  }
  return costs;
}

// Makes the model of a candidate's own hardware, once for all candidates that have it.
void DeviceCosts::prepare(Device& device, const Design& design) {
  if (!design.hardware) return;
  const std::string settings = design.hardware->dump();
  if (device.changed.contains(settings)) return;
  try {
    device.changed[settings] = make_device(with_settings(*device.file, *design.hardware));
  } catch (const ConfigError& error) {
    device.changed[settings] = nullptr;
    const Problem& problem = error.problems().front();
    device.refusals[settings] =
        fmt::format("hardware {}: expected {}, found {}", problem.path, problem.expected, problem.found);
  }
}

void DeviceCosts::estimate_one(const Device& device, const Design& design, Cost& cost) {
  const HardwareModel* model = device.model.get();
  if (design.hardware) {
    const std::string settings = design.hardware->dump();
    model = device.changed.at(settings).get();
    if (model == nullptr) {
      cost = Cost{};
      cost.unsupported = device.refusals.at(settings);
      return;
    }
  }
  model->estimate(std::span(&design, 1), std::span(&cost, 1));
}

std::unique_ptr<HardwareModel> load_device_for(const std::string& path, const Design& design, std::string* without) {
  if (!design.hardware) return load_device(path);
  std::optional<JsonDocument> changed;
  try {
    changed = with_settings(JsonDocument::load(path), *design.hardware);
  } catch (const ConfigError& error) {
    if (without != nullptr) *without = error.problems().front().text();
    return load_device(path);
  }
  return make_device(std::move(*changed));
}

namespace {

using Quantity = std::function<double(const Cost&)>;

const std::vector<std::string> every_models{"latency_s", "energy_j", "peak_bytes", "weight_bytes"};

Quantity find_quantity(const std::string& name) {
  if (std::ranges::find(every_models, name) == every_models.end()) {
    return [name](const Cost& cost) { return cost.resource(name)->used; };
  }
  if (name == "energy_j") return [](const Cost& cost) { return cost.energy_j; };
  if (name == "peak_bytes") return [](const Cost& cost) { return static_cast<double>(cost.peak_bytes); };
  if (name == "weight_bytes") return [](const Cost& cost) { return static_cast<double>(cost.weight_bytes); };
  return [](const Cost& cost) { return cost.latency_s; };
}

class CostEvaluator : public Evaluator {
 public:
  CostEvaluator(std::string path, std::string device, const std::string& quantity, const EvaluatorSetup& setup)
      : path_(std::move(path)),
        device_(std::move(device)),
        quantity_(find_quantity(quantity)),
        unit_(quantity == "latency_s"        ? "s"
              : quantity == "energy_j"       ? "J"
              : quantity.ends_with("_bytes") ? "B"
                                             : ""),
        pool_(setup.pool),
        limits_(setup.limited_costs),
        costs_(setup.costs ? setup.costs : std::make_shared<DeviceCosts>()) {}

  Fidelity fidelity() const override { return Fidelity::analytic; }
  std::uint64_t fingerprint() const override { return costs_->fingerprint(path_); }
  std::string unit() const override { return unit_; }
  const HardwareModel& model() const { return costs_->model(path_); }

  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    const std::vector<const Cost*> costs = costs_->estimate(path_, candidates, pool_);
    const bool limited = all_limited();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const bool judged_by_limits = limited && costs[i]->failed.empty() && scarce(*costs[i]) != nullptr;
      if (costs[i]->problem().empty() || judged_by_limits) {
        scores[i].value = quantity_(*costs[i]);
      } else if (!costs[i]->failed.empty()) {
        scores[i].status = Status::failed;
        scores[i].reason = costs[i]->failed;
      } else {
        scores[i].status = Status::unsupported;
        scores[i].reason = reason_of(*costs[i]);
      }
    }
  }

 private:
  // Does the study limit all that the device has only so much of?
  bool all_limited() const {
    return std::ranges::all_of(model().resources(), [&](const std::string& resource) {
      return model().capacity(resource) <= 0 ||
             std::ranges::find(limits_, std::pair(device_, resource)) != limits_.end();
    });
  }

  static const ResourceUse* scarce(const Cost& cost) {
    const auto found = std::ranges::find_if(cost.resources, [](const ResourceUse& one) { return !one.fits(); });
    return found == cost.resources.end() ? nullptr : &*found;
  }

  // Without the design's own numbers, so that reasons can be counted.
  std::string reason_of(const Cost& cost) const {
    const ResourceUse* const missing = scarce(cost);
    return missing == nullptr ? cost.unsupported : fmt::format("{} has too few {}", model().name(), missing->name);
  }

  std::string path_, device_;  // the file, and as named
  Quantity quantity_;
  std::string unit_;
  WorkerPool* pool_;
  std::vector<std::pair<std::string, std::string>> limits_;
  std::shared_ptr<DeviceCosts> costs_;
};

// Of the shipped ones, by their files alone.
std::string devices_with_energy(const Resources& resources) {
  std::string names;
  for (const std::string& name : resources.devices()) {
    const JsonDocument file = JsonDocument::load(resources.device(name));
    if (file.value().contains("energy") || file.value().value("model", "") == "spatial" ||
        file.value().value("model", "") == "heterogeneous") {
      names += (names.empty() ? "" : ", ") + name;
    }
  }
  return names;
}

}  // namespace

std::unique_ptr<Evaluator> make_cost_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  const std::string device = options.string("device");
  const std::string quantity = options.string("quantity", "latency_s");
  options.finish();
  if (device.empty()) return nullptr;
  std::string path;
  try {
    path = setup.resources->device(device);
  } catch (const ConfigError& error) {
    const Problem& problem = error.problems().front();
    options.note("device", problem.expected, problem.found, problem.remedy);
    return nullptr;
  }
  auto evaluator = std::make_unique<CostEvaluator>(path, device, quantity, setup);
  std::vector<std::string> quantities = every_models;
  std::ranges::copy(evaluator->model().resources(), std::back_inserter(quantities));
  if (std::ranges::find(quantities, quantity) == quantities.end()) {
    options.note("quantity", "a quantity that the device's model gives", '"' + quantity + '"',
                 known_words(quantity, quantities));
    return nullptr;
  }
  if (quantity == "energy_j" && !evaluator->model().has_energy()) {
    options.note("quantity", "a quantity that the device states", "'energy_j'",
                 fmt::format("{} gives no energy figures; {} do", path, devices_with_energy(*setup.resources)));
  }
  return evaluator;
}

}  // namespace ridgeline
