// The state of a scan, shared by the files that move it: leaf_cursor.cpp (over leaves) and scan.cpp (over entries,
// and what the server calls).
#pragma once

#include "am/buffer_store.hpp"
#include "am/heap_prefetch.hpp"
#include "am/key_type.hpp"
#include "am/scan_bounds.hpp"
#include "am/server.hpp"

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

  // Merged positions [0, total): encoded entries of ranks [first_rank, end_rank) and delta entries among them.
  unsigned first_rank;
  unsigned end_rank;
  unsigned deltas;
  int total;
  int at;  // current position, -1 and total are the ends
  unsigned delta_position[kMaxDelta];
  Entry delta[kMaxDelta];

  // Decoded positions [batch_begin, batch_end).
  int batch_begin;
  int batch_end;
  unsigned batch_size;  // of the next one; grows
  PageView view;
};

struct Mark {
  bool valid;
  int part;
  Entry entry;
  uint64 serial;
  int at;
};

struct ScanState {
  ScanBounds bounds;
  BufferStore store;
  KeyType key;
  bool descending;      // physical order is the reverse of the index's
  bool nulls_first;     // physically
  bool counted;         // this scan is in the statistics
  bool resume_pending;  // restored to a mark whose page is gone
  int part;
  int parts;
  int piece_end;  // in a parallel scan: the last part of the piece that is this process's
  Mark mark;
  Entry resume;
  LeafCursor leaf;
  Code codes[kMaxBatch];
  Tid tids[kMaxBatch];
  bool dead[kMaxBatch];
  bool clean;                          // the batch has no dead entry
  bool fresh;                          // the batch was just decoded
  char tuples[kMaxBatch][kTupleSize];  // the batch as index tuples, for index-only scans
  std::uint8_t* copy;                  // kPageSize bytes, made on first use
  MemoryContext context;
  BlockNumber heap_blocks;  // the table has at least so many blocks
  HeapPrefetch heap;
};
static_assert(std::is_trivially_destructible_v<ScanState>);

inline ScanState* state_of(IndexScanDesc scan) { return static_cast<ScanState*>(scan->opaque); }

// ---- leaf_cursor.cpp --------------------------------------------------------------------------------

// Lets go of the leaf, and of its pin.
void unload(ScanState* s);

// Goes to the end of a part where a scan in this direction begins.
void enter_part(IndexScanDesc scan, int part_no, bool forward);

// In a parallel scan, takes the next piece from what is left to scan. False: nothing is.
bool take_piece(IndexScanDesc scan, bool forward);

// Leaves the page (or the part) at one end. False: there is nothing beyond.
bool advance(IndexScanDesc scan, bool forward);

// Loads the page of a mark that was restored and stands on the marked entry's place.
void resume_at_mark(IndexScanDesc scan, bool forward);

// Decodes the current position and those that the scan comes to next.
void decode_more(IndexScanDesc scan, bool forward);

inline void ensure_decoded(IndexScanDesc scan, bool forward) {
  const LeafCursor& leaf = state_of(scan)->leaf;
  if (leaf.at < leaf.batch_begin || leaf.at >= leaf.batch_end) decode_more(scan, forward);
}

}  // namespace learned
