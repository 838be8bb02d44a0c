#include "am/store/model_cache.hpp"

#include "am/options.hpp"

namespace learned {

CacheCounts model_cache_counts;

namespace {

// Indexes that a backend remembers at a time; the least recently used makes room.
constexpr int kMaxDirectories = 64;

DirectoryCopy directories[kMaxDirectories];
DirectoryCopy* last_used = nullptr;
uint64 clock_tick = 0;
Size total_bytes = 0;

bool is_of(const DirectoryCopy& copy, Relation index) {
  return compat::names_a_file(copy.file) && compat::same_file(copy.file, compat::file_id(index)) &&
         copy.backend == index->rd_backend;
}

Size budget() { return static_cast<Size>(model_cache_kilobytes) * 1024; }

void clear(DirectoryCopy* copy) {
  total_bytes -= copy->bytes;
  if (copy->context != nullptr) MemoryContextDelete(copy->context);
  *copy = DirectoryCopy{};
}

// To make room.
void evict(DirectoryCopy* copy) {
  model_cache_counts.evictions += copy->used;
  clear(copy);
}

uint32 slot_of(const DirectoryCopy* copy, Block block) {
  return (block * 2654435769u) & (copy->capacity - 1);
}

// The slot of a block, or the free slot where it would go.
InnerCopy* probe(const DirectoryCopy* copy, Block block) {
  for (uint32 i = slot_of(copy, block);; i = (i + 1) & (copy->capacity - 1)) {
    InnerCopy* slot = &copy->slots[i];
    if (slot->block == block || slot->block == kNoBlock) return slot;
  }
}

InnerCopy* make_slots(MemoryContext context, uint32 capacity) {
  auto* slots = static_cast<InnerCopy*>(MemoryContextAlloc(context, capacity * sizeof(InnerCopy)));
  for (uint32 i = 0; i < capacity; i++) slots[i] = InnerCopy{kNoBlock, 0, nullptr, nullptr};
  return slots;
}

void account(DirectoryCopy* copy, Size bytes) {
  copy->bytes += bytes;
  total_bytes += bytes;
}

// Frees other indexes' copies, oldest first, until `bytes` more are allowed. False: they are not.
bool make_room(const DirectoryCopy* keep, Size bytes) {
  while (total_bytes + bytes > budget()) {
    DirectoryCopy* oldest = nullptr;
    for (DirectoryCopy& d : directories) {
      if (&d != keep && d.bytes > 0 && (oldest == nullptr || d.last_use < oldest->last_use)) oldest = &d;
    }
    if (oldest == nullptr) return false;
    evict(oldest);
  }
  return true;
}

bool grow(DirectoryCopy* copy) {
  const uint32 capacity = copy->capacity == 0 ? 8 : copy->capacity * 2;
  const Size bytes = capacity * sizeof(InnerCopy);
  if (!make_room(copy, bytes)) return false;
  if (copy->context == nullptr) {
    copy->context = AllocSetContextCreate(TopMemoryContext, "learned index directory", ALLOCSET_SMALL_SIZES);
  }
  InnerCopy* slots = make_slots(copy->context, capacity);
  InnerCopy* old = copy->slots;
  const uint32 old_capacity = copy->capacity;
  copy->slots = slots;
  copy->capacity = capacity;
  for (uint32 i = 0; i < old_capacity; i++) {
    if (old[i].block != kNoBlock) *probe(copy, old[i].block) = old[i];
  }
  account(copy, bytes - old_capacity * sizeof(InnerCopy));
  if (old != nullptr) pfree(old);
  return true;
}

}  // namespace

DirectoryCopy* model_cache_get(Relation index) {
  const compat::FileId& file = compat::file_id(index);
  // The setting may have been lowered.
  if (total_bytes > budget()) make_room(nullptr, 0);
  if (last_used != nullptr && is_of(*last_used, index)) {
    last_used->last_use = ++clock_tick;
    return last_used;
  }
  DirectoryCopy* oldest = &directories[0];
  for (DirectoryCopy& d : directories) {
    if (is_of(d, index)) {
      d.last_use = ++clock_tick;
      last_used = &d;
      return &d;
    }
    if (d.last_use < oldest->last_use) oldest = &d;
  }
  evict(oldest);
  oldest->file = file;
  oldest->backend = index->rd_backend;
  oldest->last_use = ++clock_tick;
  last_used = oldest;
  return oldest;
}

const InnerCopy* model_cache_find(const DirectoryCopy* copy, Block block) {
  if (copy->capacity > 0) {
    const InnerCopy* slot = probe(copy, block);
    if (slot->block == block) {
      model_cache_counts.hits++;
      return slot;
    }
  }
  model_cache_counts.misses++;
  return nullptr;
}

CacheSize model_cache_size() {
  CacheSize size{0, static_cast<int64>(total_bytes), static_cast<int64>(budget())};
  for (const DirectoryCopy& d : directories) size.entries += d.used;
  return size;
}

template <class K>
void model_cache_put(DirectoryCopy* copy, Block block, const BasicPageView<K>& page) {
  const auto bytes = static_cast<uint32>(compact_bytes(page));
  if (bytes > budget()) return;
  model_cache_drop(copy, block);
  // At most three quarters full, so that a probe always ends.
  if ((copy->used + 1) * 4 > copy->capacity * 3 && !grow(copy)) return;
  if (!make_room(copy, bytes)) return;
  auto* memory = static_cast<uint8*>(MemoryContextAllocExtended(copy->context, bytes, MCXT_ALLOC_NO_OOM));
  if (memory == nullptr) return;
  const BasicPageView<K> kept = compact_copy(page, memory);
  *probe(copy, block) = InnerCopy{block, bytes, kept.low_part(), kept.high_part()};
  copy->used++;
  account(copy, bytes);
}

#define LEARNED_MODEL_CACHE(K) template void model_cache_put(DirectoryCopy*, Block, const BasicPageView<K>&);
LEARNED_FOR_EVERY_KEY(LEARNED_MODEL_CACHE)
#undef LEARNED_MODEL_CACHE

void model_cache_drop(DirectoryCopy* copy, Block block) {
  if (copy->capacity == 0) return;
  InnerCopy* slot = probe(copy, block);
  if (slot->block != block) return;
  pfree(const_cast<uint8*>(slot->low));
  copy->used--;
  copy->bytes -= slot->bytes;
  total_bytes -= slot->bytes;
  slot->block = kNoBlock;
  // Close the gap: what probed past this slot must still be found.
  uint32 i = static_cast<uint32>(slot - copy->slots);
  for (;;) {
    i = (i + 1) & (copy->capacity - 1);
    if (copy->slots[i].block == kNoBlock) return;
    const InnerCopy moved = copy->slots[i];
    copy->slots[i].block = kNoBlock;
    *probe(copy, moved.block) = moved;
  }
}

void model_cache_forget(Relation index) {
  for (DirectoryCopy& d : directories) {
    if (is_of(d, index)) clear(&d);
  }
  last_used = nullptr;
}

}  // namespace learned
