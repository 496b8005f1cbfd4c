// Reading a heterogeneous device: templates, and the accelerators that are made of them.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "hwmodels/device_sources.hpp"
#include "hwmodels/scheduling/heterogeneous_model.hpp"
#include "hwmodels/spatial/spatial_model.hpp"
#include "hwmodels/spatial/systolic_model.hpp"

namespace ridgeline {
namespace {

constexpr std::int64_t most_elements = 1 << 20;
const std::string absent = "absent";

struct Template {
  JsonDocument file;
  std::shared_ptr<HardwareModel> model;  // as it stands there
};

// The most square array: the largest number of rows that divides the elements and is no more than the columns.
std::pair<std::int64_t, std::int64_t> most_square(std::int64_t elements) {
  std::int64_t rows = 1;
  for (std::int64_t one = 2; one * one <= elements; ++one) {
    if (elements % one == 0) rows = one;
  }
  return {rows, elements / rows};
}

Json systolic_settings(const SystolicDevice& device, std::int64_t elements, double bytes_per_s) {
  const auto [rows, cols] = most_square(elements);
  const double times = static_cast<double>(elements) / static_cast<double>(device.array.units());
  return {{"array.rows", rows},
          {"array.cols", cols},
          {"scratchpad_bytes.inputs", device.scratchpad_bytes[0] * times},
          {"scratchpad_bytes.weights", device.scratchpad_bytes[1] * times},
          {"scratchpad_bytes.outputs", device.scratchpad_bytes[2] * times},
          {"vector_ops_per_s", device.vector_ops_per_s * times},
          {"dram_bytes_per_s", bytes_per_s}};
}

// Empty: `why` says what is expected.
std::optional<Json> spatial_settings(const SpatialDevice& device, std::int64_t elements, double bytes_per_s,
                                     std::string& why) {
  const std::vector<StorageLevel>& levels = device.architecture.levels;
  const auto wide = std::ranges::find_if(levels, [](const StorageLevel& level) { return level.fan_out > 1; });
  if (wide == levels.end()) {
    why = "a template with a level of fan_out above 1";
    return std::nullopt;
  }
  const std::int64_t others = device.architecture.multipliers() / wide->fan_out;
  if (elements % others != 0) {
    why = fmt::format("a multiple of {}, the multipliers of one instance of {}", others, wide->name);
    return std::nullopt;
  }
  if (levels.front().read_words_per_cycle <= 0 || levels.front().write_words_per_cycle <= 0) {
    why = fmt::format("a template whose level {} has read_words_per_cycle and write_words_per_cycle",
                      levels.front().name);
    return std::nullopt;
  }
  const double words = bytes_per_s / device.clock_hz / (bits_of(device.arithmetic) / 8.0);
  const std::string outermost = "levels." + levels.front().name;
  return Json{{"levels." + wide->name + ".fan_out", elements / others},
              {outermost + ".read_words_per_cycle", words},
              {outermost + ".write_words_per_cycle", words}};
}

class HeterogeneousReader {
 public:
  explicit HeterogeneousReader(JsonDocument& document) : document_(document), root_(document.root()) {}

  HeterogeneousDevice read() {
    root_.integer("ridgeline_device", {.least = 1, .most = 1});
    root_.string("model");
    root_.any("derived");  // factors of derived numbers, for the reader and the tests
    device_.name = root_.string("name");
    device_.about = root_.string("about", "");
    device_.category = root_.string("category", "");
    numbers_ = {"elements", "dram_bytes_per_s"};
    device_.elements = root_.integer("elements", {.least = 1, .most = most_elements});
    device_.dram_bytes_per_s = root_.number("dram_bytes_per_s", {.least = 1.0});
    read_interconnect();
    read_limits();
    read_templates();
    document_.raise();
    for (JsonReader& reader : root_.array("accelerators")) read_accelerator(reader);
    if (names_.empty()) root_.note("accelerators", "at least one accelerator", "none");
    check_sources(root_, numbers_, true);
    root_.finish();
    document_.raise();
    if (device_.accelerators.empty()) {
      root_.note("accelerators", "at least one accelerator that is not absent", "none");
      document_.raise();
    }
    finish();
    return std::move(device_);
  }

 private:
  void read_interconnect() {
    std::optional<JsonReader> link = root_.object("interconnect");
    if (!link) return;
    const auto number = [&](const char* key, double least, std::optional<double> fallback) {
      if (link->has(key)) numbers_.push_back(std::string("interconnect.") + key);
      return link->number(key, {.fallback = fallback, .least = least});
    };
    device_.link_bytes_per_s = number("bytes_per_s", 1.0, std::nullopt);
    device_.link_joules_per_byte = number("joules_per_byte", 0.0, std::nullopt);
    device_.link_overhead_s = number("overhead_s", 0.0, 0.0);
    device_.link_mm2 = number("mm2", 0.0, 0.0);
    link->finish();
  }

