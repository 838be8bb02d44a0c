// Search in a tree page: by first codes to a segment, by its line to a few entries.
#pragma once

#include "core/page/view.hpp"

namespace learned {

// First encoded rank whose (code, tid) is >= key; encoded() if none. False: corrupt.
bool lower_bound(const PageView& page, const Entry& key, unsigned* rank);

// Encoded ranks [begin, end) of the entries with this code: begin == end if there is none. False: corrupt.
// If there is one, *found is the segment that has it, unless its count is 0.
bool equal_range(const PageView& page, Code code, unsigned* begin, unsigned* end, SegmentRef* found);

// Inner pages: the child whose range holds `key`: that of the greatest separator <= key. False: corrupt.
// If `next` is given, it is set to the code of a separator above it, kMaxCode if none is at hand: for guesses only.
bool find_child(const PageView& page, const Entry& key, Item* found, Code* next = nullptr);

}  // namespace learned
