#include "experiments/report/report_units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace ridgeline {
namespace {

struct Prefix {
  double factor;
  const char* text;
};

constexpr std::array<Prefix, 4> smaller{{{1.0, ""}, {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}}};
constexpr std::array<Prefix, 5> larger{{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1.0, ""}}};

bool scales_down(std::string_view unit) { return unit == "s" || unit == "J" || unit == "W"; }

bool scales_up(std::string_view unit) {
  return unit.empty() || unit == "1" || unit == "B" || unit == "MAC" || unit == "MACs" || unit == "parameters" ||
         unit == "op" || unit == "ops";
}

// "k" + "B" = "kB"; a prefix before a word stands apart: "M MACs".
std::string joined(const char* prefix, std::string_view unit) {
  const bool is_word = unit.size() > 2;
  if (unit == "1") unit = "";
  return is_word && *prefix != '\0' ? fmt::format("{} {}", prefix, unit) : fmt::format("{}{}", prefix, unit);
}

template <std::size_t n>
Prefix pick(const std::array<Prefix, n>& prefixes, double typical) {
  for (const Prefix& prefix : prefixes) {
    if (typical >= prefix.factor * 0.9995) return prefix;
  }
  return prefixes.back();
}

}  // namespace

std::string UnitScale::number(double natural) const {
  const double shown = natural / factor;
  const double rounded = std::abs(shown) < 0.5 * std::pow(10.0, -decimals) ? 0.0 : shown;  // no "-0.00"
  return fmt::format("{:.{}f}", rounded, decimals);
}

std::string UnitScale::text(double natural) const {
  return unit.empty() ? number(natural) : fmt::format("{} {}", number(natural), unit);
}

std::string UnitScale::heading(std::string_view label) const {
  return unit.empty() ? std::string(label) : fmt::format("{} ({})", label, unit);
}

UnitScale scale_for(std::span<const double> values, std::string_view unit) {
  double least = 0, most = 0;
  bool whole = true;
  for (const double value : values) {
    const double size = std::abs(value);
    whole = whole && value == std::round(value);
    if (size == 0) continue;
    least = least == 0 ? size : std::min(least, size);
    most = std::max(most, size);
  }
  UnitScale scale;
  scale.unit = unit == "1" ? "" : std::string(unit);
  if (most == 0) {
    scale.decimals = 0;
    return scale;
  }
  if (scales_down(unit) || scales_up(unit)) {
    const double typical = std::sqrt(least * most);  // the middle of the range, in orders of magnitude
    Prefix prefix = scales_down(unit) ? pick(smaller, typical) : pick(larger, typical);
    if (unit.empty() && typical < 1e5) prefix = {1.0, ""};  // a score of 1,234 is no "1.234 k"
    scale.factor = prefix.factor;
    scale.unit = joined(prefix.text, unit);
  }
  const double digits = std::floor(std::log10(least / scale.factor));
  scale.decimals = std::clamp(3 - static_cast<int>(digits), 0, 5);
  if (whole && scale.factor == 1.0) scale.decimals = 0;
  return scale;
}

std::string pretty(double natural, std::string_view unit) {
  return scale_for(std::span<const double>(&natural, 1), unit).text(natural);
}

std::string grouped(std::int64_t count) {
  const std::string digits = std::to_string(count);
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > first && (digits.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}

std::string percent(double share, int decimals) { return fmt::format("{:.{}f} %", share * 100.0, decimals); }

std::string duration(double seconds) {
  if (seconds < 1.0) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 10.0) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string plain_name(std::string_view name, std::string_view unit) {
  const auto strip = [&](std::string_view suffix) {
    if (name.ends_with(suffix) && name.size() > suffix.size()) name.remove_suffix(suffix.size());
  };
  if (unit == "s") strip("_s");
  if (unit == "J") strip("_j");
  if (unit == "B") strip("_bytes");
  return std::string(name);
}

}  // namespace ridgeline
