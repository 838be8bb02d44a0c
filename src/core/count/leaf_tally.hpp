// Counts entries of a leaf without decoding those that need not be.
//
// Whether an entry's row is seen by everybody is a property of its heap block. A segment's model bounds its TIDs, hence its blocks: where none of
// them is open, all its entries count, by their ranks. Else the segment is halved while that narrows the bounds, and what is left is decoded, and
// each block asked for.
//
// Open says which blocks are open:     bool is_open(block), bool any_open(lo, hi), bool none()
// Sink takes in what is found:
//   bool needs_keys() const                       whether numbers alone will not do
//   void whole(segment, i, n, removed)            entries [i, i + n) of a segment, none of their blocks open; `removed` of them are dead: 0 if
//                                                 needs_keys()
//   void clear(n)                                 so many; only if !needs_keys()
//   void clear(key)                               an entry, its block not open. *key: if needs_keys(), else nullptr
//   void passed_over(n)                           so many segments were counted whole, or parts of them
//   void suspect(key, tid)                        an entry on an open block
//   void decoded(n)                               so many were decoded
//   bool full() const                             no more suspects are wanted for now
#pragma once

#include <algorithm>
#include <bit>
#include <type_traits>

#include "core/count/open_entries.hpp"
#include "core/page/search.hpp"

namespace learned {

// Entries below which a segment is not halved again.
inline constexpr unsigned kLeastHalved = 64;

// Bits set of a bitmap in [begin, end).
unsigned count_bits(const std::uint8_t* map, unsigned begin, unsigned end);

template <class K, class Open, class Sink>
class LeafTally {
 public:
  LeafTally(const BasicPageView<K>& page, const Open& open, Sink& sink)
      : page_(page), open_(open), sink_(sink), has_dead_((page.flags() & kHasDead) != 0) {}

  // The encoded entries of ranks [begin, end), or, where the sink gets full, those below done(). False: corrupt.
  bool ranks(unsigned begin, unsigned end) {
    done_ = end;
    stopped_ = false;
    if (begin >= end) return true;
    if (end > page_.encoded()) return false;
    if (open_.none() && !sink_.needs_keys()) {
      // Not even the models are looked at.
      const bool all = end - begin == page_.encoded();
      sink_.passed_over(all ? page_.segments()
                            : segment_of_rank(page_, end - 1) - segment_of_rank(page_, begin) + 1);
      sink_.clear(end - begin - (has_dead_ ? count_bits(page_.dead_map(), begin, end) : 0));
      return true;
    }
    for (unsigned s = segment_of_rank(page_, begin); begin < end; s++) {
      BasicSegmentRef<K> ref;
      if (s >= page_.segments() || !load_segment(page_, s, &ref)) return false;
      if (begin < ref.first_rank || begin >= ref.first_rank + ref.count) return false;
      const unsigned i = begin - ref.first_rank;
      const unsigned n = std::min(end - begin, ref.count - i);
      part(ref, i, n, n == ref.count ? tid_span(ref.tids, n) : tid_span(ref.tids, ref.tid_bits, i, n));
      if (stopped_) return true;
      begin += n;
    }
    return true;
  }
  unsigned done() const { return done_; }

  // An entry that is not encoded.
  void entry(const K& key, Tid tid) {
    const K* known = sink_.needs_keys() ? &key : nullptr;
    if (open_.is_open(tid_block(tid))) {
      sink_.suspect(known, tid);
    } else if (known != nullptr) {
      sink_.clear(known);
    } else {
      sink_.clear(1u);
    }
  }

 private:
  static constexpr unsigned kChunk = 256;
  // Where a span costs as much as decoding a hundred entries: open blocks are everywhere, then.
  static constexpr unsigned kMostVain = 2;

