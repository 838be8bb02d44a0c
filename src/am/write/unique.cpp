// Uniqueness, by nbtree's protocol: of all pages that can have entries of a key, the first is locked exclusively
// from before the check until the new entry is in place. Whoever else wants to insert that key needs the same lock,
// so nobody checks or inserts it at the same time; entries of the key on pages further right are read, and the new
// one added, under that lock.
//
// The first page is that of the lowest key that equals ours (-0.0 for +0.0, the lowest NaN, the lowest of all included
// values) with TID 0. Nearly always it is the only one: entries of equal keys cross to another page only when there are many
// versions of a row.
//
// Locks: the first page, then pages right of it, one more at a time; no page to the left, and no higher level while
// more than one is held. So room is made (which may split the page and go up) with only one page locked, and then
// everything starts over.
#include "am/write/unique.hpp"

#include "am/server/table_tids.hpp"
#include "am/store/buffer_store.hpp"

namespace learned {

namespace {

// What is known after looking at an entry, a page, or all entries of the key.
enum class Finding {
  nothing,   // no conflict so far
  maybe,     // a conflict, maybe; UNIQUE_CHECK_PARTIAL does not wait to know
  wait,      // on another transaction depends whether there is one
  conflict,  // there is one
  void_row,  // there is one, but the new row is dead: no matter
};

constexpr unsigned kChunk = 64;

template <class K>
class UniqueInserter {
  using Store = BasicBufferStore<K>;
  using Entry = BasicEntry<K>;
  using Item = BasicItem<K>;
  using PageView = BasicPageView<K>;

 public:
  UniqueInserter(const KeyColumns& columns, const UniqueInsertion& insertion)
      : in_(insertion),
        store_(insertion.index),
        row_(key_of_row<K>(columns, insertion.values, insertion.isnull)),
        tree_(&store_, row_.tree),
        entry_{row_.key, tid_of(*insertion.heap_tid)},
        equal_(keys_equal_to(columns, row_)) {}

  bool run() {
    for (;;) {
      const Buffer first = tree_.locate({equal_.lo, 0}, LockMode::exclusive);
      // Before the check, as it may take the lock off the page. (What belongs to a page further right: see add().)
      if (tree_.view(first).covers(entry_) && in_.check != UNIQUE_CHECK_EXISTING &&
          !tree_.room_for(first, entry_)) {
        continue;
      }
      const Finding finding = check_key(first);
      if (finding == Finding::conflict) {
        // We are not going to write to the page, but a serialization failure must not hide behind this error.
        CheckForSerializableConflictIn(in_.index, nullptr, store_.block(first));
        // To make the detail text may need the catalogs, which must not happen with pages locked.
        store_.release(first);
        refuse();
      }
      if (finding == Finding::wait) {
        store_.release(first);
        if (speculative_token_ != 0) {
          SpeculativeInsertionWait(wait_for_, speculative_token_);
        } else {
          XactLockTableWait(wait_for_, in_.index, in_.heap_tid, XLTW_InsertIndex);
        }
        continue;
      }
      if (in_.check == UNIQUE_CHECK_EXISTING) {
        store_.release(first);
        if (finding == Finding::nothing && !found_self_) not_found_again();
        return true;
      }
      if (!add(first)) continue;
      return finding != Finding::maybe;
    }
  }

 private:
  // Looks at all entries of the key. The first page stays locked, others are released.
  Finding check_key(Buffer first) {
    Buffer at = first;
    Finding finding = check_page(at);
    while (finding == Finding::nothing && !tree_.view(at).rightmost() &&
           tree_.view(at).high() <= Entry{equal_.hi, kMaxTid}) {
      const Buffer next = tree_.lock_right(at, first, LockMode::share);
      if (at != first) store_.release(at);
      at = next;
      finding = check_page(at);
    }
    if (at != first) store_.release(at);
    return finding;
  }

  // Looks at the entries of the key on a locked page.
  Finding check_page(Buffer buffer) {
    store_.verify(buffer);
    const PageView page = tree_.view(buffer);
    unsigned begin = 0;
    unsigned end = page.encoded();
    if (row_.tree == TreeId::keys) {
      bool sound = true;
      if (equal_.lo == equal_.hi) {
        BasicSegmentRef<K> found;
        sound = equal_range(page, equal_.lo, &begin, &end, &found);
      } else {
        sound = lower_bound(page, {equal_.lo, 0}, &begin) && lower_bound(page, {equal_.hi, kMaxTid}, &end);
      }
      if (!sound || begin > end || end > page.encoded()) damaged(buffer);
    }
    K keys[kChunk];
    Tid tids[kChunk];
    while (begin < end) {
      const unsigned count = std::min(end - begin, kChunk);
      if (!decode(page, begin, begin + count, keys, tids)) damaged(buffer);
      for (unsigned i = 0; i < count; i++) {
        if (page.is_dead(begin + i)) continue;
        const Finding finding = check_entry(buffer, tids[i]);
        if (finding != Finding::nothing) return finding;
      }
      begin += count;
    }
    const unsigned deltas = page.deltas();
    for (unsigned j = 0; j < deltas; j++) {
      const Item item = page.delta_item(j);
      if (item.code < equal_.lo || item.code > equal_.hi) continue;
      const Finding finding = check_entry(buffer, item.tid);
      if (finding != Finding::nothing) return finding;
    }
    return Finding::nothing;
  }

