#include "hwmodels/spiking/operation_energy.hpp"

#include <cmath>

namespace ridgeline {
namespace {

EnergyCurve read_curve(JsonReader& parent, const std::string& key) {
  EnergyCurve curve;
  const std::string expected = "two or more [bits, joules] pairs, both rising and positive";
  const Json* const value = parent.any(key, true);
  bool good = value != nullptr && value->is_array() && value->size() >= 2;
  for (std::size_t i = 0; good && i < value->size(); ++i) {
    const Json& point = (*value)[i];
    good = point.is_array() && point.size() == 2 && point[0].is_number() && point[1].is_number() &&
           point[0].get<double>() > 0 && point[1].get<double>() > 0 &&
           (i == 0 || (point[0].get<double>() > curve.points.back().first &&
                       point[1].get<double>() > curve.points.back().second));
    if (good) curve.points.emplace_back(point[0].get<double>(), point[1].get<double>());
  }
  if (good) return curve;
  if (value != nullptr) parent.note(key, expected, describe(*value), "for example [[8, 3e-14], [32, 1e-13]]");
  return {{{8.0, 1.0}, {32.0, 2.0}}};  // the file is refused
}

}  // namespace

double EnergyCurve::at(double bits) const {
  std::size_t next = 1;
  while (next + 1 < points.size() && bits > points[next].first) ++next;
  const auto& [b0, e0] = points[next - 1];
  const auto& [b1, e1] = points[next];
  if (bits == b0) return e0;
  if (bits == b1) return e1;
  return e0 * std::pow(bits / b0, std::log(e1 / e0) / std::log(b1 / b0));
}

bool is_integer(const Format& format) { return format.is_quantized() && format.kind != Format::Kind::minifloat; }

double OperationEnergy::multiply_j(const Format& a, const Format& b) const {
  const EnergyCurve& curve = is_integer(a) && is_integer(b) ? integer_multiply : float_multiply;
  if (a.width_bits == b.width_bits) return curve.at(a.width_bits);
  return curve.at(std::sqrt(static_cast<double>(a.width_bits) * b.width_bits));
}

OperationEnergy read_operation_energy(JsonReader& root, std::vector<std::string>& numbers) {
  OperationEnergy energy;
  std::optional<JsonReader> object = root.object("energy");
  if (!object) return energy;
  const auto kind = [&](const std::string& name, EnergyCurve& add, EnergyCurve& multiply) {
    std::optional<JsonReader> curves = object->object(name);
    if (!curves) return;
    add = read_curve(*curves, "add_j");
    multiply = read_curve(*curves, "multiply_j");
    numbers.push_back("energy." + name + ".add_j");
    numbers.push_back("energy." + name + ".multiply_j");
    curves->finish();
  };
  kind("integer", energy.integer_add, energy.integer_multiply);
  kind("float", energy.float_add, energy.float_multiply);
  object->finish();
  return energy;
}

}  // namespace ridgeline
