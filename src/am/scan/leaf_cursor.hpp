// The leaf that a scan stands on, the entries that it visits there, and the way to the next leaf.
//
// Which entries of a leaf belong to the current part is computed under the share lock. If they are few they are decoded at
// once; otherwise the page is copied and decoded lazily, in batches. Either way the lock is gone before an entry is
// returned; the pin stays where TIDs need protection from VACUUM (index-only scans, snapshots that are not MVCC;
// src/README.md, "Pins").
//
// An entry is known by its number on the leaf (leaf_entries.hpp), and when pages change, by its position (code, TID): every
// movement that meets a surprise descends again with that (core/tree/walk.hpp).
#pragma once

#include "am/scan/batch.hpp"
#include "am/scan/kill_items.hpp"
#include "am/scan/leaf_entries.hpp"
#include "am/scan/read_leaf.hpp"
#include "am/store/buffer_store.hpp"

namespace learned {

template <class K>
class BasicLeafCursor {
 public:
  using Entry = BasicEntry<K>;
  using TreeRange = BasicTreeRange<K>;
  using LeafVisit = BasicLeafVisit<K>;
  using Batch = BasicBatch<K>;

  BasicLeafCursor(Relation index, const KeyColumns& columns, MemoryContext context);

  bool loaded() const { return walk_.on_leaf(); }
  // Lets go of the leaf, and of its pin.
  void unload();
  // Sets the kill marks that are due. No content lock is held.
  void set_kill_marks() {
    if (!kills_.empty()) write_kill_marks();
  }
  // Visits only what is in the set, from now on; nullptr: all of the part. (Keys of several words.)
  void set_filter(const KeySet* filter) {
    filter_ = filter;
    pace_.start();
  }
  // Whether the part that it is given is all that is read.
  void set_one_part(bool one_part) { one_part_ = one_part; }
  // Its entries are returned to nobody: keeps no pin.
  void set_scout() { scout_ = true; }
  // Whether the server is to be given rows one by one, or index tuples as fast as they come.
  void set_unhurried(bool unhurried) { batch_.set_unhurried(unhurried); }
  // Tells one loading from another.
  uint64 serial() const { return serial_; }
  // What was visited on it, and where its links lead. REQUIRES: loaded()
  const LeafVisit& leaf() const { return walk_.leaf(); }

  // ---- to a leaf: the scan then stands before the first entry of the part there, or, backward, behind the last

  // Whether the part begins on the loaded leaf.
  bool has_start(const TreeRange& part, bool forward) const {
    return walk_.leaf().covers(part.tree, part.start(forward));
  }
  // To where the part begins.
  void enter(IndexScanDesc scan, const TreeRange& part, bool forward);
  // To the next leaf. REQUIRES: leaf().goes_on(part, forward)
  void cross(IndexScanDesc scan, const TreeRange& part, bool forward);
  // The same, but to a position beyond the next leaf's beginning. True: it was searched for. (Several such steps in a row that would
  // have led to the next leaf make one look there first.)
  bool cross_to(IndexScanDesc scan, const TreeRange& part, const Entry& position, bool forward);
  // To where another process had come to: the position, and the leaf that had it.
  void take_over(IndexScanDesc scan, const TreeRange& part, Entry fence, Block hint, bool forward);
  // To an entry that was in this block once: stands so that a step in this direction leaves it behind.
  void return_to(IndexScanDesc scan, const TreeRange& part, Entry entry, Block hint, bool forward);

  // Leaves the scan no more than `most` entries here (one more, if need be), the next ones in its direction. True: there were more, and *next is the position
  // where they begin (backward: before which they end). REQUIRES: the leaf was just entered in a parallel scan.
  bool cut(int most, bool forward, Entry* next);

  // ---- on the leaf

  // Goes to the next entry here that is not dead, and decodes it. (What the filter leaves out is dead to the scan.) False: there is none, and the scan stands at the end.
  bool next(IndexScanDesc scan, bool forward) {
    for (;;) {
      number_ += forward ? 1 : -1;
      if (!on_entry() || !ensure_decoded(scan, forward)) return false;
      if (!batch_.dead(number_)) return true;
    }
  }
  // The same if no more needs to be done for it than to count. False: see next().
  bool next_decoded(bool forward) {
    const int next = number_ + (forward ? 1 : -1);
    if (!batch_.has(next) || !batch_.clean()) return false;
    number_ = next;
    return true;
  }
  // The same if the next one has its index tuple, too.
  bool next_tuple(bool forward) {
    const int next = number_ + (forward ? 1 : -1);
    if (!batch_.has_live_tuple(next)) return false;
    number_ = next;
    return true;
  }

