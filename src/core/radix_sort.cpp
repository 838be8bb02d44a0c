#include "radix_sort.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace learned {
namespace {

// 2^11 counters are 8 kB: they stay in the first-level cache. Wider digits lose more to cache and TLB misses
// of the scattered writes than they save in passes.
constexpr int kMaxDigitBits = 11;
constexpr int kMinDigitBits = 4;

// Ranges up to this size are cheaper to finish by insertion, which also settles the order of equal codes.
constexpr std::size_t kInsertionLimit = 32;

// Loops poll in between blocks of this many entries.
constexpr std::size_t kBlock = std::size_t{1} << 18;
static_assert(kBlock <= kSortPollItems / 2);

class Sorter {
 public:
  explicit Sorter(SortPoll poll) : poll_(poll) {}

  // Looks once at a range: smallest and largest value of the part sorted by, and whether it is sorted.
  struct Survey {
    std::uint64_t low;
    std::uint64_t high;
    bool sorted;
  };

  // The part that a pass sorts by: the code, or (among entries of one code) the tid.
  enum class Part { code, tid };

  template <Part part>
  Survey survey(const Entry* from, std::size_t count) {
    Survey result{value<part>(from[0]), value<part>(from[0]), true};
    for (std::size_t begin = 1; begin < count; begin += kBlock) {
      const std::size_t end = std::min(count, begin + kBlock);
      bool sorted = true;
      for (std::size_t i = begin; i < end; ++i) {
        const std::uint64_t v = value<part>(from[i]);
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
  // difference between largest and smallest value, hence at most 64 / 4 levels for codes and 49 / 4 for
  // tids; with 8 kB of counters each, that is less than 256 kB of stack in the worst case and three levels
  // in practice.
  template <Part part>
  void sort(Entry* from, Entry* other, std::size_t count, bool into_other) {
    if (count <= kInsertionLimit) {
      insertion_sort(from, into_other ? other : from, count);
      return;
    }
    sort_surveyed<part>(from, other, count, into_other, survey<part>(from, count));
  }

  template <Part part>
  void sort_surveyed(Entry* from, Entry* other, std::size_t count, bool into_other, const Survey& seen) {
    if (seen.sorted) {
      if (into_other) copy(from, other, count);
      return;
    }
    if (seen.low == seen.high) {
      // One code, tids out of order (a heap scan reports the root of a HOT chain, not the row's own place).
      // By tid this cannot happen: equal tids are sorted.
      if constexpr (part == Part::code) sort<Part::tid>(from, other, count, into_other);
      return;
    }

    const int range_bits = std::bit_width(seen.high - seen.low);
    const int digit_bits =
        std::clamp(static_cast<int>(std::bit_width(count)) - 2, kMinDigitBits, kMaxDigitBits);
    const int shift = std::max(0, range_bits - digit_bits);
    const std::size_t buckets = std::size_t{1} << std::min(digit_bits, range_bits);

    std::uint32_t place[std::size_t{1} << kMaxDigitBits];
    std::fill_n(place, buckets, 0u);
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
      const std::size_t end = std::min(count, begin + kBlock);
      for (std::size_t i = begin; i < end; ++i) ++place[(value<part>(from[i]) - seen.low) >> shift];
      spent(end - begin);
    }
    std::uint32_t total = 0;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
      const std::uint32_t size = place[bucket];
      place[bucket] = total;
      total += size;
    }
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
      const std::size_t end = std::min(count, begin + kBlock);
      for (std::size_t i = begin; i < end; ++i) {
        other[place[(value<part>(from[i]) - seen.low) >> shift]++] = from[i];
      }
      spent(end - begin);
    }

    // place[bucket] is now the end of that bucket. The entries changed buffers, and so does the wish.
    std::size_t begin = 0;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
      const std::size_t end = place[bucket];
      if (end > begin) sort<part>(other + begin, from + begin, end - begin, !into_other);
      begin = end;
    }
  }

 private:
  template <Part part>
  static std::uint64_t value(const Entry& entry) {
    return part == Part::code ? entry.code : entry.tid;
  }

  static bool less(const Entry& a, const Entry& b) {
    return (a.code < b.code) | ((a.code == b.code) & (a.tid < b.tid));
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

  SortPoll poll_;
  std::size_t since_poll_ = 0;
};

}  // namespace

Entry* sort_entries(Entry* entries, Entry* scratch, std::size_t count, SortPoll poll) {
  assert(count < (std::size_t{1} << 32));
  if (count < 2) return entries;
  Sorter sorter(poll);
  const Sorter::Survey seen = sorter.survey<Sorter::Part::code>(entries, count);
  if (seen.sorted) return entries;
  sorter.sort_surveyed<Sorter::Part::code>(entries, scratch, count, true, seen);
  return scratch;
}

}  // namespace learned
