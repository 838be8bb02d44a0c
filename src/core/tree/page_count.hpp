// How many pages entries would take, were they an index, or a stretch of one: what BulkLoader makes is counted, not kept.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/page/view.hpp"

namespace learned {

// A sink of BulkLoader, but for separators(), as the memory for these is the caller's: derive from it.
template <class K>
class PageCount {
 public:
  void write(Block, const std::uint8_t* bytes) {
    const BasicPageView<K> page(bytes);
    if (page.level() > 0) {
      inner_++;
      return;
    }
    leaves_++;
    entries_ += page.encoded();
    last_entries_ = page.encoded();
    // (The room that is kept for dead marks is taken, too.)
    last_bytes_ = (page.lower() - kHeaderSize) + (kSpecialOf<K> - page.dir()) + (page.encoded() + 7) / 8;
  }

  std::uint64_t leaves() const { return leaves_; }
  std::uint64_t inner() const { return inner_; }
  std::uint64_t entries() const { return entries_; }

  // The leaves of a stretch, after which more of the kind would have followed: the last one, which these would have filled, counts
  // by the share of it that is filled. Of a single one that is by its bytes, as if it was to be packed to the brim: entries of which a
  // page holds so many are those of an append-only column, or of few values.
  double filled_leaves() const {
    if (entries_ == 0) return 0;
    if (leaves_ == 1) {
      const double by_bytes =
          static_cast<double>(last_bytes_) / static_cast<double>(kSpecialOf<K> - kHeaderSize);
      const double by_number = static_cast<double>(last_entries_) / static_cast<double>(kMaxEntries);
      return std::min(1.0, std::max(by_bytes, by_number));
    }
    const auto full = static_cast<double>(leaves_ - 1);
    const double entries_of_full = static_cast<double>(entries_ - last_entries_) / full;
    return full + std::min(1.0, static_cast<double>(last_entries_) / entries_of_full);
  }

 private:
  std::uint64_t leaves_ = 0;
  std::uint64_t inner_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t last_entries_ = 0;
  std::size_t last_bytes_ = 0;
};

// The pages of a tree above so many leaves, about: an inner page of random keys has some 400 children, of several words 200.
inline double inner_pages_above(double leaves) {
  constexpr double kChildren = 300;
  double inner = 0;
  for (double level = leaves; level > 1; inner += level) level = std::ceil(level / kChildren);
  return inner;
}

}  // namespace learned
