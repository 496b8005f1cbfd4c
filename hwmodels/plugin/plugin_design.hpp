// What a hardware model of the user's own is told of a design, and what is made of its answer: the same for libraries
// and programs, which only carry it differently.
//
// A plug-in is not trusted with numbers: what is not finite, negative or of another length than asked for becomes
// Cost::failed, never a cost. Its words are cut and cleaned before they are stored or shown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/hardware_model.hpp"
#include "hwmodels/layers.hpp"

namespace ridgeline {

struct PluginLayer {
  ExecutedLayer layer;
  std::string name;                  // of the operator that gives it its kind
  std::vector<std::int32_t> inputs;  // layer_inputs
};

struct PluginDesign {
  std::vector<PluginLayer> layers;  // ordered by the node they make: what a layer reads is before it
  Cost started;                     // sizes, and a row a live operator with 0 s
  const Json* hardware = nullptr;   // of the design, which must outlive this; null: none
  const Json* schedule = nullptr;
};

PluginDesign plugin_design(const Design& design);

// What a plug-in says that it gives.
struct PluginAbilities {
  bool energy = false;
  std::vector<std::string> resources;
  std::vector<double> available;  // one a resource; 0 = no limit
  std::string fingerprint;        // changes when its numbers do; empty: its files are looked at
  friend bool operator==(const PluginAbilities&, const PluginAbilities&) = default;
};
// Empty, or what is wrong with them: a resource twice, a limit that is negative or no number.
std::string problem_of(const PluginAbilities& abilities);

struct PluginAnswer {
  double latency_s = 0, energy_j = 0;
  std::vector<double> layer_latency_s, layer_energy_j;  // one a layer, or empty: not said
  std::vector<std::string> layer_bound_by;
  std::vector<double> resources;    // one of PluginAbilities::resources each, or empty where it is unsupported
  std::string unsupported, failed;  // its reasons
};

// `device`: its name, for reasons.
Cost cost_of(PluginDesign design, const PluginAbilities& abilities, const PluginAnswer& answer,
             const std::string& device);

// A plug-in's text on one line of at most `most` bytes of valid UTF-8, without control characters.
std::string plain_words(std::string_view text, std::size_t most = 300);

}  // namespace ridgeline
