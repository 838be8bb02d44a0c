// The page store of a server's index: buffers, content locks, generic WAL. See core/tree/store.hpp for what each
// function owes; here is only what the server adds.
#pragma once

#include "am/store/model_cache.hpp"
#include "am/server/page_access.hpp"
#include "am/server/server.hpp"
#include "core/code/stretches.hpp"
#include "core/tree/vacuum.hpp"

namespace learned {

template <class K>
class BasicBufferStore {
 public:
  using Key = K;
  using Handle = Buffer;
  using Entry = BasicEntry<K>;
  using Item = BasicItem<K>;
  using PageView = BasicPageView<K>;
  using Workspace = BasicWorkspace<K>;

  // `strategy` may be null: the buffer ring of a VACUUM.
  explicit BasicBufferStore(Relation index, BufferAccessStrategy strategy = nullptr);

  // A block beyond the end of the file is damage, not an error of the storage.
  Handle read(Block block, LockMode mode);
  // Whether the file has such a block.
  bool exists(Block block);
  // Pinned, not locked.
  Handle pin(Block block);
  void release(Handle h) { UnlockReleaseBuffer(h); }
  const std::uint8_t* bytes(Handle h) { return buffer_bytes(h); }
  Block block(Handle h) const { return BufferGetBlockNumber(h); }
  Handle allocate();
  // A page that was deleted, for allocate() to take next: the free space map offers it when VACUUM is done, not before.
  void spare(Block block) { spare_ = block; }

  // One record of generic WAL: changes are made to copies and reach the pages in commit(), in a critical
  // section of the server. An error in between leaves the pages untouched.
  void begin() { xlog_ = GenericXLogStart(index_); }
  std::uint8_t* edit(Handle h, bool fresh);
  void commit() {
    GenericXLogFinish(xlog_);
    xlog_ = nullptr;
  }

  // The hot path of inserts. Writes a record in generic WAL's own format (a list of {offset, length, bytes}
  // per block, applied by the server's generic redo), without the copies and comparisons of whole pages:
  // about 0.5 instead of 3.5 microseconds. learned_index.generic_wal switches to GenericXLog.
  void insert_deltas(Handle h, std::span<const Item> items);
  // The same for entries that the page's last line predicts: one fragment, a part of the trailer.
  void extend(Handle h, unsigned n);

  // The shared page itself, for hints.
  std::uint8_t* hints(Handle h) { return reinterpret_cast<std::uint8_t*>(buffer_page(h)); }

  // Once per backend and version of the page: 0.4 us then, a few ns after that, and as much for each delta entry that
  // has come since.
  void verify(Handle h);
  bool image_due(Handle h) { return RelationNeedsWAL(index_) && XLogCheckBufferNeedsBackup(h); }
  Workspace* workspace();
  void interrupt() { CHECK_FOR_INTERRUPTS(); }
  [[noreturn]] void corrupt(Block block, Fault fault);

  // Leaves will be read from one to the next, `block` among them soon: begins to fetch what is looked at first, or, if it is not known where it is, all
  // of it, from the disk if need be.
  void expect(Block block);
  // Asks the disk for a page that will be read some time later, if there is one.
  void ask_for(Block block) {
    if (block != kNoBlock && exists(block)) PrefetchBuffer(index_, MAIN_FORKNUM, block);
  }
  Block predict(TreeId tree, const Entry& key, Entry* low);
  void mispredicted(TreeId tree, const Entry& key);
  void offer(const PageView& page, Block block);
  // Predicate locks of serializable transactions are on leaves: src/README.md, "Predicate locks". The locks that
  // others hold move along with entries; whoever reads takes them (read_leaf.hpp).
  void inserting(Handle h, const Entry& entry);
  void divided(Block left, Block right) { PredicateLockPageSplit(index_, left, right); }
  void joined(Block gone, Block into) {
    // (What is gone loses its locks, and its number may be one that stretches have: core/code/stretches.hpp.)
    if (gone < kFirstStretchBlock) {
      PredicateLockPageCombine(index_, gone, into);
    } else {
      PredicateLockPageSplit(index_, gone, into);
    }
  }
  // Levels above the leaves, as this backend remembers them: an estimate, and no error where it cannot be made.
  unsigned height(TreeId tree);

  bool try_read(Block block, Handle* h);
  bool try_read_for_cleanup(Block block, Handle* h);

  // Without errors, for estimates: see core/tree/outline.hpp. The caller may know that the file has so many blocks.
  void peek_within(Block blocks) { peeked_blocks_ = blocks; }
  bool peek(Block block, Handle* h);
  Fault find_fault(Handle h);

 private:
  DirectoryCopy* directory() { return model_cache_get(index_); }
  DirectoryCopy* directory_with_root(TreeId tree);
  static void remember_roots(DirectoryCopy* copy, const MetaInfo& meta);
  // Whatever is remembered of the page: what it holds now.
  void verify_strictly(Handle h);
  Fault find_fault_strictly(Handle h);

  Relation index_;
  BufferAccessStrategy strategy_;
  GenericXLogState* xlog_ = nullptr;
  // Where the last prediction expects its key in the leaf, 0 at its beginning, 1 at its end; negative: no idea.
  // Only decides what is fetched into the cache early.
  float fraction_ = -1.0F;
  Block parent_ = kNoBlock;  // the inner page that the last prediction came from
  bool expects_ = false;     // what is read next was expected
  bool from_end_ = false;    // it was the remembered rightmost leaf
  Block spare_ = kNoBlock;
  Block peeked_blocks_ = 0;  // the file has at least so many blocks
};
using BufferStore = BasicBufferStore<Code>;
static_assert(VacuumStore<BufferStore> && VacuumStore<BasicBufferStore<Words<2>>>);
static_assert(std::is_trivially_destructible_v<BufferStore>);

}  // namespace learned
