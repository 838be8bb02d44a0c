#include "core/column/tid_model.hpp"

namespace learned {

// A division by an odd scale is the dear part: multiply by the inverse.
void ordinals_to_tids(std::uint64_t* values, unsigned n, unsigned scale) {
  if (scale == 0) {
    for (unsigned i = 0; i < n; i++) values[i] &= kMaxTid;
    return;
  }
  const double inverse = 1.0 / scale;
  for (unsigned i = 0; i < n; i++) {
    // Sound ordinals are below 2^48, exact in a double; the quotient is off by at most one.
    const std::uint64_t ordinal = values[i] & kMaxTid;
    auto block = static_cast<std::uint64_t>(static_cast<double>(ordinal) * inverse);
    auto rest = static_cast<std::int64_t>(ordinal - block * scale);
    if (rest < 0) {
      block--;
      rest += scale;
    } else if (rest >= static_cast<std::int64_t>(scale)) {
      block++;
      rest -= scale;
    }
    values[i] = ((block << 16) | static_cast<std::uint64_t>(rest + 1)) & kMaxTid;
  }
}

}  // namespace learned
