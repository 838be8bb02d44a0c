#include "core/column/tid_model.hpp"

namespace learned {

void ordinals_to_tids(std::uint64_t* values, unsigned n, unsigned scale) {
  if (scale <= 1) {
    // Raw TIDs; or offsets that are all 1.
    const unsigned shift = scale == 0 ? 0 : 16;
    for (unsigned i = 0; i < n; i++) values[i] = ((values[i] & kMaxTid) << shift | scale) & kMaxTid;
    return;
  }
  const std::uint64_t inverse = ordinal_inverse(scale);
  for (unsigned i = 0; i < n; i++) {
    const std::uint64_t ordinal = values[i] & kMaxTid;
    const std::uint64_t block = ordinal_block(ordinal, inverse);
    values[i] = (block << 16 | (ordinal - block * scale + 1)) & kMaxTid;
  }
}

}  // namespace learned
