#include "core/sort/radix_sort.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace learned {
namespace {

// 2^11 counters are 8 kB: they stay in the first-level cache. Wider digits lose more to cache and TLB misses
// of the scattered writes than they save in passes.
constexpr int kMaxDigitBits = 11;
constexpr int kMinDigitBits = 4;

// Digits of the passes in place, and how many entries ahead a bucket's slots are fetched. Each bucket has a line at
// work, which should stay in the second-level cache.
constexpr int kFlagBits = 10;
constexpr std::ptrdiff_t kFlagAhead = 8;

// Ranges up to this size are cheaper to finish by insertion, which also settles the order of equal codes.
constexpr std::size_t kInsertionLimit = 32;

// Loops poll in between blocks of this many entries.
constexpr std::size_t kBlock = std::size_t{1} << 18;
static_assert(kBlock <= kSortPollItems / 2);

// What a pass sorts by, in the order of significance.
//   a Code:  0 the code, 1 the tid
//   Words:   2 * i the flag before word i, 2 * i + 1 the word, behind all of them the tid
template <class K>
struct SortColumns {
  static constexpr unsigned kTid = 2 * KeyTraits<K>::kWords;
  static constexpr bool is_flag(unsigned column) { return column < kTid && column % 2 == 0; }
  template <unsigned column>
  static std::uint64_t value(const SortEntry<K>& entry) {
    using Packed = SortEntry<K>;
    if constexpr (column == kTid) return entry.tail & Packed::kTidMask;
    if constexpr (is_flag(column)) return entry.tail >> (Packed::kTidBits + column / 2) & 1;
    if constexpr (column < kTid) return entry.word[column / 2];
  }
};
template <>
struct SortColumns<Code> {
  static constexpr unsigned kTid = 1;
  static constexpr bool is_flag(unsigned) { return false; }
  template <unsigned column>
  static std::uint64_t value(const Entry& entry) {
    return column == kTid ? entry.tid : entry.code;
  }
};

template <class K>
class Sorter {
  using Entry = SortEntry<K>;
  static constexpr unsigned kTid = SortColumns<K>::kTid;

 public:
  // `varying`: the flags that are not the same in all entries.
  Sorter(std::span<Entry> scratch, unsigned varying, SortPoll poll)
      : scratch_(scratch), varying_(varying), poll_(poll) {}

  // Looks once at a range: smallest and largest value of the column sorted by, and whether it is sorted.
  struct Survey {
    std::uint64_t low;
    std::uint64_t high;
    bool sorted;
  };

  template <unsigned column>
  Survey survey(const Entry* from, std::size_t count) {
    Survey result{value<column>(from[0]), value<column>(from[0]), true};
    for (std::size_t begin = 1; begin < count; begin += kBlock) {
      const std::size_t end = std::min(count, begin + kBlock);
      bool sorted = true;
      for (std::size_t i = begin; i < end; ++i) {
        const std::uint64_t v = value<column>(from[i]);
        result.low = std::min(result.low, v);
        result.high = std::max(result.high, v);
        sorted &= !less(from[i], from[i - 1]);
      }
      result.sorted &= sorted;
      spent(end - begin);
    }
    return result;
  }

  // Sorts the range `from`; the result is to be in `other` if `into_other`, else in `from`.
  //
  // Depth: a range below kInsertionLimit ends it, each level takes at least kMinDigitBits off the
  // difference between largest and smallest value, hence at most 64 / 4 levels for each word (and one for its flag) and
  // 49 / 4 for tids; with 8 kB of counters each, that is less than 256 kB of stack in the worst case for one word, 700 kB for
  // four, and three levels in practice.
  template <unsigned column>
  void sort(Entry* from, Entry* other, std::size_t count, bool into_other) {
    if (count <= kInsertionLimit) {
      insertion_sort(from, into_other ? other : from, count);
      return;
    }
    if constexpr (SortColumns<K>::is_flag(column)) {
      if (!varies<column>()) return sort<column + 1>(from, other, count, into_other);
    }
    sort_surveyed<column>(from, other, count, into_other, survey<column>(from, count));
  }

