// learned_index_check(): is an index sound, and does it find every row of its table?
//
// Who may: inspection.hpp has the rule. Row security does not matter, for no key is shown.
//
// Strict: ShareLock on table and index keeps writers and VACUUM away (readers go on), as amcheck's
// bt_index_parent_check() does; and who waits for that lock has all later writers wait behind it. So the structure
// stands still, and everything is exact:
//
//   metapage   read_meta_page(), key type, roots within the file
//   pages      check_page() for each (core/page/check.hpp lists what that is); codes within their type's domain, and of
//              types that are kept as others what their functions make, in their order (key/key_mapping.hpp)
//   siblings   each level of both trees is walked from its leftmost page: every page is of that tree and level,
//              links back to its left sibling, and begins where that ends; from {0, 0} to the end
//   parents    the downlinks of a level name the pages of the level below, one by one and in order, with their low
//              fences as separators. Only a page to the right of an unfinished split has none
//   blocks     each block of the file is the metapage, in a tree exactly once, a deleted page, or new (all zero)
//   rows       with heapallindexed: each row that a new snapshot sees has its entry, looked up one by one, and that is
//              not killed (kill_marks.hpp)
//
// Default: AccessShareLock, as bt_index_check(); nobody waits, also in a hot standby, where no other lock can be had. It
// verifies the same, and raises no false alarm although pages change between one look and the next. Each page is copied
// under its lock, so metapage and pages are exact by themselves. What two pages say of one another is believed if it
// agrees, and if it does not, it is looked at once more so that nothing can have changed in between:
//
// *Sound at any moment.* Every record of the index is atomic also for one who holds but one lock: its pages stay locked
// until all are changed, in replay too. So at each moment the invariants above hold for all pages together, and who
// reads page after page sees moments in their order. If a page is the same before and after the look at another, both
// were as seen at the moment of that look, and must agree. settle_...() look so: X, Y, X again. "The same" is the LSN,
// where the index is logged.
//
// *Pins, where it is not* (unlogged; temporary ones have no concurrency): the fields looked at may have changed and
// changed back. But a pinned page is not deleted (a join needs a cleanup lock), a
// page's low fence never changes while it lives, and pages of a level keep their order. With Y pinned from before X is
// read:
//   right link   X led to Y when it was read: so Y was alive and began at X's high fence, and still does
//   left link    Y leads to a pinned page N, not to X: N is alive, between X and Y. X, read after that, does not lead to Y
//   downlink     X had a downlink to Y: Y was alive and began at the separator, and still does
//   no downlink  X led to Y and its split was finished: Y had a downlink, and keeps it while it is alive
//   orphan       Y is alive; the page of its level that covers its low fence is Y
// (In a hot standby replay deletes pinned pages, too; but there are no unlogged indexes.)
//
// *Progress.* If X has changed, the walk goes on from what it is now; if it is gone, from the page that covers its
// low fence now, found from the root. A page that came by a split behind the walk is in its parent, which is read later: a
// downlink whose page the walk has not met must lead to a live page that begins there, and the page that the walk
// met in its place must no longer reach so far. Blocks that no level led to are new, deleted or come of age meanwhile:
// live ones must be found from the root. Every repetition is due to a change by somebody else.
//
// *Rows.* The snapshot is taken before any entry is looked for. What it sees was committed, so its entry was in the index
// before that (or replayed: entries come before the commit); and while it is registered nobody's horizon
// passes it, so neither VACUUM removes the entry nor does a scan kill it. HOT chains: the entry is that of the
// chain's root, and lives as long as any of its members can be seen. (A standby's snapshot holds nothing back, but replay
// cancels it before it removes what it sees.)
#include "am/check/verify.hpp"

#include "am/server/compat.hpp"
#include "am/key/key_order.hpp"

