// Search in a tree page: by first codes to a segment, by its line to a few entries.
#pragma once

#include "core/page/view.hpp"

namespace learned {

// First encoded rank whose (code, tid) is >= key; encoded() if none. False: corrupt.
template <class K>
bool lower_bound(const BasicPageView<K>& page, const std::type_identity_t<BasicEntry<K>>& key,
                 unsigned* rank);

// Encoded ranks [begin, end) of the entries with this code: begin == end if there is none. False: corrupt.
// If there is one, *found is the segment that has it, unless its count is 0.
template <class K>
bool equal_range(const BasicPageView<K>& page, const std::type_identity_t<K>& code, unsigned* begin,
                 unsigned* end, BasicSegmentRef<K>* found);

// Inner pages: the child whose range holds `key`: that of the greatest separator <= key. False: corrupt.
// If `next` is given, it is set to the code of a separator above it, the highest one if none is at hand: for guesses only.
template <class K>
bool find_child(const BasicPageView<K>& page, const std::type_identity_t<BasicEntry<K>>& key,
                BasicItem<K>* found, std::type_identity_t<K>* next = nullptr);

}  // namespace learned