  template <unsigned column>
  void sort_surveyed(Entry* from, Entry* other, std::size_t count, bool into_other, const Survey& seen) {
    if (seen.sorted) {
      if (into_other) copy(from, other, count);
      return;
    }
    if (seen.low == seen.high) {
      // One code, tids out of order: a heap scan reports the root of a HOT chain, not the row's own; and a pass in
      // place does not keep the order of equals.
      // By tid this cannot happen: equal tids are sorted.
      if constexpr (column < kTid) sort<column + 1>(from, other, count, into_other);
      return;
    }

    const int range_bits = std::bit_width(seen.high - seen.low);
    const int digit_bits =
        std::clamp(static_cast<int>(std::bit_width(count)) - 2, kMinDigitBits, kMaxDigitBits);
    const int shift = std::max(0, range_bits - digit_bits);
    const std::size_t buckets = std::size_t{1} << std::min(digit_bits, range_bits);

    std::uint32_t slot[std::size_t{1} << kMaxDigitBits];
    std::fill_n(slot, buckets, 0u);
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
      const std::size_t end = std::min(count, begin + kBlock);
      for (std::size_t i = begin; i < end; ++i) ++slot[(value<column>(from[i]) - seen.low) >> shift];
      spent(end - begin);
    }
    std::uint32_t total = 0;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
      const std::uint32_t size = slot[bucket];
      slot[bucket] = total;
      total += size;
    }
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
      const std::size_t end = std::min(count, begin + kBlock);
      for (std::size_t i = begin; i < end; ++i) {
        other[slot[(value<column>(from[i]) - seen.low) >> shift]++] = from[i];
      }
      spent(end - begin);
    }

    // slot[bucket] is now the end of that bucket. The entries changed buffers, and so does the wish.
    std::size_t begin = 0;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
      const std::size_t end = slot[bucket];
      if (end > begin) sort<column>(other + begin, from + begin, end - begin, !into_other);
      begin = end;
    }
  }

  // Sorts a range of any size where it is.
  //
  // Depth: a level in place takes kFlagBits off the difference, where sort() may need two levels for so many, and its
  // counters take as much of the stack as a level there: the bound stays.
  template <unsigned column>
  void sort_here(Entry* from, std::size_t count) {
    if (count <= scratch_.size()) {
      sort<column>(from, scratch_.data(), count, false);
      return;
    }
    if constexpr (SortColumns<K>::is_flag(column)) {
      if (!varies<column>()) return sort_here<column + 1>(from, count);
    }
    const Survey seen = survey<column>(from, count);
    if (seen.sorted) return;
    if (seen.low == seen.high) {
      if constexpr (column < kTid) sort_here<column + 1>(from, count);
      return;
    }
    const int range_bits = std::bit_width(seen.high - seen.low);
    const int shift = std::max(0, range_bits - kFlagBits);
    const std::size_t buckets = std::size_t{1} << std::min(kFlagBits, range_bits);
    const auto bucket_of = [&](const Entry& e) { return (value<column>(e) - seen.low) >> shift; };

    std::uint32_t next[std::size_t{1} << kFlagBits];  // where each bucket's next entry goes
    std::uint32_t stop[std::size_t{1} << kFlagBits];  // behind its last one
    std::fill_n(stop, buckets, 0u);
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
      const std::size_t end = std::min(count, begin + kBlock);
      for (std::size_t i = begin; i < end; ++i) ++stop[bucket_of(from[i])];
      spent(end - begin);
    }
    std::uint32_t total = 0;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
      next[bucket] = total;
      total += stop[bucket];
      stop[bucket] = total;
    }
    // An entry in the wrong bucket goes to its own, the one that was there to its own, and so on until one belongs
    // where the first was taken from.
    std::size_t moved = 0;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
      while (next[bucket] < stop[bucket]) {
        Entry entry = from[next[bucket]];
        for (std::size_t home; (home = bucket_of(entry)) != bucket; ++moved) {
          Entry* slot = from + next[home]++;
          // The bucket's next lines come from memory otherwise, when they are needed.
          __builtin_prefetch(slot + kFlagAhead, 1);
          std::swap(entry, *slot);
          // (A chain may go through everything.)
          if (moved >= kBlock) {
            spent(moved);
            moved = 0;
          }
        }
        from[next[bucket]++] = entry;
        ++moved;
      }
    }
    spent(moved);
    std::size_t begin = 0;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
      const std::size_t end = stop[bucket];
      if (end > begin) sort_here<column>(from + begin, end - begin);
      begin = end;
    }
  }

 private:
  template <unsigned column>
  static std::uint64_t value(const Entry& entry) {
    return SortColumns<K>::template value<column>(entry);
  }
  template <unsigned column>
  bool varies() const {
    return (varying_ >> column / 2 & 1) != 0;
  }

  static bool less(const Entry& a, const Entry& b) {
    if constexpr (kTid == 1) return (a.code < b.code) | ((a.code == b.code) & (a.tid < b.tid));
    return a < b;
  }

  void insertion_sort(const Entry* from, Entry* to, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const Entry entry = from[i];  // from may be to
      std::size_t hole = i;
      for (; hole > 0 && less(entry, to[hole - 1]); --hole) to[hole] = to[hole - 1];
      to[hole] = entry;
    }
    spent(count);
  }

  void copy(const Entry* from, Entry* to, std::size_t count) {
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
      const std::size_t end = std::min(count, begin + kBlock);
      std::copy(from + begin, from + end, to + begin);
      spent(end - begin);
    }
  }

  void spent(std::size_t items) {
    since_poll_ += items;
    if (since_poll_ >= kSortPollItems / 2) {
      since_poll_ = 0;
      if (poll_.call != nullptr) poll_.call(poll_.argument);
    }
  }

  std::span<Entry> scratch_;
  unsigned varying_;
  SortPoll poll_;
  std::size_t since_poll_ = 0;
};

}  // namespace

template <class K>
void sort_entries(std::span<SortEntry<K>> entries, std::span<SortEntry<K>> scratch, SortPoll poll) {
  assert(entries.size() < (std::size_t{1} << 32) && scratch.size() >= least_sort_scratch(entries.size()));
  if (entries.size() < 2) return;
  unsigned varying = 0;
  if constexpr (KeyTraits<K>::kWords > 1) {
    for (std::size_t begin = 0; begin < entries.size(); begin += kBlock) {
      const std::size_t end = std::min(entries.size(), begin + kBlock);
      for (std::size_t i = begin; i < end; ++i) varying |= unsigned{entries[i].flags()} ^ entries[0].flags();
      if (poll.call != nullptr) poll.call(poll.argument);
    }
  }
  Sorter<K>(scratch, varying, poll).template sort_here<0>(entries.data(), entries.size());
}

#define LEARNED_SORT_ENTRIES(K) \
  template void sort_entries<K>(std::span<SortEntry<K>>, std::span<SortEntry<K>>, SortPoll);
LEARNED_FOR_EVERY_KEY(LEARNED_SORT_ENTRIES)
#undef LEARNED_SORT_ENTRIES

}  // namespace learned
