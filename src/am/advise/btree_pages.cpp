#include "am/advise/btree_pages.hpp"

namespace learned {
namespace {

// Behind a copy of a page: the columns of a tuple that damage has made too short end within it. (They have fixed widths, 16 bytes at most.)
constexpr Size kSlack = 128;

// A link that leads in a circle must not be followed for ever.
constexpr int kMostSteps = 100;

}  // namespace

BtreePages::BtreePages(Relation index)
    : index_(index), reader_(index), bytes_(static_cast<std::uint8_t*>(palloc0(BLCKSZ + kSlack))) {}

void BtreePages::corrupt() const {
  ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                  errmsg("index \"%s\" contains corrupted page at block %u", RelationGetRelationName(index_),
                         block_),
                  errhint("Please REINDEX it.")));
  pg_unreachable();
}

BtreePages::Kind BtreePages::read(BlockNumber block) {
  // (Pages that came since the reading began are named by others.)
  if (block >= reader_.blocks() && block >= RelationGetNumberOfBlocks(index_)) corrupt();
  block_ = block;
  reader_.copy(block, bytes_);
  reads_++;
  if (PageIsNew(page())) return Kind::other;
  const auto* header = reinterpret_cast<const PageHeaderData*>(bytes_);
  if (header->pd_special != BLCKSZ - MAXALIGN(sizeof(BTPageOpaqueData)) ||
      header->pd_lower < SizeOfPageHeaderData || header->pd_lower > header->pd_special) {
    corrupt();
  }
  const BTPageOpaque flags = opaque();
  if (P_ISMETA(flags) || P_IGNORE(flags)) return Kind::other;
  return P_ISLEAF(flags) ? Kind::leaf : Kind::inner;
}

IndexTuple BtreePages::tuple_at(ItemId id) const {
  const Size offset = ItemIdGetOffset(id);
  const Size length = ItemIdGetLength(id);
  if (!ItemIdIsUsed(id) || offset != MAXALIGN(offset) || offset < SizeOfPageHeaderData ||
      length < sizeof(IndexTupleData) || offset + length > BLCKSZ - MAXALIGN(sizeof(BTPageOpaqueData))) {
    corrupt();
  }
  auto* tuple = reinterpret_cast<IndexTuple>(bytes_ + offset);
  const Size size = IndexTupleSize(tuple);
  if (size < sizeof(IndexTupleData) || size > length) corrupt();
  if (BTreeTupleIsPosting(tuple)) {
    const Size list = BTreeTupleGetPostingOffset(tuple);
    if (list < sizeof(IndexTupleData) || list % alignof(ItemPointerData) != 0 ||
        list + BTreeTupleGetNPosting(tuple) * sizeof(ItemPointerData) > size) {
      corrupt();
    }
  }
  return tuple;
}

BlockNumber BtreePages::first_child() const {
  if (first_data() > last()) corrupt();
  return BTreeTupleGetDownLink(tuple_at(PageGetItemId(page(), first_data())));
}

BlockNumber BtreePages::leftmost_leaf() {
  if (reader_.blocks() == 0) return P_NONE;
  if (read(BTREE_METAPAGE) != Kind::other || PageIsNew(page())) corrupt();
  const BTMetaPageData* meta = BTPageGetMeta(page());
  if (!P_ISMETA(opaque()) || meta->btm_magic != BTREE_MAGIC) corrupt();
  BlockNumber block = meta->btm_root;
  for (int step = 0; block != P_NONE; step++) {
    if (step == kMostSteps) corrupt();
    const Kind kind = read(block);
    if (kind == Kind::leaf) return block;
    // (A leftmost page is never deleted: one that is has become so since its parent was read, and was none.)
    block = kind == Kind::inner ? first_child() : right();
  }
  return P_NONE;
}

Size BtreePages::used() const {
  Size used = 0;
  for_each_tuple([&](IndexTuple tuple, ItemPointer, unsigned) {
    used += MAXALIGN(IndexTupleSize(tuple)) + sizeof(ItemIdData);
  });
  return used;
}

int64 BtreePages::entries() const {
  int64 entries = 0;
  for_each_tuple([&](IndexTuple, ItemPointer, unsigned n) { entries += n; });
  return entries;
}

}  // namespace learned
