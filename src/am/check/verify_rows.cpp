// Does an index have every row of its table? Beside writers or not: verify.cpp has the argument.
#include "am/server/compat.hpp"
#include "am/server/table_tids.hpp"
#include "am/check/verify.hpp"

namespace learned {
namespace {

// Looks up each row of the table.
template <class K>
class RowCheck {
  using Entry = BasicEntry<K>;
  using PageView = BasicPageView<K>;
  using BufferStore = BasicBufferStore<K>;

 public:
  RowCheck(Relation table, Relation index, CheckProgress* progress)
      : table_(table), index_(index), progress_(progress), store_(index), columns_(key_columns_of(index)) {
    for (Copy& copy : copies_) copy.page = static_cast<std::uint8_t*>(palloc(kPageSize));
  }

  void check_table() {
    // In a transaction with one snapshot for all its statements, that may be older than the index, which then need
    // not have what it sees: as amcheck does, for the same reason.
    Snapshot snapshot = RegisterSnapshot(GetTransactionSnapshot());
    snapshot_ = snapshot;
    if (IsolationUsesXactSnapshot() && index_->rd_index->indcheckxmin &&
        !TransactionIdPrecedes(HeapTupleHeaderGetXmin(index_->rd_indextuple->t_data), snapshot->xmin)) {
      ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                      errmsg("index \"%s\" cannot be verified using transaction snapshot",
                             RelationGetRelationName(index_))));
    }
    // The scan that builds indexes, under a snapshot: it knows about the predicate, expressions and HOT chains.
    IndexInfo* info = BuildIndexInfo(index_);
    info->ii_Concurrent = true;
    info->ii_Unique = false;
    info->ii_ExclusionOps = nullptr;
    info->ii_ExclusionProcs = nullptr;
    info->ii_ExclusionStrats = nullptr;
    TableScanDesc scan = table_beginscan_strat(table_, snapshot, 0, nullptr, true, true);
    table_index_build_scan(table_, index_, info, true, false, check_row, this, scan);
    UnregisterSnapshot(snapshot);
  }

 private:
  // The leaf of the last row: rows next to one another often have entries next to one another. Entries that a
  // snapshot sees stay true however old the copy gets.
  struct Copy {
    std::uint8_t* page;
    bool valid = false;
  };

  static void check_row(Relation, ItemPointer tid, Datum* values, bool* isnull, bool, void* state) {
    auto* self = static_cast<RowCheck*>(state);
    self->progress_->step();
    const RowKey<K> key = key_of_row<K>(self->columns_, values, isnull);
    const Entry entry{key.key, tid_of(*tid)};
    if (self->contains(key.tree, entry)) return;
    ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                    errmsg("index \"%s\" has no entry for row (%u,%u) of table \"%s\"",
                           RelationGetRelationName(self->index_), tid_block(entry.tid), tid_offset(entry.tid),
                           RelationGetRelationName(self->table_)),
                    errhint("Rebuild the index with REINDEX.")));
  }

  // Scans pass over entries with kill marks. (A standby does not, and its snapshots may see rows that are dead to the
  // primary; also when it has been promoted since.)
  bool not_killed(bool holds) {
    if (!holds && !snapshot_->takenDuringRecovery)
      store_.corrupt(block_, "entry of a visible row is marked as dead");
    return true;
  }

  bool contains(TreeId tree_id, const Entry& entry) {
    Copy* copy = &copies_[static_cast<int>(tree_id)];
    if (!copy->valid || !PageView(copy->page).covers(entry)) {
      const Buffer buffer = Tree<BufferStore>(&store_, tree_id).locate(entry, LockMode::share);
      compat::test_for_old_snapshot(snapshot_, index_, buffer);
      copy_page(copy->page, store_.bytes(buffer));
      copy->valid = true;
      block_ = BufferGetBlockNumber(buffer);
      UnlockReleaseBuffer(buffer);
    }
    const PageView page(copy->page);
    unsigned rank = 0;
    Entry found{};
    if (!lower_bound(page, entry, &rank)) store_.corrupt(block_, "page does not decode");
    if (rank < page.encoded()) {
      if (!decode(page, rank, rank + 1, &found.code, &found.tid))
        store_.corrupt(block_, "page does not decode");
      if (found == entry && !page.is_dead(rank)) return not_killed(!KillMarks(page).killed(rank));
    }
    for (unsigned j = 0; j < page.deltas(); j++) {
      if (page.delta_item(j).entry() == entry) return not_killed(!KillMarks(page).delta_killed(j));
    }
    return false;
  }

  Relation table_;
  Relation index_;
  CheckProgress* progress_;
  BufferStore store_;
  KeyColumns columns_;
  Snapshot snapshot_ = nullptr;
  Copy copies_[kTreeCount];
  Block block_ = kNoBlock;
};
static_assert(std::is_trivially_destructible_v<RowCheck<Code>>);

}  // namespace

template <class K>
void check_rows(Relation table, Relation index, CheckProgress* progress) {
  RowCheck<K>(table, index, progress).check_table();
}
#define LEARNED_CHECK_ROWS(K) template void check_rows<K>(Relation, Relation, CheckProgress*);
LEARNED_FOR_EVERY_KEY(LEARNED_CHECK_ROWS)
#undef LEARNED_CHECK_ROWS

}  // namespace learned
