// Which entries of a segment lie on open blocks, where the rows are in no order of the keys: any entry may then lie on any block, and each has to be
// asked for; but no TID is made of those that are not open.
#pragma once

#include "core/column/tid_column.hpp"
#include "core/count/open_blocks.hpp"

namespace learned {

// Looks at ordinals as a column has them.
class OpenEntries {
 public:
  static constexpr unsigned kMost = 256;

  // Of the columns that such rows have: one under a constant, and one of ascending TIDs, as of rows of one key.
  OpenEntries(const TidColumn& column, const OpenBlocks& open) : column_(column), open_(open) {
    const ColumnModel& model = column.model;
    ascending_ = column.codec == TidCodec::ascending;
    const std::uint64_t widest = low_mask(model.width) | (ascending_ ? model.slope : 0);
    able_ = (ascending_ || (column.codec == TidCodec::linear && model.slope == 0 && model.width != 0)) &&
            column.scale > 1 && model.width <= kNarrow && model.base <= kMaxTid &&
            widest <= kMaxTid - model.base && open.blocks() != 0;
    if (!able_) return;
    inverse_ = ordinal_inverse(column.scale);
    end_ = std::uint64_t{open.blocks()} * column.scale;
    first_ = std::uint64_t{open.first()} * column.scale;
    length_ = std::uint64_t{open.count()} * column.scale;
  }

  bool able() const { return able_; }

  // Bit k of `open`: entry i + k lies on an open block, or beyond the table. REQUIRES: able(), the column has these, n <= kMost.
  void look(const TidBits& data, unsigned i, unsigned n, std::uint64_t* open) {
    if (open_.in_a_row()) {
      look(data, i, n, open, [this](std::uint64_t ordinal) {
        return std::uint64_t{ordinal - first_ < length_} | std::uint64_t{ordinal >= end_};
      });
    } else {
      look(data, i, n, open, [this](std::uint64_t ordinal) {
        const bool beyond = ordinal >= end_;
        const std::uint64_t block = ordinal_block(beyond ? 0 : ordinal, inverse_);
        return open_.bit(static_cast<std::uint32_t>(block)) | std::uint64_t{beyond};
      });
    }
  }
  // Of the entries that were looked at, number k.
  Tid tid(unsigned k) const { return ordinal_to_tid(ordinals_[k], column_.scale); }

 private:
  template <class IsOpen>
  void look(const TidBits& data, unsigned i, unsigned n, std::uint64_t* open, IsOpen is_open) {
    if (ascending_) {
      TidAscending::ordinals(column_, data, i, n, ordinals_);
    } else {
      LineCodec::decode(column_.model, data.bits, i, n, ordinals_);
    }
    for (unsigned from = 0; from < n; from += 64) {
      const unsigned to = n - from < 64 ? n - from : 64;
      std::uint64_t found = 0;
      for (unsigned k = 0; k < to; k++) found |= is_open(ordinals_[from + k]) << k;
      open[from / 64] = found;
    }
  }

  const TidColumn& column_;
  const OpenBlocks& open_;
  bool ascending_;
  bool able_;
  std::uint64_t inverse_ = 0;
  std::uint64_t end_ = 0;     // ordinals from here on lie beyond the table
  std::uint64_t first_ = 0;   // of the first open block
  std::uint64_t length_ = 0;  // of all open blocks, were they one behind the other
  std::uint64_t ordinals_[kMost];
};

}  // namespace learned
