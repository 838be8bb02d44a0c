// A backend's private copy of indexes' directories (their inner pages), so that a lookup predicts its leaf
// without touching a shared page.
//
// Copies may be stale for as long as they like: the fences of the leaf decide, and a wrong prediction drops the
// copy it came from. Memory is bounded by learned_index.model_cache; it lives in a context of its own, keyed by
// relfilenode, so that REINDEX or TRUNCATE start anew by themselves.
#pragma once

#include "am/server/compat.hpp"
#include "core/page/view.hpp"

namespace learned {

struct InnerCopy {
  Block block;  // kNoBlock: free slot
  uint32 bytes;
  PageView view;
};

struct DirectoryCopy {
  compat::FileId file;  // none: free
  int backend;          // whose temporary index it is; a file is named by both
  uint64 last_use;
  MemoryContext context;  // all copies
  Size bytes;             // what they take
  Block known_blocks;     // the file has at least so many blocks
  bool root_known[kTreeCount];
  uint8 level[kTreeCount];
  Block root[kTreeCount];
  // The rightmost leaf that this backend inserted into, and where it begins: what arrives in order goes there again.
  bool end_known[kTreeCount];
  Block end[kTreeCount];
  Entry end_low[kTreeCount];
  InnerCopy* slots;  // open addressing by block, capacity a power of two
  uint32 capacity;
  uint32 used;
};

// The copy of an index's directory, empty at first. Never nullptr; valid until the next call for another index.
DirectoryCopy* model_cache_get(Relation index);

const InnerCopy* model_cache_find(const DirectoryCopy* copy, Block block);
// Keeps a copy of an inner page if the bound allows. REQUIRES: check_header() found nothing.
void model_cache_put(DirectoryCopy* copy, Block block, const PageView& page);
void model_cache_drop(DirectoryCopy* copy, Block block);

// Forgets everything about an index whose file is written anew in place.
void model_cache_forget(Relation index);

}  // namespace learned
