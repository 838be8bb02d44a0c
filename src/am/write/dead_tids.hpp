// Which TIDs VACUUM removes, asked for many leaves at a time.
//
// The server answers for one TID after another, by a search in its array of dead TIDs. A leaf of random keys asks
// in random order, and most of a VACUUM's time goes into cache misses of that search. So the TIDs of the next
// leaves are collected under share locks, sorted, and asked for in their order; neighbours then share the path.
// The answers are for TIDs and hold for the whole VACUUM. They are used for a leaf only if it is still the same when
// it is locked for cleanup; if not, its entries are asked for one by one, some of them again: also the other user of
// this interface, CREATE INDEX CONCURRENTLY, which sorts what it is asked for, does not mind.
//
// Still the same: nothing but hints changes a page of a logged index without moving its LSN, and an LSN never comes
// back. Where nothing is logged the LSN stands still, and checksum and `upper` alone are 48 bits that two contents may
// share (the checksum leaves the delta out, too): there the TIDs are decoded again and compared, which is little beside
// what asking in order saves. VACUUM itself, which is alone, changes no leaf that it has not come to yet, except for the
// left link of the one behind a leaf that was joined with its neighbour.
#pragma once

#include "am/store/buffer_store.hpp"
#include "core/sort/radix_sort.hpp"

namespace learned {

template <class K>
class DeadTids {
 public:
  using PageView = BasicPageView<K>;

  // A leaf that was looked at, and where its answers begin: encoded entries, then delta entries.
  struct Leaf {
    Block block;
    std::uint32_t check;
    std::uint16_t upper;
    std::uint64_t lsn;
    unsigned first;
    unsigned count;
  };

  // `logged`: changes of the index's pages move their LSNs.
  DeadTids(BasicBufferStore<K>* store, bool logged, IndexBulkDeleteCallback callback, void* callback_state)
      : store_(store), logged_(logged), callback_(callback), callback_state_(callback_state) {}
  // Two and a half megabytes from the current memory context; release() frees them.
  void allocate();
  void release();

  // The server's answer for one TID.
  bool is_dead(Tid tid) const;

  // Whether all leaves that were collected have been found.
  bool exhausted() const { return next_ >= leaf_count_; }
  void forget() { leaf_count_ = next_ = missed_ = 0; }
  // Collects leaves of a tree from `block` on. The caller holds no content lock.
  void collect(TreeId tree, Block block);
  // The answers for a leaf, locked, if it is as it was; else nullptr. Leaves are found in the order of collection.
  const Leaf* find(Buffer buffer);
  // Whether entry `i` of the leaf is to be removed.
  bool is_dead(const Leaf* leaf, unsigned i) const { return test_bit(dead_, leaf->first + i); }

 private:
  static constexpr unsigned kMaxLeaves = 128;
  static constexpr unsigned kMaxTids = 65536;
  static constexpr unsigned kMaxMissed = 8;
  static constexpr Tid kRemoved = ~Tid{0};  // no row's
  static_assert(kMaxTids >= kMaxEntries + kMaxDelta);
  static_assert(kMaxTids >= least_sort_scratch(kMaxTids));

  bool add_leaf(Buffer buffer, TreeId tree);
  void ask();
  bool unchanged(const Leaf& leaf, Buffer buffer);

  BasicBufferStore<K>* store_;
  bool logged_;
  IndexBulkDeleteCallback callback_;
  void* callback_state_;
  Tid* found_ = nullptr;   // by number, kMaxTids of them; kRemoved: of an entry that was removed before
  Entry* tids_ = nullptr;  // (TID, its number), as many
  Entry* scratch_ = nullptr;
  std::uint8_t* dead_ = nullptr;  // answers, a bitmap
  unsigned count_ = 0;            // entries of the collected leaves
  unsigned asked_ = 0;            // of which so many are to be asked for
  Leaf leaves_[kMaxLeaves];
  unsigned leaf_count_ = 0;
  unsigned next_ = 0;
  unsigned missed_ = 0;  // leaves that were not among them
};
static_assert(std::is_trivially_destructible_v<DeadTids<Code>>);

}  // namespace learned
