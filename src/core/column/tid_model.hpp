// What TID codecs have in common: ordinals, the model of a column of TIDs, and what is known of TIDs that are to be fitted.
//
// Each codec is a struct of static functions, the verbs, in a file of its own:
//
//   fit      whether it takes fewer bytes than what is found so far, and its model then
//   bytes    of its packed parts
//   encode   writes them
//   at       one TID
//   decode   many
//   load     finds the parts in bytes from disk, never beyond their end. False: the model or the length is impossible
//   grows    whether one entry more takes more bytes
//   check_model  what load() refuses but for the length, and fields that ought to be zero
//   check    of a loaded column: what at() and decode() do not look at
//   torn     entries at the beginning of a part that have to be a column of their own
//   slice    a model for a part of a column
//   span     bounds of the TIDs, from the model alone
//   part_span    bounds of some of them, from the model and a few reads
#pragma once

#include "core/base/bits.hpp"
#include "core/column/line.hpp"

namespace learned {

// Stored: a number never changes its meaning.
enum class TidCodec : std::uint8_t {
  linear = 0,     // tid_linear.hpp
  runs = 1,       // tid_runs.hpp
  ascending = 2,  // tid_ascending.hpp
};

// Ordinal -> TID and back; scale 0 is the raw TID.
constexpr std::uint64_t tid_to_ordinal(Tid tid, unsigned scale) {
  return scale == 0 ? tid : std::uint64_t{tid_block(tid)} * scale + tid_offset(tid) - 1;
}
inline Tid ordinal_to_tid(std::uint64_t ordinal, unsigned scale) {
  if (scale == 0) return ordinal & kMaxTid;
  const std::uint64_t block = ordinal / scale;
  return ((block << 16) | (ordinal - block * scale + 1)) & kMaxTid;
}
// For division by a scale above 1, which is dear where the scale is odd: multiplication by the inverse. (2^64 / scale is rounded up by less than
// 2^16 / scale, which for ordinals below 2^48 makes the product too large by less than 2^64 / scale: never the next block.)
inline std::uint64_t ordinal_inverse(unsigned scale) { return ~std::uint64_t{0} / scale + 1; }
inline std::uint64_t ordinal_block(std::uint64_t ordinal, std::uint64_t inverse) {
  return static_cast<std::uint64_t>(U128{ordinal} * inverse >> 64);
}
// Many of them, in place.
void ordinals_to_tids(std::uint64_t* values, unsigned n, unsigned scale);

// A run continues while TIDs are consecutive offsets of one heap block.
inline bool continues_run(const Tid* tids, std::size_t i) { return tids[i] == tids[i - 1] + 1; }

// A codec and its parameters.
struct TidColumn {
  ColumnModel model;        // what its values are, the codec says
  std::uint16_t scale;      // ordinal = block * scale + offset number - 1; 0: the raw 48-bit TID
  std::uint16_t runs;       // number of runs (TidCodec::runs)
  std::uint8_t rank_width;  // bits of a run's first rank (TidCodec::runs)
  TidCodec codec;

  // Whether the model says it all.
  bool exact() const { return codec == TidCodec::linear && model.width == 0; }
};

// The packed parts of a column in place.
struct TidBits {
  const std::uint8_t*
      bits;  // residuals (of the runs' first ordinals: TidCodec::runs), low bits (TidCodec::ascending)
  const std::uint8_t*
      more;                 // first ranks of the runs, bitmap of high parts (TidCodec::ascending); else unset
  std::uint32_t more_size;  // bytes of it
};

// TIDs to be fitted, and what the planner knows of them already.
struct TidFacts {
  const Tid* tids;
  std::uint32_t count;
  const std::uint32_t* starts;  // where runs begin behind the first one: rank + origin
  std::uint32_t origin;
  std::uint32_t breaks;  // how many do
  std::uint16_t max_offset;
  std::uint64_t ordinal_lo;  // extremes of the ordinals under the scale max_offset
  std::uint64_t ordinal_hi;
};

// Of n >= 1 TIDs whose ordinals lie within `ordinals`.
inline Span tid_span(const Span& ordinals, unsigned scale) {
  // Above, they wrap.
  const std::uint64_t end = scale == 0 ? kMaxTid : std::uint64_t{kNoBlock} * scale + (scale - 1);
  if (ordinals.hi > end) return {0, kMaxTid};
  return {ordinal_to_tid(ordinals.lo, scale), ordinal_to_tid(ordinals.hi, scale)};
}

}  // namespace learned
