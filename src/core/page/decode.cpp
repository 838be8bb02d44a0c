// Decoding columns of a page: single TIDs, and stretches of entries.
#include "core/page/view.hpp"

namespace learned {

template <class K>
[[gnu::flatten]] Tid BasicSegmentRef<K>::tid_at(unsigned i) const {
  return learned::tid_at(this->tids, tid_bits, i);
}

template <class K>
bool decode(const BasicPageView<K>& page, unsigned begin, unsigned end, std::type_identity_t<K>* codes,
            Tid* tids, Block* children) {
  if (begin >= end) return true;
  if (end > page.encoded()) return false;
  unsigned s = segment_of_rank(page, begin);
  unsigned done = 0;
  while (begin + done < end) {
    BasicSegmentRef<K> ref;
    if (s >= page.segments() || !load_segment(page, s, &ref)) return false;
    const unsigned at = begin + done;
    if (at < ref.first_rank || at >= ref.first_rank + ref.count) return false;
    const unsigned i = at - ref.first_rank;
    const unsigned n = end - at < ref.count - i ? end - at : ref.count - i;
    if (codes != nullptr) KeyCodec<K>::decode(ref.key, ref.key_bits, i, n, codes + done);
    if (tids != nullptr) decode_tids(ref.tids, ref.tid_bits, i, n, tids + done);
    if (children != nullptr) {
      for (unsigned k = 0; k < n; k++) children[done + k] = ref.child_at(i + k);
    }
    done += n;
    s++;
  }
  return true;
}

#define LEARNED_INSTANTIATE(K)                             \
  template Tid BasicSegmentRef<K>::tid_at(unsigned) const; \
  template bool decode(const BasicPageView<K>&, unsigned, unsigned, K*, Tid*, Block*);
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
