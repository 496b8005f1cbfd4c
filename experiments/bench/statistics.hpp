// The statistics that a benchmark states. Pure functions; a value that is not finite, an empty sample and a parameter
// out of its range throw std::invalid_argument.
//
// A mean's interval is Student's t with n - 1 degrees of freedom; a share's is Wilson's (Wilson, 1927), which holds
// near 0 and 1 too. Ranks over blocks are compared by Friedman's test with the critical difference of Nemenyi, as in
// Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006: two mean ranks differ
// significantly when they are at least the critical difference apart.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace ridgeline {

struct ConfidenceInterval {
  double low = 0, high = 0;
};

struct MeanInterval {
  std::size_t count = 0;
  double mean = 0;
  std::optional<ConfidenceInterval> interval;  // none below two values
};
MeanInterval mean_interval(std::span<const double> values, double confidence = 0.95);

ConfidenceInterval wilson_interval(std::size_t successes, std::size_t trials, double confidence = 0.95);

// Least value, quartiles and largest value; quartiles linear between order statistics (type 7).
struct FiveNumbers {
  double least = 0, lower = 0, median = 0, upper = 0, most = 0;
};
FiveNumbers five_numbers(std::span<const double> values);

// scores: blocks x methods, row = a block (a seed), more is better; at least two methods, all rows of one length.
struct FriedmanTest {
  std::vector<double> mean_ranks;  // one a method, 1 is the best; ties share their mean rank
  double statistic = 0;            // chi-squared with methods - 1 degrees of freedom, corrected for ties
  double p_value = 1;              // that ranks differ so much by chance; 1 where every block is one tie
  double critical_difference = 0;  // of mean ranks, Nemenyi at 5 %
};
FriedmanTest friedman_test(std::span<const std::vector<double>> scores);

// Distributions behind these.
double normal_quantile(double probability);                            // 0 < probability < 1
double student_quantile(double probability, double degrees);           // degrees >= 1
double chi_squared_tail(double statistic, double degrees);             // P(X >= statistic)
double studentized_range_quantile(double probability, std::size_t k);  // of k means, infinite degrees of freedom

}  // namespace ridgeline
