// What this machine can do at best: arithmetic on large products, and bandwidth of every memory level.
//
// Arithmetic: the executor's own primitives on sizes that reuse every operand many times, one multiply and one add
// counted as two operations. Bandwidth: the four kernels of STREAM (McCalpin, 1995) on f32 arrays sized for each level,
// counted as STREAM counts (bytes read and written by the program; a cache that reads a line before writing it moves
// more). The best of several rounds is reported, because it is capability that is asked for. Threads are pinned.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/environment.hpp"

namespace ridgeline {

struct PeakResult {
  std::string kind;    // "conv2d" (3x3), "pointwise" (1x1), "depthwise" (3x3), "linear"
  std::string format;  // "f32", "bf16", "int8"
  int threads = 1;
  double ops_per_s = 0;
  std::string implementation;  // oneDNN's name
};

struct BandwidthResult {
  std::string level;   // "L1", "L2", "L3", "DRAM"
  std::string kernel;  // "copy", "scale", "add", "triad"
  int threads = 1;
  std::int64_t bytes = 0;  // of the arrays of all threads together
  double bytes_per_s = 0;
};

struct MicrobenchmarkOptions {
  std::vector<int> threads{1};
  std::vector<std::string> formats{"f32", "bf16", "int8"};
  double seconds_each = 0.06;  // timed, per result
  std::function<void(std::size_t done, std::size_t total)> progress;
};

// Formats that the machine or the library does not execute are left out.
std::vector<PeakResult> measure_peaks(const MicrobenchmarkOptions& options);
std::vector<BandwidthResult> measure_bandwidths(const MicrobenchmarkOptions& options);

// The array bytes (all threads together) that stand for a level of `environment`: half a private cache a thread; of a
// shared last level a quarter, at most 64 MiB; for DRAM twice the last level, at most 512 MiB, because a virtual
// machine reports the whole cache of its host.
struct LevelSize {
  std::string level;
  std::int64_t capacity_bytes;  // of the level, all that `threads` threads can use; 0 = DRAM
  std::int64_t array_bytes;
};
std::vector<LevelSize> level_sizes(const Environment& environment, int threads);

}  // namespace ridgeline
