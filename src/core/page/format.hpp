// The bytes of a tree page. One format serves every level; inner pages have a child column in addition.
//
//      0 +------------------------------+
//        | server page header           |  24 bytes: LSN, checksum, lower, upper, special
//     24 +------------------------------+
//        | residuals of segment 0       |  key residuals | TID residuals | child residuals,
//        | residuals of segment 1 ...   |  each part starts on a byte
//        | dead bitmap (if kHasDead)    |  one bit per encoded entry
//  lower +------------------------------+
//        | hole, zero but for kill marks|  at least ceil(encoded / 8) bytes stay free while there is
//        |                              |  no dead bitmap: a deletion always fits in place
//  upper +------------------------------+
//        | delta, newest entry first    |  raw entries in order of arrival
//    dir +------------------------------+
//        | ... segment 1 | segment 0    |  segment directory, growing downwards
// special+------------------------------+
//        | PageTrailer                  |
//   8192 +------------------------------+
//
// `dir` is special - segments * segment_size(level). The number of delta entries is (dir - upper) divided by
// their size: it needs no field of its own, so a logged insert changes `upper` and the new entry only.
//
// Format 1 has keys of one word (Code), format 2 those of several (Words<W>). They differ where a key is stored: in the
// trailer's fences, in segments and in delta entries; so everything here that has a key in it is a template over its type, and
// the plain names are those of format 1.
#pragma once

#include "core/base/bits.hpp"
#include "core/base/key.hpp"
#include "core/column/key_column.hpp"
#include "core/column/tid_column.hpp"

namespace learned {

inline constexpr std::size_t kPageSize = 8192;
inline constexpr std::size_t kHeaderSize = 24;
inline constexpr std::size_t kLowerOffset = 12;            // uint16
inline constexpr std::size_t kUpperOffset = 14;            // uint16
inline constexpr std::size_t kSpecialOffset = 16;          // uint16
inline constexpr std::size_t kPageSizeVersionOffset = 18;  // uint16: page size | layout version
inline constexpr std::uint16_t kServerLayoutVersion = 4;   // PG_PAGE_LAYOUT_VERSION since PostgreSQL 8.3

inline constexpr std::uint32_t kPageMagic = 0x4C524E44;  // "DNRL" in a hex dump
// Raised when the layout changes; a newer library reads every older version.
template <class K>
inline constexpr std::uint8_t kFormatOf = KeyTraits<K>::kWords == 1 ? 1 : 2;
inline constexpr std::uint8_t kFormatVersion = kFormatOf<Code>;
// What this library reads.
inline constexpr std::uint8_t kNewestFormat = 2;
// Bytes of a key's words.
template <class K>
inline constexpr std::uint8_t kCodeWidthOf = KeyTraits<K>::kWords * sizeof(Code);
inline constexpr std::uint8_t kCodeWidth = kCodeWidthOf<Code>;

// Most encoded entries of a page. Its dead bitmap takes kMaxEntries / 8 bytes of the page.
inline constexpr std::size_t kMaxEntries = 49152;
// Most delta entries of a page: bounds what a lookup reads without help of a model.
inline constexpr std::size_t kMaxDelta = 128;

enum PageFlags : std::uint16_t {
  kIncompleteSplit = 1,  // the right sibling has no downlink yet: the next writer adds it
  kDeleted = 2,          // not part of a tree any more; may be recycled at once (fences tell visitors)
  kHasDead = 4,          // a dead bitmap ends at `lower`
  kRightmost = 8,        // the high fence is infinite
};

template <class K>
struct BasicPageTrailer;

template <>
struct BasicPageTrailer<Code> {
  std::uint32_t magic;
  std::uint8_t version;
  std::uint8_t code_width;  // bytes of a key's words
  std::uint8_t level;       // 0 = leaf
  std::uint8_t tree;        // TreeId
  std::uint16_t flags;
  std::uint16_t segments;
  std::uint16_t encoded;  // entries in segments, dead ones included
  std::uint16_t dead;     // set bits of the dead bitmap
  Block left;             // kNoBlock at the left end
  Block right;            // kNoBlock at the right end
  std::uint32_t check;    // page_checksum()
  std::uint32_t reserved;
  Entry low;   // every entry of the page is >= low ...
  Entry high;  // ... and < high, unless kRightmost

