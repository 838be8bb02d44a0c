#include "am/store/buffer_store.hpp"

#include "am/server/compat.hpp"
#include "am/options.hpp"
#include "am/store/seen_pages.hpp"

namespace learned {

namespace {

template <class K>
BasicWorkspace<K>* backend_workspace = nullptr;

// Where a key lies between two others, 0 at the first, 1 at the second; negative: no idea. By the first word in which these differ.
template <class K>
float fraction_between(const K& first, const K& key, const K& next) {
  for (unsigned w = 0; w < KeyTraits<K>::kWords; w++) {
    const Code low = KeyTraits<K>::word(first, w);
    const Code high = KeyTraits<K>::word(next, w);
    if (high == low) continue;
    if (high < low) break;
    return static_cast<float>(KeyTraits<K>::word(key, w) - low) / static_cast<float>(high - low);
  }
  return -1.0F;
}

// What generic WAL's records consist of, per page: where, how many bytes, and these.
struct Fragment {
  OffsetNumber offset;
  OffsetNumber length;
};

// Logs fragments of a page that was just changed, in the critical section of the change. The last one's bytes may stand elsewhere.
void log_fragments(Buffer buffer, std::span<std::uint8_t> fragments, std::span<std::uint8_t> more = {}) {
  XLogBeginInsert();
  XLogRegisterBuffer(0, buffer, REGBUF_STANDARD);
  XLogRegisterBufData(0, reinterpret_cast<char*>(fragments.data()), static_cast<int>(fragments.size()));
  if (!more.empty())
    XLogRegisterBufData(0, reinterpret_cast<char*>(more.data()), static_cast<int>(more.size()));
  // PageSetLSN is a macro that uses its argument twice.
  const XLogRecPtr lsn = XLogInsert(RM_GENERIC_ID, 0);
  PageSetLSN(buffer_page(buffer), lsn);
}

static_assert(kPageSize == BLCKSZ, "a server with 8 kB pages is required");
static_assert(kHeaderSize == SizeOfPageHeaderData);
static_assert(kLowerOffset == offsetof(PageHeaderData, pd_lower));
static_assert(kUpperOffset == offsetof(PageHeaderData, pd_upper));
static_assert(kSpecialOffset == offsetof(PageHeaderData, pd_special));
static_assert(kNoBlock == InvalidBlockNumber);

}  // namespace

template <class K>
BasicBufferStore<K>::BasicBufferStore(Relation index, BufferAccessStrategy strategy)
    : index_(index), strategy_(strategy) {}

template <class K>
bool BasicBufferStore<K>::exists(Block block) {
  DirectoryCopy* copy = directory();
  if (block >= copy->known_blocks) copy->known_blocks = RelationGetNumberOfBlocks(index_);
  return block < copy->known_blocks;
}

template <class K>
Buffer BasicBufferStore<K>::pin(Block block) {
  if (!exists(block)) corrupt(block, "link leads beyond the end of the index");
  if (strategy_ != nullptr) return ReadBufferExtended(index_, MAIN_FORKNUM, block, RBM_NORMAL, strategy_);
  const uint32 slot = seen_slot(index_, block);
  const Buffer seen = seen_buffers[slot];
  // The buffer table costs two cache misses that the buffer itself does not.
  if (BufferIsValid(seen)) {
    if (!expects_) prefetch_page<K>(seen_pages[slot], seen, fraction_);
    if (is_popular(seen) && ReadRecentBuffer(compat::file_id(index_), MAIN_FORKNUM, block, seen)) {
      pgstat_count_buffer_read(index_);
      pgstat_count_buffer_hit(index_);
      seen_buffer_counts.hits++;
      return seen;
    }
  }
  const Buffer buffer = ReadBuffer(index_, block);
  seen_buffer_counts.misses++;
  seen_buffer_counts.evictions += BufferIsValid(seen) && seen != buffer ? 1 : 0;
  seen_buffers[slot] = buffer;
  return buffer;
}

template <class K>
void BasicBufferStore<K>::expect(Block block) {
  expects_ = true;
  Buffer& seen = seen_buffers[seen_slot(index_, block)];
  if (BufferIsValid(seen)) {
    prefetch_header<K>(seen);
  } else if (exists(block)) {
    // Whoever pins it looks whether it still is that page; which is then read as a whole, for its checksum.
    seen = PrefetchBuffer(index_, MAIN_FORKNUM, block).recent_buffer;
    if (BufferIsValid(seen)) prefetch_all<K>(seen);
  }
}

template <class K>
Buffer BasicBufferStore<K>::read(Block block, LockMode mode) {
  const Buffer buffer = pin(block);
  LockBuffer(buffer, mode == LockMode::share ? BUFFER_LOCK_SHARE : BUFFER_LOCK_EXCLUSIVE);
  return buffer;
}

template <class K>
bool BasicBufferStore<K>::try_read(Block block, Handle* h) {
  *h = pin(block);
  if (ConditionalLockBuffer(*h)) return true;
  ReleaseBuffer(*h);
  return false;
}

template <class K>
bool BasicBufferStore<K>::try_read_for_cleanup(Block block, Handle* h) {
  *h = pin(block);
  if (ConditionalLockBufferForCleanup(*h)) return true;
  ReleaseBuffer(*h);
  return false;
}

template <class K>
Buffer BasicBufferStore<K>::allocate() {
  // The free space map is not crash-safe: what it offers is taken only if the page itself agrees.
  for (;;) {
    const BlockNumber block = spare_ != kNoBlock ? spare_ : GetFreeIndexPage(index_);
    spare_ = kNoBlock;
    if (block == InvalidBlockNumber) break;
    const Buffer buffer = ReadBuffer(index_, block);
    if (ConditionalLockBuffer(buffer)) {
      if (is_free_page<K>(bytes(buffer))) return buffer;
      LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    }
    ReleaseBuffer(buffer);
  }
  return compat::extend(index_);
}

template <class K>
std::uint8_t* BasicBufferStore<K>::edit(Handle h, bool fresh) {
  // Not what verify() remembers: a page may have been read from the disk again since.
  if (!fresh) verify_strictly(h);
  // A new page must be logged whole: a delta against a block that does not exist yet would be lost in replay.
  Page page = GenericXLogRegisterBuffer(xlog_, h, fresh ? GENERIC_XLOG_FULL_IMAGE : 0);
  if (fresh) std::memset(page, 0, BLCKSZ);
  clear_hole(reinterpret_cast<std::uint8_t*>(page));
  return reinterpret_cast<std::uint8_t*>(page);
}

template <class K>
void BasicBufferStore<K>::insert_deltas(Handle h, std::span<const Item> items) {
  if (use_generic_wal()) {
    begin();
    std::uint8_t* image = edit(h, false);
    for (const Item& item : items) add_delta(image, item);
    commit();
    return;
  }
  auto* page = reinterpret_cast<std::uint8_t*>(buffer_page(h));
  const PageView view(page);
  const bool log = RelationNeedsWAL(index_);
  // They go in front of one another, downwards.
  const std::size_t size = delta_size<K>(view.level()) * items.size();
  const auto offset = static_cast<OffsetNumber>(view.upper() - size);
  // Two fragments: the new `upper`, and the entries.
  std::uint8_t record[2 * sizeof(Fragment) + sizeof(std::uint16_t)];
  store(record, Fragment{static_cast<OffsetNumber>(kUpperOffset), sizeof(std::uint16_t)});
  store(record + sizeof(Fragment), offset);
  store(record + sizeof(Fragment) + sizeof(std::uint16_t), Fragment{offset, static_cast<OffsetNumber>(size)});

  start_critical_section();
  for (const Item& item : items) add_delta(page, item);
  MarkBufferDirty(h);
  if (log) log_fragments(h, record, {page + offset, size});
  end_critical_section();
}

template <class K>
void BasicBufferStore<K>::extend(Handle h, unsigned n) {
  const Block here = BufferGetBlockNumber(h);
  if (use_generic_wal()) {
    begin();
    bool sound = false;
    std::uint8_t* image = edit(h, false);
    extend_exactly<K>(image, extended_checksum<K>(image, &sound, n), n);
    commit();
  } else {
    auto* page = reinterpret_cast<std::uint8_t*>(buffer_page(h));
    const bool log = RelationNeedsWAL(index_);
    bool sound = false;
    const std::uint32_t checksum = extended_checksum<K>(page, &sound, n);
    if (!sound) corrupt(here, "page checksum does not match");
    std::uint8_t record[sizeof(Fragment) + kExtendedBytes];
    store(record, Fragment{static_cast<OffsetNumber>(kExtendedOffsetOf<K>), kExtendedBytes});
    start_critical_section();
    extend_exactly<K>(page, checksum, n);
    std::memcpy(record + sizeof(Fragment), page + kExtendedOffsetOf<K>, kExtendedBytes);
    MarkBufferDirty(h);
    if (log) log_fragments(h, record);
    end_critical_section();
  }
  // The old checksum was right, so the new one is.
  const PageView page(bytes(h));
  SeenPage* seen = seen_page(index_, here);
  seen->tag = *seen_tag_of(index_, here) = seen_tag(index_, here, page.trailer().check);
  // (Another page may have been in its place. It has no delta entries: all that come are to be checked.)
  seen->upper = static_cast<uint16>(page.upper());
  if (seen->encoded > 0) seen->encoded = static_cast<uint16>(page.encoded());
}

template <class K>
bool BasicBufferStore<K>::peek(Block block, Handle* h) {
  // (Not by exists(): planning for a thousand indexes must not displace their directories.)
  if (block >= peeked_blocks_) peeked_blocks_ = RelationGetNumberOfBlocks(index_);
  if (block >= peeked_blocks_) return false;
  Buffer& seen = seen_buffers[seen_slot(index_, block)];
  if (!BufferIsValid(seen) || !ReadRecentBuffer(compat::file_id(index_), MAIN_FORKNUM, block, seen))
    seen = compat::pin_quietly(index_, block);
  *h = seen;
  if (!BufferIsValid(*h)) return false;
  LockBuffer(*h, BUFFER_LOCK_SHARE);
  return true;
}

template <class K>
void BasicBufferStore<K>::verify(Handle h) {
  if (Fault fault = find_fault(h)) corrupt(BufferGetBlockNumber(h), fault);
}

template <class K>
Fault BasicBufferStore<K>::find_fault(Handle h) {
  const PageView page(bytes(h));
  const Block here = BufferGetBlockNumber(h);
  SeenPage* seen = seen_page(index_, here);
  const uint32 tag = seen_tag(index_, here, page.trailer().check);
  const auto upper = static_cast<uint16>(page.upper());
  if (seen->tag == tag) {
    seen_page_counts.hits++;
    if (seen->upper == upper) return nullptr;
    // The same page with other delta entries: more of them, or what VACUUM left.
    const unsigned known =
        upper < seen->upper ? static_cast<unsigned>((page.dir() - seen->upper) / delta_size<K>(page.level()))
                            : 0;
    if (Fault fault = verify_delta(page, known)) return fault;
    seen->upper = upper;
    return nullptr;
  }
  uint32* known_tag = seen_tag_of(index_, here);
  if (*known_tag == tag && here != kMetaBlock) {
    // Another page took its place: all is looked at again but the checksum. (The metapage has a layout of its own.)
    seen_page_counts.hits++;
    if (Fault fault = check_header(page)) return fault;
    if (Fault fault = verify_delta(page, 0)) return fault;
  } else {
    seen_page_counts.misses++;
    if (Fault fault = find_fault_strictly(h)) return fault;
    *known_tag = tag;
  }
  remember_page(seen, tag, page);
  return nullptr;
}

template <class K>
void BasicBufferStore<K>::verify_strictly(Handle h) {
  if (Fault fault = find_fault_strictly(h)) corrupt(BufferGetBlockNumber(h), fault);
}

template <class K>
Fault BasicBufferStore<K>::find_fault_strictly(Handle h) {
  return BufferGetBlockNumber(h) == kMetaBlock ? verify_meta_page<K>(bytes(h)) : verify_page<K>(bytes(h));
}

template <class K>
BasicWorkspace<K>* BasicBufferStore<K>::workspace() {
  if (backend_workspace<K> == nullptr) {
    backend_workspace<K> = workspace_init<K>(MemoryContextAlloc(TopMemoryContext, workspace_bytes<K>()));
  }
  return backend_workspace<K>;
}

template <class K>
void BasicBufferStore<K>::corrupt(Block block, Fault fault) {
  if (fault.kind() == FaultKind::newer) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("index \"%s\" block %u: %s", RelationGetRelationName(index_), block, fault.text()),
                    errdetail("This version of learned_index reads formats up to %d.",
                              static_cast<int>(kNewestFormat)),
                    errhint("Install the version of learned_index that wrote the index, or REINDEX.")));
  }
  ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                  errmsg("index \"%s\" block %u: %s", RelationGetRelationName(index_), block, fault.text()),
                  errhint("Rebuild the index with REINDEX.")));
  pg_unreachable();
}

