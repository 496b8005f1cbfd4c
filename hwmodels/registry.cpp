#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "hwmodels/fpga.hpp"
#include "hwmodels/hardware_model.hpp"
#include "hwmodels/mcu.hpp"
#include "hwmodels/plugin/library_model.hpp"
#include "hwmodels/plugin/program_model.hpp"
#include "hwmodels/roofline.hpp"
#include "hwmodels/scheduling/heterogeneous_model.hpp"
#include "hwmodels/spatial/spatial_model.hpp"
#include "hwmodels/spatial/systolic_model.hpp"
#include "hwmodels/spiking/spiking_model.hpp"
#include "hwmodels/table_model.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

// Beyond these no number is a device's, and within them a product of three and of a count of operations is finite, also
// where one divides.
constexpr double least_number = 1e-90, most_number = 1e90;

void refuse_extreme_numbers(const Json& value, const std::string& path, JsonDocument& document) {
  if (value.is_number()) {
    const double size = std::abs(value.get<double>());
    if (size == 0.0 || (size >= least_number && size <= most_number)) return;
    document.note({document.origin(), path, "a number of a device: 0, or from 1e-90 to 1e90", value.dump(),
                   "products of it would leave the range of numbers; where something does not limit, leave it out"});
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      refuse_extreme_numbers(value[i], fmt::format("{}[{}]", path, i), document);
    }
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      refuse_extreme_numbers(member, path.empty() ? key : path + "." + key, document);
    }
  }
}

}  // namespace

std::span<const HardwareModelEntry> hardware_models() {
  static const std::array<HardwareModelEntry, 10> entries{{
      {"roofline", "hierarchical roofline over peak operations and memory bandwidths (Williams et al., 2009)",
       &RooflineModel::make},
      {"table", "sum of layer latencies learnt by calibration on the machine itself", &TableModel::make},
      {"fpga", "an accelerator of its own for every network: multiply-accumulate units of LUTs, folded to a rate",
       &FpgaModel::make},
      {"mcu", "a microcontroller: cycles a layer, activations planned in its SRAM, weights in its flash",
       &McuModel::make},
      {"systolic", "an array of multipliers behind scratchpads, weight-, input-, output- or row-stationary",
       &SystolicModel::make},
      {"spatial", "multipliers behind levels of storage, every layer mapped by search", &SpatialModel::make},
      {"heterogeneous", "accelerators of several kinds on one chip, every layer given to one of them by a schedule",
       &HeterogeneousModel::make},
      {"spiking", "spikes that accumulate against values that multiply: energy by firing rate, width and memory",
       &SpikingModel::make},
      {"library", "a shared library of the user's own, by the C interface ridgeline_hwmodel.h", &LibraryModel::make,
       true},
      {"program", "a program of the user's own, in any language, that answers JSON lines", &ProgramModel::make, true},
  }};
  return entries;
}

const ResourceUse* Cost::resource(std::string_view resource_name) const {
  const auto found = std::ranges::find(resources, resource_name, &ResourceUse::name);
  return found == resources.end() ? nullptr : &*found;
}

std::string misfit_text(const Cost& cost, const std::string& device) {
  std::string text;
  for (const ResourceUse& one : cost.resources) {
    if (one.fits()) continue;
    text += fmt::format("{}{:.0f} of {:.0f} {}", text.empty() ? "needs " : ", ", one.used, one.available, one.name);
  }
  return text.empty() ? text : fmt::format("does not fit {}: {}", device, text);
}

std::unique_ptr<HardwareModel> load_device(const std::string& path) { return make_device(JsonDocument::load(path)); }

std::unique_ptr<HardwareModel> make_device(JsonDocument document) {
  std::vector<std::string> known;
  for (const HardwareModelEntry& entry : hardware_models()) known.push_back(entry.kind);
  JsonReader root = document.root();
  const std::string kind = root.word("model", known);
  document.raise();
  for (const HardwareModelEntry& entry : hardware_models()) {
    if (entry.kind != kind) continue;
    if (!entry.plugin) {
      refuse_extreme_numbers(document.value(), "", document);
      document.raise();
    }
    return entry.make(std::move(document));
  }
  throw ConfigError(Problem{document.origin(), "model", "a known model", '"' + kind + '"', known_words(kind, known)});
}

}  // namespace ridgeline
