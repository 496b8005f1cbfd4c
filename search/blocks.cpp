#include "search/blocks.hpp"

#include <omp.h>

#include <algorithm>
#include <exception>
#include <vector>

namespace ridgeline {
namespace {

constexpr std::size_t least_block = 32;     // below it, handing a block over costs more than the work
constexpr std::size_t blocks_a_thread = 4;  // so that a thread that is held up does not hold up all

// body(i, worker) for each i < count.
template <typename Body>
void at_once(std::size_t count, std::size_t threads, const Body& body) {
  std::vector<std::exception_ptr> thrown(count);
#pragma omp parallel for num_threads(static_cast <int>(threads)) schedule(dynamic, 1)
  for (std::size_t i = 0; i < count; ++i) {
    try {
      body(i, static_cast<std::size_t>(omp_get_thread_num()));
    } catch (...) {
      thrown[i] = std::current_exception();
    }
  }
  for (const std::exception_ptr& one : thrown) {
    if (one) std::rethrow_exception(one);
  }
}

}  // namespace

std::size_t thread_count(int threads) {
  return static_cast<std::size_t>(std::max(1, threads > 0 ? threads : omp_get_max_threads()));
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
