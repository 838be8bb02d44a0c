// A part of a page as a page of its own: segments are kept, or cut with their models kept.
#pragma once

#include "core/plan/workspace.hpp"

namespace learned {

// Turns encoded segment s of `page` into a planned segment that is copied as it is. False: corrupt.
template <class K>
bool keep_segment(const BasicPageView<K>& page, unsigned s, BasicPlannedSegment<K>* out);

// Writes encoded entries [begin, end) of `page`, dead marks included, and the delta entries within
// [id.low, id.high) as a page of their own, keeping the models. A whole segment is copied; the front part of a
// segment too. The back part of a segment follows the same lines from other starting ranks, which may cost one bit per
// entry and column (per run, where TIDs are runs) as the lines are rounded down anew. The rest of a run that is cut
// becomes a segment of its own, without a bit for its TIDs. A part of a word under Elias-Fano takes no more bytes than the whole. False:
// corrupt, or it does not fit.
template <class K = Code>
bool write_slice(std::uint8_t* out, const BasicPageIdentity<K>& id, const BasicPageView<K>& page,
                 unsigned begin, unsigned end, BasicWorkspace<K>* ws);

}  // namespace learned
