// Making and changing tree pages in memory. The caller owns logging and locks; every function here works on
// a page image that it may change freely.
#pragma once

#include "core/page/view.hpp"

namespace learned {

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

// Columns of entries sorted by (code, tid); children is null for leaves.
struct Columns {
  const Code* codes;
  const Tid* tids;
  const Block* children;
  std::uint32_t* runs;  // scratch, as long as the columns: where runs of consecutive TIDs start
};

// A segment to be written.
struct NewSegment : SegmentModels {
  std::uint32_t first;  // index of its first entry in the columns
  std::uint32_t count;
  std::uint32_t bytes;           // of its residuals
  const std::uint8_t* verbatim;  // residuals to copy instead of encoding the columns; null: encode
};

// Writes a whole page, segment by segment, with no delta entries. REQUIRES: they fit, with room for dead marks.
class PageWriter {
 public:
  PageWriter(std::uint8_t* page, const PageIdentity& id);
  void add(const NewSegment& segment, const Columns& columns);
  // `dead` is null or a bitmap over the entries of which `dead_count` bits are set.
  void finish(const std::uint8_t* dead, unsigned dead_count);

 private:
  std::uint8_t* page_;
  std::uint8_t* at_;
  std::size_t segments_ = 0;
  std::size_t rank_ = 0;
  unsigned level_;
};
// A page without a single entry.
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

}  // namespace learned