namespace learned {

template <class K>
MetaInfo PageChecker<K>::check_meta() {
  if (reader_.blocks() == 0) fault(kMetaBlock, "metapage is missing");
  reader_.copy(kMetaBlock, page_);
  MetaInfo meta;
  if (Fault f = read_meta_page<K>(page_, &meta)) fault(kMetaBlock, f);
  if (meta.key_kind != index_->rd_opcintype[0])
    fault(kMetaBlock, "metapage names another key type than the catalog");
  for (Block root : meta.root) {
    if (root == kMetaBlock) fault(kMetaBlock, "root of a tree is an impossible block");
  }
  return meta;
}

template <class K>
void PageChecker<K>::check_content(Block block) {
  if (progress_ != nullptr) progress_->step();
  if (Fault f = check_page(page_, workspace_)) fault(block, f);
  const PageView page(page_);
  if (page.deleted() || page.level() > 0 || page.tree() != TreeId::keys) return;
  const auto possible = [&](const K& key) { return key_possible(columns_, key); };
  // Both columns ascend: of one word the ends tell.
  const unsigned encoded = page.encoded();
  const unsigned deltas = page.deltas();
  const unsigned step = KeyTraits<K>::kWords == 1 && encoded > 1 ? encoded - 1 : 1;
  bool all = true;
  for (unsigned r = 0; r < encoded; r += step) all = all && possible(workspace_->codes[r]);
  for (unsigned j = 0; j < deltas; j++) all = all && possible(workspace_->delta[j].code);
  if (!all) fault(block, "key is outside the domain of its type");
  if constexpr (KeyTraits<K>::kWords > 1) {
    if (columns_.mapped) check_mappings();
  }
}

template <class K>
void PageChecker<K>::check_mappings() {
  const PageView page(page_);
  const unsigned encoded = page.encoded();
  const unsigned deltas = page.deltas();
  for (unsigned r = 0; r < encoded; r++) check_key_mappings(columns_, workspace_->codes[r]);
  for (unsigned j = 0; j < deltas; j++) check_key_mappings(columns_, workspace_->delta[j].code);
}

template <class K>
std::uint32_t PageChecker<K>::take_downlinks(Block block) {
  std::uint32_t n = 0;
  if (!decode_live(PageView(page_), workspace_, &n) || n == 0) fault(block, "page does not decode");
  for (std::uint32_t i = 0; i < n; i++) {
    items_[i] = {workspace_->codes[i], workspace_->tids[i], workspace_->children[i]};
  }
  return n;
}

template class PageChecker<Code>;
template class PageChecker<Words<2>>;
template class PageChecker<Words<3>>;
template class PageChecker<Words<4>>;

namespace {

struct CheckOptions {
  bool rows;
  bool strict;
  bool verbose;
};

void check_index(const InspectedIndex& opened, const CheckOptions& options) {
  CheckProgress progress(opened.index, options.verbose);
  // In itself, an index of another order than its operators' is sound.
  refuse_unsupported_index(opened.index->rd_indextuple);
  with_key(key_words_of(opened.index), [&]<class K>() {
    progress.begin("structure", "pages", RelationGetNumberOfBlocks(opened.index));
    if (options.strict) {
      check_structure_strictly<K>(opened.index, &progress);
    } else {
      check_structure_live<K>(opened.index, &progress);
    }
    if (!options.rows) return;
    progress.begin("whether it has the rows of its table", "rows", 0);
    check_rows<K>(opened.table, opened.index, &progress);
  });
  progress.end();
}

}  // namespace
}  // namespace learned

LEARNED_SQL_FUNCTION(learned_index_check);

Datum learned_index_check(PG_FUNCTION_ARGS) {
  const Oid oid = PG_GETARG_OID(0);
  // Up to version 0.2.0 the extension declares two arguments, up to 0.5.0 three.
  const learned::CheckOptions options{PG_GETARG_BOOL(1), PG_NARGS() > 2 && PG_GETARG_BOOL(2),
                                      PG_NARGS() > 3 && PG_GETARG_BOOL(3)};
  const learned::InspectedIndex opened =
      learned::open_inspected_index(oid, options.strict ? ShareLock : AccessShareLock);

  // heapallindexed runs the functions of an expression or a predicate: as the table's owner and nobody else, for a
  // superuser may check an index whose owner wrote them; and with the search_path that REINDEX gives them.
  Oid user;
  int security;
  GetUserIdAndSecContext(&user, &security);
  SetUserIdAndSecContext(opened.table->rd_rel->relowner, security | SECURITY_RESTRICTED_OPERATION);
  const int guc_level = NewGUCNestLevel();
  learned::compat::restrict_search_path();

  // Several megabytes of scratch memory go with it.
  MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "learned index check", ALLOCSET_DEFAULT_SIZES);
  MemoryContext caller = MemoryContextSwitchTo(context);
  learned::check_index(opened, options);
  MemoryContextSwitchTo(caller);
  MemoryContextDelete(context);

  AtEOXact_GUC(false, guc_level);
  SetUserIdAndSecContext(user, security);
  learned::close_inspected_index(opened);
  PG_RETURN_VOID();
}
