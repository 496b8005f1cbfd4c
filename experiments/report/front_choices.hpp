// Why a search chose what it chose: what the members of its front have of one dimension, such as the kind of a block,
// beside the measured time of the operators that each choice would have meant there; and what number formats do to the
// time of each class of operator in the same networks.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/report/report.hpp"
#include "experiments/resources.hpp"
#include "experiments/store/store.hpp"

namespace ridgeline {

struct FrontChoicesOptions {
  std::string study;
  std::string dimension;    // declared name, all its elements; or one element's full name
  std::size_t members = 4;  // of the front, whose networks are timed, spread over it
  int threads = 1;
  std::function<void(std::size_t done, std::size_t total)> progress{};
};

// What one choice means at one place, means over the timed members: the operators there are those that differ between
// the choices, with the conversions of formats that they cause.
struct ChoiceCost {
  Json choice;
  std::size_t on_front = 0;       // members of the front that have it
  std::optional<double> seconds;  // nothing where the place was not timed
  double macs = 0;
};

struct ElementChoices {
  std::string element;     // "block[1][0]"
  std::size_t active = 0;  // members of the front that have the place
  std::size_t timed = 0;   // of the timed members
  std::vector<ChoiceCost> choices;
};

// The operators of one class in the timed members, each network in one format throughout.
struct ClassTimes {
  std::string name;
  std::vector<std::optional<double>> seconds;  // by format, mean over the members that ran in it
};

struct FrontChoices {
  std::string study, dimension;
  std::size_t front = 0;
  std::vector<std::int64_t> members;  // trials whose networks were timed
  std::vector<ElementChoices> elements;
  std::vector<std::string> formats;   // of `classes`; none in a space without precision dimensions
  std::vector<ClassTimes> classes;    // slowest in the first format first
  std::vector<std::string> problems;  // why a network did not run, each reason once
};

// A changed gene brings dimensions to life that had no choice before; they take the choice that most elements of the
// same dimension have in that member. Throws ConfigError: no such study, a space that has changed, an unknown
// dimension, no front.
FrontChoices front_choices(const Store& store, const Resources& resources, const FrontChoicesOptions& options);

Json front_choices_json(const FrontChoices& choices);

}  // namespace ridgeline
