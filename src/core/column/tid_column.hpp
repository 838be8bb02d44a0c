// A column of TIDs under any codec. A new codec is a file of its own, with the verbs that tid_model.hpp lists, a number in
// TidCodec, a line in the list below, and a call of its fit() in SegmentPlanner::fit_tid(), which knows when it may pay.
#pragma once

#include "core/column/tid_ascending.hpp"
#include "core/column/tid_linear.hpp"
#include "core/column/tid_runs.hpp"

namespace learned {

// A type of codecs, chosen by its number.
template <class... Codecs>
struct TidCodecList {
  static constexpr bool known(TidCodec codec) { return ((codec == Codecs::kCodec) || ...); }

  // use(C{}), C being the codec of that number. REQUIRES: it is known (else it is the last one).
  template <class Use>
  static decltype(auto) with(TidCodec codec, Use use) {
    return pick<Use, Codecs...>(codec, use);
  }

  // use(C{}), which says whether it worked. False for an unknown number.
  template <class Use>
  static bool try_with(TidCodec codec, Use use) {
    return ((codec == Codecs::kCodec && use(Codecs{})) || ...);
  }

 private:
  template <class Use, class Codec, class... Others>
  static decltype(auto) pick(TidCodec codec, Use& use) {
    if constexpr (sizeof...(Others) == 0) {
      return use(Codec{});
    } else {
      return codec == Codec::kCodec ? use(Codec{}) : pick<Use, Others...>(codec, use);
    }
  }
};

using TidCodecs = TidCodecList<  //
    TidLinear,                   //
    TidRuns,                     //
    TidAscending>;

// The verbs, by the column's own codec. All but load() and check_model() REQUIRE a known one: that load() was content.

inline std::size_t tid_bytes(const TidColumn& column, std::size_t n) {
  return TidCodecs::with(column.codec, [&](auto codec) { return codec.bytes(column, n); });
}
std::uint8_t* encode_tids(std::uint8_t* out, const TidColumn& column, const Tid* tids, std::size_t n);

inline Tid tid_at(const TidColumn& column, const TidBits& data, unsigned i) {
  return TidCodecs::with(column.codec, [&](auto codec) { return codec.at(column, data, i); });
}
inline void decode_tids(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n, Tid* out) {
  TidCodecs::with(column.codec, [&](auto codec) { codec.decode(column, data, begin, n, out); });
}

inline bool load_tids(Extent* bytes, const TidColumn& column, std::size_t n, TidBits* data) {
  return TidCodecs::try_with(column.codec, [&](auto codec) { return codec.load(bytes, column, n, data); });
}
inline bool tids_grow(const TidColumn& column) {
  return TidCodecs::with(column.codec, [&](auto codec) { return codec.grows(column); });
}
// What load_tids() would refuse but for the length, and fields that ought to be zero.
Fault check_tid_model(const TidColumn& column, std::size_t n);
Fault check_tids(const TidColumn& column, const TidBits& data, std::size_t n);

unsigned torn_tids(const TidColumn& column, const TidBits& data, unsigned from, unsigned to);
// tids: the part's own, n of them; `front`: it is the front part of its column; scratch: room for n numbers.
// REQUIRES: nothing of the part is torn.
TidColumn slice_tids(const TidColumn& column, bool front, const Tid* tids, std::size_t n,
                     std::uint32_t* scratch);

// Whether bounds of a part take long: its ends have to be looked for from the front of the segment.
inline bool dear_tid_spans(const TidColumn& column) { return column.codec == TidCodec::ascending; }
// Bounds of the TIDs. REQUIRES: check_tids() found nothing.
Span tid_span(const TidColumn& column, std::size_t n);
// Bounds of TIDs [begin, begin + n), n >= 1. REQUIRES: the same.
Span tid_span(const TidColumn& column, const TidBits& data, unsigned begin, unsigned n);

}  // namespace learned
