// Building an index: scan the table, sort, write the pages in order of their blocks.
//
//   RowCollector -> EntrySorter -> SortedEntries (-> UniqueBuild) -> BulkLoader -> IndexFileWriter
//
// With parallel workers the first two exist in each process, see parallel_build.hpp; the rest is the leader's.
//
// Pages bypass the shared buffers, as in nbtsort.c: nobody else can see the relation's content before the
// build commits, and a bulk write would only push other pages out of the buffers.
#include "am/callbacks.hpp"
#include "am/server/compat.hpp"
#include "am/server/grown_array.hpp"
#include "am/key/key_order.hpp"
#include "am/store/model_cache.hpp"
#include "am/options.hpp"
#include "am/build/parallel_build.hpp"
#include "am/build/row_collector.hpp"
#include "am/write/unique.hpp"
#include "core/tree/bulk_loader.hpp"
#include "core/page/meta.hpp"

namespace learned {
namespace {

static_assert(kPageSize == BLCKSZ, "the page format is laid out for the server's default block size");

// Writes the pages of an index into one fork of its file, each block once and in order; block 0 comes last.
//
// A page goes to the log before it goes to the file, so that the file's copy carries the record's LSN;
// pages are logged in batches because a record for each would cost more than its content.
template <class K>
class IndexFileWriter {
 public:
  using Item = BasicItem<K>;

  void open(Relation index, ForkNumber fork, bool use_wal) {
    index_ = index;
    fork_ = fork;
    use_wal_ = use_wal;
    // The size of a batch is what one record can hold.
    pages_ = compat::allocate_pages(kBatch);
    waiting_ = 0;
    next_block_ = kMetaBlock + 1;
    separators_ = nullptr;
    separator_capacity_ = 0;

    // Holds the place of the metapage. Not logged: replaying a page at block 1 extends the file over it, and
    // close() logs the real one. An all-zero page has no checksum.
    std::memset(pages_[0].data, 0, BLCKSZ);
    smgrextend(RelationGetSmgr(index_), fork_, kMetaBlock, pages_[0].data, true);
  }

  // Called by BulkLoader.
  void write(Block block, const std::uint8_t* page) {
    if (block != next_block_) elog(ERROR, "learned index block %u written out of order", block);
    next_block_++;
    std::memcpy(pages_[waiting_].data, page, BLCKSZ);
    Assert(PageGetPageSize(pages_[waiting_].data) == BLCKSZ);
    if (++waiting_ == kBatch) flush();
  }

  // Called by BulkLoader: room for the separators of one level, one per page, old content kept.
  Item* separators(std::size_t count) {
    if (count > separator_capacity_) {
      separator_capacity_ = std::max<std::size_t>({count, 2 * separator_capacity_, 256});
      separators_ = enlarge(CurrentMemoryContext, separators_, separator_capacity_);
    }
    return separators_;
  }

  // Writes the metapage and makes everything durable. From here on the index is valid.
  void close(const MetaInfo& meta) {
    flush();
    Page page = pages_[0].data;
    std::memset(page, 0, BLCKSZ);
    write_meta_page<K>(reinterpret_cast<std::uint8_t*>(page), meta);
    log_pages(kMetaBlock, 1);
    compat::set_checksum(page, kMetaBlock);
    smgrwrite(RelationGetSmgr(index_), fork_, kMetaBlock, page, true);

    // Logged or not, the file must be on disk before the build commits. It was written past the shared
    // buffers, so a checkpoint that began meanwhile has not flushed it (it does not know of it), yet moves
    // the redo pointer past our records: after a crash nothing would bring these pages back. The same holds
    // for an unlogged index and the shutdown checkpoint, which is the only one that its pages must survive.
    // Temporary indexes end with the session. A relation that skips WAL because it was created by this
    // transaction (wal_level = minimal) is synced, or logged as a whole, when that commits.
    const bool outlives_session = index_->rd_rel->relpersistence != RELPERSISTENCE_TEMP;
    const bool synced_at_commit = RelationIsPermanent(index_) && !use_wal_;
    if (outlives_session && !synced_at_commit) smgrimmedsync(RelationGetSmgr(index_), fork_);
  }

