// Reading the pages of a btree: what is needed to know the entries on its leaves.
#pragma once

#include "am/check/inspection.hpp"
#include "am/server/server.hpp"

namespace learned {

// One page at a time, copied under its share lock, so that nothing of what is done with it happens under one. Line pointers and lengths are
// looked at before they are believed; damage raises ERRCODE_INDEX_CORRUPTED.
class BtreePages {
 public:
  enum class Kind : std::uint8_t {
    leaf,
    inner,
    other,  // the metapage, deleted ones, new ones
  };

  explicit BtreePages(Relation index);

  // Size of the file when the reading began.
  BlockNumber blocks() const { return reader_.blocks(); }
  // How many were read.
  int64 reads() const { return reads_; }

  // REQUIRES: block < blocks() for a block of the caller's; one that a page names is looked at. Checks for interrupts.
  Kind read(BlockNumber block);

  // The leaf that all others are to the right of; P_NONE: there is no tree yet. Reads the way to it; nothing is on the page then that the caller may use.
  BlockNumber leftmost_leaf();

  // Of the page that was read, a leaf or inner page:
  BlockNumber right() const { return opaque()->btpo_next; }
  // Bytes of its entries, with their line pointers.
  Size used() const;
  // Rows that its entries are of.
  int64 entries() const;

  // Calls f(tuple, tids, n) for each tuple of a leaf, of one row or of several with the same key. Those that are known to be of dead rows are left out.
  template <class F>
  void for_each_tuple(F&& f) const {
    for (OffsetNumber at = first_data(); at <= last(); at = OffsetNumberNext(at)) {
      const ItemId id = PageGetItemId(page(), at);
      if (ItemIdIsDead(id)) continue;
      const IndexTuple tuple = tuple_at(id);
      if (BTreeTupleIsPosting(tuple)) {
        f(tuple, BTreeTupleGetPosting(tuple), unsigned{BTreeTupleGetNPosting(tuple)});
      } else {
        f(tuple, &tuple->t_tid, 1u);
      }
    }
  }

 private:
  Page page() const { return reinterpret_cast<Page>(bytes_); }
  BTPageOpaque opaque() const { return BTPageGetOpaque(page()); }
  OffsetNumber first_data() const { return P_FIRSTDATAKEY(opaque()); }
  OffsetNumber last() const { return PageGetMaxOffsetNumber(page()); }
  IndexTuple tuple_at(ItemId id) const;
  BlockNumber first_child() const;
  [[noreturn]] void corrupt() const;

  Relation index_;
  PageReader reader_;
  BlockNumber block_ = InvalidBlockNumber;
  int64 reads_ = 0;
  std::uint8_t* bytes_;
};
static_assert(std::is_trivially_destructible_v<BtreePages>);

}  // namespace learned
