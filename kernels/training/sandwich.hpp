// Which candidates a step of a supernet trains: the largest, the smallest and random ones between them (the sandwich
// rule, Yu and Huang, 2019, arXiv:1903.05134).
//
// Progressive shrinking (Cai et al., Once-for-All, 2020, arXiv:1908.09791) opens the dimensions one after the other:
// those that are not open yet are held at their largest choice. Words without order have no largest choice; they
// are drawn in every candidate.
//
// Trained through number formats, each candidate's own are drawn with it: the largest is then the one with most bits,
// the smallest that with fewest, and precision genes are always open.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "spaces/search_space.hpp"

namespace ridgeline {

struct SandwichOptions {
  std::size_t candidates = 4;       // a step, at least 1
  bool ends = true;                 // the first is the largest and the second the smallest; off: all are random
  bool all_open = true;             // else only those named in `open`
  bool precision = false;           // precision genes are drawn too
  std::vector<std::string> open{};  // declared names of dimensions: "kernel" opens kernel[0][0], kernel[0][1] ...
};

// Throws ConfigError for a name that the space has not; nothing else can go wrong later.
void check_names(const SearchSpace& space, const SandwichOptions& options);

// The candidates of step `number`, the largest first: the same for the same seed and number. Equal ones are given once.
std::vector<Genome> sandwich(const SearchSpace& space, const SandwichOptions& options, std::uint64_t seed,
                             std::uint64_t number);

}  // namespace ridgeline
