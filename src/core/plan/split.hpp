// Dividing a page in two.
#pragma once

#include "core/plan/merge.hpp"

namespace learned {

// Where to divide columns [0, n) so that both parts take about the same bytes; 0 < result < n. REQUIRES: n >= 2.
template <class K>
std::uint32_t balanced_cut(BasicWorkspace<K>* ws, const BasicColumns<K>& columns, unsigned level,
                           std::uint32_t n);

// The two pages that an overfull page becomes, in ws->page (left) and ws->page2 (right), and the separator.
// Sibling links and the left part's flags are set for a split with the new right page at `right_block`.
// `incoming` is the entry that found no room. Always succeeds on a sound page; false: corrupt.
//
// Four ways, the first that works: an append-only page stays full and the rest goes to the right; a page without a delta or
// dead marks is cut in the middle of its bytes, models kept; the live entries are divided by bytes and fitted anew; the
// page is cut between segments, models and dead marks kept. The last one always fits: every part holds a subset of the
// page's bytes. (Only the one segment of a page that has no more is cut itself. Its back part may cost one bit more per
// entry and column, and one segment for the rest of a run: write_slice(). So it is cut at three quarters, where
// kMaxEntries / 4 * 2 bits = 3 kB beside a quarter of the page's bytes still fit; with keys of several words at seven eighths:
// kMaxEntries / 8 * 6 bits = 4.5 kB beside an eighth. A word under Elias-Fano takes no more in a part than in the
// whole, and has no more than 4096 entries: src/README.md, Keys of several words.)
template <class K>
bool plan_split(const BasicPageView<K>& page, Block right_block,
                const std::type_identity_t<BasicEntry<K>>& incoming, BasicWorkspace<K>* ws,
                BasicEntry<K>* separator);

// The same behind a leaf's first `front` live entries, whose number is more. *done: false if a part does not fit as a page of its own. False: corrupt.
template <class K>
bool plan_division(const BasicPageView<K>& page, Block right_block, std::uint32_t front,
                   BasicWorkspace<K>* ws, BasicEntry<K>* separator, bool* done);

}  // namespace learned
