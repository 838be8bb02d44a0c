// Keys of several words.
//
// The key of an index on several columns, or on one that 64 bits do not hold, is a sequence of words. A column is one word
// or two, in the order of the index (a column that descends is complemented), and a flag that goes before them: it tells NULL
// from the rest, on whichever side NULLs are. The words of a NULL are 0. So keys are compared word by word, each behind
// its flag, and core knows nothing of columns, types or directions.
//
// A key of one word without NULLs is a plain Code: KeyTraits gives both one face.
#pragma once

#include <compare>

#include "core/base/types.hpp"

namespace learned {

// Most words of a key.
inline constexpr unsigned kMaxWords = 4;

template <unsigned W>
struct Words {
  static_assert(W >= 1 && W <= kMaxWords);
  Code word[W];
  std::uint8_t flags;  // bit i goes before word i; of a column's second word it is 0

  constexpr bool flag(unsigned i) const { return (flags >> i & 1) != 0; }

  friend constexpr bool operator==(const Words&, const Words&) = default;
  friend constexpr std::strong_ordering operator<=>(const Words& a, const Words& b) {
    if (a.flags == b.flags) [[likely]] {
      for (unsigned i = 0; i < W; i++) {
        if (a.word[i] != b.word[i]) return a.word[i] <=> b.word[i];
      }
      return std::strong_ordering::equal;
    }
    for (unsigned i = 0; i < W; i++) {
      if (a.flag(i) != b.flag(i)) return a.flag(i) <=> b.flag(i);
      if (a.word[i] != b.word[i]) return a.word[i] <=> b.word[i];
    }
    return std::strong_ordering::equal;
  }
};

template <class K>
struct KeyTraits;

template <>
struct KeyTraits<Code> {
  static constexpr unsigned kWords = 1;
  static constexpr Code lowest() { return 0; }
  static constexpr Code highest() { return kMaxCode; }
  static constexpr Code word(Code key, unsigned) { return key; }
  static constexpr std::uint8_t flags(Code) { return 0; }
  // The key before this one. REQUIRES: it is not the lowest.
  static constexpr Code before(Code key) { return key - 1; }
  // The key behind this one. REQUIRES: it is not the highest.
  static constexpr Code after(Code key) { return key + 1; }
};

template <unsigned W>
struct KeyTraits<Words<W>> {
  static constexpr unsigned kWords = W;
  static constexpr Words<W> lowest() { return {}; }
  static constexpr Words<W> highest() {
    Words<W> key{};
    for (unsigned i = 0; i < W; i++) key.word[i] = kMaxCode;
    key.flags = (1u << W) - 1;
    return key;
  }
  static constexpr Code word(const Words<W>& key, unsigned i) { return key.word[i]; }
  static constexpr std::uint8_t flags(const Words<W>& key) { return key.flags; }
  static constexpr Words<W> before(Words<W> key) {
    for (unsigned i = W; i-- > 0;) {
      if (key.word[i]-- > 0) break;
      // From the lowest word behind a flag to the highest one in front of it.
      const auto bit = static_cast<std::uint8_t>(1u << i);
      key.flags ^= bit;
      if ((key.flags & bit) == 0) break;
    }
    return key;
  }
  static constexpr Words<W> after(Words<W> key) {
    for (unsigned i = W; i-- > 0;) {
      if (++key.word[i] != 0) break;
      // From the highest word in front of a flag to the lowest one behind it.
      const auto bit = static_cast<std::uint8_t>(1u << i);
      key.flags ^= bit;
      if ((key.flags & bit) != 0) break;
    }
    return key;
  }
};

// The lowest key that has the first `words` words and their flags.
template <class K>
constexpr K key_prefix(const K& key, unsigned words) {
  K prefix = key;
  if constexpr (KeyTraits<K>::kWords > 1) {
    for (unsigned i = words; i < KeyTraits<K>::kWords; i++) prefix.word[i] = 0;
    prefix.flags &= static_cast<std::uint8_t>((1u << words) - 1);
  }
  return prefix;
}

// The highest one that has them.
template <class K>
constexpr K key_prefix_end(const K& key, unsigned words) {
  K end = key;
  if constexpr (KeyTraits<K>::kWords > 1) {
    for (unsigned i = words; i < KeyTraits<K>::kWords; i++) {
      end.word[i] = kMaxCode;
      end.flags |= static_cast<std::uint8_t>(1u << i);
    }
  }
  return end;
}

// Whether two keys have the same first `words` words, with their flags.
template <class K>
constexpr bool same_prefix(const K& a, const K& b, unsigned words) {
  return words == 0 || key_prefix(a, words) == key_prefix(b, words);
}

// The keys that templates in .cpp files are instantiated for: LEARNED_FOR_EVERY_KEY(X), X(K) being an instantiation.
#define LEARNED_FOR_EVERY_KEY(X) X(Code) X(Words<2>) X(Words<3>) X(Words<4>)

}  // namespace learned
