#include "hwmodels/spatial/multiply_unit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace ridgeline {
namespace {

constexpr double least_positive = 1e-30;

std::optional<std::size_t> arithmetic_at(const std::string& name) {
  const auto names = arithmetic_names();
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

// A table of numbers by "int8" or "int4*int8", as the file has it.
class PairTable {
 public:
  PairTable(JsonReader& reader, const std::string& key, std::vector<std::string>& numbers) {
    for (const auto& [name, value] : reader.members(key)) {
      const std::size_t star = name.find('*');
      const auto weights = arithmetic_at(name.substr(0, star));
      const auto activations = star == std::string::npos ? weights : arithmetic_at(name.substr(star + 1));
      if (!weights || !activations) {
        reader.note(key, "an arithmetic, or two as in \"int4*int8\"", '"' + name + '"',
                    known_words(name, arithmetic_names()));
        continue;
      }
      if (!value.value().is_number() || value.value().get<double>() < least_positive) {
        reader.note(key, "a positive number for '" + name + "'", describe(value.value()));
        continue;
      }
      rows_[{*weights, *activations}] = value.value().get<double>();
      numbers.push_back("multiplier." + key + "." + name);
    }
  }
  double at(std::size_t weights, std::size_t activations) const {
    const auto found = rows_.find({weights, activations});
    return found == rows_.end() ? 0.0 : found->second;
  }

 private:
  std::map<std::pair<std::size_t, std::size_t>, double> rows_;
};

using StandIns = std::array<std::optional<std::size_t>, arithmetic_count>;

StandIns read_stand_ins(JsonReader& reader) {
  StandIns stand_ins{};
  for (const auto& [name, value] : reader.members("format_as", false)) {
    const auto from = arithmetic_at(name);
    const auto to = value.value().is_string() ? arithmetic_at(value.value().get<std::string>()) : std::nullopt;
    if (from && to) {
      stand_ins[*from] = to;
    } else {
      reader.note("format_as", "two arithmetics", fmt::format("'{}': {}", name, describe(value.value())),
                  known_words(name, arithmetic_names()));
    }
  }
  return stand_ins;
}

double resolve(const PairTable& table, const StandIns& stand_ins, std::size_t weights, std::size_t activations) {
  if (const double own = table.at(weights, activations); own > 0) return own;
  const auto bits = [](std::size_t one) { return bits_of(static_cast<Arithmetic>(one)); };
  std::size_t wide = bits(weights) > bits(activations) ? weights : activations;
  for (std::size_t hops = 0; hops <= arithmetic_count; ++hops) {
    if (const double own = table.at(wide, wide); own > 0) return own;
    if (!stand_ins[wide]) return 0;
    wide = *stand_ins[wide];
  }
  return 0;
}

}  // namespace

MultiplyUnit MultiplyUnit::read(JsonReader& reader, std::vector<std::string>& numbers) {
  static const std::vector<std::string> kinds{"parallel", "bit-serial", "lookup"};
  MultiplyUnit unit;
  const std::string kind = reader.word("kind", kinds);
  unit.kind_ = static_cast<Kind>(std::ranges::find(kinds, kind) - kinds.begin());
  const auto number = [&](const std::string& key) {
    if (reader.has(key)) numbers.push_back("multiplier." + key);
    return reader.number(key, {.fallback = 0.0, .least = 0.0});
  };
  unit.area_mm2_ = number("mm2");
  if (unit.kind_ == Kind::parallel) {
    unit.read_parallel(reader, numbers);
  } else {
    unit.joules_per_cycle_ = number("joules_per_cycle");
    unit.energy_ = unit.joules_per_cycle_ > 0;
    unit.read_serial(reader, numbers);
  }
  if (unit.kind_ == Kind::lookup) {
    const bool symmetric = reader.boolean("symmetric", true);
    const double entry_mm2 = number("mm2_per_entry");
    unit.area_mm2_ += entry_mm2 * static_cast<double>(1 << (unit.group_ - (symmetric ? 1 : 0)));
  }
  reader.finish();
  return unit;
}

void MultiplyUnit::read_parallel(JsonReader& reader, std::vector<std::string>& numbers) {
  const PairTable cycles(reader, "cycles_per_mac", numbers);
  energy_ = reader.has("joules_per_mac");
  const std::optional<PairTable> joules =
      energy_ ? std::optional<PairTable>(PairTable(reader, "joules_per_mac", numbers)) : std::nullopt;
  const StandIns stand_ins = read_stand_ins(reader);
  for (std::size_t weights = 0; weights < arithmetic_count; ++weights) {
    for (std::size_t activations = 0; activations < arithmetic_count; ++activations) {
      cycles_[weights][activations] = resolve(cycles, stand_ins, weights, activations);
      if (!joules || cycles_[weights][activations] == 0) continue;
      joules_[weights][activations] = resolve(*joules, stand_ins, weights, activations);
      if (joules_[weights][activations] > 0) continue;
      reader.note("joules_per_mac", "every arithmetic that has cycles",
                  fmt::format("none for {} weights and {} activations", arithmetic_names()[weights],
                              arithmetic_names()[activations]));
    }
  }
}

void MultiplyUnit::read_serial(JsonReader& reader, std::vector<std::string>& numbers) {
  const auto integer = [&](const std::string& key, std::int64_t most) {
    numbers.push_back("multiplier." + key);
    return static_cast<int>(reader.integer(key, {.least = 1, .most = most}));
  };
  most_weight_bits_ = integer("most_weight_bits", 32);
  if (kind_ == Kind::lookup) {
    group_ = integer("group", 16);
  } else {
    bits_per_cycle_ = integer("bits_per_cycle", 32);
  }
  for (const std::string& name : reader.strings("activations")) {
    if (const auto at = arithmetic_at(name)) {
      activations_[*at] = true;
    } else {
      reader.note("activations", "known arithmetics", '"' + name + '"', known_words(name, arithmetic_names()));
    }
  }
}

std::optional<MacCost> MultiplyUnit::mac(const Format& weights, const Format& activations, std::string& why) const {
  const auto row = static_cast<std::size_t>(arithmetic_of(weights));
  const auto column = static_cast<std::size_t>(arithmetic_of(activations));
  if (kind_ == Kind::parallel) {
    if (cycles_[row][column] > 0) return MacCost{cycles_[row][column], joules_[row][column]};
    why = fmt::format("{} weights with {} activations", weights.text(), activations.text());
    return std::nullopt;
  }
  if (!activations_[column]) {
    why = activations.text() + " activations";
    return std::nullopt;
  }
  if (weights.width_bits > most_weight_bits_) {
    why = weights.text() + " weights";
    return std::nullopt;
  }
  MacCost cost;
  const int bits = weights.width_bits;
  cost.cycles = kind_ == Kind::lookup ? static_cast<double>(bits) / group_
                                      : static_cast<double>((bits + bits_per_cycle_ - 1) / bits_per_cycle_);
  cost.joules = joules_per_cycle_ * cost.cycles;
  return cost;
}

}  // namespace ridgeline
