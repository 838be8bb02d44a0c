#include "core/column/tid_model.hpp"

namespace learned {

// A division by an odd scale is the dear part: multiply by the inverse. (2^64 / scale is rounded up by less than 2^16 / scale, which
// for ordinals below 2^48 makes the product too large by less than 2^64 / scale: never the next block.)
void ordinals_to_tids(std::uint64_t* values, unsigned n, unsigned scale) {
  if (scale <= 1) {
    // Raw TIDs; or offsets that are all 1.
    const unsigned shift = scale == 0 ? 0 : 16;
    for (unsigned i = 0; i < n; i++) values[i] = ((values[i] & kMaxTid) << shift | scale) & kMaxTid;
    return;
  }
  const std::uint64_t inverse = ~std::uint64_t{0} / scale + 1;
  for (unsigned i = 0; i < n; i++) {
    const std::uint64_t ordinal = values[i] & kMaxTid;
    const auto block = static_cast<std::uint64_t>(U128{ordinal} * inverse >> 64);
    values[i] = (block << 16 | (ordinal - block * scale + 1)) & kMaxTid;
  }
}

}  // namespace learned
