// Reading a tree page: header checks, segments, decoding. Never trusts a byte: whatever a
// function follows (counts, offsets, widths) it first checks against the page's bounds, and returns false (or a Fault)
// where they do not hold.
#pragma once

#include <type_traits>

#include "core/page/format.hpp"

namespace learned {

// A page, or a compact private copy of one: bytes below `lower` are at lo + offset, the others at
// hi + offset. For a page in place both are its start.
template <class K>
class BasicPageView {
 public:
  using Key = K;
  using Entry = BasicEntry<K>;
  using Item = BasicItem<K>;
  using PageTrailer = BasicPageTrailer<K>;
  static constexpr std::size_t kSpecial = kSpecialOf<K>;

  BasicPageView() = default;
  explicit BasicPageView(const std::uint8_t* page) : lo_(page), hi_(page) {}
  BasicPageView(const std::uint8_t* lo, const std::uint8_t* hi) : lo_(lo), hi_(hi) {}

  PageTrailer trailer() const { return load<PageTrailer>(hi_ + kSpecial); }
  const std::uint8_t* low_part() const { return lo_; }
  const std::uint8_t* high_part() const { return hi_; }

  std::uint16_t lower() const { return load<std::uint16_t>(lo_ + kLowerOffset); }
  std::uint16_t upper() const { return load<std::uint16_t>(lo_ + kUpperOffset); }

  // The fields that a visitor needs first, without copying the whole trailer.
  unsigned level() const { return hi_[kSpecial + offsetof(PageTrailer, level)]; }
  TreeId tree() const { return static_cast<TreeId>(hi_[kSpecial + offsetof(PageTrailer, tree)]); }
  std::uint16_t flags() const { return field16(offsetof(PageTrailer, flags)); }
  unsigned segments() const { return field16(offsetof(PageTrailer, segments)); }
  unsigned encoded() const { return field16(offsetof(PageTrailer, encoded)); }
  unsigned dead() const { return field16(offsetof(PageTrailer, dead)); }
  Block left() const { return load<Block>(hi_ + kSpecial + offsetof(PageTrailer, left)); }
  Block right() const { return load<Block>(hi_ + kSpecial + offsetof(PageTrailer, right)); }
  Entry low() const {
    if constexpr (KeyTraits<K>::kWords == 1) {
      return load<Entry>(hi_ + kSpecial + offsetof(PageTrailer, low));
    } else {
      return trailer().low_fence();
    }
  }
  Entry high() const {
    if constexpr (KeyTraits<K>::kWords == 1) {
      return load<Entry>(hi_ + kSpecial + offsetof(PageTrailer, high));
    } else {
      return trailer().high_fence();
    }
  }
  bool rightmost() const { return (flags() & kRightmost) != 0; }
  bool deleted() const { return (flags() & kDeleted) != 0; }
  bool incomplete_split() const { return (flags() & kIncompleteSplit) != 0; }

  std::size_t dir() const { return kSpecial - segments() * segment_size<K>(level()); }
  unsigned deltas() const { return static_cast<unsigned>((dir() - upper()) / delta_size<K>(level())); }
  unsigned live() const { return encoded() - dead() + deltas(); }

  // Delta entry j, 0 the oldest. REQUIRES: j < deltas().
  const std::uint8_t* delta_at(unsigned j) const { return hi_ + dir() - (j + 1) * delta_size<K>(level()); }
  Item delta_item(unsigned j) const { return DeltaFormat<K>::item(delta_at(j), level()); }
  static Entry delta_entry(const std::uint8_t* p) { return {DeltaFormat<K>::key(p), DeltaFormat<K>::tid(p)}; }
  static bool delta_sound(const std::uint8_t* p, unsigned level) {
    const Item item = DeltaFormat<K>::item(p, level);
    return DeltaFormat<K>::check(p) == delta_check(item.code, item.tid, item.child);
  }

