// What a measurement depends on beside the design: stored with it, and part of the key under which it may be reused.
#pragma once

#include <string>
#include <vector>

namespace ridgeline {

struct CacheLevel {
  int level;
  long long bytes;
  int shared_by;  // hardware threads
};

struct Environment {
  std::string cpu_model;  // /proc/cpuinfo "model name"
  std::string isa;        // what oneDNN dispatches to: "avx512_core_amx"
  int logical_cpus = 0;
  std::vector<CacheLevel> caches;  // data and unified
  std::string governor;            // "performance", or "unknown" where the kernel does not say
  std::string os;                  // kernel release
  std::string onednn_version, compiler;
  // Sixteen hexadecimal digits that change when a timing taken in one environment would not hold in the other. The
  // kernel release is not part of it: inference makes no system calls.
  std::string fingerprint() const;
};

Environment this_environment();

}  // namespace ridgeline