  // Whether the scan stands on an entry, not at an end.
  bool on_entry() const { return number_ >= 0 && number_ < entries_.total(); }
  int number() const { return number_; }
  // How many are here behind it.
  int left(bool forward) const { return forward ? entries_.total() - 1 - number_ : number_; }
  // Leaves out what precedes a position that lies ahead (backward: what does not), here and, if that is all, beyond.
  void skip_to(const Entry& position, bool forward);
  // Where the scan goes on beyond the leaf: at its fence, or where skip_to() sent it. REQUIRES: on no entry.
  Entry onward(bool forward) const {
    return skipping_ && forward == skipping_forward_ ? skip_to_ : leaf().fence(forward);
  }
  // Goes back to an entry of this loading.
  void stand_on(int number) {
    number_ = number;
    skipping_ = false;
  }
  // Decodes the entry if it is not, and those that a scan in this direction comes to then. False: from there on all are dead,
  // and the scan stands at the end.
  bool ensure_decoded(IndexScanDesc scan, bool forward) {
    return batch_.has(number_) || decode_more(scan, forward);
  }

  // REQUIRES: it is decoded
  Entry entry() const { return batch_.entry(number_); }
  Tid tid() const { return batch_.tid(number_); }
  IndexTuple tuple() { return batch_.tuple(number_); }
  Batch& batch() { return batch_; }

  // Asks the disk for the next leaf, or for the one where a part begins.
  void ask_for_next(bool forward) { store_.ask_for(leaf().link(forward)); }
  void ask_for(const TreeRange& part, bool forward);

  // The entry is dead to every transaction: its kill mark is set before the leaf is left.
  void kill();

 private:
  // What ReadLeaf is to know.
  ReadLeaf reads(const TreeRange& part, IndexScanDesc scan) const;
  void load(IndexScanDesc scan, const TreeRange& part, Buffer buffer);
  void keep_page();
  void let_go();
  int count_before(const Entry& limit);
  void select(const TreeRange& part, BasicLeafRanks<K>* ranks);
  void stand_at_start(bool forward) { number_ = forward ? -1 : entries_.total(); }
  bool decode_more(IndexScanDesc scan, bool forward);
  bool skip_dead(bool forward);
  bool go_to_admitted(bool forward);
  void finish_batch(IndexScanDesc scan);
  void check_tids(IndexScanDesc scan);
  void look_up_table(IndexScanDesc scan);
  void write_kill_marks();
  [[noreturn]] void damaged() { store_.corrupt(leaf().block(), "page does not decode"); }

  int number_ = -1;  // of the current entry; -1 and the total are the ends
  uint64 serial_ = 0;
  Buffer pinned_ = InvalidBuffer;  // unless the pin must be kept
  XLogRecPtr lsn_ = InvalidXLogRecPtr;
  BlockNumber end_of_tids_ = 0;  // of the table
  KeyColumns columns_;
  MemoryContext context_;
  std::uint8_t* copy_ = nullptr;         // kMaxCompactBytes, made on first use
  std::uint64_t* kill_words_ = nullptr;  // kMaxKillWords, made on first use
  const KeySet* filter_ = nullptr;
  bool one_part_ = false;
  bool scout_ = false;
  bool skipping_ = false;  // to a position beyond this leaf
  bool skipping_forward_ = false;
  bool next_door_ = false;  // the last cross_to() led to the next leaf
  Entry skip_to_{};
  StepPace pace_{Batch::kMost};
  BasicBufferStore<K> store_;
  LeafWalk<BasicBufferStore<K>> walk_;
  BasicKillItems<K> kills_;
  BasicLeafEntries<K> entries_;
  Batch batch_;
};
static_assert(std::is_trivially_destructible_v<BasicLeafCursor<Code>>);

}  // namespace learned