  Entry low_fence() const { return low; }
  Entry high_fence() const { return high; }
  void set_low_fence(const Entry& e) { low = e; }
  void set_high_fence(const Entry& e) { high = e; }
};
using PageTrailer = BasicPageTrailer<Code>;
static_assert(sizeof(PageTrailer) == 64);

// The same fields; the flags of the fences are where nothing was.
template <unsigned W>
struct BasicPageTrailer<Words<W>> {
  std::uint32_t magic;
  std::uint8_t version;
  std::uint8_t code_width;
  std::uint8_t level;
  std::uint8_t tree;
  std::uint16_t flags;
  std::uint16_t segments;
  std::uint16_t encoded;
  std::uint16_t dead;
  Block left;
  Block right;
  std::uint32_t check;
  std::uint8_t low_flags;
  std::uint8_t high_flags;
  std::uint16_t reserved;
  Code low_word[W];
  Tid low_tid;
  Code high_word[W];
  Tid high_tid;

  using Entry = BasicEntry<Words<W>>;
  Entry low_fence() const { return fence(low_word, low_flags, low_tid); }
  Entry high_fence() const { return fence(high_word, high_flags, high_tid); }
  void set_low_fence(const Entry& e) {
    for (unsigned w = 0; w < W; w++) low_word[w] = e.code.word[w];
    low_flags = e.code.flags;
    low_tid = e.tid;
  }
  void set_high_fence(const Entry& e) {
    for (unsigned w = 0; w < W; w++) high_word[w] = e.code.word[w];
    high_flags = e.code.flags;
    high_tid = e.tid;
  }

