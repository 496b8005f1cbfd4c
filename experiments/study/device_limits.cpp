#include "experiments/study/device_limits.hpp"

#include <algorithm>

#include "hwmodels/hardware_model.hpp"

namespace ridgeline {
namespace {

using DeviceQuantity = std::pair<std::string, std::string>;

std::string word(const Json& object, const char* key, const std::string& otherwise = {}) {
  const bool there = object.is_object() && object.contains(key) && object.at(key).is_string();
  return there ? object.at(key).get<std::string>() : otherwise;
}

DeviceQuantity cost_of(const Json& source) {
  if (word(source, "evaluator") != "cost") return {};
  return {word(source, "device"), word(source, "quantity", "latency_s")};
}

template <typename Value>
void add_once(std::vector<Value>& values, const Value& value) {
  if (std::ranges::find(values, value) == values.end()) values.push_back(value);
}

// What one reads in a study before it is known to be right.
struct Survey {
  std::vector<std::string> devices, names;
  std::vector<DeviceQuantity> limited;

  explicit Survey(const Json& study) {
    for (const char* list : {"objectives", "constraints"}) {
      if (!study.is_object() || !study.contains(list) || !study.at(list).is_array()) continue;
      for (const Json& one : study.at(list)) look(one);
    }
  }

 private:
  void look(const Json& one) {
    if (!one.is_object()) return;
    names.push_back(word(one, "name"));
    for (const char* key : {"from", "screen"}) {
      if (!one.contains(key)) continue;
      const DeviceQuantity cost = cost_of(one.at(key));
      if (cost.first.empty()) continue;
      add_once(devices, cost.first);
      if (one.contains("limit") && std::string_view(key) == "from") add_once(limited, cost);
    }
  }
};

}  // namespace

Json with_device_limits(Json study, const Resources& resources) {
  Survey survey(study);
  for (const std::string& device : survey.devices) {
    std::unique_ptr<HardwareModel> model;
    try {
      model = load_device(resources.device(device));
    } catch (const ConfigError&) {
      continue;  // said where the evaluator is made
    }
    for (const std::string& resource : model->resources()) {
      const double capacity = model->capacity(resource);
      if (capacity <= 0 || std::ranges::find(survey.limited, DeviceQuantity(device, resource)) != survey.limited.end())
        continue;
      const bool taken = std::ranges::find(survey.names, resource) != survey.names.end();
      const std::string name = taken ? resource + " of " + device : resource;
      survey.names.push_back(name);
      if (!study.contains("constraints")) study["constraints"] = Json::array();
      if (!study["constraints"].is_array()) return study;
      study["constraints"].push_back({{"name", name},
                                      {"unit", resource.ends_with("_bytes") ? "B" : ""},
                                      {"limit", capacity},
                                      {"from", {{"evaluator", "cost"}, {"device", device}, {"quantity", resource}}}});
    }
  }
  return study;
}

std::vector<std::pair<std::string, std::string>> limited_costs(const StudyConfig& study) {
  std::vector<DeviceQuantity> limited;
  for (const ObjectiveConfig& one : study.objectives) {
    if (!one.objective.limit) continue;
    if (const DeviceQuantity cost = cost_of(one.from); !cost.first.empty()) add_once(limited, cost);
  }
  return limited;
}

}  // namespace ridgeline
