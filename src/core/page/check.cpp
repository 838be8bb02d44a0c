#include "core/page/check.hpp"

#include "core/page/checksum.hpp"
#include "core/page/kill_marks.hpp"
#include "core/page/search.hpp"

namespace learned {

namespace {

constexpr std::uint16_t kKnownFlags = kIncompleteSplit | kDeleted | kHasDead | kRightmost;
// lower_bound() is tried for about this many entries of a page.
constexpr unsigned kSearchSample = 512;

template <class K>
std::size_t dead_map_bytes(const BasicPageView<K>& page) {
  return (page.encoded() + std::size_t{7}) / 8;
}
template <class K>
bool has_dead_map(const BasicPageView<K>& page) {
  return (page.flags() & kHasDead) != 0;
}

// Flags of words that the key does not have.
template <class K>
bool unknown_flags(const K& key) {
  return KeyTraits<K>::flags(key) >> KeyTraits<K>::kWords != 0;
}

// A TID that a heap can have: offsets begin at 1, and the last block number means "none".
bool is_heap_tid(Tid tid) { return tid_offset(tid) != 0 && tid_block(tid) != kNoBlock; }

// The hole is zero, but for sound kill marks in leaves.
template <class K>
Fault check_hole(const std::uint8_t* bytes, const BasicPageView<K>& page) {
  const bool leaf = page.level() == 0 && !page.deleted();
  const KillMarkArea area = leaf ? kill_mark_area(page) : KillMarkArea{page.lower(), 0, 0};
  std::size_t at = page.lower();
  for (; at < area.base && at < page.upper(); at++) {
    if (bytes[at] != 0) return "hole of the page is not empty";
  }
  if (leaf && !kill_words_sound(page)) return "kill mark does not match its check";
  for (at += 8 * area.words; at < page.upper(); at++) {
    if (bytes[at] != 0) return "hole of the page is not empty";
  }
  return nullptr;
}

template <class K>
Fault check_trailer(const std::uint8_t* bytes, const BasicPageView<K>& page) {
  if (Fault fault = check_header(page)) return fault;
  if (load<std::uint16_t>(bytes + kPageSizeVersionOffset) != (kPageSize | kServerLayoutVersion)) {
    return "page has an unknown server layout";
  }
  const BasicPageTrailer<K> t = page.trailer();
  if ((t.flags & ~kKnownFlags) != 0) return "page has unknown flags";
  if (t.reserved != 0) return "reserved field of the page trailer is not zero";
  if (t.check != page_checksum<K>(bytes)) return "page checksum does not match";
  return check_hole(bytes, page);
}

template <class K>
Fault check_fences(const BasicPageView<K>& page) {
  const BasicPageTrailer<K> t = page.trailer();
  const BasicEntry<K> low = page.low();
  const BasicEntry<K> high = page.high();
  if (page.rightmost()) {
    if (t.right != kNoBlock) return "rightmost page has a right sibling";
    if (high != lowest_entry<K>()) return "rightmost page has a high fence";
    if (page.incomplete_split()) return "incomplete split without a right sibling";
  } else {
    if (t.right == kNoBlock) return "page without a right sibling is not marked as the rightmost one";
    if (t.right == kMetaBlock) return "right link leads to the metapage";
    if (!(low < high)) return "low fence is not below the high fence";
  }
  if (t.left == kMetaBlock) return "left link leads to the metapage";
  if ((t.left == kNoBlock) != (low == lowest_entry<K>()))
    return "left link and low fence contradict each other";
  if (page.tree() == TreeId::nulls &&
      (low.code != KeyTraits<K>::lowest() || high.code != KeyTraits<K>::lowest())) {
    return "fence in the tree of nulls has a key";
  }
  if (unknown_flags(low.code) || unknown_flags(high.code)) return "fence has unknown flags";
  return nullptr;
}

// Fields and bounds of segment s. `*at` is where its residuals may begin, and becomes where they end.
template <class K>
Fault check_segment(const BasicPageView<K>& page, unsigned s, std::size_t limit, std::size_t* at,
                    BasicSegmentRef<K>* ref) {
  const unsigned level = page.level();
  const std::size_t size = segment_size<K>(level);
  const auto segment = [&](unsigned i) {
    return load<BasicSegment<K>>(page.high_part() + kSpecialOf<K> - (i + 1) * size);
  };
  const BasicSegment<K> seg = segment(s);
  const unsigned end = s + 1 < page.segments() ? segment(s + 1).first_rank : page.encoded();
  if (s == 0 && seg.first_rank != 0) return "ranks of the segments do not begin at 0";
  if (seg.first_rank >= end || end > page.encoded()) return "ranks of the segments do not ascend";
  const unsigned count = end - seg.first_rank;
  BasicSegmentModels<K> models;
  get_models(page.high_part() + kSpecialOf<K> - (s + 1) * size, level, &models);
  if (!KeyCodec<K>::possible(models.key)) return "segment has an impossible key model";
  for (unsigned w = 0; level > 0 && w < KeyTraits<K>::kWords; w++) {
    if (KeyCodec<K>::layout(models.key, w).elias_fano) return "segment has an unknown key codec";
  }
  if (Fault fault = check_tid_model(models.tids, count)) return fault;
  if (models.tids.codec == TidCodec::ascending && level > 0) return "segment has an unknown tid codec";
  if (level > 0 ? !LineCodec::possible(models.child) : seg.child_width != 0 || seg.child_shift != 0) {
    return "segment has an impossible child model";
  }
  if (seg.offset < *at) return "residuals of a segment overlap what is before them";
  *at = seg.offset + segment_bytes(models, count);
  if (*at > limit || !load_segment(page, s, ref)) return "residuals of a segment exceed their area";
  return nullptr;
}

// The decoded entries of one segment against what single reads give.
template <class K>
Fault check_single_reads(const BasicPageView<K>& page, const BasicSegmentRef<K>& ref,
                         const BasicCheckedEntries<K>& out) {
  const unsigned first = ref.first_rank;
  if (ref.first_code != out.codes[first]) return "first code of a segment is not that of its first entry";
  for (unsigned i = 0; i < ref.count; i++) {
    if (ref.code_at(i) != out.codes[first + i] || ref.tid_at(i) != out.tids[first + i]) {
      return "entry decodes in two ways";
    }
    if (page.level() > 0 && ref.child_at(i) != out.children[first + i]) return "entry decodes in two ways";
  }
  return nullptr;
}

// A page without segments has no entries either: check_header().
template <class K>
Fault check_segments(const BasicPageView<K>& page, const BasicCheckedEntries<K>& out) {
  const std::size_t limit = page.lower() - (has_dead_map(page) ? dead_map_bytes(page) : 0);
  std::size_t at = kHeaderSize;
  BasicSegmentRef<K> ref;
  for (unsigned s = 0; s < page.segments(); s++) {
    if (Fault fault = check_segment(page, s, limit, &at, &ref)) return fault;
    if (Fault fault = KeyCodec<K>::check(ref.key, ref.key_bits, ref.count)) return fault;
    if (Fault fault = check_tids(ref.tids, ref.tid_bits, ref.count)) return fault;
  }
  if (!decode(page, 0, page.encoded(), out.codes, out.tids, page.level() > 0 ? out.children : nullptr)) {
    return "page does not decode";
  }
  for (unsigned s = 0; s < page.segments(); s++) {
    if (!load_segment(page, s, &ref)) return "page does not decode";
    if (Fault fault = check_single_reads(page, ref, out)) return fault;
  }
  return nullptr;
}

// What holds for every entry by itself, encoded or in the delta.
template <class K>
Fault check_item(const BasicPageView<K>& page, const BasicItem<K>& item) {
  if (page.tree() == TreeId::nulls && item.code != KeyTraits<K>::lowest())
    return "entry in the tree of nulls has a key";
  if (page.level() == 0 && !is_heap_tid(item.tid)) return "entry has an impossible heap tid";
  if (page.level() > 0 && (item.child == kMetaBlock || item.child == kNoBlock)) {
    return "downlink leads to an impossible block";
  }
  if (unknown_flags(item.code)) return "entry has unknown flags";
  if (!page.covers(item.entry())) return "entry lies outside the fences";
  return nullptr;
}

template <class K>
Fault check_search(const BasicPageView<K>& page, const BasicCheckedEntries<K>& out) {
  const auto found = [&](unsigned i) {
    unsigned rank = page.encoded();
    return lower_bound(page, {out.codes[i], out.tids[i]}, &rank) && rank == i;
  };
  const unsigned step = page.encoded() / kSearchSample + 1;
  for (unsigned i = 0; i < page.encoded(); i += step) {
    if (!found(i)) return "search does not find an entry where it is";
  }
  for (unsigned s = 0; s < page.segments(); s++) {
    BasicSegmentRef<K> ref;
    if (!load_segment(page, s, &ref)) return "page does not decode";
    if (!found(ref.first_rank) || !found(ref.first_rank + ref.count - 1)) {
      return "search does not find an entry where it is";
    }
  }
  return nullptr;
}

template <class K>
Fault check_encoded(const BasicPageView<K>& page, const BasicCheckedEntries<K>& out) {
  const bool inner = page.level() > 0;
  for (unsigned i = 0; i < page.encoded(); i++) {
    const BasicItem<K> item{out.codes[i], out.tids[i], inner ? out.children[i] : kNoBlock};
    if (i > 0 && !(BasicEntry<K>{out.codes[i - 1], out.tids[i - 1]} < item.entry())) {
      return "encoded entries do not ascend";
    }
    if (Fault fault = check_item(page, item)) return fault;
  }
  return check_search(page, out);
}

template <class K>
Fault check_dead(const BasicPageView<K>& page) {
  const std::size_t bytes = dead_map_bytes(page);
  if (!has_dead_map(page)) {
    if (page.upper() - std::size_t{page.lower()} < bytes) return "room for dead marks is taken";
    return nullptr;
  }
  const std::uint8_t* map = page.dead_map();
  unsigned dead = 0;
  for (std::size_t i = 0; i < bytes; i++) dead += static_cast<unsigned>(std::popcount(map[i]));
  if (dead != page.dead()) return "number of dead entries is not that of the dead bitmap";
  for (std::size_t i = page.encoded(); i < bytes * 8; i++) {
    if (test_bit(map, i)) return "dead bitmap marks an entry that does not exist";
  }
  return nullptr;
}

template <class K>
Fault check_delta(const BasicPageView<K>& page, const BasicCheckedEntries<K>& out) {
  const unsigned deltas = page.deltas();
  for (unsigned j = 0; j < deltas; j++) {
    const std::uint8_t* p = page.delta_at(j);
    if (!BasicPageView<K>::delta_sound(p, page.level())) return "delta entry does not match its check";
    if (KeyTraits<K>::kWords == 1 && page.level() > 0 && load<std::uint32_t>(p + 20) != 0)
      return "padding of a delta entry is not zero";
    if (Fault fault = check_item(page, page.delta_item(j))) return fault;
  }
  sorted_delta(page, out.delta);
  unsigned rank = 0;
  for (unsigned j = 0; j < deltas; j++) {
    const BasicEntry<K> entry = out.delta[j].entry();
    if (j > 0 && out.delta[j - 1].entry() == entry) return "two delta entries are equal";
    while (rank < page.encoded() && BasicEntry<K>{out.codes[rank], out.tids[rank]} < entry) rank++;
    if (rank < page.encoded() && BasicEntry<K>{out.codes[rank], out.tids[rank]} == entry &&
        !page.is_dead(rank)) {
      return "delta entry equals an encoded entry";
    }
  }
  return nullptr;
}

// Keys below the first separator would have no child to go to.
template <class K>
Fault check_first_separator(const BasicPageView<K>& page, const BasicCheckedEntries<K>& out) {
  if (page.live() == 0) return "inner page has no downlink";
  unsigned rank = 0;
  while (rank < page.encoded() && page.is_dead(rank)) rank++;
  const bool encoded = rank < page.encoded() && BasicEntry<K>{out.codes[rank], out.tids[rank]} == page.low();
  const bool in_delta = page.deltas() > 0 && out.delta[0].entry() == page.low();
  return encoded || in_delta ? nullptr : "first separator is not the low fence";
}

}  // namespace

template <class K>
Fault check_page(const std::uint8_t* bytes, const BasicCheckedEntries<K>& out) {
  const BasicPageView<K> page(bytes);
  if (Fault fault = check_trailer(bytes, page)) return fault;
  if (page.deleted()) {
    return page.encoded() > 0 || page.deltas() > 0 ? "deleted page has entries" : nullptr;
  }
  if (Fault fault = check_fences(page)) return fault;
  if (Fault fault = check_segments(page, out)) return fault;
  if (Fault fault = check_encoded(page, out)) return fault;
  if (Fault fault = check_dead(page)) return fault;
  if (Fault fault = check_delta(page, out)) return fault;
  return page.level() > 0 ? check_first_separator(page, out) : nullptr;
}

#define LEARNED_INSTANTIATE(K) template Fault check_page(const std::uint8_t*, const BasicCheckedEntries<K>&);
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
