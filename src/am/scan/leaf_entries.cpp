#include "am/scan/leaf_entries.hpp"

#include <algorithm>

#include "core/count/leaf_tally.hpp"
#include "core/page/search.hpp"

namespace learned {

template <class K>
bool BasicLeafEntries<K>::select(const LeafVisit& visit, const TreeRange& range, LeafRanks* ranks) {
  if (!visit.ranks(view_, range, ranks)) return false;
  first_rank_ = ranks->begin;
  end_rank_ = ranks->end;
  deltas_ = 0;
  const unsigned deltas = view_.deltas();
  for (unsigned j = 0; j < deltas; j++) {
    const Entry entry = PageView::delta_entry(view_.delta_at(j));
    if (visit.takes(range, entry)) delta_[deltas_++] = entry;
  }
  std::sort(delta_, delta_ + deltas_);
  std::fill_n(delta_killed_, deltas_, false);
  for (unsigned j = 0; kill_marks_.any() && j < deltas; j++) {
    if (!kill_marks_.delta_killed(j)) continue;
    const Entry entry = PageView::delta_entry(view_.delta_at(j));
    const Entry* at = std::lower_bound(delta_ + 0, delta_ + deltas_, entry);
    if (at < delta_ + deltas_ && *at == entry) delta_killed_[at - delta_] = true;
  }
  const unsigned encoded = end_rank_ - first_rank_;
  for (unsigned j = 0; j < deltas_; j++) {
    unsigned rank = end_rank_;
    if (encoded > 0 && !learned::lower_bound(view_, delta_[j], &rank)) return false;
    rank = std::clamp(rank, first_rank_, end_rank_);
    delta_number_[j] = rank - first_rank_ + j;
  }
  total_ = static_cast<int>(encoded + deltas_);
  return true;
}

template <class K>
void BasicLeafEntries<K>::narrow(int begin, int end) {
  unsigned skipped = 0;
  unsigned left = 0;
  for (unsigned j = 0; j < deltas_; j++) {
    const auto number = static_cast<int>(delta_number_[j]);
    if (number < begin) skipped++;
    if (number < begin || number >= end) continue;
    delta_[left] = delta_[j];
    delta_killed_[left] = delta_killed_[j];
    delta_number_[left] = static_cast<unsigned>(number - begin);
    left++;
  }
  first_rank_ += static_cast<unsigned>(begin) - skipped;
  end_rank_ = first_rank_ + static_cast<unsigned>(end - begin) - left;
  deltas_ = left;
  total_ = end - begin;
}

template <class K>
int BasicLeafEntries<K>::rank_of(int number) const {
  const unsigned* end = delta_number_ + deltas_;
  const unsigned* d = std::lower_bound(delta_number_ + 0, end, static_cast<unsigned>(number));
  if (d < end && static_cast<int>(*d) == number) return -1;
  return static_cast<int>(first_rank_) + number - static_cast<int>(d - delta_number_);
}

template <class K>
bool BasicLeafEntries<K>::count_before(const Entry& limit, int* count) const {
  unsigned rank = first_rank_;
  if (end_rank_ > first_rank_ && !learned::lower_bound(view_, limit, &rank)) return false;
  *count = static_cast<int>(std::clamp(rank, first_rank_, end_rank_) - first_rank_);
  for (unsigned j = 0; j < deltas_ && delta_[j] < limit; j++) ++*count;
  return true;
}

template <class K>
bool BasicLeafEntries<K>::keep_together(int* number) const {
  // (The one in the delta comes first.)
  const auto before = static_cast<unsigned>(*number - 1);
  const unsigned* d = std::lower_bound(delta_number_ + 0, delta_number_ + deltas_, before);
  if (*number <= 0 || *number >= total_ || d == delta_number_ + deltas_ || *d != before) return true;
  Entry entry{};
  bool dead;
  if (!decode(*number, *number + 1, {&entry.code, &entry.tid, &dead})) return false;
  if (entry == delta_[d - delta_number_]) --*number;
  return true;
}

template <class K>
int BasicLeafEntries<K>::live() const {
  if ((view_.flags() & kHasDead) == 0) return total_;
  return total_ - static_cast<int>(count_bits(view_.dead_map(), first_rank_, end_rank_));
}

template <class K>
int BasicLeafEntries<K>::live_number(int nth) const {
  if ((view_.flags() & kHasDead) == 0) return nth;
  auto left = static_cast<unsigned>(nth);
  unsigned rank = first_rank_;
  // Up to a delta entry, and that.
  for (unsigned d = 0; d <= deltas_; d++) {
    const unsigned end = d < deltas_ ? first_rank_ + delta_number_[d] - d : end_rank_;
    const unsigned live = end - rank - count_bits(view_.dead_map(), rank, end);
    if (left < live) {
      for (;; rank++) {
        if (view_.is_dead(rank)) continue;
        if (left-- == 0) return static_cast<int>(rank - first_rank_ + d);
      }
    }
    left -= live;
    if (left-- == 0 && d < deltas_) return static_cast<int>(delta_number_[d]);
    rank = end;
  }
  return total_;
}

// A page may have fifty thousand dead entries in front, so this goes by words and by runs.
template <class K>
int BasicLeafEntries<K>::skip_dead(int number) const {
  const bool has_dead = (view_.flags() & kHasDead) != 0;
  if (!has_dead && !kill_marks_.any()) return number;
  unsigned d = 0;
  while (d < deltas_ && static_cast<int>(delta_number_[d]) < number) d++;
  while (number < total_) {
    if (d < deltas_ && static_cast<int>(delta_number_[d]) == number) {
      if (!delta_killed_[d]) return number;
      d++;
      number++;
      continue;
    }
    const unsigned begin = first_rank_ + static_cast<unsigned>(number) - d;
    const unsigned end = d < deltas_ ? first_rank_ + delta_number_[d] - d : end_rank_;
    unsigned rank = begin;
    for (;;) {
      rank = kill_marks_.next(rank, end, false);
      if (!has_dead || rank >= end || !view_.is_dead(rank)) break;
      rank++;
    }
    number += static_cast<int>(rank - begin);
    if (rank < end) return number;
  }
  return total_;
}

template <class K>
int BasicLeafEntries<K>::skip_dead_back(int number) const {
  const bool has_dead = (view_.flags() & kHasDead) != 0;
  if (!has_dead && !kill_marks_.any()) return number;
  unsigned d = deltas_;  // delta entries before number + 1
  while (d > 0 && static_cast<int>(delta_number_[d - 1]) > number) d--;
  while (number >= 0) {
    if (d > 0 && static_cast<int>(delta_number_[d - 1]) == number) {
      if (!delta_killed_[d - 1]) return number;
      d--;
      number--;
      continue;
    }
    // Ranks [begin, end) lie between the delta entry before and this number, inclusive.
    const unsigned end = first_rank_ + static_cast<unsigned>(number) - d + 1;
    const unsigned begin = d > 0 ? first_rank_ + delta_number_[d - 1] + 1 - d : first_rank_;
    unsigned rank = end;
    for (;;) {
      rank = kill_marks_.live_before(begin, rank);
      if (!has_dead || rank == begin || !view_.is_dead(rank - 1)) break;
      rank--;
    }
    number -= static_cast<int>(end - rank);
    if (rank > begin) return number;
  }
  return -1;
}

// Ranks [begin, end), to `at` in the columns.
template <class K>
bool BasicLeafEntries<K>::decode_ranks(unsigned begin, unsigned end, unsigned at,
                                       const EntryColumns& out) const {
  if (begin >= end) return true;
  if (!learned::decode(view_, begin, end, out.codes + at, out.tids + at)) return false;
  if (nulls_) std::fill_n(out.codes + at, end - begin, K{});
  std::fill_n(out.dead + at, end - begin, false);
  if ((view_.flags() & kHasDead) != 0) {
    for (unsigned i = 0; i < end - begin; i++) out.dead[at + i] = view_.is_dead(begin + i);
  }
  if (!kill_marks_.any()) return true;
  for (unsigned r = begin; (r = kill_marks_.next(r, end, true)) < end; r++) out.dead[at + r - begin] = true;
  return true;
}

template <class K>
bool BasicLeafEntries<K>::decode(int begin, int end, const EntryColumns& out) const {
  return for_each(
      begin, end,
      [this, begin, &out](unsigned rank, unsigned end_rank, int number) {
        return decode_ranks(rank, end_rank, static_cast<unsigned>(number - begin), out);
      },
      [begin, &out](const Entry& entry, bool killed, int number) {
        out.codes[number - begin] = entry.code;
        out.tids[number - begin] = entry.tid;
        out.dead[number - begin] = killed;
        return true;
      });
}

#define LEARNED_LEAF_ENTRIES(K) template class BasicLeafEntries<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_LEAF_ENTRIES)
#undef LEARNED_LEAF_ENTRIES

}  // namespace learned