 private:
  static constexpr int kBatch = XLR_MAX_BLOCK_ID;

  void log_pages(Block first, int count) {
    // Of a page, the hole between lower and upper is zero.
    if (use_wal_) compat::log_pages(index_, fork_, first, {pages_, static_cast<std::size_t>(count)});
  }

  void flush() {
    if (waiting_ == 0) return;
    const Block first = next_block_ - static_cast<Block>(waiting_);
    log_pages(first, waiting_);
    for (int i = 0; i < waiting_; ++i) {
      const Block block = first + static_cast<Block>(i);
      compat::set_checksum(pages_[i].data, block);
      // No fsync request for the checkpointer: close() syncs.
      smgrextend(RelationGetSmgr(index_), fork_, block, pages_[i].data, true);
    }
    waiting_ = 0;
  }

  Relation index_;
  ForkNumber fork_;
  bool use_wal_;
  PGAlignedBlock* pages_;  // kBatch of them
  int waiting_;            // how many of them are filled
  Block next_block_;       // what write() expects
  Item* separators_;
  std::size_t separator_capacity_;
};

template <class K>
using Loader = BulkLoader<IndexFileWriter<K>, K>;
// An ereport jumps over these.
static_assert(std::is_trivially_destructible_v<IndexFileWriter<Code>>);
static_assert(std::is_trivially_destructible_v<Loader<Code>>);

// The sorted entries of one tree: those of this process, or these merged with what parallel workers send.
template <class K>
class SortedEntries {
 public:
  using Entry = SortEntry<K>;

  SortedEntries(BasicEntrySorter<K>* own, ParallelBuild<K>* parallel) : own_(own), parallel_(parallel) {
    if (parallel_ != nullptr) {
      parallel_->begin_tree(own_);
    } else {
      pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, kPhaseSorting);
      own_->finish();
    }
  }

  // The next entries in order, some hundreds or thousands at a time; empty at the end. Valid until the next call.
  // Looks for interrupts.
  std::span<const Entry> next_batch() {
    return parallel_ != nullptr ? parallel_->next_batch() : own_->next_batch();
  }

  void close() { own_->destroy(); }

 private:
  BasicEntrySorter<K>* own_;
  ParallelBuild<K>* parallel_;
};
static_assert(std::is_trivially_destructible_v<SortedEntries<Code>>);

// What goes into the index.
template <class K>
struct IndexContent {
  RowCollector<K>* rows;       // nullptr: nothing
  ParallelBuild<K>* parallel;  // nullptr: no more than `rows`
  UniqueBuild<K>* unique;      // nullptr: not a unique index
};

template <class K>
void write_index(IndexFileWriter<K>* file, Relation index, const IndexContent<K>& content) {
  BasicWorkspace<K>* workspace = workspace_init<K>(palloc(workspace_bytes<K>()));
  MetaInfo meta{};
  meta.key_kind = index->rd_opcintype[0];
  Block next_block = kMetaBlock + 1;
  int64 done = 0;
  for (int i = 0; i < kTreeCount; ++i) {
    const auto tree = static_cast<TreeId>(i);
    Loader<K> loader(file, workspace, tree, index_fillfactor(index), next_block);
    UniqueBuild<K>* unique = content.unique;
    if (unique != nullptr) unique->begin(tree);
    if (content.rows != nullptr) {
      SortedEntries<K> entries(content.rows->sorter(tree), content.parallel);
      pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, kPhaseWriting);
      for (std::span<const SortEntry<K>> batch; !(batch = entries.next_batch()).empty();) {
        for (const SortEntry<K>& packed : batch) {
          const BasicEntry<K> entry = unpack(packed);
          loader.add(entry.code, unique != nullptr ? unique->admit(entry) : entry.tid);
        }
        done += static_cast<int64>(batch.size());
        pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, done);
      }
      entries.close();
    }
    const TreeShape shape = loader.finish();
    meta.root[i] = shape.root;
    meta.level[i] = shape.level;
    next_block = shape.next_block;
  }
  file->close(meta);
  pfree(workspace);
}

