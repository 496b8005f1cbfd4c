// Adam (Kingma and Ba, 2015, arXiv:1412.6980) as ascent: decays 0.9 and 0.999, the gradient's norm clipped to 1 first.
#pragma once

#include <Eigen/Dense>
#include <cstdint>

#include "spaces/json_reader.hpp"

namespace ridgeline {

class Adam {
 public:
  explicit Adam(std::size_t parameters);

  // How far to go up for this gradient. One of 0 still moves by what earlier ones left.
  Eigen::VectorXd step(Eigen::VectorXd gradient, double learning_rate);

  Json save() const;
  void load(JsonReader& reader, const std::string& key);  // notes problems

 private:
  Eigen::VectorXd first_, second_;
  std::uint64_t steps_ = 0;
};

// Numbers as JSON, and back: notes a problem and leaves `numbers` as it is unless there are as many, none beyond
// `most`.
Json numbers_of(const Eigen::VectorXd& numbers);
void read_numbers(JsonReader& reader, const std::string& key, double most, Eigen::VectorXd& numbers);

}  // namespace ridgeline
