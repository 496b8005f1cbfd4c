#include "experiments/report/report_colours.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "spaces/config_error.hpp"
#include "spaces/design.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_categories = 8;  // colours that can be told apart

std::string family(const Format& format) {
  switch (format.kind) {
    case Format::Kind::integer:
    case Format::Kind::unsigned_integer:
      return "integer";
    case Format::Kind::minifloat:
      return "minifloat";
    case Format::Kind::power_of_two:
      return "power of two";
    case Format::Kind::binary:
      return "binary";
    case Format::Kind::ternary:
      return "ternary";
    default:
      return "float";
  }
}

// The categories of choices; nothing where there are too many, or one.
std::optional<Colouring> grouped_by(const std::vector<std::string>& groups) {
  Colouring made;
  for (const std::string& group : groups) {
    const auto found = std::ranges::find(made.categories, group);
    made.category_of.push_back(static_cast<std::size_t>(found - made.categories.begin()));
    if (found == made.categories.end()) made.categories.push_back(group);
  }
  if (made.categories.size() < 2 || made.categories.size() > most_categories) return std::nullopt;
  return made;
}

}  // namespace

std::string format_family(const std::string& word) {
  Network one;
  Op op;
  op.kind = OpKind::linear;
  op.channels = 1;
  const NodeId node = one.add(op, {one.add_input({1, 1})});
  try {
    const OperatorFormats formats = PrecisionPlan::uniform(one, word).at(node);
    const std::string weights = family(formats.weights), activations = family(formats.activations);
    return weights == activations ? weights : weights + " / " + activations;
  } catch (const ConfigError&) {
    return "";
  }
}

std::vector<Colouring> colourings(const std::vector<std::string>& names,
                                  const std::vector<std::vector<std::string>>& choices) {
  std::vector<Colouring> found;
  for (std::size_t d = 0; d < names.size(); ++d) {
    std::optional<Colouring> one = grouped_by(choices[d]);
    if (!one && choices[d].size() > most_categories) {
      std::vector<std::string> families;
      for (const std::string& choice : choices[d]) {
        families.push_back(format_family(choice));
        if (families.back().empty()) break;
      }
      if (!families.back().empty()) one = grouped_by(families);
    }
    if (!one) continue;
    one->dimension = d;
    const auto same = std::count(names.begin(), names.end(), names[d]);
    const auto before = std::count(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(d), names[d]);
    one->label = same > 1 ? fmt::format("{} {}", names[d], before + 1) : names[d];
    found.push_back(std::move(*one));
  }
  return found;
}

}  // namespace ridgeline
