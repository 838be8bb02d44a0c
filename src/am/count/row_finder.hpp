// Finds rows by their number among those that scan keys admit and a snapshot sees, without reading the ones before.
//
//   begin(keys, direction)   takes over the conditions
//   find(n)                  the entry of the row before which, in the index's order or the reverse, there are n others
//
// Leaf after leaf is counted as a whole; suspects, as many as may be, are visited together, as long as no more than n rows lie before, whatever comes of them. The
// leaf that has the row is read again, in pieces, and so is the piece that has it, until that is one entry. What the snapshot sees
// between two positions does not change, whatever happens to pages meanwhile: so each reading may find other pages, and only positions are kept from one to the next.
#pragma once

#include "am/count/counted_leaves.hpp"
#include "am/scan/leaf_entries.hpp"

namespace learned {

// An entry that may be NULL.
template <class K>
struct FoundRow {
  TreeId tree;
  BasicEntry<K> entry;

  RowKey<K> key() const { return {tree, entry.code}; }
  // The position behind it.
  BasicEntry<K> behind() const { return {entry.code, entry.tid + 1}; }
};

template <class K>
class RowFinder {
 public:
  RowFinder(Relation heap, Relation index, const KeyColumns& columns, MemoryContext context)
      : leaves_(heap, index, columns, false, context) {}

  // The keys must stay. `same_snapshot`: as at the last begin(). `direction`: as a scan's.
  void begin(const ScanKeyData* keys, int nkeys, Snapshot snapshot, bool same_snapshot,
             ScanDirection direction);
  // As IndexCounter's.
  bool may_count(double rows) { return leaves_.may_count(rows); }
  // False: there are no more than n rows. REQUIRES: may_count(), and n not less than at the last call since.
  bool find(uint64 n, FoundRow<K>* row);
  // How many rows there are, when find() has said that there are no more.
  uint64 passed() const { return passed_; }
  // That, of all. REQUIRES: as find()
  uint64 count() {
    FoundRow<K> row;
    find(std::numeric_limits<uint64>::max(), &row);
    return passed_;
  }
  const CountWork& work() const { return leaves_.work(); }
  // A row that a snapshot sees does not go away: what does not find it again, where it was counted, is damaged.
  [[noreturn]] void lost() { leaves_.corrupt("entries that were counted are gone"); }
  // As CountedLeaves.
  void remember(VisitedRows* visited) { leaves_.remember(visited); }
  // As IndexCounter's.
  void stop() { leaves_.stop(); }
  void release() { leaves_.release(); }

 private:
  using Entry = BasicEntry<K>;
  using PageView = BasicPageView<K>;

  static constexpr int kPieces = 64;

  // What is tallied goes to the current piece.
  struct Sink {
    RowFinder* finder;

    static constexpr bool needs_keys() { return false; }
    void whole(const BasicSegmentRef<K>&, unsigned, unsigned n, unsigned removed) {
      passed_over(1);
      clear(n - removed);
    }
    void clear(const K*) { clear(1u); }
    void clear(unsigned n) { finder->rows_[finder->piece_] += n; }
    void suspect(const K*, Tid tid) {
      if (finder->leaves_.suspect(tid, finder->tag_ + static_cast<uint32>(finder->piece_), nullptr))
        clear(1u);
    }
    void passed_over(unsigned n) { finder->leaves_.work().segments += n; }
    void decoded(unsigned n) { finder->leaves_.work().decoded += n; }
    static bool full() { return false; }  // (all of a leaf is needed at once)
  };

  void read_leaf();
  template <class Tally>
  bool tally_leaf(const PageView& page, const BasicLeafRanks<K>& ranks, Tally& leaf);
  template <class Tally>
  bool tally_pieces(const PageView& page, Tally& leaf);
  bool name_piece(int begin, int end);
  template <class Tally>
  bool tally_piece(int begin, int end, Tally& leaf);
  void visit_suspects();
  bool pass_pieces(uint64 n);
  void narrow_to_piece();

  CountedLeaves<K> leaves_;
  BasicLeafEntries<K> entries_;
  uint64 passed_ =
      0;  // rows before what is read next; those of earlier leaves that are suspects yet not among them
  // The row lies within these positions, which are read in pieces.
  bool narrowed_ = false;
  Entry lo_{};
  Entry hi_{};
  // Of the leaf that was read last, in physical order; one piece, if it was not narrowed.
  int pieces_ = 0;
  int piece_ = 0;
  uint32 tag_ = 0;  // of the first one's suspects
  uint64 rows_[kPieces];
  bool single_[kPieces];  // it has one position
  Entry first_[kPieces];
};

}  // namespace learned