  // Looks at the row versions of an entry that has the key.
  Finding check_entry(Buffer buffer, Tid tid) {
    if (in_.check == UNIQUE_CHECK_EXISTING && tid == entry_.tid) {
      found_self_ = true;
      return Finding::nothing;
    }
    if (!limit_.admits(in_.heap, tid)) store_.corrupt(store_.block(buffer), "entry points beyond the table");
    ItemPointerData row = pointer_of(tid);
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    if (!table_index_fetch_tuple_check(in_.heap, &row, &dirty, nullptr)) return Finding::nothing;
    if (in_.check == UNIQUE_CHECK_PARTIAL) return Finding::maybe;
    wait_for_ = TransactionIdIsValid(dirty.xmin) ? dirty.xmin : dirty.xmax;
    if (TransactionIdIsValid(wait_for_)) {
      speculative_token_ = dirty.speculativeToken;
      return Finding::wait;
    }
    // CREATE INDEX CONCURRENTLY inserts rows that it saw some time ago. If ours is gone by now, with all versions
    // of its HOT chain, there is nothing to complain about.
    row = *in_.heap_tid;
    return table_index_fetch_tuple_check(in_.heap, &row, SnapshotSelf, nullptr) ? Finding::conflict
                                                                                : Finding::void_row;
  }

  // Adds the entry where it belongs, at the first page or right of it, and releases all. False: there was no
  // room; some was made without the first page's lock, so that the check must be done again.
  bool add(Buffer first) {
    // Not before the check: what is refused writes nothing.
    if (tree_.view(first).covers(entry_) && !tree_.ready_for(first, entry_)) return false;
    Buffer at = first;
    while (!tree_.view(at).covers(entry_)) {
      const Buffer next = tree_.lock_right(at, first, LockMode::exclusive);
      if (at != first) store_.release(at);
      at = next;
    }
    if (at != first && (tree_.view(at).incomplete_split() || delta_room(tree_.view(at)) == 0)) {
      store_.release(first);
      if (tree_.room_for(at, entry_)) store_.release(at);
      return false;
    }
    store_.inserting(at, entry_);
    tree_.add(at, {entry_.code, entry_.tid, kNoBlock});
    if (at != first) store_.release(at);
    store_.release(first);
    return true;
  }

  [[noreturn]] void refuse() {
    const char* name = RelationGetRelationName(in_.index);
    // Nothing if the user may not read the columns.
    const char* key = BuildIndexValueDescription(in_.index, in_.values, in_.isnull);
    ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
                    errmsg("duplicate key value violates unique constraint \"%s\"", name),
                    key != nullptr ? errdetail("Key %s already exists.", key) : 0,
                    errtableconstraint(in_.heap, name)));
    pg_unreachable();
  }

  [[noreturn]] void not_found_again() {
    const char* name = RelationGetRelationName(in_.index);
    ereport(ERROR,
            (errcode(ERRCODE_INTERNAL_ERROR), errmsg("failed to re-find tuple within index \"%s\"", name),
             errhint("This may be because of a non-immutable index expression."),
             errtableconstraint(in_.heap, name)));
    pg_unreachable();
  }

  [[noreturn]] void damaged(Buffer buffer) { store_.corrupt(store_.block(buffer), "page does not decode"); }

  const UniqueInsertion& in_;
  Store store_;
  RowKey<K> row_;
  Tree<Store> tree_;
  Entry entry_;
  EqualKeys<K> equal_;
  TidLimit limit_;
  bool found_self_ = false;
  TransactionId wait_for_ = InvalidTransactionId;
  uint32 speculative_token_ = 0;
};
static_assert(std::is_trivially_destructible_v<UniqueInserter<Code>>);

}  // namespace

template <class K>
bool insert_unique(const KeyColumns& columns, const UniqueInsertion& insertion) {
  return UniqueInserter<K>(columns, insertion).run();
}

template <class K>
void UniqueBuild<K>::refuse(const RowKey<K>& row) {
  const char* name = RelationGetRelationName(index_);
  Datum values[kMaxWords];
  bool isnull[kMaxWords];
  RowStorage storage;
  row_of_key(columns_, row, values, isnull, &storage);
  const char* key = BuildIndexValueDescription(index_, values, isnull);
  ereport(ERROR,
          (errcode(ERRCODE_UNIQUE_VIOLATION), errmsg("could not create unique index \"%s\"", name),
           key != nullptr ? errdetail("Key %s is duplicated.", key) : errdetail("Duplicate keys exist."),
           errtableconstraint(heap_, name)));
  pg_unreachable();
}

#define LEARNED_UNIQUE(K)                                                    \
  template bool insert_unique<K>(const KeyColumns&, const UniqueInsertion&); \
  template class UniqueBuild<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_UNIQUE)
#undef LEARNED_UNIQUE

}  // namespace learned