template <class K>
void BasicBufferStore<K>::remember_roots(DirectoryCopy* copy, const MetaInfo& meta) {
  for (int i = 0; i < kTreeCount; i++) {
    copy->root[i] = meta.root[i];
    copy->level[i] = meta.level[i];
    copy->root_known[i] = true;
  }
}

template <class K>
DirectoryCopy* BasicBufferStore<K>::directory_with_root(TreeId tree) {
  DirectoryCopy* copy = directory();
  if (!copy->root_known[static_cast<int>(tree)]) {
    remember_roots(copy, Tree<BasicBufferStore<K>>(this, tree).read_meta());
  }
  return copy;
}

template <class K>
unsigned BasicBufferStore<K>::height(TreeId tree) {
  DirectoryCopy* copy = directory();
  if (!copy->root_known[static_cast<int>(tree)]) {
    Handle h;
    if (!peek(kMetaBlock, &h)) return 0;
    MetaInfo meta;
    const Fault fault = read_meta_page<K>(bytes(h), &meta);
    release(h);
    if (fault) return 0;
    remember_roots(copy, meta);
  }
  return copy->level[static_cast<int>(tree)];
}

template <class K>
Block BasicBufferStore<K>::predict(TreeId tree, const Entry& key, Entry* low) {
  parent_ = kNoBlock;
  expects_ = false;
  fraction_ = -1.0F;
  from_end_ = false;
  if (model_cache_kilobytes == 0) return kNoBlock;
  const int t = static_cast<int>(tree);
  DirectoryCopy* copy = directory_with_root(tree);
  if (copy->end_known[t] && key >= copy->end_low[t].template get<K>()) {
    from_end_ = true;
    *low = copy->end_low[t].template get<K>();
    if (exists(copy->end[t])) return copy->end[t];
    mispredicted(tree, key);
  }
  Block block = copy->root[t];
  *low = lowest_entry<K>();
  for (unsigned level = copy->level[t]; level > 0; level--) {
    parent_ = block;
    Item child;
    const InnerCopy* inner = model_cache_find(copy, block);
    if (inner != nullptr) {
      K next;
      if (!find_child(inner->template view<K>(), key, &child, &next)) {
        // A copy from before its page was joined with another, and the block made a page of again.
        mispredicted(tree, key);
        return kNoBlock;
      }
      if (level == 1) fraction_ = fraction_between(child.code, key.code, next);
    } else {
      const Buffer buffer = read(block, LockMode::share);
      const PageView page(bytes(buffer));
      const bool usable = check_header(page) == nullptr && !page.deleted() && page.tree() == tree &&
                          page.level() == level && page.covers(key) && find_child(page, key, &child);
      if (usable) {
        verify(buffer);
        offer(page, block);
      }
      UnlockReleaseBuffer(buffer);
      if (!usable) {
        copy->root_known[t] = false;
        return kNoBlock;
      }
    }
    block = child.child;
    *low = child.entry();
    // Only a copy from another life of the file could say so; a descent tells.
    if (!exists(block)) {
      mispredicted(tree, key);
      return kNoBlock;
    }
  }
  return block;
}