 private:
  static Entry fence(const Code* words, std::uint8_t flags, Tid tid) {
    Entry e;
    for (unsigned w = 0; w < W; w++) e.code.word[w] = words[w];
    e.code.flags = flags;
    e.tid = tid;
    return e;
  }
};
static_assert(sizeof(BasicPageTrailer<Words<2>>) == 80 && sizeof(BasicPageTrailer<Words<4>>) == 112);

template <class K>
inline constexpr std::size_t kSpecialOf = kPageSize - sizeof(BasicPageTrailer<K>);
inline constexpr std::size_t kSpecial = kSpecialOf<Code>;

// A segment as it is stored: entries [first_rank, next segment's first_rank) under one model per column. Read by get_models(),
// load_segment() and check_page(), searched by its first key and first rank, hashed for kill marks, written by PageWriter; to all
// others a segment is its SegmentModels.
template <class K>
struct BasicSegment;

template <>
struct BasicSegment<Code> {
  Code first_code;         // exact first code: the page is searched by it
  std::uint64_t key_base;  // ColumnModel of the keys
  std::uint64_t key_slope;
  std::uint64_t tid_base;  // TidColumn
  std::uint64_t tid_slope;
  std::uint16_t first_rank;
  std::uint16_t offset;  // of its residuals in the page
  std::uint16_t tid_scale;
  std::uint16_t runs;
  std::uint8_t key_shift;
  std::uint8_t key_width;
  std::uint8_t tid_shift;
  std::uint8_t tid_width;
  std::uint8_t rank_width;
  TidCodec tid_codec;
  std::uint8_t child_shift;  // of the ChildModel
  std::uint8_t child_width;
};
using Segment = BasicSegment<Code>;
static_assert(sizeof(Segment) == 56);

// Written over zeroed bytes: what pads it to a multiple of 8 is zero.
template <unsigned W>
struct BasicSegment<Words<W>> {
  Code first_word[W];      // exact first key; bases follow from it (core/column/key_column.hpp)
  std::uint64_t slope[W];  // of the words
  std::uint64_t tid_base;
  std::uint64_t tid_slope;
  std::uint16_t first_rank;
  std::uint16_t offset;
  std::uint16_t tid_scale;
  std::uint16_t runs;
  std::uint8_t shift[W];
  std::uint8_t width[W];
  std::uint8_t gap_at[W];
  std::uint8_t gap_bits[W];
  std::uint8_t first_flags;
  std::uint8_t flags_width;
  std::uint8_t tid_shift;
  std::uint8_t tid_width;
  std::uint8_t rank_width;
  TidCodec tid_codec;
  std::uint8_t child_shift;
  std::uint8_t child_width;
};
static_assert(sizeof(BasicSegment<Words<2>>) == 72 && sizeof(BasicSegment<Words<3>>) == 96 &&
              sizeof(BasicSegment<Words<4>>) == 112);

// Follows the Segment of an inner page.
struct ChildModel {
  std::uint64_t base;
  std::uint64_t slope;
};
static_assert(sizeof(ChildModel) == 16);

// A segment's models.
template <class K>
struct BasicSegmentModels {
  K first_code;
  typename KeyCodec<K>::Model key;
  TidColumn tids;
  ColumnModel child;  // inner pages; of no width in leaves
};
using SegmentModels = BasicSegmentModels<Code>;

// Bytes of the residuals of a segment with n entries.
template <class K>
inline std::size_t segment_bytes(const BasicSegmentModels<K>& models, std::size_t n) {
  return KeyCodec<K>::bytes(models.key, n) + tid_bytes(models.tids, n) + LineCodec::bytes(models.child, n);
}

// The models of the segment stored at `at`. (What is copied aside first is read again before it has arrived there.) What they
// say of words is complete when their residuals are loaded.
inline void get_key_model(const std::uint8_t* at, SegmentModels* models) {
  models->first_code = load<Code>(at + offsetof(Segment, first_code));
  models->key.base = load<std::uint64_t>(at + offsetof(Segment, key_base));
  models->key.slope = load<std::uint64_t>(at + offsetof(Segment, key_slope));
  models->key.shift = at[offsetof(Segment, key_shift)];
  models->key.width = at[offsetof(Segment, key_width)];
}
template <unsigned W>
inline void get_key_model(const std::uint8_t* at, BasicSegmentModels<Words<W>>* models) {
  using Segment = BasicSegment<Words<W>>;
  for (unsigned w = 0; w < W; w++) {
    models->first_code.word[w] = load<Code>(at + offsetof(Segment, first_word) + 8 * w);
    WordModel& word = models->key.word[w];
    word.line.base = 0;
    word.line.slope = load<std::uint64_t>(at + offsetof(Segment, slope) + 8 * w);
    word.line.shift = at[offsetof(Segment, shift) + w];
    word.line.width = at[offsetof(Segment, width) + w];
    word.gap_at = at[offsetof(Segment, gap_at) + w];
    word.gap_bits = at[offsetof(Segment, gap_bits) + w];
    word.gap = 0;
  }
  models->first_code.flags = models->key.flags = at[offsetof(Segment, first_flags)];
  models->key.flags_width = at[offsetof(Segment, flags_width)];
}
template <class K>
inline void get_models(const std::uint8_t* at, unsigned level, BasicSegmentModels<K>* models) {
  using Segment = BasicSegment<K>;
  get_key_model(at, models);
  models->tids.model.base = load<std::uint64_t>(at + offsetof(Segment, tid_base));
  models->tids.model.slope = load<std::uint64_t>(at + offsetof(Segment, tid_slope));
  models->tids.model.shift = at[offsetof(Segment, tid_shift)];
  models->tids.model.width = at[offsetof(Segment, tid_width)];
  models->tids.scale = load<std::uint16_t>(at + offsetof(Segment, tid_scale));
  models->tids.runs = load<std::uint16_t>(at + offsetof(Segment, runs));
  models->tids.rank_width = at[offsetof(Segment, rank_width)];
  models->tids.codec = static_cast<TidCodec>(at[offsetof(Segment, tid_codec)]);
  if (level == 0) {
    models->child.shift = 0;
    models->child.width = 0;
    return;
  }
  models->child.base = load<std::uint64_t>(at + sizeof(Segment) + offsetof(ChildModel, base));
  models->child.slope = load<std::uint64_t>(at + sizeof(Segment) + offsetof(ChildModel, slope));
  models->child.shift = at[offsetof(Segment, child_shift)];
  models->child.width = at[offsetof(Segment, child_width)];
}

// The first key of the segment stored at `at`.
template <class K>
inline K first_key_of(const std::uint8_t* at) {
  if constexpr (KeyTraits<K>::kWords == 1) {
    return load<Code>(at + offsetof(Segment, first_code));
  } else {
    using Segment = BasicSegment<K>;
    K key;
    std::memcpy(key.word, at + offsetof(Segment, first_word), sizeof key.word);
    key.flags = at[offsetof(Segment, first_flags)];
    return key;
  }
}

template <class K = Code>
constexpr std::size_t segment_size(unsigned level) {
  return sizeof(BasicSegment<K>) + (level > 0 ? sizeof(ChildModel) : 0);
}

// One entry with its child; leaves leave the child at kNoBlock.
template <class K>
struct BasicItem {
  K code;
  Tid tid;
  Block child;

