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
#pragma once

#include "core/base/bits.hpp"
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
inline constexpr std::uint8_t kFormatVersion = 1;
inline constexpr std::uint8_t kCodeWidth = sizeof(Code);

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

struct PageTrailer {
  std::uint32_t magic;
  std::uint8_t version;
  std::uint8_t code_width;  // bytes of a code, 8 in this version
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
};
static_assert(sizeof(PageTrailer) == 64);
inline constexpr std::size_t kSpecial = kPageSize - sizeof(PageTrailer);

// A segment as it is stored: entries [first_rank, next segment's first_rank) under one model per column. Read by get_models(),
// load_segment() and check_page(), searched by its first code and first rank, hashed for kill marks, written by PageWriter; to all
// others a segment is its SegmentModels.
struct Segment {
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
static_assert(sizeof(Segment) == 56);

// Follows the Segment of an inner page.
struct ChildModel {
  std::uint64_t base;
  std::uint64_t slope;
};
static_assert(sizeof(ChildModel) == 16);

// A segment's models.
struct SegmentModels {
  Code first_code;
  ColumnModel key;
  TidColumn tids;
  ColumnModel child;  // inner pages; of no width in leaves
};

// Bytes of the residuals of a segment with n entries.
inline std::size_t segment_bytes(const SegmentModels& models, std::size_t n) {
  return LineCodec::bytes(models.key, n) + tid_bytes(models.tids, n) + LineCodec::bytes(models.child, n);
}

// The models of the segment stored at `at`. (What is copied aside first is read again before it has arrived there.)
inline void get_models(const std::uint8_t* at, unsigned level, SegmentModels* models) {
  models->first_code = load<Code>(at + offsetof(Segment, first_code));
  models->key.base = load<std::uint64_t>(at + offsetof(Segment, key_base));
  models->key.slope = load<std::uint64_t>(at + offsetof(Segment, key_slope));
  models->key.shift = at[offsetof(Segment, key_shift)];
  models->key.width = at[offsetof(Segment, key_width)];
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

constexpr std::size_t segment_size(unsigned level) {
  return sizeof(Segment) + (level > 0 ? sizeof(ChildModel) : 0);
}
// Delta entry: code (8), TID (6: offset, block), check (2); inner pages: child (4), zero (4).
constexpr std::size_t delta_size(unsigned level) { return level > 0 ? 24 : 16; }

// Guards a delta entry against damage, as the page checksum does not cover entries that come and go.
constexpr std::uint16_t delta_check(Code code, Tid tid, Block child) {
  std::uint64_t h = (code ^ 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
  h = (h ^ (h >> 32) ^ tid) * 0xD6E8FEB86659FD93u;
  h = (h ^ (h >> 32) ^ child) * 0xD6E8FEB86659FD93u;
  return static_cast<std::uint16_t>(h >> 48);
}

// One entry with its child; leaves leave the child at kNoBlock.
struct Item {
  Code code;
  Tid tid;
  Block child;

  Entry entry() const { return {code, tid}; }
};

// Largest position before `e` in the total order. REQUIRES: e is not {0, 0}.
constexpr Entry predecessor(Entry e) {
  return e.tid > 0 ? Entry{e.code, e.tid - 1} : Entry{e.code - 1, kMaxTid};
}

}  // namespace learned