  void read_limits() {
    std::optional<JsonReader> limits = root_.object("limits", false);
    if (!limits) return;
    numbers_.emplace_back("limits.area_mm2");
    device_.most_mm2 = limits->number("area_mm2", {.least = 1e-9});
    limits->finish();
  }

  void read_templates() {
    std::vector<std::pair<std::string, JsonReader>> templates = root_.members("templates");
    if (root_.has("templates") && templates.empty()) root_.note("templates", "at least one template", "none");
    for (auto& [name, reader] : templates) {
      if (name == absent) reader.note("", "another name than \"absent\"", absent);
      if (!reader.value().is_object()) {
        reader.note("", "a device file of the model \"systolic\" or \"spatial\"", ridgeline::describe(reader.value()));
        continue;
      }
      Json value = reader.value();
      value["ridgeline_device"] = 1;
      const Json model = value.value("model", Json());
      if (model != "systolic" && model != "spatial") {
        reader.note("model", "\"systolic\" or \"spatial\"", ridgeline::describe(model));
        continue;
      }
      try {
        JsonDocument file = JsonDocument::from_value(std::move(value), document_.origin() + ", templates." + name);
        std::shared_ptr<HardwareModel> made = make_device(JsonDocument::from_value(file.value(), file.origin()));
        templates_.emplace(name, Template{std::move(file), std::move(made)});
      } catch (const ConfigError& error) {
        for (const Problem& problem : error.problems()) document_.note(problem);
      }
    }
  }

  void read_accelerator(JsonReader& reader) {
    std::vector<std::string> kinds{absent};
    for (const auto& [name, unused] : templates_) kinds.push_back(name);
    SubAccelerator one;
    one.name = reader.string("name");
    if (std::ranges::find(names_, one.name) != names_.end()) reader.note("name", "every name once", one.name);
    names_.push_back(one.name);
    one.kind = reader.word("template", kinds);
    one.elements = reader.integer("elements", {.least = 1, .most = most_elements});
    one.bandwidth_percent = reader.number("bandwidth_percent", {.least = 1e-6, .most = 100.0});
    numbers_.push_back("accelerators." + one.name + ".elements");
    numbers_.push_back("accelerators." + one.name + ".bandwidth_percent");
    reader.finish();
    const auto found = templates_.find(one.kind);
    if (found == templates_.end() || !document_.problems().empty()) return;
    make_model(reader, found->second, one);
    if (one.model) device_.accelerators.push_back(std::move(one));
  }

  void make_model(JsonReader& reader, const Template& made_of, SubAccelerator& one) {
    const double bytes_per_s = device_.dram_bytes_per_s * one.bandwidth_percent / 100.0;
    std::optional<Json> settings;
    std::string why;
    if (const auto* systolic = dynamic_cast<const SystolicModel*>(made_of.model.get())) {
      settings = systolic_settings(systolic->device(), one.elements, bytes_per_s);
    } else if (const auto* spatial = dynamic_cast<const SpatialModel*>(made_of.model.get())) {
      settings = spatial_settings(spatial->device(), one.elements, bytes_per_s, why);
    }
    if (!settings) return reader.note("elements", why, std::to_string(one.elements));
    try {
      const std::shared_ptr<const HardwareModel> model = make_device(with_settings(made_of.file, *settings));
      one.model = std::dynamic_pointer_cast<const LayerwiseModel>(model);
    } catch (const ConfigError& error) {  // an array too long for its model, a bandwidth of less than a byte
      const Problem& problem = error.problems().front();
      reader.note("", fmt::format("{} to be {}", problem.path, problem.expected), problem.found);
      return;
    }
    if (const auto* systolic = dynamic_cast<const SystolicModel*>(one.model.get())) {
      one.area_mm2 = systolic->device().area ? systolic->device().area_mm2() : 0.0;
    }
  }

  // What the device states it states whichever accelerators are there: by all templates.
  void finish() {
    const auto has_area = [](const Template& one) {
      const auto* const systolic = dynamic_cast<const SystolicModel*>(one.model.get());
      return systolic != nullptr && systolic->device().area;
    };
    device_.energy = std::ranges::all_of(templates_, [](const auto& one) { return one.second.model->has_energy(); });
    device_.area = std::ranges::all_of(templates_, [&](const auto& one) { return has_area(one.second); });
    if (device_.most_mm2 > 0 && !device_.area) {
      root_.note("limits.area_mm2", "templates that all have an area", "one without");
      document_.raise();
    }
  }

  JsonDocument& document_;
  JsonReader root_;
  HeterogeneousDevice device_;
  std::map<std::string, Template> templates_;
  std::vector<std::string> names_, numbers_;  // of accelerators; the path of every number that was read
};

}  // namespace

std::unique_ptr<HardwareModel> HeterogeneousModel::make(JsonDocument document) {
  return std::make_unique<HeterogeneousModel>(HeterogeneousReader(document).read());
}

}  // namespace ridgeline
