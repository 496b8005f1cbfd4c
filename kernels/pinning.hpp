// The calling thread's OpenMP team: threads held on one processor each while something is timed, so that the scheduler
// does not move them, and work of the caller's own on them.
//
// Thread i of the calling thread's OpenMP team is bound to the i-th allowed processor counted from the last (the first
// ones serve most interrupts). The destructor gives every thread its old processors back. Where the system refuses
// (containers, more threads than processors) nothing is bound and `pinned()` is false.
#pragma once

#include <functional>
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

// Calls work(i) for i below `threads`, at once, each on a thread of the team: where PinnedThreads has bound them,
// unlike threads made anew, which would all start on the caller's one processor. What `work` runs with one thread
// (Executable) starts no others. Rethrows the exception of the smallest i when all are done.
void on_team(int threads, const std::function<void(int)>& work);

// How many processors this process may use.
int allowed_processors();

}  // namespace ridgeline
