// The leaves that have the entries which scan keys admit, one after the other in either direction, and what may be believed of the rows of these entries: for
// whoever counts them.
//
//   begin(keys)           takes over the conditions
//   read(tally, prepare)  goes to the next leaf, and has its entries tallied while it is locked: some of them by the visibility map alone, the others are
//                         suspects
//   go_on()               the leaf is done
//   visit_suspects()      what of the suspects the snapshot sees
//
// Which of the pages are read and how they may be believed: src/README.md, "Counting".
#pragma once

#include "am/count/heap_visibility.hpp"
#include "am/count/suspect_rows.hpp"
#include "am/scan/read_leaf.hpp"
#include "am/scan/scan_parts.hpp"
#include "am/server/table_tids.hpp"
#include "am/store/buffer_store.hpp"

namespace learned {

// What EXPLAIN tells.
struct CountWork {
  uint64 leaves = 0;
  uint64 segments = 0;  // or parts of some, counted whole
  uint64 decoded = 0;   // entries
  uint64 visited = 0;   // rows of the table

  void add(const CountWork& other);
  void explain(ExplainState* es) const;
};

template <class K>
class CountedLeaves {
 public:
  using Entry = BasicEntry<K>;
  using PageView = BasicPageView<K>;
  using LeafRanks = BasicLeafRanks<K>;

  // `with_keys`: suspects may have one. Memory comes from the context.
  CountedLeaves(Relation heap, Relation index, const KeyColumns& columns, bool with_keys,
                MemoryContext context);

  // The keys must stay. `same_snapshot`: as at the last begin().
  void begin(const ScanKeyData* keys, int nkeys, Snapshot snapshot, bool same_snapshot, bool forward);
  // Whether rows may be counted, some of which there are; the table is then locked as a transaction that is SERIALIZABLE must lock it, for a DELETE changes no page
  // of the index: not for few rows. REQUIRES: begin()
  bool may_count(double rows);
  // Ends what begin() began; it may be called again.
  void stop();
  // The same, and lets go of the table and of most of the memory.
  void release();
  // Rows that are visited are remembered there, and none twice. All that begins has the same snapshot.
  void remember(VisitedRows* visited) { visited_ = visited; }

  const BasicScanParts<K>& parts() const { return parts_; }
  bool forward() const { return forward_; }
  // Whether there are leaves to be read.
  bool any_left() const { return next_ != Next::nowhere; }
  // The one that was read last.
  const BasicLeafVisit<K>& leaf() const { return walk_.leaf(); }
  // The position at which it was begun.
  Entry began() const;

  // tally(page, ranks, open) is told of the leaf, of the encoded entries that belong to it and to the current part, and of open blocks, and tallies them and
  // the delta entries that leaf().takes(). If it returns false, something has to be done while nothing is locked: prepare() does that, and returns the
  // position of what is left to be tallied (forward), for the leaf is read anew, as it may have changed. REQUIRES: any_left()
  template <class Tally, class Prepare>
  void read(Tally&& tally, Prepare&& prepare);
  // To what comes behind the leaf.
  void go_on();
  // Back to a position in the current part, from where (backward: before which) the next leaf is read.
  void return_to(const Entry& position);

  // An entry on an open block; `tag` and `key` (which may be null) are what visit_suspects() tells of it. True: it is none, for its row has been visited, and is seen.
  // REQUIRES: the leaf is being read.
  [[nodiscard]] bool suspect(Tid tid, uint32 tag, const K* key);
  uint32 suspects() const { return suspects_.size(); }
  // So many that they should be visited now.
  bool has_many_suspects() const { return suspects_.full(); }
  // seen(tag, key) is called for those that the snapshot sees; none is left. REQUIRES: no leaf is locked.
  template <class Seen>
  void visit_suspects(Seen seen) {
    work_.visited += suspects_.size();
    suspects_.visit(snapshot_, visited_, seen);
  }
  // No page of the map stays pinned.
  void release_map() { visibility_.release(); }

  CountWork& work() { return work_; }
  const CountWork& work() const { return work_; }
  // The leaf that was read last, or what there is instead of one, is damaged.
  [[noreturn]] void corrupt(Fault fault) {
    store_.corrupt(leaf().block() == kNoBlock ? kMetaBlock : leaf().block(), fault);
  }
  [[noreturn]] void damaged() { corrupt("page does not decode"); }

 private:
  using Store = BasicBufferStore<K>;

  ReadLeaf read_leaf() const { return {index_, snapshot_}; }
  Buffer next_leaf();
  void expect_next();
  // Lets go of the leaf, and locks what there is from the position on that `unlocked` finds, or confirms, meanwhile.
  template <class Unlocked>
  Buffer reopen(Buffer leaf, Unlocked&& unlocked) {
    const Block block = walk_.leaf().block();
    const Entry begin = began();
    UnlockReleaseBuffer(leaf);
    CHECK_FOR_INTERRUPTS();
    const Entry position = unlocked(begin);
    return walk_.take_over(parts_.current().tree, position, block, forward_, read_leaf());
  }

  Relation heap_;
  Relation index_;
  BasicScanParts<K> parts_;
  Store store_;
  LeafWalk<Store> walk_;
  HeapVisibility visibility_;
  SuspectRows<K> suspects_;
  VisitedRows* visited_ = nullptr;
  CountWork work_;

  Snapshot snapshot_ = nullptr;
  bool forward_ = true;
  TidLimit limit_;
  // Where the walk goes on.
  enum class Next : std::uint8_t { part, leaf, position, again, nowhere } next_ = Next::nowhere;
  Entry position_{};
  uint64 live_ = 0;  // entries that were tallied by the live map since it was copied
};

template <class K>
template <class Tally, class Prepare>
void CountedLeaves<K>::read(Tally&& tally, Prepare&& prepare) {
  Buffer leaf = next_leaf();
  work_.leaves++;
  expect_next();
  // (A leaf that changes while the map is copied is read by the live map.)
  bool may_copy = true;
  for (;;) {
    const PageView page(buffer_bytes(leaf));
    LeafRanks ranks;
    if (!walk_.leaf().ranks(page, parts_.current(), &ranks)) damaged();
    if (visibility_.holds_for(leaf)) {
      if (tally(page, ranks, visibility_.copy_of_map())) break;
    } else {
      const uint64 entries = ranks.end - ranks.begin + page.deltas();
      if (may_copy && visibility_.worth_copying(live_ + entries)) {
        may_copy = false;
        leaf = reopen(leaf, [this](const Entry& begin) {
          visibility_.copy();
          live_ = 0;
          return begin;
        });
        continue;
      }
      live_ += entries;
      if (tally(page, ranks, LiveBlocks(&visibility_))) break;
    }
    leaf = reopen(leaf, [&prepare](const Entry& begin) { return std::max(begin, prepare()); });
  }
  UnlockReleaseBuffer(leaf);
}

}  // namespace learned