  bool is_dead(unsigned rank) const { return (flags() & kHasDead) != 0 && test_bit(dead_map(), rank); }
  const std::uint8_t* dead_map() const { return lo_ + lower() - (encoded() + 7) / 8; }

  // True when the position may be on this page; false: look right (>= high) or elsewhere.
  bool covers(const Entry& e) const { return e >= low() && (rightmost() || e < high()); }

 private:
  std::uint16_t field16(std::size_t offset) const { return load<std::uint16_t>(hi_ + kSpecial + offset); }

  const std::uint8_t* lo_ = nullptr;
  const std::uint8_t* hi_ = nullptr;
};
using PageView = BasicPageView<Code>;

// Cheap sanity of a page that a reader lands on: magic, version, bounds of all areas. Everything else is
// checked where it is used. Returns nullptr or what is wrong.
template <class K>
Fault check_header(const BasicPageView<K>& page);

// Whether a page in place is as it was written: header, checksum, the check of each delta entry. What whoever changes a
// page must know first, or the checksum made anew would call damage sound. Returns nullptr or what is wrong.
template <class K = Code>
Fault verify_page(const std::uint8_t* page);
// Of it, the delta entries (which must lie within the fences) from number `from` on. REQUIRES: check_header() found nothing.
template <class K>
Fault verify_delta(const BasicPageView<K>& page, unsigned from);

// Whether a block may be made a new page: it never was one (zero all over), or is a deleted page and sound. Damage may
// have made a page look deleted that still is a part of a tree, or have taken its header alone.
template <class K = Code>
bool is_free_page(const std::uint8_t* bytes);

// One segment with its bounds proven to lie within the page.
template <class K>
struct BasicSegmentRef : BasicSegmentModels<K> {
  unsigned first_rank;
  unsigned count;
  std::uint16_t offset;  // of its residuals in the page
  typename KeyCodec<K>::Bits key_bits;
  TidBits tid_bits;
  const std::uint8_t* child_bits;  // inner pages

  K code_at(unsigned i) const { return KeyCodec<K>::at(this->key, key_bits, i); }
  Tid tid_at(unsigned i) const;
  Block child_at(unsigned i) const { return static_cast<Block>(LineCodec::at(this->child, child_bits, i)); }
  // First entry whose code is >= `code`, `count` if none. Sets *probes, if given, to the residuals read (of one word).
  unsigned lower_bound(const K& code, unsigned* probes = nullptr) const;
};
using SegmentRef = BasicSegmentRef<Code>;

// Loads segment s; false if its bounds do not hold. REQUIRES: s < segments().
template <class K>
bool load_segment(const BasicPageView<K>& page, unsigned s, BasicSegmentRef<K>* ref);

// The segment that holds encoded rank `rank`. REQUIRES: rank < encoded().
template <class K>
unsigned segment_of_rank(const BasicPageView<K>& page, unsigned rank);

// Decodes encoded entries [begin, end) in order; dead ones too. children may be null. False: corrupt.
template <class K>
bool decode(const BasicPageView<K>& page, unsigned begin, unsigned end, std::type_identity_t<K>* codes,
            Tid* tids, Block* children = nullptr);

// Bytes of any page's copy: the part behind `upper` begins at a multiple of 8 in it, which upper itself need not be (entries of a wide
// page's delta have any size, and in a damaged page it may be anything).
inline constexpr std::size_t kMaxCompactBytes = kPageSize + 8;
// Copies the used parts of a page to `out` (REQUIRES: compact_bytes(page) bytes, 8-aligned) and returns a
// view of the copy. REQUIRES: check_header() found nothing.
template <class K>
std::size_t compact_bytes(const BasicPageView<K>& page);
template <class K>
BasicPageView<K> compact_copy(const BasicPageView<K>& page, std::uint8_t* out);

// Sorts the page's delta entries into out, which has room for kMaxDelta; returns their number.
template <class K>
unsigned sorted_delta(const BasicPageView<K>& page, BasicItem<K>* out);

}  // namespace learned
