// Where the entries of an index are whose first column is not NULL.
#pragma once

#include "am/server/server.hpp"
#include "core/base/key.hpp"
#include "core/tree/walk.hpp"

namespace learned {

// (A plain index has NULLs in a tree of their own. Asked of every statement's estimates: it looks nothing up.)
template <class K>
BasicTreeRange<K> keys_of_values([[maybe_unused]] Relation index) {
  BasicTreeRange<K> range{TreeId::keys, KeyTraits<K>::lowest(), KeyTraits<K>::highest()};
  if constexpr (KeyTraits<K>::kWords > 1) {
    // The flag in front of all: either end of what has that of a value.
    const bool nulls_high = (index->rd_indoption[0] & INDOPTION_NULLS_FIRST) == 0;
    if (nulls_high) {
      range.hi.flags &= static_cast<std::uint8_t>(~1u);
    } else {
      range.lo.flags |= 1;
    }
  }
  return range;
}

}  // namespace learned
