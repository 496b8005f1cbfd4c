// Threads held on one processor each while something is timed, so that the scheduler does not move them.
//
// Thread i of the calling thread's OpenMP team is bound to the i-th allowed processor counted from the last (the first
// ones serve most interrupts). The destructor gives every thread its old processors back. Where the system refuses
// (containers, more threads than processors) nothing is bound and `pinned()` is false.
#pragma once

#include <memory>

namespace ridgeline {

class PinnedThreads {
 public:
  explicit PinnedThreads(int threads);
  PinnedThreads(const PinnedThreads&) = delete;
  PinnedThreads& operator=(const PinnedThreads&) = delete;
  ~PinnedThreads();

  bool pinned() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// How many processors this process may use.
int allowed_processors();

}  // namespace ridgeline