template <class K>
IndexBuildResult* build(Relation heap, Relation index, IndexInfo* index_info) {
  ParallelBuild<K>* parallel = nullptr;
  // (The order of a type that is not known is looked at by one process, for values of the whole table.)
  const int workers = has_mapped_column(index) ? 0 : compat::build_workers(heap, index, index_info);
  if (workers > 0) {
    parallel = ParallelBuild<K>::begin(heap, index, *index_info, workers);
  }

  pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, kPhaseScanning);
  RowCollector<K> rows;
  const std::size_t memory = static_cast<std::size_t>(maintenance_work_mem) * 1024;
  double heap_tuples;
  std::uint64_t index_tuples;
  if (parallel == nullptr) {
    rows.open(index, index_info->ii_Unique, memory, expected_rows(heap, *index_info));
    heap_tuples = rows.collect(heap, index, index_info, true, nullptr);
    index_tuples = rows.total();
  } else {
    rows.open(index, index_info->ii_Unique, memory / parallel->participants(), parallel->worker_rows());
    heap_tuples = parallel->collect(&rows, index_info);
    index_tuples = parallel->total();
  }

  // The block numbers were set by the scan.
  const int progress[] = {PROGRESS_CREATEIDX_TUPLES_TOTAL, PROGRESS_SCAN_BLOCKS_TOTAL,
                          PROGRESS_SCAN_BLOCKS_DONE};
  const int64 progress_values[] = {static_cast<int64>(index_tuples), 0, 0};
  pgstat_progress_update_multi_param(3, progress, progress_values);

  IndexFileWriter<K> file;
  file.open(index, MAIN_FORKNUM, RelationNeedsWAL(index));
  UniqueBuild<K> unique(heap, index, index_info->ii_NullsNotDistinct);
  write_index<K>(&file, index, {&rows, parallel, index_info->ii_Unique ? &unique : nullptr});
  if (parallel != nullptr) parallel->end();

  auto* result = static_cast<IndexBuildResult*>(palloc(sizeof(IndexBuildResult)));
  result->heap_tuples = heap_tuples;
  result->index_tuples = static_cast<double>(index_tuples);
  return result;
}

}  // namespace

IndexBuildResult* learned_build(Relation heap, Relation index, IndexInfo* index_info) {
  // What got into the catalogs under an older version, or otherwise past register_refusals().
  refuse_unsupported_index(index->rd_indextuple);

  // What this session remembers of the index is void even though the file keeps its name: that is how
  // TRUNCATE in the transaction that created the table, and ON COMMIT DELETE ROWS, empty it.
  model_cache_forget(index);

  if (RelationGetNumberOfBlocks(index) != 0) {
    elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
  }

  return with_key(key_words_of(index), [&]<class K>() { return build<K>(heap, index, index_info); });
}

// The init fork of an unlogged index: what the index is reset to after a crash.
void learned_build_empty(Relation index) {
  // Logged always: recovery itself may remove the file, for example while it replays the creation of a
  // tablespace or database, so a sync alone is not enough.
  with_key(key_words_of(index), [&]<class K>() {
    IndexFileWriter<K> file;
    file.open(index, INIT_FORKNUM, true);
    write_index<K>(&file, index, {nullptr, nullptr, nullptr});
  });
}

char* learned_build_phase_name(int64 phase) {
  // The server copies the name and never writes to it.
  switch (phase) {
    case kPhaseInitializing:
      return const_cast<char*>("initializing");
    case kPhaseScanning:
      return const_cast<char*>("scanning table");
    case kPhaseSorting:
      return const_cast<char*>("sorting");
    case kPhaseWriting:
      return const_cast<char*>("writing index pages");
    default:
      return nullptr;
  }
}

}  // namespace learned
