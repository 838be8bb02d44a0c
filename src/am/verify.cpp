// learned_index_check(): is an index sound, and does it find every row of its table?
//
// Who may: the owner of the index, for he alone can do anything about what comes to light. Row security does not
// matter, for no key is shown.
//
// It takes ShareLock on the table and the index, which keeps writers and VACUUM away (readers go on), as
// amcheck's bt_index_parent_check() does. So the structure stands still, and everything is exact:
//
//   metapage   read_meta_page(), key type, roots within the file
//   pages      check_page() for each (core/page_check.hpp lists what that is); codes within their type's domain
//   siblings   each level of both trees is walked from its leftmost page: every page is of that tree and level,
//              links back to its left sibling, and begins where that ends; from {0, 0} to the end
//   parents    the downlinks of a level name the pages of the level below, one by one and in order, with their low
//              fences as separators. Only a page to the right of an unfinished split has none
//   blocks     each block of the file is the metapage, in a tree exactly once, a deleted page, or new (all zero)
//   rows       with heapallindexed: each row that a new snapshot sees has its entry, looked up one by one, and that is
//              not marked as dead (kill_marks.hpp)
//
// In a hot standby such a lock cannot be had, and replay goes on during the check. There AccessShareLock has to
// do. Each page is atomic by itself, siblings are not: of the above it leaves metapage, pages and rows. (Rows: what
// the snapshot sees was committed, and so its entries replayed, before the look-up.)
#include "am/buffer_store.hpp"
#include "am/compat.hpp"
#include "am/inspection.hpp"
#include "am/key_order.hpp"
#include "am/key_type.hpp"
#include "core/page_check.hpp"
#include "core/tree.hpp"

namespace learned {
namespace {

class Verifier {
 public:
  explicit Verifier(Relation index)
      : index_(index),
        store_(index),
        reader_(index),
        workspace_(store_.workspace()),
        page_(static_cast<std::uint8_t*>(palloc(kPageSize))),
        domain_(code_domain(key_type_of(index).kind)) {}

  // REQUIRES: nobody changes the index.
  void check_structure() {
    seen_ = static_cast<std::uint8_t*>(palloc0(reader_.blocks() / 8 + 1));
    items_ = static_cast<Item*>(palloc(Workspace::kCapacity * sizeof(Item)));
    const MetaInfo meta = check_meta();
    set_bit(seen_, kMetaBlock);
    for (int t = 0; t < kTreeCount; t++) check_tree(static_cast<TreeId>(t), meta.root[t], meta.level[t]);
    for (Block block = 0; block < reader_.blocks(); block++) {
      if (test_bit(seen_, block)) continue;
      reader_.copy(block, page_);
      if (is_new_page(page_)) continue;
      check_content(block);
      if (!PageView(page_).deleted()) fault(block, "page is not linked into a tree");
    }
    pfree(items_);
    pfree(seen_);
  }

  // The same as far as it holds while replay goes on.
  void check_single_pages() {
    check_meta();
    for (Block block = kMetaBlock + 1; block < reader_.blocks(); block++) {
      reader_.copy(block, page_);
      if (!is_new_page(page_)) check_content(block);
    }
  }

 private:
  // One level of a tree on the way from left to right. `block` is the page in page_; what it says about the next
  // one is kept here.
  struct Level {
    TreeId tree;
    unsigned level;
    Block block;      // kNoBlock before the first page
    Block next;       // kNoBlock behind the last one
    Entry low;        // of the page
    Entry next_low;   // where the next one must begin
    bool unfinished;  // the page is to the right of an unfinished split: it has no downlink
    bool next_unfinished;
  };

  [[noreturn]] void fault(Block block, Fault what) { store_.corrupt(block, what); }

  MetaInfo check_meta() {
    if (reader_.blocks() == 0) fault(kMetaBlock, "metapage is missing");
    reader_.copy(kMetaBlock, page_);
    MetaInfo meta;
    bool newer = false;
    if (Fault f = read_meta_page(page_, &meta, &newer); f != nullptr) fault(kMetaBlock, f);
    if (meta.key_kind != index_->rd_opcintype[0])
      fault(kMetaBlock, "metapage names another key type than the catalog");
    for (Block root : meta.root) {
      if (root == kMetaBlock) fault(kMetaBlock, "root of a tree is an impossible block");
    }
    return meta;
  }

