// A set of heap blocks, with quick answers to "is any of these in it": the blocks that may have rows which not everybody sees.
#pragma once

#include <bit>

#include "core/base/bits.hpp"

namespace learned {

// In memory of the caller's. A block beyond its end belongs to the set, but bounds that reach beyond it, as those by a model do, say nothing of that.
class OpenBlocks {
 public:
  // Words of memory for so many blocks.
  static constexpr std::size_t words(std::uint32_t blocks) {
    return map_words(blocks) + map_words(map_words(blocks));
  }

  OpenBlocks() = default;
  // `memory`: words(blocks) of them. Takes them as they are: zero for an empty set. finish() before anything is asked.
  OpenBlocks(std::uint64_t* memory, std::uint32_t blocks)
      : map_(memory), summary_(memory + map_words(blocks)), blocks_(blocks) {}

  std::uint32_t blocks() const { return blocks_; }
  // Blocks [32 * half, 32 * half + 32), bit by bit. REQUIRES: the first of them is < blocks().
  void set_half(std::uint32_t half, std::uint32_t open) {
    const unsigned shift = half % 2 * 32;
    map_[half / 2] = (map_[half / 2] & ~(std::uint64_t{0xFFFFFFFF} << shift)) | std::uint64_t{open} << shift;
  }

  // All words are set.
  void finish() {
    const std::size_t n = map_words(blocks_);
    if (blocks_ % 64 != 0) map_[n - 1] &= low_mask(blocks_ % 64);
    first_ = last_ = blocks_;
    count_ = 0;
    for (std::size_t i = 0; i < map_words(n); i++) summary_[i] = 0;
    for (std::size_t i = 0; i < n; i++) {
      if (map_[i] == 0) continue;
      summary_[i / 64] |= std::uint64_t{1} << (i % 64);
      count_ += static_cast<unsigned>(std::popcount(map_[i]));
      if (first_ == blocks_) first_ = static_cast<std::uint32_t>(i * 64) + low_bit(map_[i]);
      last_ = static_cast<std::uint32_t>(i * 64) + 63u - static_cast<unsigned>(std::countl_zero(map_[i]));
    }
  }

  std::uint32_t count() const { return count_; }
  // Of those there are: the first one; whether they lie one behind the other.
  std::uint32_t first() const { return first_; }
  bool in_a_row() const { return count_ != 0 && last_ - first_ + 1 == count_; }
  bool none() const { return count_ == 0; }
  bool is_open(std::uint32_t block) const {
    return block >= blocks_ || (map_[block / 64] >> (block % 64) & 1) != 0;
  }
  // The same as a number. REQUIRES: block < blocks().
  std::uint64_t bit(std::uint32_t block) const { return map_[block / 64] >> (block % 64) & 1; }
  // Whether any of [lo, hi] is; also if there are none between them, as bounds from damaged bytes may say.
  bool any_open(std::uint32_t lo, std::uint32_t hi) const {
    if (lo >= blocks_ || lo > hi) return true;
    hi = hi < blocks_ ? hi : blocks_ - 1;
    if (count_ == 0 || hi < first_ || lo > last_) return false;
    if (lo <= first_ || hi >= last_) return true;
    const std::uint32_t from = lo / 64;
    const std::uint32_t to = hi / 64;
    const std::uint64_t front = ~low_mask(lo % 64);
    const std::uint64_t back = low_mask(hi % 64 + 1);
    if (from == to) return (map_[from] & front & back) != 0;
    if ((map_[from] & front) != 0 || (map_[to] & back) != 0) return true;
    // Whole words between them, by the summary.
    const std::uint32_t begin = from + 1;
    if (begin == to) return false;
    const std::uint32_t last = to - 1;
    const std::uint64_t head = ~low_mask(begin % 64);
    const std::uint64_t tail = low_mask(last % 64 + 1);
    if (begin / 64 == last / 64) return (summary_[begin / 64] & head & tail) != 0;
    if ((summary_[begin / 64] & head) != 0 || (summary_[last / 64] & tail) != 0) return true;
    for (std::uint32_t i = begin / 64 + 1; i < last / 64; i++) {
      if (summary_[i] != 0) return true;
    }
    return false;
  }

 private:
  static constexpr std::size_t map_words(std::size_t bits) { return (bits + 63) / 64; }
  static std::uint32_t low_bit(std::uint64_t word) {
    return static_cast<std::uint32_t>(std::countr_zero(word));
  }

  std::uint64_t* map_ = nullptr;
  std::uint64_t* summary_ = nullptr;  // bit i: word i of the map is not zero
  std::uint32_t blocks_ = 0;
  std::uint32_t first_ = 0;  // in the set, if any is
  std::uint32_t last_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace learned
