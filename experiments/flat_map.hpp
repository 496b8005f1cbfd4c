// A map from 64-bit hashes to indices, by open addressing in one array: what a search looks a candidate up in millions
// of times. Keys are hashes already; nothing is ever removed. Not thread-safe.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "spaces/rng.hpp"

namespace ridgeline {

class FlatMap {
 public:
  explicit FlatMap(std::size_t expected = 0) { slots_.resize(std::bit_ceil(2 * expected + 16)); }

  std::optional<std::size_t> find(std::uint64_t key) const {
    const Slot& slot = slots_[place(key)];
    if (slot.index == empty) return std::nullopt;
    return slot.index;
  }

  // False, and nothing changed, when the key is there already.
  bool insert(std::uint64_t key, std::size_t index) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    Slot& slot = slots_[place(key)];
    if (slot.index != empty) return false;
    slot = {key, index};
    ++size_;
    return true;
  }

  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t empty = std::numeric_limits<std::size_t>::max();
  struct Slot {
    std::uint64_t key = 0;
    std::size_t index = empty;
  };

  // Where the key stands or would stand: at most half of the slots are full, so there is an end to the search.
  std::size_t place(std::uint64_t key) const {
    std::size_t at = mix64(key) & (slots_.size() - 1);
    while (slots_[at].index != empty && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  void grow() {
    std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
    for (const Slot& slot : old) {
      if (slot.index != empty) slots_[place(slot.key)] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace ridgeline
