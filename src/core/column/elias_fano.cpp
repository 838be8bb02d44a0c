#include "core/column/elias_fano.hpp"

namespace learned {

bool EliasShape::sound(const std::uint8_t* map, std::size_t n) const {
  const std::size_t size = high_bytes(n);
  std::size_t set = 0;
  for (std::size_t i = 0; i < size; i++) set += static_cast<unsigned>(std::popcount(map[i]));
  bool padded = true;
  for (std::size_t i = bits(n); i < size * 8; i++) padded &= !test_bit(map, i);
  return set == n && padded;
}

}  // namespace learned