  // The page in page_, by itself.
  void check_content(Block block) {
    if (Fault f = check_page(page_, workspace_); f != nullptr) fault(block, f);
    const PageView page(page_);
    if (page.deleted() || page.level() > 0 || page.tree() != TreeId::keys) return;
    const auto in_domain = [&](Code code) { return domain_.lo <= code && code <= domain_.hi; };
    // Both columns ascend.
    const unsigned encoded = page.encoded();
    const unsigned deltas = page.deltas();
    if ((encoded > 0 && !(in_domain(workspace_->codes[0]) && in_domain(workspace_->codes[encoded - 1]))) ||
        (deltas > 0 &&
         !(in_domain(workspace_->delta[0].code) && in_domain(workspace_->delta[deltas - 1].code)))) {
      fault(block, "key is outside the domain of its type");
    }
  }

  // Reads a page that `from` leads to.
  void follow(Block from, Block to) {
    if (to >= reader_.blocks()) fault(from, "link leads beyond the end of the index");
    if (test_bit(seen_, to)) fault(to, "page is linked from two places");
    set_bit(seen_, to);
    reader_.copy(to, page_);
  }

  // On to the next page of the level, into page_. False: that was the last one.
  bool step(Level* at, Block from) {
    if (at->next == kNoBlock) return false;
    const Block block = at->next;
    follow(at->block != kNoBlock ? at->block : from, block);
    if (is_new_page(page_)) fault(block, "page is linked but new");
    check_content(block);
    const PageView page(page_);
    if (page.deleted()) fault(block, "page is linked but deleted");
    if (page.tree() != at->tree) fault(block, "page belongs to another tree than what leads to it");
    if (page.level() != at->level) fault(block, "page belongs to another level than what leads to it");
    if (page.left() != at->block) fault(block, "left link does not lead to the left sibling");
    if (page.low() != at->next_low) fault(block, "low fence is not the high fence of the left sibling");
    at->block = block;
    at->next = page.right();
    at->low = page.low();
    at->next_low = page.high();
    at->unfinished = at->next_unfinished;
    at->next_unfinished = page.incomplete_split();
    return true;
  }

  static Level begin_level(TreeId tree, unsigned level, Block leftmost) {
    return {tree, level, kNoBlock, leftmost, {0, 0}, {0, 0}, false, false};
  }

  void check_tree(TreeId tree, Block root, unsigned height) {
    Level top = begin_level(tree, height, root);
    step(&top, kMetaBlock);
    // A root that was split keeps its place until there is one above it.
    while (step(&top, kMetaBlock)) require_unfinished(top);
    Block leftmost = root;
    for (unsigned level = height; level > 0; level--) leftmost = check_downlinks(tree, level, leftmost);
  }

  void require_unfinished(const Level& at) {
    if (!at.unfinished) fault(at.block, "page has no downlink");
  }

  // Walks the level below `level`, along the downlinks of `level`, which was walked already. Returns its leftmost
  // page.
  Block check_downlinks(TreeId tree, unsigned level, Block parent) {
    Block leftmost = kNoBlock;
    Level below{};
    while (parent != kNoBlock) {
      reader_.copy(parent, page_);
      std::uint32_t n = 0;
      if (!decode_live(PageView(page_), workspace_, &n)) fault(parent, "page does not decode");
      // Both the page and the workspace are needed for the children.
      const Block next_parent = PageView(page_).right();
      for (std::uint32_t i = 0; i < n; i++) {
        items_[i] = {workspace_->codes[i], workspace_->tids[i], workspace_->children[i]};
      }
      if (leftmost == kNoBlock) {
        leftmost = items_[0].child;
        below = begin_level(tree, level - 1, leftmost);
      }
      for (std::uint32_t i = 0; i < n; i++) check_downlink(&below, parent, items_[i]);
      parent = next_parent;
    }
    while (step(&below, kMetaBlock)) require_unfinished(below);
    return leftmost;
  }

  // The downlink must name the next page that has one.
  void check_downlink(Level* below, Block parent, const Item& downlink) {
    do {
      if (!step(below, parent)) fault(parent, "downlink leads to no page of the level below");
      if (below->unfinished && below->block == downlink.child) {
        fault(below->block, "page has a downlink although the split that made it is unfinished");
      }
    } while (below->unfinished);
    if (below->block == downlink.child) {
      if (below->low != downlink.entry()) fault(parent, "separator is not the low fence of its child");
    } else if (below->low < downlink.entry()) {
      fault(below->block, "page has no downlink");
    } else {
      fault(parent, "downlink leads to no page of the level below");
    }
  }

