// Making and changing tree pages in memory. The caller owns logging and locks; every function here works on
// a page image that it may change freely.
#pragma once

#include "core/page/view.hpp"
#include "core/plan/segment_planner.hpp"

namespace learned {

// Bytes that `entries` planned entries need in a page beside their residuals and directory: headers and the
// room (or the bitmap) for dead marks.
constexpr std::size_t page_overhead(std::size_t entries) {
  return kHeaderSize + sizeof(PageTrailer) + (entries + 7) / 8;
}
// Whether a plan fits into one page that keeps room for `deltas` delta entries.
bool plan_fits(const SegmentPlanner& plan, unsigned level, std::size_t deltas);
// Bytes that a plan takes in a page, room for dead marks included.
std::size_t plan_bytes(const SegmentPlanner& plan);

// What a page is, besides its entries.
struct PageIdentity {
  TreeId tree;
  std::uint8_t level;
  std::uint16_t flags;  // PageFlags; kHasDead is set by the writer
  Block left;
  Block right;
  Entry low;
  Entry high;
};
PageIdentity identity_of(const PageView& page);

// Writes a whole page from a plan, with no delta entries. `dead` is null or a bitmap over the plan's entries
// of which `dead_count` bits are set. REQUIRES: plan_fits(plan, level, 0).
void write_page(std::uint8_t* page, const PageIdentity& id, const SegmentPlanner& plan,
                const Columns& columns, const std::uint8_t* dead, unsigned dead_count);
// The same without a single entry.
void write_empty_page(std::uint8_t* page, const PageIdentity& id);

// Zeroes what is between `lower` and `upper`: the kill marks of what the page was. (Generic WAL does so for a logged
// index only.)
void clear_hole(std::uint8_t* page);

// Recomputes the checksum; to be called after every change but add_delta(). REQUIRES: verify_page() found nothing before the
// change, or the page is written from its beginning.
void seal(std::uint8_t* page);

// How many delta entries the page still takes. Never eats into the room for dead marks.
unsigned delta_room(const PageView& page);
// Byte range that add_delta() will write (besides `upper`): [offset, offset + delta_size).
std::size_t next_delta_offset(const PageView& page);
// Adds an entry to the delta area. REQUIRES: delta_room() > 0.
void add_delta(std::uint8_t* page, const Item& item);
// The bytes of a delta entry, delta_size(level) of them.
void format_delta(std::uint8_t* out, const Item& item, unsigned level);

// Whether `item` is just what the last line of a leaf predicts to come next, so that counting one entry more is all it
// takes to insert it: then extend_exactly() does. Never with a delta or dead marks, and only in a page whose checksum
// is quickly made. REQUIRES: delta_room() > 0, and the item belongs into the page.
bool continues_exactly(const PageView& page, const Item& item);
// The checksum that the page has when it counts one entry more. *sound: whether the one it has now matches.
std::uint32_t extended_checksum(const std::uint8_t* page, bool* sound);
// Counts one entry more and seals the page with that checksum: changes kExtendedBytes bytes from kExtendedOffset on,
// nothing else. REQUIRES: extended_checksum() found the page sound.
void extend_exactly(std::uint8_t* page, std::uint32_t checksum);
inline constexpr std::size_t kExtendedOffset = kSpecial + offsetof(PageTrailer, encoded);
inline constexpr std::size_t kExtendedBytes =
    offsetof(PageTrailer, check) + sizeof(PageTrailer::check) - offsetof(PageTrailer, encoded);

// Marks encoded entries dead: those set in `doomed` (bitmap over ranks). Makes the bitmap if need be: the
// room for it was never given away (delta_room() and plan_fits() keep ceil(encoded / 8) bytes free as long
// as there is no bitmap), so this cannot fail.
void mark_dead(std::uint8_t* page, const std::uint8_t* doomed);
// Removes the delta entries set in `doomed` (bitmap over delta numbers), keeping the others' order.
void remove_deltas(std::uint8_t* page, const std::uint8_t* doomed);

// Setters of single fields; seal() afterwards.
void set_flags(std::uint8_t* page, std::uint16_t flags);
void set_left(std::uint8_t* page, Block left);
void set_low(std::uint8_t* page, const Entry& low);

// Turns encoded segment s of `page` into a planned segment that is copied as it is. False: corrupt.
bool keep_segment(const PageView& page, unsigned s, PlannedSegment* out);

// Writes encoded entries [begin, end) of `page`, dead marks included, and the delta entries within
// [id.low, id.high) as a page of their own, keeping the models. A whole segment is copied; the front part of a
// segment too. The back part of a segment follows the same lines from other starting ranks, which may cost one bit per
// entry and column (per run, where TIDs are runs) as the lines are rounded down anew. The rest of a run that is cut
// becomes a segment of its own, without a bit for its TIDs. False: corrupt, or it does not fit.
bool write_slice(std::uint8_t* out, const PageIdentity& id, const PageView& page, unsigned begin,
                 unsigned end, struct Workspace* ws);

}  // namespace learned
