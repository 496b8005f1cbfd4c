// Threads that share out the elements of a batch.
//
// Which thread does what is left to chance; what is computed must not depend on it: each call writes its own element
// only. Threads sleep between batches, so that a timing in between has the machine for itself (OpenMP's would spin, and
// its runtime is opaque to the thread sanitizer). One caller at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace ridgeline {

class WorkerPool {
 public:
  explicit WorkerPool(int threads = 0);  // 0: one a hardware thread
  ~WorkerPool();

  int threads() const;
  // Calls work(i) once for each i below n and returns when all are done. Rethrows the exception of the smallest i.
  void for_each(std::size_t n, const std::function<void(std::size_t)>& work);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The same without a pool where there is none.
void for_each(WorkerPool* pool, std::size_t n, const std::function<void(std::size_t)>& work);

}  // namespace ridgeline
