#include "kernels/pinning.hpp"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <vector>

namespace ridgeline {
namespace {

std::vector<int> processors_of(const cpu_set_t& mask) {
  std::vector<int> result;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &mask)) result.push_back(cpu);
  }
  return result;
}

}  // namespace

struct PinnedThreads::Impl {
  std::vector<cpu_set_t> before;  // one a thread
  bool pinned = false;
};

PinnedThreads::PinnedThreads(int threads) : impl_(std::make_unique<Impl>()) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (threads < 1 || sched_getaffinity(0, sizeof mask, &mask) != 0) return;
  const std::vector<int> allowed = processors_of(mask);
  if (allowed.size() < static_cast<std::size_t>(threads)) return;
  impl_->before.assign(static_cast<std::size_t>(threads), mask);
  int refused = 0;
#pragma omp parallel num_threads(threads) reduction(+ : refused)
  {
    const auto thread = static_cast<std::size_t>(omp_get_thread_num());
    sched_getaffinity(0, sizeof(cpu_set_t), &impl_->before[thread]);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(allowed[allowed.size() - 1 - thread]), &one);
    refused += sched_setaffinity(0, sizeof one, &one) == 0 ? 0 : 1;
  }
  impl_->pinned = refused == 0;
}

PinnedThreads::~PinnedThreads() {
  const int threads = static_cast<int>(impl_->before.size());
  if (threads == 0) return;
#pragma omp parallel num_threads(threads)
  {
    const auto thread = static_cast<std::size_t>(omp_get_thread_num());
    sched_setaffinity(0, sizeof(cpu_set_t), &impl_->before[thread]);
  }
}

bool PinnedThreads::pinned() const { return impl_->pinned; }

void on_team(int threads, const std::function<void(int)>& work) {
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(std::max(1, threads)));
#pragma omp parallel num_threads(static_cast <int>(failures.size()))
  {
    // The runtime may give fewer threads than asked for.
    for (int i = omp_get_thread_num(); i < static_cast<int>(failures.size()); i += omp_get_num_threads()) {
      try {
        work(i);
      } catch (...) {
        failures[static_cast<std::size_t>(i)] = std::current_exception();
      }
    }
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

int allowed_processors() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 1;
  return static_cast<int>(processors_of(mask).size());
}

}  // namespace ridgeline
