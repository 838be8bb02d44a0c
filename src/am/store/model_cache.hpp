// A backend's private copy of indexes' directories (their inner pages), so that a lookup predicts its leaf
// without touching a shared page.
//
// Copies may be stale for as long as they like: the fences of the leaf decide, and a wrong prediction drops the
// copy it came from. Memory is bounded by learned_index.model_cache; it lives in a context of its own, keyed by
// relfilenode, so that REINDEX or TRUNCATE start anew by themselves.
#pragma once

#include "am/server/compat.hpp"
#include "am/store/cache_counts.hpp"
#include "core/page/view.hpp"

namespace learned {

// Room for a position in an index whatever its keys are: they are as wide as they are, from the beginning on.
struct WidestEntry {
  alignas(BasicEntry<Words<kMaxWords>>) std::uint8_t bytes[sizeof(BasicEntry<Words<kMaxWords>>)];

  template <class K>
  void set(const BasicEntry<K>& entry) {
    std::memcpy(bytes, &entry, sizeof entry);
  }
  template <class K>
  BasicEntry<K> get() const {
    return load<BasicEntry<K>>(bytes);
  }
};

struct InnerCopy {
  Block block;  // kNoBlock: free slot
  uint32 bytes;
  const std::uint8_t* low;  // the two parts of a view of the copy
  const std::uint8_t* high;

  // REQUIRES: the index's keys are of this type.
  template <class K>
  BasicPageView<K> view() const {
    return BasicPageView<K>(low, high);
  }
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
  WidestEntry end_low[kTreeCount];
  InnerCopy* slots;  // open addressing by block, capacity a power of two
  uint32 capacity;
  uint32 used;
};

// The copy of an index's directory, empty at first. Never nullptr; valid until the next call for another index.
DirectoryCopy* model_cache_get(Relation index);

// Looks for copies of inner pages, and copies that made room for those of other pages or indexes.
extern CacheCounts model_cache_counts;
CacheSize model_cache_size();

const InnerCopy* model_cache_find(const DirectoryCopy* copy, Block block);
// Keeps a copy of an inner page if the bound allows. REQUIRES: check_header() found nothing.
template <class K>
void model_cache_put(DirectoryCopy* copy, Block block, const BasicPageView<K>& page);
void model_cache_drop(DirectoryCopy* copy, Block block);

// Forgets everything about an index whose file is written anew in place.
void model_cache_forget(Relation index);

}  // namespace learned
