// The vocabulary of the core: codes, tuple identifiers, entries, blocks and results.
//
// Nothing in src/core includes a server header, allocates memory or throws. Callers hand in the bytes to work on; what can
// fail says so by its result: false or a Fault.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/fault.hpp"

namespace learned {

// An order-preserving unsigned image of an SQL key (see key_code.hpp).
using Code = std::uint64_t;
inline constexpr Code kMaxCode = ~Code{0};

// A heap tuple identifier as one integer: block number << 16 | offset number. Offsets start at 1, so
// 0 is below every real TID and serves as the lowest bound of a key.
using Tid = std::uint64_t;
inline constexpr Tid kMaxTid = (Tid{1} << 48) - 1;

constexpr Tid make_tid(std::uint32_t block, std::uint16_t offset) { return (Tid{block} << 16) | offset; }
constexpr std::uint32_t tid_block(Tid tid) { return static_cast<std::uint32_t>(tid >> 16); }
constexpr std::uint16_t tid_offset(Tid tid) { return static_cast<std::uint16_t>(tid & 0xFFFF); }

// A block number of the index file.
using Block = std::uint32_t;
inline constexpr Block kNoBlock = 0xFFFFFFFFu;
inline constexpr Block kMetaBlock = 0;

// One index entry. Entries of a tree are totally ordered by (code, tid); the same struct names a
// position in that order (a fence, a separator, a scan bound), then tid may be 0 or kMaxTid. K: Code, or the Words of key.hpp.
template <class K>
struct BasicEntry {
  K code;
  Tid tid;

  friend constexpr bool operator==(const BasicEntry&, const BasicEntry&) = default;
  friend constexpr auto operator<=>(const BasicEntry& a, const BasicEntry& b) = default;
};
using Entry = BasicEntry<Code>;
static_assert(sizeof(Entry) == 16);

// The two trees of an index: entries with a key, and entries whose key is NULL (all codes 0).
enum class TreeId : std::uint8_t { keys = 0, nulls = 1 };
inline constexpr int kTreeCount = 2;

// A value of a type that needs two codes, ordered by the first, then by the second.
struct CodePair {
  Code first;
  Code second;

  friend constexpr bool operator==(const CodePair&, const CodePair&) = default;
  friend constexpr auto operator<=>(const CodePair&, const CodePair&) = default;
};

// The highest one, and the one in front of another (which is not the lowest) or behind it (not the highest). C: Code, or CodePair.
template <class C>
inline constexpr C kLastCode{};
template <>
inline constexpr Code kLastCode<Code> = kMaxCode;
template <>
inline constexpr CodePair kLastCode<CodePair> = {kMaxCode, kMaxCode};
constexpr Code code_before(Code code) { return code - 1; }
constexpr Code code_after(Code code) { return code + 1; }
constexpr CodePair code_before(const CodePair& code) {
  return {code.second == 0 ? code.first - 1 : code.first, code.second - 1};
}
constexpr CodePair code_after(const CodePair& code) {
  return {code.second == kMaxCode ? code.first + 1 : code.first, code.second + 1};
}

// A closed range of codes, lo <= hi.
template <class C>
struct BasicCodeRange {
  C lo;
  C hi;
};
using CodeRange = BasicCodeRange<Code>;

}  // namespace learned
