// The state of a scan, shared by the files that move it: leaf_cursor.cpp (over leaves), kill_items.cpp (entries found
// dead on the way) and scan.cpp (over entries, and what the server calls).
#pragma once

#include "am/store/buffer_store.hpp"
#include "am/scan/heap_prefetch.hpp"
#include "am/key/key_type.hpp"
#include "am/key/scan_bounds.hpp"
#include "am/server/server.hpp"
#include "core/page/kill_marks.hpp"

namespace learned {

// As many entries or fewer are decoded straight from the shared page.
inline constexpr unsigned kSmall = 32;
inline constexpr unsigned kMaxBatch = 256;

// An index tuple: header, then eight bytes of key or of the null bitmap.
inline constexpr Size kTupleSize = MAXALIGN(sizeof(IndexTupleData)) + 8;

// What is visited in one go: a range of codes, or the NULLs.
struct Part {
  TreeId tree;
  Code lo;
  Code hi;
};

// The leaf that the scan stands on, restricted to one part.
struct LeafCursor {
  bool loaded;
  bool copied;    // `view` is the copy; else everything is in the batch
  Buffer pinned;  // InvalidBuffer unless the pin must be kept
  Block block;
  TreeId tree;
  bool rightmost;
  Entry low;
  Entry high;
  Block left;
  Block right;
  uint64 serial;  // tells one loading from another
  XLogRecPtr lsn;
  // What others found dead. Of a copied leaf; kill_items.cpp's words.
  KillMarks marks;

  // Merged positions [0, total): encoded entries of ranks [first_rank, end_rank) and delta entries among them.
  unsigned first_rank;
  unsigned end_rank;
  unsigned deltas;
  int total;
  int at;  // current position, -1 and total are the ends

  // Decoded positions [batch_begin, batch_end).
  int batch_begin;
  int batch_end;
  // How many index tuples were made of them: all, in an index-only scan, if none of the entries is dead; or none.
  unsigned batch_tuples;
  unsigned batch_size;  // of the next one; grows
  PageView view;

  // Of the delta entries, [0, deltas) in use.
  unsigned delta_position[kMaxDelta];
  Entry delta[kMaxDelta];
  bool delta_killed[kMaxDelta];
};

inline void drop_batch(LeafCursor* leaf) {
  leaf->batch_begin = leaf->batch_end = 0;
  leaf->batch_tuples = 0;
}

// An entry of the leaf that is dead to every transaction, as the server just found.
struct Kill {
  Entry entry;
  int rank;  // -1: a delta entry
};
inline constexpr int kMaxKills = 256;

struct Mark {
  bool valid;
  int part;
  Entry entry;
  Block block;  // where the entry was
  uint64 serial;
  int at;
};

struct ScanState {
  ScanBounds bounds;
  BufferStore store;
  KeyType key;
  bool descending;   // physical order is the reverse of the index's
  bool nulls_first;  // physically
  bool
      keys_read;  // `bounds` and `parts` are those of the keys; they are read by the first fetch after a rescan
  bool resume_pending;  // restored to a mark whose page is gone
  int part;
  int parts;
  int piece_end;  // in a parallel scan: the last part of the piece that is this process's
  Mark mark;
  Entry resume;
  Block resume_block;
  bool clean;          // the batch has no dead entry
  bool fresh;          // the batch was just decoded
  std::uint8_t* copy;  // kPageSize bytes, made on first use
  Kill* kills;         // kMaxKills, made on first use; what is to be marked before the leaf is left
  int kill_count;
  std::uint64_t* mark_words;  // kMaxMarkWords, made on first use: those of leaf.marks
  MemoryContext context;
  BlockNumber heap_blocks;  // the table has at least so many blocks
  HeapPrefetch heap;
  LeafCursor leaf;

  // The batch.
  Code codes[kMaxBatch];
  Tid tids[kMaxBatch];
  bool dead[kMaxBatch];
  alignas(MAXIMUM_ALIGNOF) char tuples[kMaxBatch][kTupleSize];  // for index-only scans
};
static_assert(std::is_trivially_destructible_v<ScanState>);
// What a new scan has to have zeroed; behind it are arrays of ten thousand bytes that a look-up hardly touches.
inline constexpr Size kZeroedState = offsetof(ScanState, leaf) + offsetof(LeafCursor, delta_position);

inline ScanState* state_of(IndexScanDesc scan) { return static_cast<ScanState*>(scan->opaque); }

// ---- leaf_cursor.cpp --------------------------------------------------------------------------------

// Lets go of the leaf, and of its pin.
void unload(ScanState* s);

// Goes to the end of a part where a scan in this direction begins. Counts a search, unless the scan stands on the leaf.
void enter_part(IndexScanDesc scan, int part_no, bool forward);

// In a parallel scan, takes the next piece from what is left to scan. False: nothing is.
bool take_piece(IndexScanDesc scan, bool forward);

// Ends a parallel scan that cannot match anything. True: this process was the first.
bool begin_and_end_pieces(IndexScanDesc scan);

// Leaves the page (or the part) at one end. False: there is nothing beyond.
bool advance(IndexScanDesc scan, bool forward);

// Loads the page of a mark that was restored and stands on the marked entry's place.
void resume_at_mark(IndexScanDesc scan, bool forward);

// Goes from the current position to the next one that is not dead, which may be it, and decodes it and those that the
// scan comes to then. False: there is none, and the scan stands at the end of the leaf.
bool decode_more(IndexScanDesc scan, bool forward);

inline bool ensure_decoded(IndexScanDesc scan, bool forward) {
  const LeafCursor& leaf = state_of(scan)->leaf;
  return (leaf.at >= leaf.batch_begin && leaf.at < leaf.batch_end) || decode_more(scan, forward);
}

// Rank of the encoded entry at a merged position, -1 if a delta entry is there.
int rank_at(const LeafCursor& leaf, int position);

// ---- kill_items.cpp ---------------------------------------------------------------------------------

// Takes over the kill marks of a leaf that is locked.
void read_kill_marks(IndexScanDesc scan, const PageView& page);
// The same, for good: the page is about to be unlocked.
void keep_kill_marks(ScanState* s);
// The entry that the scan returned last is dead to every transaction.
void remember_kill(IndexScanDesc scan);
// Marks in the leaf what was remembered of it. No content lock is held.
void mark_kills(ScanState* s);

}  // namespace learned
