#include "search/blocks.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace ridgeline {
namespace {

constexpr std::size_t least_block = 128;    // below it, handing a block over costs more than the work
constexpr std::size_t blocks_a_thread = 4;  // so that a thread that is held up does not hold up all

using Body = std::function<void(std::size_t block, std::size_t worker)>;

// Blocks that are taken one after the other by whoever has time for them.
class Job {
 public:
  Job(std::size_t blocks, std::size_t workers, const Body& body)
      : blocks_(blocks), workers_(workers), body_(&body), thrown_(blocks) {}

  void work() {
    const std::size_t worker = joined_++;
    if (worker >= workers_) return;
    for (std::size_t i = next_++; i < blocks_; i = next_++) {
      try {
        (*body_)(i, worker);
      } catch (...) {
        thrown_[i] = std::current_exception();
      }
      const std::lock_guard lock(mutex_);
      if (++done_ == blocks_) all_done_.notify_all();
    }
  }
  void wait() {
    std::unique_lock lock(mutex_);
    all_done_.wait(lock, [&] { return done_ == blocks_; });
    for (const std::exception_ptr& one : thrown_) {
      if (one) std::rethrow_exception(one);
    }
  }

 private:
  std::size_t blocks_, workers_;
  const Body* body_;  // not touched once all blocks are taken
  std::vector<std::exception_ptr> thrown_;
  std::atomic<std::size_t> joined_{0}, next_{0};
  std::mutex mutex_;
  std::condition_variable all_done_;
  std::size_t done_ = 0;
};

// Threads that wait for jobs. Who has a job begins on it at once and waits for nobody but those who took a block of it:
// on a busy machine it is not held up by a thread that does not get its turn, as it is by a parallel region.
class Workers {
 public:
  Workers() = default;
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void run(std::size_t blocks, std::size_t workers, const Body& body) {
    const auto job = std::make_shared<Job>(blocks, workers, body);
    {
      const std::lock_guard lock(mutex_);
      while (threads_.size() + 1 < workers) threads_.emplace_back([this] { serve(); });
      waiting_.insert(waiting_.end(), workers - 1, job);
    }
    work_.notify_all();
    job->work();
    {
      const std::lock_guard lock(mutex_);
      std::erase(waiting_, job);
    }
    job->wait();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [&] { return ended_ || !waiting_.empty(); });
      if (ended_) return;
      const std::shared_ptr<Job> job = std::move(waiting_.back());
      waiting_.pop_back();
      lock.unlock();
      job->work();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable work_;
  std::vector<std::shared_ptr<Job>> waiting_;  // once for each worker it may still have
  bool ended_ = false;
  std::vector<std::thread> threads_;
};

void at_once(std::size_t blocks, std::size_t threads, const Body& body) {
  static Workers workers;
  workers.run(blocks, threads, body);
}

}  // namespace

std::size_t thread_count(int threads) {
  return static_cast<std::size_t>(
      std::max(1, threads > 0 ? threads : static_cast<int>(std::thread::hardware_concurrency())));
}

void over_blocks(std::size_t count, std::size_t threads,
                 const std::function<void(std::size_t begin, std::size_t end, std::size_t worker)>& body) {
  threads = std::min(threads, count / least_block);
  if (threads <= 1) {
    if (count > 0) body(0, count, 0);
    return;
  }
  const std::size_t blocks = std::min(threads * blocks_a_thread, count / least_block);
  at_once(blocks, threads,
          [&](std::size_t i, std::size_t worker) { body(count * i / blocks, count * (i + 1) / blocks, worker); });
}

void over_parts(std::size_t parts, const std::function<void(std::size_t part)>& body) {
  if (parts == 1) return body(0);
  at_once(parts, parts, [&](std::size_t part, std::size_t) { body(part); });
}

}  // namespace ridgeline
