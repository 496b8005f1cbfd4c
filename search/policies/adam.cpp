#include "search/policies/adam.hpp"

#include <fmt/format.h>

#include <cmath>

namespace ridgeline {
namespace {

constexpr double first_decay = 0.9, second_decay = 0.999, tiny = 1e-8;
constexpr double most_norm = 1.0;

}  // namespace

Adam::Adam(std::size_t parameters)
    : first_(Eigen::VectorXd::Zero(static_cast<Eigen::Index>(parameters))), second_(first_) {}

Eigen::VectorXd Adam::step(Eigen::VectorXd gradient, double learning_rate) {
  if (const double norm = gradient.norm(); norm > most_norm) gradient *= most_norm / norm;
  const auto number = static_cast<double>(++steps_);
  first_ = first_decay * first_ + (1 - first_decay) * gradient;
  second_ = second_decay * second_ + (1 - second_decay) * gradient.cwiseAbs2();
  const double first_share = 1 - std::pow(first_decay, number), second_share = 1 - std::pow(second_decay, number);
  return (learning_rate / first_share) * first_.array() / ((second_.array() / second_share).sqrt() + tiny);
}

Json Adam::save() const { return {{"first", numbers_of(first_)}, {"second", numbers_of(second_)}, {"steps", steps_}}; }

void Adam::load(JsonReader& reader, const std::string& key) {
  std::optional<JsonReader> saved = reader.object(key);
  if (!saved) return;
  read_numbers(*saved, "first", most_norm, first_);
  read_numbers(*saved, "second", most_norm * most_norm, second_);
  if ((second_.array() < 0).any()) saved->note("second", "no negative number", "one");
  steps_ = static_cast<std::uint64_t>(saved->integer("steps", {.fallback = {}, .least = 0}));
  saved->finish();
}

Json numbers_of(const Eigen::VectorXd& numbers) { return std::vector<double>(numbers.begin(), numbers.end()); }

void read_numbers(JsonReader& reader, const std::string& key, double most, Eigen::VectorXd& numbers) {
  const std::vector<double> read = reader.numbers(key);
  const Eigen::Map<const Eigen::VectorXd> as_read(read.data(), static_cast<Eigen::Index>(read.size()));
  if (as_read.size() != numbers.size()) {
    reader.note(key, fmt::format("{} numbers", numbers.size()), fmt::to_string(read.size()),
                "resume with the options it was written with");
  } else if ((as_read.array().abs() > most).any()) {
    reader.note(key, fmt::format("numbers of at most {} in size", most), "a larger one");
  } else {
    numbers = as_read;
  }
}

}  // namespace ridgeline
