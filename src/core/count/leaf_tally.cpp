#include "core/count/leaf_tally.hpp"

#include <bit>

namespace learned {

unsigned count_bits(const std::uint8_t* map, unsigned begin, unsigned end) {
  unsigned count = 0;
  for (; begin < end && begin % 8 != 0; begin++) count += test_bit(map, begin);
  for (; end - begin >= 64; begin += 64)
    count += static_cast<unsigned>(std::popcount(load<std::uint64_t>(map + begin / 8)));
  for (; begin < end; begin++) count += test_bit(map, begin);
  return count;
}

}  // namespace learned
