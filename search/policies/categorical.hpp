// A categorical distribution given by logits, and the gradients that policies learn from. Free functions over spans,
// one entry a choice; all spans of a call have the same length, at least 1. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "spaces/rng.hpp"

namespace ridgeline {

// Shares that sum to 1. `allowed`: 1 where a choice may be drawn, at least one; the others have exactly 0. Empty: all.
void softmax(std::span<const double> logits, std::span<const std::uint8_t> allowed, std::span<double> shares);

double log_of(double probability);                         // finite, also of 0
double entropy_of(std::span<const double> probabilities);  // in nats
// Never one of probability 0.
std::uint16_t drawn(std::span<const double> probabilities, Rng& rng);

// Adds `scale` times the gradient, by the logits, of the log-probability of `choice`; of the entropy.
void add_log_probability_gradient(std::span<const double> probabilities, std::size_t choice, double scale,
                                  std::span<double> gradient);
void add_entropy_gradient(std::span<const double> probabilities, double scale, std::span<double> gradient);

}  // namespace ridgeline
