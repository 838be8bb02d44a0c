// The entries of one leaf that a scan visits there: encoded ones and, merged with them, those of the delta.
//
// In their order they are *numbered* from 0 on: number n is an encoded entry, of a certain rank, or a delta entry. Nothing is decoded
// here but what is asked for.
#pragma once

#include "core/page/kill_marks.hpp"
#include "core/tree/walk.hpp"

namespace learned {

// Where decoded entries go, column by column.
template <class K>
struct EntryColumns {
  K* codes;
  Tid* tids;
  bool* dead;  // removed, or killed if kill marks are believed
};

// Functions that return bool, unless they ask a question, return false for a page that does not decode.
template <class K>
class BasicLeafEntries {
 public:
  using Entry = BasicEntry<K>;
  using PageView = BasicPageView<K>;
  using TreeRange = BasicTreeRange<K>;
  using LeafVisit = BasicLeafVisit<K>;
  using LeafRanks = BasicLeafRanks<K>;
  using EntryColumns = learned::EntryColumns<K>;

  // Of a leaf that is locked, and stays so until keep() or release(). No entries are selected yet.
  void open(const PageView& page, bool believe_kill_marks) {
    view_ = page;
    kept_ = false;
    nulls_ = page.tree() == TreeId::nulls;
    kill_marks_ = believe_kill_marks ? KillMarks(page) : KillMarks();
  }
  // Goes on with a copy: the page is about to be unlocked. REQUIRES: kMaxCompactBytes; kMaxKillWords words, if
  // has_kill_marks().
  void keep(std::uint8_t* copy, std::uint64_t* kill_words) {
    view_ = compact_copy(view_, copy);
    if (kill_marks_.any()) kill_marks_.detach(kill_words);
    kept_ = true;
  }
  // All entries are decoded: the page is not to be read without its lock.
  void release() {
    view_ = PageView();
    kill_marks_ = KillMarks();
    kept_ = false;
  }
  // Whether there is a copy.
  bool kept() const { return kept_; }
  bool has_kill_marks() const { return kill_marks_.any(); }
  bool nulls() const { return nulls_; }

  // Selects the entries that belong to the range and to the visit.
  bool select(const LeafVisit& visit, const TreeRange& range, LeafRanks* ranks);
  // Of them, only numbers [begin, end) from now on; they are numbered anew.
  void narrow(int begin, int end);

  int total() const { return total_; }
  // Rank of the encoded entry with this number, -1 if it is a delta entry. (Also after release().)
  int rank_of(int number) const;
  // How many entries are < limit.
  bool count_before(const Entry& limit, int* count) const;
  // Moves a number back by one if it stands between two entries of one position: a removed one, and one that has taken its TID and has the same key.
  // Whoever goes on from positions must not part these.
  bool keep_together(int* number) const;
  // How many are not removed, and the number of the nth of those, from 0. REQUIRES: nth < live().
  int live() const;
  int live_number(int nth) const;
  // The first entry from `number` on that is neither removed nor killed; total() if there is none.
  int skip_dead(int number) const;
  // The same backward: the last one up to `number`, -1 if there is none.
  int skip_dead_back(int number) const;

  // Of numbers [begin, end), calls encoded(ranks begin, end, number of the first) and other(delta entry, killed, number), in their order. False: a call was.
  template <class Encoded, class Other>
  bool for_each(int begin, int end, Encoded&& encoded, Other&& other) const {
    unsigned d = 0;
    while (d < deltas_ && static_cast<int>(delta_number_[d]) < begin) d++;
    unsigned rank = first_rank_ + static_cast<unsigned>(begin) - d;
    for (int n = begin; n < end;) {
      const bool delta_next = d < deltas_ && static_cast<int>(delta_number_[d]) < end;
      const int next = delta_next ? static_cast<int>(delta_number_[d]) : end;
      const unsigned end_rank = rank + static_cast<unsigned>(next - n);
      if (!encoded(rank, end_rank, n)) return false;
      rank = end_rank;
      n = next;
      if (n < end) {
        if (!other(delta_[d], delta_killed_[d], n)) return false;
        d++;
        n++;
      }
    }
    return true;
  }
  // Decodes [begin, end), to the beginning of the columns.
  bool decode(int begin, int end, const EntryColumns& out) const;
  // Whether there is just one, and select() found in which segment: then that has its TID.
  bool is_single(const LeafRanks& ranks) const {
    return total_ == 1 && deltas_ == 0 && ranks.segment.count > 0;
  }
  Tid single_tid(const LeafRanks& ranks) const {
    return ranks.segment.tid_at(first_rank_ - ranks.segment.first_rank);
  }
  bool single_dead() const { return view_.is_dead(first_rank_) || kill_marks_.killed(first_rank_); }
  // Whether any may be dead.
  bool any_dead() const { return (view_.flags() & kHasDead) != 0 || kill_marks_.any(); }

 private:
  bool decode_ranks(unsigned begin, unsigned end, unsigned at, const EntryColumns& out) const;

  PageView view_;
  bool kept_ = false;
  bool nulls_ = false;
  // Encoded entries of ranks [first_rank_, end_rank_), and deltas_ others.
  int total_ = 0;
  unsigned first_rank_ = 0;
  unsigned end_rank_ = 0;
  unsigned deltas_ = 0;
  KillMarks kill_marks_;

  // Of the delta entries, sorted: [0, deltas_) in use, the rest is never touched.
  unsigned delta_number_[kMaxDelta];
  Entry delta_[kMaxDelta];
  bool delta_killed_[kMaxDelta];
};

}  // namespace learned
