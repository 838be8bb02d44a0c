// An entry while a build sorts it. Of these there are as many as the table has rows, and memory that a process has not used
// before is dear, so flags lie in a TID's unused bits rather than in eight bytes of their own.
#pragma once

#include "core/base/key.hpp"

namespace learned {

template <unsigned W>
struct PackedEntry {
  Code word[W];
  std::uint64_t tail;  // the flags above the TID (kTidBits)

  static constexpr unsigned kTidBits = 56;
  static constexpr std::uint64_t kTidMask = (std::uint64_t{1} << kTidBits) - 1;

  constexpr std::uint8_t flags() const { return static_cast<std::uint8_t>(tail >> kTidBits); }
  constexpr Words<W> key() const {
    Words<W> key{};
    for (unsigned i = 0; i < W; i++) key.word[i] = word[i];
    key.flags = flags();
    return key;
  }

  friend constexpr bool operator==(const PackedEntry&, const PackedEntry&) = default;
  friend constexpr bool operator<(const PackedEntry& a, const PackedEntry& b) {
    const std::uint64_t differ = (a.tail ^ b.tail) >> kTidBits;
    for (unsigned i = 0; i < W; i++) {
      if ((differ >> i & 1) != 0) return (b.tail >> kTidBits >> i & 1) != 0;
      if (a.word[i] != b.word[i]) return a.word[i] < b.word[i];
    }
    return a.tail < b.tail;
  }
};

template <class K>
struct SortEntryOf {
  using type = BasicEntry<K>;
};
template <unsigned W>
struct SortEntryOf<Words<W>> {
  using type = PackedEntry<W>;
};
template <class K>
using SortEntry = typename SortEntryOf<K>::type;
static_assert(sizeof(SortEntry<Code>) == 16 && sizeof(SortEntry<Words<2>>) == 24);

// REQUIRES: tid < 2^56 (a TID, or one with a mark beside it).
constexpr Entry pack(Code key, Tid tid) { return {key, tid}; }
template <unsigned W>
constexpr PackedEntry<W> pack(const Words<W>& key, Tid tid) {
  PackedEntry<W> entry{};
  for (unsigned i = 0; i < W; i++) entry.word[i] = key.word[i];
  entry.tail = std::uint64_t{key.flags} << PackedEntry<W>::kTidBits | tid;
  return entry;
}
constexpr Entry unpack(const Entry& entry) { return entry; }
template <unsigned W>
constexpr BasicEntry<Words<W>> unpack(const PackedEntry<W>& entry) {
  return {entry.key(), entry.tail & PackedEntry<W>::kTidMask};
}

}  // namespace learned
