#include "experiments/worker_pool.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace ridgeline {

struct WorkerPool::Impl {
  std::mutex mutex;
  std::condition_variable begin, end;
  std::atomic<std::uint64_t> round = 0;  // counts the batches; a worker takes part in each once
  std::atomic<std::size_t> busy = 0;     // workers that have not finished the round
  std::atomic<bool> stopping = false;

  // What is left of one sharer's part of the batch.
  struct alignas(64) Part {
    std::atomic<std::size_t> next = 0;
    std::size_t end = 0;
  };

  const std::function<void(std::size_t)>* work = nullptr;
  std::size_t chunk = 1;
  std::vector<Part> parts;  // one a sharer; the caller's is the first

  std::exception_ptr failure;  // under the mutex
  std::size_t failed_at = 0;

  std::vector<std::thread> workers;

  // First the sharer's own part, the same for batches of one size, so that memory is mostly freed by the thread that
  // allocated it; then what others have left.
  void share(std::size_t sharer) {
    for (std::size_t k = 0; k < parts.size(); ++k) {
      Part& part = parts[(sharer + k) % parts.size()];
      for (std::size_t first = 0; (first = part.next.fetch_add(chunk)) < part.end;) {
        for (std::size_t i = first; i < std::min(first + chunk, part.end); ++i) call(i);
      }
    }
  }

  // Putting a thread to sleep and waking it costs more than a small batch; the next one mostly follows at once.
  template <typename Condition>
  static void linger(const Condition& condition) {
    for (int i = 0; i < 4000 && !condition(); ++i) pause();
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  void call(std::size_t i) {
    try {
      (*work)(i);
    } catch (...) {
      const std::scoped_lock lock(mutex);
      if (!failure || i < failed_at) {
        failure = std::current_exception();
        failed_at = i;
      }
    }
  }

  void serve(std::size_t sharer) {
    std::uint64_t seen = 0;
    for (;;) {
      linger([&] { return stopping || round != seen; });
      {
        std::unique_lock lock(mutex);
        begin.wait(lock, [&] { return stopping || round != seen; });
        if (stopping) return;
        seen = round;
      }
      share(sharer);
      const std::scoped_lock lock(mutex);
      if (--busy == 0) end.notify_one();
    }
  }
};

WorkerPool::WorkerPool(int threads) : impl_(std::make_unique<Impl>()) {
  const unsigned hardware = std::max(1U, std::thread::hardware_concurrency());
  const unsigned wanted = threads > 0 ? static_cast<unsigned>(threads) : hardware;
  impl_->parts = std::vector<Impl::Part>(wanted);
  for (unsigned i = 1; i < wanted; ++i) impl_->workers.emplace_back([impl = impl_.get(), i] { impl->serve(i); });
}

WorkerPool::~WorkerPool() {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->begin.notify_all();
  for (std::thread& worker : impl_->workers) worker.join();
}

int WorkerPool::threads() const { return static_cast<int>(impl_->workers.size()) + 1; }

void WorkerPool::for_each(std::size_t n, const std::function<void(std::size_t)>& work) {
  Impl& impl = *impl_;
  const std::size_t sharers = impl.workers.size() + 1;
  const bool alone = n < 2 || impl.workers.empty();
  {
    const std::scoped_lock lock(impl.mutex);
    impl.work = &work;
    impl.chunk = std::clamp<std::size_t>(n / (8 * sharers), 1, 64);
    for (std::size_t k = 0; k < sharers; ++k) {
      impl.parts[k].next = n * k / sharers;
      impl.parts[k].end = n * (k + 1) / sharers;
    }
    impl.failure = nullptr;
    if (!alone) {
      impl.busy = impl.workers.size();
      ++impl.round;
    }
  }
  if (!alone) impl.begin.notify_all();
  impl.share(0);
  if (!alone) Impl::linger([&] { return impl.busy == 0; });
  std::unique_lock lock(impl.mutex);
  if (!alone) impl.end.wait(lock, [&] { return impl.busy == 0; });
  if (impl.failure) std::rethrow_exception(std::exchange(impl.failure, nullptr));
}

void for_each(WorkerPool* pool, std::size_t n, const std::function<void(std::size_t)>& work) {
  if (pool != nullptr) {
    pool->for_each(n, work);
    return;
  }
  for (std::size_t i = 0; i < n; ++i) work(i);
}

}  // namespace ridgeline