template <class K>
void BasicBufferStore<K>::mispredicted(TreeId tree, const Entry&) {
  DirectoryCopy* copy = directory();
  const int t = static_cast<int>(tree);
  if (from_end_) {
    from_end_ = false;
    copy->end_known[t] = false;
    return;
  }
  if (parent_ != kNoBlock) model_cache_drop(copy, parent_);
  copy->root_known[t] = false;
}

template <class K>
void BasicBufferStore<K>::inserting(Handle h, const Entry& entry) {
  const Block here = BufferGetBlockNumber(h);
  CheckForSerializableConflictIn(index_, nullptr, here);
  const PageView page(bytes(h));
  if constexpr (std::is_same_v<K, Code>) {
    // What readers lock instead of a leaf (read_leaf.hpp).
    if (IsolationIsSerializable() && page.tree() == TreeId::keys) {
      each_stretch_of(entry.code, [this](const Stretch& stretch) {
        CheckForSerializableConflictIn(index_, nullptr, block_of(stretch));
      });
    }
  }
  if (!page.rightmost()) return;
  DirectoryCopy* copy = directory();
  const int t = static_cast<int>(page.tree());
  copy->end_known[t] = true;
  copy->end[t] = here;
  copy->end_low[t].set(page.low());
}

template <class K>
void BasicBufferStore<K>::offer(const PageView& page, Block block) {
  if (model_cache_kilobytes == 0) return;
  model_cache_put(directory(), block, page);
}

#define LEARNED_BUFFER_STORE(K) template class BasicBufferStore<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_BUFFER_STORE)
#undef LEARNED_BUFFER_STORE

}  // namespace learned
