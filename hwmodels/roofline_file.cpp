// Reading and writing the members of a roofline in a device file.
#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/device_file.hpp"
#include "hwmodels/device_sources.hpp"
#include "hwmodels/roofline.hpp"

namespace ridgeline {
namespace {

constexpr double least_positive = 1e-30;

std::optional<std::size_t> position(std::span<const std::string> names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

class RooflineReader {
 public:
  explicit RooflineReader(JsonReader& root) : root_(root) {}

  RooflineDevice read() {
    device_.name = root_.string("name");
    device_.about = root_.string("about", "");
    device_.category = root_.string("category", "");
    read_peaks();
    read_stand_ins();
    read_memory();
    read_efficiency();
    device_.overhead_s = root_.number("overhead_s", {.fallback = 0.0, .least = 0.0});
    if (root_.has("overhead_s")) numbers_.push_back("overhead_s");
    read_energy();
    return device_;
  }

  void check(bool sources_required) { check_sources(root_, numbers_, sources_required); }

 private:
  void unknown(const char* key, const std::string& name, std::span<const std::string> known) {
    root_.note(key, "one of the known names", '"' + name + '"', known_words(name, known));
  }

  double positive(const JsonReader& value, const char* key, const std::string& name) {
    if (value.value().is_number() && value.value().get<double>() >= least_positive) return value.value().get<double>();
    root_.note(key, "a positive number for '" + name + "'", describe(value.value()));
    return 1.0;
  }

  void read_peaks() {
    for (const auto& [name, value] : root_.members("peak_ops_per_s")) {
      const auto at = position(arithmetic_names(), name);
      if (!at) {
        unknown("peak_ops_per_s", name, arithmetic_names());
        continue;
      }
      device_.peak_ops_per_s[*at] = positive(value, "peak_ops_per_s", name);
      numbers_.push_back("peak_ops_per_s." + name);
    }
    const auto& peaks = device_.peak_ops_per_s;
    if (std::all_of(peaks.begin(), peaks.end(), [](double peak) { return peak <= 0; })) {
      root_.note("peak_ops_per_s", "at least one format", "none");
    }
  }

  void read_stand_ins() {
    for (const auto& [name, value] : root_.members("format_as", false)) {
      const auto from = position(arithmetic_names(), name);
      if (!from) {
        unknown("format_as", name, arithmetic_names());
        continue;
      }
      const std::string word = value.value().is_string() ? value.value().get<std::string>() : describe(value.value());
      const auto to = position(arithmetic_names(), word);
      if (!to) unknown("format_as", word, arithmetic_names());
      if (device_.peak_ops_per_s[*from] > 0) {
        root_.note("format_as", "a format without a peak of its own", '"' + name + '"', "drop this line or the peak");
      }
      if (to) device_.format_as[*from] = static_cast<Arithmetic>(*to);
    }
    for (std::size_t i = 0; i < arithmetic_count; ++i) {
      if (device_.format_as[i] && !resolve_arithmetic(device_, static_cast<Arithmetic>(i))) {
        root_.note("format_as", "a format that has a peak, at last", arithmetic_names()[i] + " leads to none");
      }
    }
  }

  void read_memory() {
    for (JsonReader& entry : root_.array("memory")) {
      MemoryLevel level;
      level.name = entry.string("name");
      level.bytes = entry.number("bytes", {.least = 1.0});
      level.bandwidth_bytes_per_s = entry.number("bandwidth_bytes_per_s", {.least = 1.0});
      entry.finish();
      if (!device_.memory.empty() && level.bytes <= device_.memory.back().bytes) {
        entry.note("bytes", "more than the level before (innermost first)", fmt::format("{}", level.bytes));
      }
      numbers_.push_back("memory." + level.name + ".bytes");
      numbers_.push_back("memory." + level.name + ".bandwidth_bytes_per_s");
      device_.memory.push_back(std::move(level));
    }
    if (device_.memory.empty()) root_.note("memory", "at least one level", "none");
  }

  void read_efficiency() {
    for (const auto& [name, value] : root_.members("efficiency", false)) {
      const auto at = position(efficiency_class_names(), name);
      if (!at) {
        unknown("efficiency", name, efficiency_class_names());
        continue;
      }
      numbers_.push_back("efficiency." + name);
      device_.efficiency[*at] = read_curve(value, name);
    }
  }

  EfficiencyCurve read_curve(const JsonReader& value, const std::string& name) {
    EfficiencyCurve curve;
    const auto share = [](const Json& number) {
      return number.is_number() && number.get<double>() > 0.0 && number.get<double>() <= 1.0;
    };
    if (value.value().is_number()) {
      if (share(value.value()))
        curve.points = {{1.0, value.value().get<double>()}};
      else
        root_.note("efficiency", "a share of the peak in (0, 1] for '" + name + "'", describe(value.value()));
      return curve;
    }
    curve.points.clear();
    bool good = value.value().is_array() && !value.value().empty();
    for (std::size_t i = 0; good && i < value.value().size(); ++i) {
      const Json& point = value.value()[i];
      good = point.is_array() && point.size() == 2 && point[0].is_number() && point[0].get<double>() >= 1.0 &&
             share(point[1]) && (curve.points.empty() || point[0].get<double>() > curve.points.back().first);
      if (good) curve.points.emplace_back(point[0].get<double>(), point[1].get<double>());
    }
    if (good) return curve;
    root_.note("efficiency", "a number, or ascending [operations, share] pairs, for '" + name + "'",
               describe(value.value()));
    return {};
  }

  void read_energy() {
    std::optional<JsonReader> energy = root_.object("energy", false);
    if (!energy) return;
    device_.energy = true;
    device_.idle_w = energy->number("idle_w", {.fallback = 0.0, .least = 0.0});
    if (energy->has("idle_w")) numbers_.push_back("energy.idle_w");
    for (const auto& [name, value] : energy->members("joules_per_op")) {
      const auto at = position(arithmetic_names(), name);
      if (at)
        device_.joules_per_op[*at] = positive(value, "energy", name);
      else
        unknown("energy", name, arithmetic_names());
      numbers_.push_back("energy.joules_per_op." + name);
    }
    for (std::size_t i = 0; i < arithmetic_count; ++i) {
      if (device_.peak_ops_per_s[i] > 0 && device_.joules_per_op[i] <= 0) {
        energy->note("joules_per_op", "every format that has a peak", "no '" + arithmetic_names()[i] + "'");
      }
    }
    for (const auto& [name, value] : energy->members("joules_per_byte")) {
      const auto level = std::find_if(device_.memory.begin(), device_.memory.end(),
                                      [&word = name](const MemoryLevel& one) { return one.name == word; });
      if (level != device_.memory.end())
        level->joules_per_byte = positive(value, "energy", name);
      else
        energy->note("joules_per_byte", "the name of a memory level", '"' + name + '"');
      numbers_.push_back("energy.joules_per_byte." + name);
    }
    energy->finish();
  }

  JsonReader& root_;
  RooflineDevice device_;
  std::vector<std::string> numbers_;  // the path of every number that was read
};

Json curve_json(const EfficiencyCurve& curve) {
  if (curve.points.size() == 1) return curve.points.front().second;
  Json points = Json::array();
  for (const auto& [operations, share] : curve.points) points.push_back({operations, share});
  return points;
}

}  // namespace

RooflineDevice read_roofline(JsonReader& reader, bool sources_required) {
  RooflineReader roofline(reader);
  RooflineDevice device = roofline.read();
  roofline.check(sources_required);
  return device;
}

Json write_roofline(const RooflineDevice& device) {
  Json json{{"name", device.name}, {"about", device.about}, {"category", device.category}};
  json["overhead_s"] = device.overhead_s;
  for (std::size_t i = 0; i < arithmetic_count; ++i) {
    const std::string& name = arithmetic_names()[i];
    if (device.peak_ops_per_s[i] > 0) json["peak_ops_per_s"][name] = device.peak_ops_per_s[i];
    if (device.format_as[i])
      json["format_as"][name] = arithmetic_names()[static_cast<std::size_t>(*device.format_as[i])];
    if (device.energy && device.joules_per_op[i] > 0) json["energy"]["joules_per_op"][name] = device.joules_per_op[i];
  }
  json["memory"] = Json::array();
  for (const MemoryLevel& level : device.memory) {
    json["memory"].push_back(
        {{"name", level.name}, {"bytes", level.bytes}, {"bandwidth_bytes_per_s", level.bandwidth_bytes_per_s}});
    if (device.energy && level.joules_per_byte > 0)
      json["energy"]["joules_per_byte"][level.name] = level.joules_per_byte;
  }
  if (device.energy) json["energy"]["idle_w"] = device.idle_w;
  for (std::size_t i = 0; i < efficiency_class_count; ++i) {
    json["efficiency"][efficiency_class_names()[i]] = curve_json(device.efficiency[i]);
  }
  return json;
}

std::unique_ptr<HardwareModel> RooflineModel::make(JsonDocument document) {
  return std::make_unique<RooflineModel>(
      read_device_file(document, [](JsonReader& root) { return read_roofline(root, true); }));
}

}  // namespace ridgeline
