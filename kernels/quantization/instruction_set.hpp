// Internal: one loop, compiled for several instruction sets.
#pragma once

namespace ridgeline {

template <typename Work>
[[gnu::target("avx512f,avx512dq")]] void run_avx512(const Work& work) {
  work();
}

template <typename Work>
[[gnu::target("avx2")]] void run_avx2(const Work& work) {
  work();
}

// Calls work() compiled for the widest vectors that this CPU has. `work` and what it calls must be always_inline to
// become part of the versions. Versions compute the same bits when no product is added to anything: fused
// multiply-additions are in the wider sets alone, and the files that use this are compiled without.
template <typename Work>
void run_widest(const Work& work) {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return run_avx512(work);
  if (__builtin_cpu_supports("avx2")) return run_avx2(work);
  work();
}

}  // namespace ridgeline
