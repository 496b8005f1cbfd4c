// How well predictions agree with measurements. Pairs are by index; both spans have one length >= 1 and finite values,
// or std::invalid_argument is thrown.
#pragma once

#include <span>
#include <vector>

namespace ridgeline {

// Ranks from 1, ties sharing their mean rank.
std::vector<double> average_ranks(std::span<const double> values);

// Pearson's r; 0 when either side is constant, where it is undefined.
double pearson(std::span<const double> a, std::span<const double> b);

// Spearman's rho: Pearson's r of the average ranks.
double spearman(std::span<const double> a, std::span<const double> b);

// Kendall's tau-b (Kendall, 1945): (concordant - discordant) / sqrt((pairs - ties in a)(pairs - ties in b)); 0 when
// either side is constant. In n log n (Knight, 1966).
double kendall_tau_b(std::span<const double> a, std::span<const double> b);

// Mean of |predicted - measured| / measured, in percent; measured values must be positive.
double mean_absolute_percentage_error(std::span<const double> predicted, std::span<const double> measured);

// The share of pairs, 0 to 1, with |predicted - measured| <= tolerance * measured.
double share_within(std::span<const double> predicted, std::span<const double> measured, double tolerance);

}  // namespace ridgeline
