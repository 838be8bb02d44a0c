// Verifying a tree page on its own: every invariant that one page can break without its neighbours' help.
//
// Checked, in this order; the first fault found is reported:
//
//   header     check_header(): magic, version, tree, bounds of all areas, plausible counts
//              no unknown flag, reserved field zero, checksum. Of a deleted page, nothing more.
//   hole       zero, but in leaves for words of kill marks, each of which matches its check or is zero, wherever it stands
//              (core/page/kill_marks.hpp). While there is no dead bitmap, it keeps room for one.
//   fences     low < high, and the right end of a level agrees in all three places: flag, link, high fence 0.
//              The left end: no left link if and only if the low fence is {0, 0}. No unfinished split without a
//              right sibling. In the tree of NULLs every code is 0, those of fences too.
//   segments   first ranks ascend from 0; models have possible widths; residual areas follow one another within
//              [24, lower less the dead bitmap); first ranks of runs ascend from 0; the bitmap of ascending TIDs has
//              a bit for each entry and none behind its end; unused fields are zero
//   entries    the first code of a segment is that of its first entry; decoding a page as a whole and one entry
//              at a time agree; (code, TID) ascends strictly across segments; TIDs of leaves are heap TIDs;
//              everything lies within the fences; lower_bound() finds entries where they are (every one of a
//              page with few, else those at the borders of segments and a sample)
//   dead       the bitmap has as many bits as the trailer says, all of them of encoded entries
//   delta      each entry's own check, padding zero, TIDs and fences as above, no two equal, none equal to a
//              live encoded one
//   inner      children are possible blocks; the first live separator is the low fence
//
// A segment's stated error needs no check: values are decoded as model plus residual, and a residual cannot
// exceed its width.
#pragma once

#include "core/page/view.hpp"

namespace learned {

// Where a page's content is left.
template <class K>
struct BasicCheckedEntries {
  K* codes;  // of the encoded entries, dead ones included: room for kMaxEntries
  Tid* tids;
  Block* children;
  BasicItem<K>* delta;  // sorted: room for kMaxDelta
};

// Returns nullptr or what is wrong. Works on any bytes, kPageSize of them, 8-aligned, that nobody changes meanwhile: a copy
// (copy_page()), or a page locked exclusively. On success (and unless the page is deleted) leaves its content in `out`;
// children for inner pages only.
template <class K = Code>
Fault check_page(const std::uint8_t* page, const BasicCheckedEntries<K>& out);

}  // namespace learned
