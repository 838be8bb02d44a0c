// Making and changing tree pages in memory. The caller owns logging and locks; every function here works on
// a page image that it may change freely.
#pragma once

#include <span>

#include "core/page/view.hpp"

namespace learned {

// What a page is, besides its entries.
template <class K>
struct BasicPageIdentity {
  TreeId tree;
  std::uint8_t level;
  std::uint16_t flags;  // PageFlags; kHasDead is set by the writer
  Block left;
  Block right;
  BasicEntry<K> low;
  BasicEntry<K> high;
};
using PageIdentity = BasicPageIdentity<Code>;
template <class K>
BasicPageIdentity<K> identity_of(const BasicPageView<K>& page);

// Columns of entries sorted by (code, tid); children is null for leaves.
template <class K>
struct BasicColumns {
  const K* codes;
  const Tid* tids;
  const Block* children;
  std::uint32_t* runs;  // scratch, as long as the columns: where runs of consecutive TIDs start
};
using Columns = BasicColumns<Code>;

// A segment to be written.
template <class K>
struct BasicNewSegment : BasicSegmentModels<K> {
  std::uint32_t first;  // index of its first entry in the columns
  std::uint32_t count;
  std::uint32_t bytes;           // of its residuals
  const std::uint8_t* verbatim;  // residuals to copy instead of encoding the columns; null: encode
};

// Writes a whole page, segment by segment, with no delta entries. REQUIRES: they fit, with room for dead marks.
template <class K>
class BasicPageWriter {
 public:
  BasicPageWriter(std::uint8_t* page, const BasicPageIdentity<K>& id);
  void add(const BasicNewSegment<K>& segment, const BasicColumns<K>& columns);
  // `dead` is null or a bitmap over the entries of which `dead_count` bits are set.
  void finish(const std::uint8_t* dead, unsigned dead_count);

 private:
  std::uint8_t* page_;
  std::uint8_t* at_;
  std::size_t segments_ = 0;
  std::size_t rank_ = 0;
  unsigned level_;
};
using PageWriter = BasicPageWriter<Code>;
// A page without a single entry.
template <class K = Code>
void write_empty_page(std::uint8_t* page, const BasicPageIdentity<K>& id);

// Zeroes what is between `lower` and `upper`: the kill marks of what the page was. (Generic WAL does so for a logged
// index only.)
template <class K = Code>
void clear_hole(std::uint8_t* page);

// Recomputes the checksum; to be called after every change but add_delta(). REQUIRES: verify_page() found nothing before the
// change, or the page is written from its beginning.
template <class K = Code>
void seal(std::uint8_t* page);

// How many delta entries the page still takes. Never eats into the room for dead marks.
template <class K>
unsigned delta_room(const BasicPageView<K>& page);
// Byte range that add_delta() will write (besides `upper`): [offset, offset + delta_size).
template <class K>
std::size_t next_delta_offset(const BasicPageView<K>& page);
// Adds an entry to the delta area. REQUIRES: delta_room() > 0.
template <class K = Code>
void add_delta(std::uint8_t* page, const BasicItem<K>& item);
// The bytes of a delta entry, delta_size(level) of them.
template <class K>
void format_delta(std::uint8_t* out, const BasicItem<K>& item, unsigned level);

// How many of these items, in ascending order, are just what the last line of a leaf predicts to come next, so that counting so many more is
// all it takes to insert them: then extend_exactly() does. Never with a delta or dead marks, and only in a page whose checksum
// is quickly made; kMostContinued at most. REQUIRES: delta_room() > 0, and the items belong into the page.
template <class K>
unsigned continued_exactly(const BasicPageView<K>& page,
                           std::span<const std::type_identity_t<BasicItem<K>>> items);
// The place of one delta entry is room for their dead marks.
inline constexpr unsigned kMostContinued = 64;
// The checksum that the page has when it counts n entries more. *sound: whether the one it has now matches.
template <class K = Code>
std::uint32_t extended_checksum(const std::uint8_t* page, bool* sound, unsigned n = 1);
// Counts n entries more and seals the page with that checksum: changes kExtendedBytes bytes from kExtendedOffset on,
// nothing else. REQUIRES: extended_checksum() found the page sound.
template <class K = Code>
void extend_exactly(std::uint8_t* page, std::uint32_t checksum, unsigned n = 1);
template <class K>
inline constexpr std::size_t kExtendedOffsetOf = kSpecialOf<K> + offsetof(PageTrailer, encoded);
inline constexpr std::size_t kExtendedOffset = kExtendedOffsetOf<Code>;
inline constexpr std::size_t kExtendedBytes =
    offsetof(PageTrailer, check) + sizeof(PageTrailer::check) - offsetof(PageTrailer, encoded);

// Marks encoded entries dead: those set in `doomed` (bitmap over ranks). Makes the bitmap if need be: the
// room for it was never given away (delta_room() and plan_fits() keep ceil(encoded / 8) bytes free as long
// as there is no bitmap), so this cannot fail.
template <class K = Code>
void mark_dead(std::uint8_t* page, const std::uint8_t* doomed);
// Removes the delta entries set in `doomed` (bitmap over delta numbers), keeping the others' order.
template <class K = Code>
void remove_deltas(std::uint8_t* page, const std::uint8_t* doomed);

// Setters of single fields; seal() afterwards.
template <class K = Code>
void set_flags(std::uint8_t* page, std::uint16_t flags);
template <class K = Code>
void set_left(std::uint8_t* page, Block left);
template <class K = Code>
void set_low(std::uint8_t* page, const BasicEntry<K>& low);

}  // namespace learned
