#include "am/count/measures.hpp"

#include "am/server/grown_array.hpp"

namespace learned {

template <class K>
void CountedGroups<K>::grow() {
  const uint32 capacity = capacity_ == 0 ? 64 : capacity_ * 2;
  groups_ = enlarge(context_, groups_, capacity);
  measures_ = enlarge(context_, measures_, Size{capacity} * measured_.count);
  capacity_ = capacity;
}

// n values that differ by the same from one to the next.
template <class K>
void CountedGroups<K>::add_progression(uint32 g, unsigned m, Code first, Code last, unsigned n) {
  Measure& measure = measures_[g * measured_.count + m];
  measure.not_null += n;
  measure.least = std::min(measure.least, std::min(first, last));
  measure.greatest = std::max(measure.greatest, std::max(first, last));
  measure.sum += (U128{first} + last) * n / 2;
}

template <class K>
void CountedGroups<K>::add_segment(uint32 g, const BasicSegmentRef<K>& ref, unsigned i, unsigned n) {
  const K first = ref.code_at(i);
  bool exact = KeyCodec<K>::exact(ref.key);
  if constexpr (KeyTraits<K>::kWords == 1) {
    // Every step of the line the same.
    exact = exact && (ref.key.slope & low_mask(ref.key.shift & 0x7F)) == 0;
    if (exact || !measured_.column[0].sum) {
      groups_[g].rows += n;
      add_progression(g, 0, first, ref.code_at(i + n - 1), n);
      return;
    }
  } else if (ref.key.flags_width == 0) {
    // NULLs or none, all of a column: what is only counted needs no values.
    bool enough = true;
    for (unsigned m = 0; m < measured_.count; m++) {
      const MeasuredColumn& measured = measured_.column[m];
      const WordModel& word = ref.key.word[columns_.column[measured.column].place.first];
      Code code;
      enough = enough && (!measured.values || word.constant() || !value_of(measured, first, &code));
    }
    if (enough) {
      groups_[g].rows += n;
      for (unsigned m = 0; m < measured_.count; m++) {
        Code code;
        if (value_of(measured_.column[m], first, &code)) add_progression(g, m, code, code, n);
      }
      return;
    }
  }
  constexpr unsigned kChunk = 256;
  K keys[kChunk];
  for (unsigned done = 0; done < n; done += kChunk) {
    const unsigned now = std::min(kChunk, n - done);
    KeyCodec<K>::decode(ref.key, ref.key_bits, i + done, now, keys);
    for (unsigned k = 0; k < now; k++) add(g, keys[k]);
  }
}

#define LEARNED_COUNTED_GROUPS(K) template class CountedGroups<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_COUNTED_GROUPS)
#undef LEARNED_COUNTED_GROUPS

}  // namespace learned
