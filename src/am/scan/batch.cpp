#include "am/scan/batch.hpp"

namespace learned {

bool Batch::decode(const LeafEntries& leaf, int begin, int end) {
  if (!leaf.decode(begin, end, columns())) return false;
  begin_ = begin;
  end_ = end;
  clean_ = !leaf.any_dead();
  return true;
}

bool Batch::decode_from(const LeafEntries& leaf, int number, bool forward) {
  const int begin = forward ? number : std::max(0, number - next_size_ + 1);
  const int end = forward ? std::min(leaf.total(), number + next_size_) : number + 1;
  next_size_ = std::min(kMost, next_size_ * 4);
  return decode(leaf, begin, end);
}

void Batch::make_tuples(KeyType key, bool nulls) {
  const auto n = static_cast<unsigned>(end_ - begin_);
  constexpr Size kKey = MAXALIGN(sizeof(IndexTupleData));
  const Size size = kKey + (nulls ? MAXALIGN(sizeof(IndexAttributeBitMapData)) : MAXALIGN(key.width()));
  const auto info = static_cast<unsigned short>(size | (nulls ? INDEX_NULL_MASK : 0));
  static_assert(sizeof(IndexTupleData) == kKey && sizeof(IndexAttributeBitMapData) <= 8);
  // The header, as one word: high and low half of the block number, offset, info.
  static_assert(sizeof(IndexTupleData) == sizeof(uint64) && offsetof(IndexTupleData, t_info) == 6 &&
                offsetof(ItemPointerData, ip_posid) == 4 && offsetof(BlockIdData, bi_lo) == 2);
  const uint64 rest = static_cast<uint64>(info) << 48;
  const auto header = [rest](Tid tid) {
    return tid >> 32 | (tid & 0xFFFF0000) | (tid & 0xFFFF) << 32 | rest;
  };
  if (nulls) [[unlikely]] {
    // A clear bit means NULL.
    for (unsigned i = 0; i < n; i++) {
      store(tuples_of_[i], header(tids_[i]));
      tuples_of_[i][kKey] = 0;
    }
  } else if (key.is_int8()) {
    for (unsigned i = 0; i < n; i++) {
      store(tuples_of_[i], header(tids_[i]));
      store(tuples_of_[i] + kKey, int_from_code(codes_[i]));
    }
  } else {
    for (unsigned i = 0; i < n; i++) {
      store(tuples_of_[i], header(tids_[i]));
      store_code(key, codes_[i], tuples_of_[i] + kKey);
    }
  }
  if (clean_) tuples_ = n;
}

}  // namespace learned
