// Sorting of index entries by (code, tid) in linear time.
//
// A most-significant-digit radix sort. A range that the scratch space cannot hold is permuted in place into the buckets
// of its first digit (American flag sort; McIlroy, Bostic and McIlroy, Computing Systems 6(1), 1993), so that memory for a
// second copy of everything is not needed; smaller ones move to and fro between two buffers. The digits are
// taken from `code - smallest code` of the range at hand, so bits in which codes do not differ cost nothing:
// serial numbers, timestamps and random keys all need two or three passes. It was measured (20 million random 62-bit
// codes, one core) against the least-significant-digit form with 11-bit digits, 1.0 s: with a second buffer of the same size
// 0.43 s, or 1.1 s if that has to come from the kernel first; in place, with a megabyte of scratch space, 0.48 s.
#pragma once

#include <cstddef>
#include <span>

#include "core/sort/sort_entry.hpp"

namespace learned {

// Called after every kSortPollItems entry moves or less, so that a caller can notice a cancel request.
// It may leave the sort by a long jump: nothing here needs cleaning up.
struct SortPoll {
  void (*call)(void* argument);  // nullptr: never called
  void* argument;
};
inline constexpr std::size_t kSortPollItems = std::size_t{1} << 20;

// The least scratch space for `count` entries.
inline constexpr std::size_t kMinSortScratch = std::size_t{1} << 16;
constexpr std::size_t least_sort_scratch(std::size_t count) {
  return count < kMinSortScratch ? count : kMinSortScratch;
}

// Sorts entries ascending by (code, tid), in place. What is in `scratch` afterwards is garbage; if the entries were sorted
// already it is not touched. Keys of several words are sorted word by word, the second among equals of the first and so on;
// flags cost a pass only where they differ.
//
// Equal codes are cheapest when they arrive in tid order and all entries fit the scratch space; any order is correct.
//
// REQUIRES: scratch has room for least_sort_scratch(entries.size()) and does not overlap; entries.size() < 2^32.
template <class K>
void sort_entries(std::span<SortEntry<K>> entries, std::span<SortEntry<K>> scratch, SortPoll poll);

#define LEARNED_SORT_ENTRIES(K) \
  extern template void sort_entries<K>(std::span<SortEntry<K>>, std::span<SortEntry<K>>, SortPoll);
LEARNED_FOR_EVERY_KEY(LEARNED_SORT_ENTRIES)
#undef LEARNED_SORT_ENTRIES

}  // namespace learned