  Relation index_;
  BufferStore store_;
  PageReader reader_;
  Workspace* workspace_;
  std::uint8_t* page_;
  CodeRange domain_;
  std::uint8_t* seen_ = nullptr;  // bitmap of blocks
  Item* items_ = nullptr;         // downlinks of a page
};
static_assert(std::is_trivially_destructible_v<Verifier>);

// Looks up each row of the table.
class RowCheck {
 public:
  RowCheck(Relation table, Relation index)
      : table_(table), index_(index), store_(index), type_(key_type_of(index)) {
    for (Copy& copy : copies_) copy.page = static_cast<std::uint8_t*>(palloc(kPageSize));
  }

  void check_table() {
    // In a transaction with one snapshot for all its statements, that may be older than the index, which then need
    // not have what it sees: as amcheck does, for the same reason.
    Snapshot snapshot = RegisterSnapshot(GetTransactionSnapshot());
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
    const TreeId tree = isnull[0] ? TreeId::nulls : TreeId::keys;
    const Entry entry{isnull[0] ? 0 : datum_to_code(self->type_, values[0]),
                      make_tid(ItemPointerGetBlockNumber(tid), ItemPointerGetOffsetNumber(tid))};
    if (self->contains(tree, entry)) return;
    ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                    errmsg("index \"%s\" has no entry for row (%u,%u) of table \"%s\"",
                           RelationGetRelationName(self->index_), tid_block(entry.tid), tid_offset(entry.tid),
                           RelationGetRelationName(self->table_)),
                    errhint("Rebuild the index with REINDEX.")));
  }

  // Scans pass over entries with kill marks. (A standby does not, and its snapshots may see rows that are dead to the
  // primary.)
  bool unmarked(bool holds) {
    if (!holds && !RecoveryInProgress()) store_.corrupt(block_, "entry of a visible row is marked as dead");
    return true;
  }

  bool contains(TreeId tree_id, const Entry& entry) {
    Copy* copy = &copies_[static_cast<int>(tree_id)];
    if (!copy->valid || !PageView(copy->page).covers(entry)) {
      const Buffer buffer = Tree<BufferStore>(&store_, tree_id).locate(entry, LockMode::share);
      std::memcpy(copy->page, store_.bytes(buffer), kPageSize);
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
      if (found == entry && !page.is_dead(rank)) return unmarked(!KillMarks(page).killed(rank));
    }
    for (unsigned j = 0; j < page.deltas(); j++) {
      if (page.delta_item(j).entry() == entry) return unmarked(!KillMarks(page).delta_killed(j));
    }
    return false;
  }

  Relation table_;
  Relation index_;
  BufferStore store_;
  KeyType type_;
  Copy copies_[kTreeCount];
  Block block_ = kNoBlock;
};
static_assert(std::is_trivially_destructible_v<RowCheck>);

void check_index(const InspectedIndex& opened, bool exact, bool heapallindexed) {
  // In itself, an index of another order than its operators' is sound.
  refuse_unsupported_index(opened.index->rd_indextuple);
  Verifier verifier(opened.index);
  if (exact) {
    verifier.check_structure();
  } else {
    verifier.check_single_pages();
  }
  if (heapallindexed) RowCheck(opened.table, opened.index).check_table();
}

}  // namespace
}  // namespace learned

LEARNED_SQL_FUNCTION(learned_index_check);

Datum learned_index_check(PG_FUNCTION_ARGS) {
  const Oid oid = PG_GETARG_OID(0);
  const bool heapallindexed = PG_GETARG_BOOL(1);
  learned::require_plain_index(oid);
  if (!learned::compat::owns_relation(oid, GetUserId())) {
    aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, get_rel_name(oid));
  }
  const bool exact = !RecoveryInProgress();
  const learned::InspectedIndex opened =
      learned::open_inspected_index(oid, exact ? ShareLock : AccessShareLock);

  // heapallindexed runs the functions of an expression or a predicate: as the table's owner and nobody else, for a
  // superuser may check an index whose owner wrote them.
  Oid user;
  int security;
  GetUserIdAndSecContext(&user, &security);
  SetUserIdAndSecContext(opened.table->rd_rel->relowner, security | SECURITY_RESTRICTED_OPERATION);
  const int guc_level = NewGUCNestLevel();

  // Several megabytes of scratch memory go with it.
  MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "learned index check", ALLOCSET_DEFAULT_SIZES);
  MemoryContext caller = MemoryContextSwitchTo(context);
  learned::check_index(opened, exact, heapallindexed);
  MemoryContextSwitchTo(caller);
  MemoryContextDelete(context);

  AtEOXact_GUC(false, guc_level);
  SetUserIdAndSecContext(user, security);
  learned::close_inspected_index(opened);
  PG_RETURN_VOID();
}