  BasicEntry<K> entry() const { return {code, tid}; }
};
using Item = BasicItem<Code>;

// Guards a delta entry against damage, as the page checksum does not cover entries that come and go.
constexpr std::uint16_t delta_check(Code code, Tid tid, Block child) {
  std::uint64_t h = (code ^ 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
  h = (h ^ (h >> 32) ^ tid) * 0xD6E8FEB86659FD93u;
  h = (h ^ (h >> 32) ^ child) * 0xD6E8FEB86659FD93u;
  return static_cast<std::uint16_t>(h >> 48);
}
// Never zero: see DeltaFormat.
template <unsigned W>
constexpr std::uint16_t delta_check(const Words<W>& key, Tid tid, Block child) {
  std::uint64_t h = 0x9E3779B97F4A7C15u ^ key.flags;
  for (unsigned w = 0; w < W; w++) {
    h = (h ^ key.word[w]) * 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
  }
  h = (h ^ tid) * 0xD6E8FEB86659FD93u;
  h = (h ^ (h >> 32) ^ child) * 0xD6E8FEB86659FD93u;
  return static_cast<std::uint16_t>(h >> 48 != 0 ? h >> 48 : 0xFFFF);
}

// A delta entry:
//
//   Code       code (8), TID (6: offset, block), check (2); inner pages: child (4), zero (4)
//   Words<W>   words (8 W), TID (6), check (2), flags (1); inner pages: child (4)
//
// Its last 8 bytes are never all zero, which tells it from the hole: a child or an offset number is not in format 1, and in
// format 2, where half of the TID may lie in front of them, the check is not.
template <class K>
struct DeltaFormat {
  static constexpr std::size_t kTid = kCodeWidthOf<K>;
  static constexpr std::size_t kFlags = kTid + 8;  // if the key has several words
  static constexpr std::size_t kChild = KeyTraits<K>::kWords == 1 ? kTid + 8 : kFlags + 1;

  static K key(const std::uint8_t* p) {
    if constexpr (KeyTraits<K>::kWords == 1) {
      return load<Code>(p);
    } else {
      K key;
      std::memcpy(key.word, p, sizeof key.word);
      key.flags = p[kFlags];
      return key;
    }
  }
  // The TID shares its 8 bytes with the check: the low 48 bits.
  static Tid tid(const std::uint8_t* p) { return load<std::uint64_t>(p + kTid) & kMaxTid; }
  static std::uint16_t check(const std::uint8_t* p) { return load<std::uint16_t>(p + kTid + 6); }
  static Block child(const std::uint8_t* p, unsigned level) {
    return level > 0 ? load<Block>(p + kChild) : kNoBlock;
  }
  static BasicItem<K> item(const std::uint8_t* p, unsigned level) {
    return {key(p), tid(p), child(p, level)};
  }
};

template <class K = Code>
constexpr std::size_t delta_size(unsigned level) {
  if (KeyTraits<K>::kWords == 1) return level > 0 ? 24 : 16;
  return DeltaFormat<K>::kChild + (level > 0 ? sizeof(Block) : 0);
}

// The least position, from which a tree begins.
template <class K>
constexpr BasicEntry<K> lowest_entry() {
  return {KeyTraits<K>::lowest(), 0};
}

// A fence between two neighbours in a leaf level, as short as they allow: last < fence <= first.
template <class K>
constexpr BasicEntry<K> short_fence(const BasicEntry<K>& last, const BasicEntry<K>& first) {
  if (!(last.code < first.code)) return first;
  for (unsigned words = 1; words < KeyTraits<K>::kWords; words++) {
    const K prefix = key_prefix(first.code, words);
    if (last.code < prefix) return {prefix, 0};
  }
  return {first.code, 0};
}

// Largest position before `e` in the total order. REQUIRES: e is not the lowest.
template <class K = Code>
constexpr BasicEntry<K> predecessor(const BasicEntry<K>& e) {
  return e.tid > 0 ? BasicEntry<K>{e.code, e.tid - 1} : BasicEntry<K>{KeyTraits<K>::before(e.code), kMaxTid};
}

}  // namespace learned
