// Reading a systolic array from a device file.
#include <algorithm>

#include "hwmodels/device_file.hpp"
#include "hwmodels/device_sources.hpp"
#include "hwmodels/spatial/systolic_model.hpp"

namespace ridgeline {
namespace {

constexpr double positive = 1e-30;

// One object of the file: its numbers, and their paths for the sources.
class Section {
 public:
  Section(JsonReader& root, const std::string& key, bool required, std::vector<std::string>& numbers)
      : reader_(root.object(key, required)), key_(key), numbers_(numbers) {}
  explicit operator bool() const { return reader_.has_value(); }

  double number(const std::string& name, double least, std::optional<double> fallback = std::nullopt) {
    if (!reader_) return 0;
    if (reader_->has(name)) numbers_.push_back(key_ + "." + name);
    return reader_->number(name, {.fallback = fallback, .least = least});
  }
  std::int64_t integer(const std::string& name, std::int64_t least, std::int64_t most) {
    if (!reader_) return least;
    numbers_.push_back(key_ + "." + name);
    return reader_->integer(name, {.least = least, .most = most});
  }
  JsonReader& reader() { return *reader_; }
  void finish() {
    if (reader_) reader_->finish();
  }

 private:
  std::optional<JsonReader> reader_;
  std::string key_;
  std::vector<std::string>& numbers_;
};

}  // namespace

SystolicDevice read_systolic(JsonReader& root) {
  SystolicDevice device;
  std::vector<std::string> numbers;
  const auto number = [&](const std::string& key, double least, std::optional<double> fallback = std::nullopt) {
    if (root.has(key)) numbers.push_back(key);
    return root.number(key, {.fallback = fallback, .least = least});
  };
  device.name = root.string("name");
  device.about = root.string("about", "");
  device.category = root.string("category", "");
  if (Section array(root, "array", true, numbers); array) {
    constexpr std::int64_t most_units = 65'536;  // along one side
    device.array.rows = static_cast<int>(array.integer("rows", 1, most_units));
    device.array.cols = static_cast<int>(array.integer("cols", 1, most_units));
    const std::string dataflow = array.reader().word("dataflow", dataflow_names());
    device.array.dataflow =
        static_cast<Dataflow>(std::ranges::find(dataflow_names(), dataflow) - dataflow_names().begin());
    array.finish();
  }
  if (std::optional<JsonReader> unit = root.object("multiplier")) device.unit = MultiplyUnit::read(*unit, numbers);
  device.clock_hz = number("clock_hz", 1.0);
  Section scratchpads(root, "scratchpad_bytes", true, numbers);
  for (std::size_t i = 0; i < 3; ++i) {
    static const std::array<std::string, 3> names{"inputs", "weights", "outputs"};
    device.scratchpad_bytes[i] = scratchpads.number(names[i], 1.0);
  }
  scratchpads.finish();
  device.dram_bytes_per_s = number("dram_bytes_per_s", 1.0);
  device.vector_ops_per_s = number("vector_ops_per_s", 1.0);
  device.overhead_s = number("overhead_s", 0.0, 0.0);
  if (Section energy(root, "energy", false, numbers); energy) {
    device.energy = true;
    device.joules_per_scratchpad_byte = energy.number("joules_per_scratchpad_byte", positive);
    device.joules_per_dram_byte = energy.number("joules_per_dram_byte", positive);
    device.idle_w = energy.number("idle_w", 0.0, 0.0);
    energy.finish();
    if (!device.unit.has_energy()) {
      root.note("multiplier", "the energy of a multiply-accumulate beside \"energy\"", "none",
                "add \"joules_per_mac\" (parallel) or \"joules_per_cycle\"");
    }
  }
  if (Section area(root, "area", false, numbers); area) {
    device.area = true;
    device.mm2_per_scratchpad_byte = area.number("mm2_per_scratchpad_byte", 0.0, 0.0);
    device.fixed_mm2 = area.number("fixed_mm2", 0.0, 0.0);
    area.finish();
  }
  check_sources(root, numbers, true);
  return device;
}

std::unique_ptr<HardwareModel> SystolicModel::make(JsonDocument document) {
  return std::make_unique<SystolicModel>(read_device_file(document, read_systolic));
}

}  // namespace ridgeline
