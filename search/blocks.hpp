// Work on many members at once, on several threads.
#pragma once

#include <cstddef>
#include <functional>

namespace ridgeline {

// `threads` of a SearcherSetup as a number of threads, at least 1.
std::size_t thread_count(int threads);

// Calls body(begin, end, worker) for blocks that make up [0, count), worker < threads; two blocks with the same worker
// are never at work at once. Of several exceptions that of the first block is thrown, after all are done.
void over_blocks(std::size_t count, std::size_t threads,
                 const std::function<void(std::size_t begin, std::size_t end, std::size_t worker)>& body);

// Calls body(part) for each part < parts, at once.
void over_parts(std::size_t parts, const std::function<void(std::size_t part)>& body);

}  // namespace ridgeline
