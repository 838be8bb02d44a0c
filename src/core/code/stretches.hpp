// Stretches of keys, which stand for what was read of an index where a page would stand for too much: at each level L, the codes with equal bits
// above the lowest L are one. A short range is covered by few of a level that fits it; a code belongs to one of each level.
#pragma once

#include <bit>

#include "core/base/types.hpp"

namespace learned {

// Stretches of codes [n << level, (n + 1) << level).
struct Stretch {
  unsigned level;
  Code number;

  friend bool operator==(const Stretch&, const Stretch&) = default;
};

// Levels are multiples of this.
inline constexpr unsigned kStretchStep = 3;
inline constexpr unsigned kStretchLevels = 64 / kStretchStep + 1;
// No range takes more stretches.
inline constexpr unsigned kMostStretches = 3;

inline Stretch stretch_of(Code code, unsigned level) { return {level, code >> level}; }

// Calls f(stretch) for those that a range of codes is covered by; they have less than 16 times as many codes.
template <class F>
void each_stretch(Code lo, Code hi, const F& f) {
  // The first level whose stretches are at least half as long as the range: then it meets three at most.
  const Code length = hi - lo;
  unsigned level = 0;
  while (level + kStretchStep < 64 && (Code{1} << level) <= length / 2) level += kStretchStep;
  for (Code number = lo >> level;; number++) {
    f(Stretch{level, number});
    if (number == hi >> level) return;
  }
}

// Calls f(stretch) for all that a code belongs to.
template <class F>
void each_stretch_of(Code code, const F& f) {
  for (unsigned level = 0; level < 64; level += kStretchStep) f(stretch_of(code, level));
}

// Blocks of files are below: those of an index of 16 TB.
inline constexpr Block kFirstStretchBlock = 0x80000000u;

// A stretch as a block number that no page has: in the upper half of them. Two may share one.
inline Block block_of(const Stretch& stretch) {
  std::uint64_t x = stretch.number + (std::uint64_t{stretch.level} << 56);
  x = (x ^ x >> 32) * 0x9E3779B97F4A7C15u;
  x = (x ^ x >> 29) * 0xBF58476D1CE4E5B9u;
  const auto block = static_cast<Block>(x >> 33) | kFirstStretchBlock;
  return block == kNoBlock ? kFirstStretchBlock : block;
}

}  // namespace learned
