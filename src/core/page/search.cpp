#include "core/page/search.hpp"

namespace learned {

namespace {

// For a search in a segment to tell about where it will end: the entry's TID and its other words are fetched along with the word that is
// searched for.
template <class K>
auto fetch_near(const BasicSegmentRef<K>& ref) {
  return [&ref](std::size_t middle) {
    __builtin_prefetch(ref.tid_bits.bits + middle * ref.tids.model.width / 8);
    if constexpr (KeyTraits<K>::kWords > 1) KeyCodec<K>::prefetch(ref.key, ref.key_bits, middle);
  };
}

// The entries of a code in a segment, which begin at its lower bound: for keys of several words, of which one is costly to read.
template <class K>
Ranks equal_ranks(const BasicSegmentRef<K>& ref, const K& code) {
  return KeyCodec<K>::equal_range({ref.key, ref.key_bits, ref.count, ref.first_code}, code, fetch_near(ref));
}

}  // namespace

template <class K>
unsigned BasicSegmentRef<K>::lower_bound(const K& code, unsigned* probes) const {
  const auto near = fetch_near(*this);
  unsigned reads = 0;
  unsigned i;
  if constexpr (KeyTraits<K>::kWords == 1) {
    i = LineCodec::lower_bound({this->key, key_bits, count, this->first_code}, code, &reads, near);
  } else {
    i = KeyCodec<K>::lower_bound({this->key, key_bits, count, this->first_code}, code, near);
  }
  if (probes != nullptr) *probes = reads;
  return i;
}

namespace {

template <class K>
K first_code_of(const BasicPageView<K>& page, unsigned s) {
  return first_key_of<K>(page.high_part() + kSpecialOf<K> - (s + 1) * segment_size<K>(page.level()));
}

// How many segments start below the code. The first entry that does not is in the last of them, or the first one behind.
template <class K>
unsigned segments_below(const BasicPageView<K>& page, const K& code) {
  const std::size_t size = segment_size<K>(page.level());
  const std::uint8_t* base = page.high_part() + kSpecialOf<K>;
  unsigned lo = 0;
  unsigned hi = page.segments();
  while (lo < hi) {
    const unsigned mid = (lo + hi) / 2;
    if (first_key_of<K>(base - (mid + 1) * size) < code) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  return lo;
}

// load_segment(), for a search. Of keys of several words a segment is read in several places, each known from what was read before: the bytes of
// one of a few hundred entries, as those of a first word's value are, are fetched all at once. (Where a page has a few large ones, whoever pinned it knew.)
template <class K>
bool load_searched(const BasicPageView<K>& page, unsigned s, BasicSegmentRef<K>* ref) {
  if constexpr (KeyTraits<K>::kWords > 1) {
    constexpr std::size_t kLine = 64;
    constexpr std::size_t kMost = 12 * kLine;
    const std::size_t size = segment_size<K>(page.level());
    const std::uint8_t* model =
        page.high_part() + kSpecialOf<K> - (s + 1) * size + offsetof(BasicSegment<K>, offset);
    const std::size_t begin = load<std::uint16_t>(model);
    const std::size_t end = s + 1 < page.segments() ? load<std::uint16_t>(model - size) : page.lower();
    if (begin < end && end - begin <= kMost) {
      for (std::size_t at = begin & ~(kLine - 1); at < end; at += kLine)
        __builtin_prefetch(page.low_part() + at);
    }
  }
  return load_segment(page, s, ref);
}

// First encoded rank with a code >= `code`.
template <class K>
bool lower_bound_code(const BasicPageView<K>& page, const K& code, unsigned* rank) {
  const unsigned below = segments_below(page, code);
  if (below == 0) {
    *rank = 0;
    return true;
  }
  BasicSegmentRef<K> ref;
  if (!load_searched(page, below - 1, &ref)) return false;
  *rank = ref.first_rank + ref.lower_bound(code);
  return true;
}

}  // namespace

template <class K>
bool lower_bound(const BasicPageView<K>& page, const std::type_identity_t<BasicEntry<K>>& key,
                 unsigned* rank) {
  if constexpr (KeyTraits<K>::kWords > 1) {
    // Mostly there is one entry of the code or none, in the middle of a segment.
    if (const unsigned below = segments_below(page, key.code); below > 0) {
      BasicSegmentRef<K> ref;
      if (!load_searched(page, below - 1, &ref)) return false;
      const Ranks equal = equal_ranks(ref, key.code);
      *rank = ref.first_rank + equal.begin;
      if (key.tid == 0 || (equal.begin == equal.end && equal.end < ref.count)) return true;
      if (equal.begin < equal.end && ref.tid_at(equal.begin) >= key.tid) return true;
      if (equal.begin + 1 == equal.end && equal.end < ref.count) {
        ++*rank;
        return true;
      }
    }
  }
  if (!lower_bound_code(page, key.code, rank)) return false;
  if (key.tid == 0 || *rank >= page.encoded()) return true;
  // Among entries of equal code TIDs ascend; the search stays within that run.
  unsigned lo = *rank;
  unsigned hi = page.encoded();
  // Mostly there is one such entry, or none: see before searching for the end of the run.
  {
    BasicSegmentRef<K> ref;
    if (!load_segment(page, segment_of_rank(page, lo), &ref)) return false;
    unsigned i = lo - ref.first_rank;
    if (lo < ref.first_rank || i >= ref.count) return false;
    if (ref.code_at(i) > key.code || ref.tid_at(i) >= key.tid) return true;
    lo++;
    if (++i < ref.count && ref.code_at(i) > key.code) {
      *rank = lo;
      return true;
    }
  }
  if (key.code != KeyTraits<K>::highest() && !lower_bound_code(page, KeyTraits<K>::after(key.code), &hi))
    return false;
  BasicSegmentRef<K> ref;
  unsigned loaded_begin = 1;
  unsigned loaded_end = 0;
  while (lo < hi) {
    const unsigned mid = (lo + hi) / 2;
    if (mid < loaded_begin || mid >= loaded_end) {
      if (!load_segment(page, segment_of_rank(page, mid), &ref)) return false;
      loaded_begin = ref.first_rank;
      loaded_end = loaded_begin + ref.count;
      if (mid < loaded_begin || mid >= loaded_end) return false;
    }
    if (ref.tid_at(mid - loaded_begin) < key.tid) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  *rank = lo;
  return true;
}

template <class K>
bool equal_range(const BasicPageView<K>& page, const std::type_identity_t<K>& code, unsigned* begin,
                 unsigned* end, BasicSegmentRef<K>* found) {
  found->count = 0;
  const unsigned below = segments_below(page, code);
  const auto next_begins_with_it = [&] {
    return below < page.segments() && first_code_of(page, below) == code;
  };
  bool more;  // than what *end says below
  *begin = 0;
  if (below > 0 && !load_searched(page, below - 1, found)) return false;
  if constexpr (KeyTraits<K>::kWords > 1) {
    const Ranks equal = below > 0 ? equal_ranks(*found, code) : Ranks{0, 0};
    if (below > 0) *begin = found->first_rank + equal.begin;
    *end = *begin + (equal.end - equal.begin);
    more = equal.end == found->count && next_begins_with_it();
  } else {
    const unsigned i = below > 0 ? found->lower_bound(code) : 0;
    if (below > 0) *begin = found->first_rank + i;
    *end = *begin;
    if (i < found->count) {
      // Nearly always there is one entry or none; more are worth a second search.
      if (found->code_at(i) != code) return true;
      ++*end;
      more = i + 1 < found->count ? found->code_at(i + 1) == code : next_begins_with_it();
    } else {
      more = next_begins_with_it();
    }
  }
  if (!more) return true;
  found->count = 0;
  if (code == KeyTraits<K>::highest()) {
    *end = page.encoded();
    return *begin <= *end;
  }
  return lower_bound_code(page, KeyTraits<K>::after(code), end) && *end >= *begin;
}

namespace {

// The general way of find_child() among the encoded separators. `*rank`: the first one above the key.
template <class K>
bool rank_above(const BasicPageView<K>& page, const BasicEntry<K>& key, unsigned* rank) {
  using Entry = BasicEntry<K>;
  const Entry above =
      key.tid < kMaxTid ? Entry{key.code, key.tid + 1} : Entry{KeyTraits<K>::after(key.code), 0};
  if (key.tid == kMaxTid && key.code == KeyTraits<K>::highest()) {
    *rank = page.encoded();
    return true;
  }
  return lower_bound(page, above, rank) && *rank <= page.encoded();
}

// The last encoded separator <= key: its segment and its index there. False: corrupt. *none: there is none.
template <class K>
bool separator_before(const BasicPageView<K>& page, const BasicEntry<K>& key, BasicSegmentRef<K>* ref,
                      unsigned* i, bool* none) {
  const unsigned below = segments_below(page, key.code);
  *none = false;
  // Nearly always no separator has the key's own code, and one search in one segment answers.
  if (below > 0) {
    if (!load_segment(page, below - 1, ref)) return false;
    const unsigned at = ref->lower_bound(key.code);
    const bool apart = at < ref->count ? ref->code_at(at) != key.code
                                       : below == page.segments() || first_code_of(page, below) != key.code;
    if (at > 0 && apart) {
      *i = at - 1;
      return true;
    }
  }
  unsigned rank;
  if (!rank_above(page, key, &rank)) return false;
  *none = rank == 0;
  if (*none) return true;
  if (!load_segment(page, segment_of_rank(page, rank - 1), ref)) return false;
  *i = rank - 1 - ref->first_rank;
  return *i < ref->count;
}

}  // namespace

template <class K>
bool find_child(const BasicPageView<K>& page, const std::type_identity_t<BasicEntry<K>>& key,
                BasicItem<K>* found, std::type_identity_t<K>* next) {
  using Entry = BasicEntry<K>;
  if (next != nullptr) *next = KeyTraits<K>::highest();
  bool have = false;
  const unsigned deltas = page.deltas();
  const std::size_t size = delta_size<K>(page.level());
  const std::uint8_t* p = page.high_part() + page.dir();
  const std::uint8_t* best = nullptr;
  Entry best_entry = lowest_entry<K>();
  for (unsigned j = 0; j < deltas; j++) {
    p -= size;
    const Entry e = BasicPageView<K>::delta_entry(p);
    if (e <= key && (best == nullptr || e > best_entry)) {
      best = p;
      best_entry = e;
    }
  }
  if (best != nullptr) {
    // The one that is believed is checked: its check costs more than the whole search.
    if (!BasicPageView<K>::delta_sound(best, page.level())) return false;
    *found = {best_entry.code, best_entry.tid, load<Block>(best + DeltaFormat<K>::kChild)};
    have = true;
  }
  if (page.encoded() == 0) return have;
  BasicSegmentRef<K> ref;
  unsigned i = 0;
  bool none = false;
  if (!separator_before(page, key, &ref, &i, &none)) return false;
  if (none) return have;
  const BasicItem<K> item{ref.code_at(i), ref.tid_at(i), ref.child_at(i)};
  if (next != nullptr && i + 1 < ref.count) *next = ref.code_at(i + 1);
  if (!have || item.entry() > found->entry()) *found = item;
  return true;
}

#define LEARNED_INSTANTIATE(K)                                                                             \
  template unsigned BasicSegmentRef<K>::lower_bound(const K&, unsigned*) const;                            \
  template bool lower_bound(const BasicPageView<K>&, const BasicEntry<K>&, unsigned*);                     \
  template bool equal_range(const BasicPageView<K>&, const K&, unsigned*, unsigned*, BasicSegmentRef<K>*); \
  template bool find_child(const BasicPageView<K>&, const BasicEntry<K>&, BasicItem<K>*, K*);
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