  // Entries [i, i + n) of a segment, whose TIDs lie within `span`. `vain`: so many times in a row was this halved, and both halves had open blocks.
  void part(const BasicSegmentRef<K>& ref, unsigned i, unsigned n, const Span& span, unsigned vain = 0) {
    if (!any_open(span)) {
      const unsigned at = ref.first_rank + i;
      const unsigned removed = has_dead_ ? count_bits(page_.dead_map(), at, at + n) : 0;
      if (removed == 0 || !sink_.needs_keys()) {
        sink_.whole(ref, i, n, removed);
        return;
      }
    } else if (n > kLeastHalved && vain < (dear_tid_spans(ref.tids) ? kMostVain : n)) {
      const unsigned half = n / 2;
      const Span front = tid_span(ref.tids, ref.tid_bits, i, half);
      if (front.hi - front.lo < (span.hi - span.lo) / 4 * 3) {
        const Span back = tid_span(ref.tids, ref.tid_bits, i + half, n - half);
        vain = any_open(front) && any_open(back) ? vain + 1 : 0;
        part(ref, i, half, front, vain);
        if (stopped_) return;
        part(ref, i + half, n - half, back, vain);
        return;
      }
    }
    for (unsigned k = 0; k < n; k += kChunk) {
      if (sink_.full()) {
        done_ = ref.first_rank + i + k;
        stopped_ = true;
        return;
      }
      decode(ref, i + k, std::min(kChunk, n - k));
    }
  }

  bool any_open(const Span& span) const { return open_.any_open(tid_block(span.lo), tid_block(span.hi)); }

  // At most kChunk of them.
  void decode(const BasicSegmentRef<K>& ref, unsigned i, unsigned n) {
    std::uint64_t open[kChunk / 64];
    if constexpr (std::is_same_v<Open, OpenBlocks>) {
      static_assert(kChunk <= OpenEntries::kMost);
      OpenEntries entries(ref.tids, open_);
      if (entries.able()) {
        entries.look(ref.tid_bits, i, n, open);
        hand_over(ref, i, n, open, [&](unsigned k) { return entries.tid(k); });
        return;
      }
    }
    Tid tids[kChunk];
    decode_tids(ref.tids, ref.tid_bits, i, n, tids);
    for (std::uint64_t& word : open) word = 0;
    for (unsigned k = 0; k < n; k++)
      open[k / 64] |= std::uint64_t{open_.is_open(tid_block(tids[k]))} << (k % 64);
    hand_over(ref, i, n, open, [&](unsigned k) { return tids[k]; });
  }

  // Entries [i, i + n); bit k of `open`: entry i + k lies on an open block.
  template <class TidOf>
  void hand_over(const BasicSegmentRef<K>& ref, unsigned i, unsigned n, const std::uint64_t* open,
                 TidOf tid) {
    sink_.decoded(n);
    if (sink_.needs_keys()) {
      K keys[kChunk];
      KeyCodec<K>::decode(ref.key, ref.key_bits, i, n, keys);
      for (unsigned k = 0; k < n; k++) {
        if (is_dead(ref, i + k)) continue;
        if ((open[k / 64] >> (k % 64) & 1) != 0) {
          sink_.suspect(&keys[k], tid(k));
        } else {
          sink_.clear(&keys[k]);
        }
      }
      return;
    }
    const unsigned at = ref.first_rank + i;
    unsigned clear = n - (has_dead_ ? count_bits(page_.dead_map(), at, at + n) : 0);
    for (unsigned from = 0; from < n; from += 64) {
      for (std::uint64_t rest = open[from / 64]; rest != 0; rest &= rest - 1) {
        const unsigned k = from + static_cast<unsigned>(std::countr_zero(rest));
        if (is_dead(ref, i + k)) continue;
        clear--;
        sink_.suspect(nullptr, tid(k));
      }
    }
    sink_.clear(clear);
  }

  bool is_dead(const BasicSegmentRef<K>& ref, unsigned i) const {
    return has_dead_ && page_.is_dead(ref.first_rank + i);
  }

  const BasicPageView<K>& page_;
  const Open& open_;
  Sink& sink_;
  bool has_dead_;
  bool stopped_ = false;
  unsigned done_ = 0;
};

}  // namespace learned
