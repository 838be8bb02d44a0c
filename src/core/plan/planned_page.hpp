// From a plan to a page: whether it fits, and writing it.
#pragma once

#include "core/page/write.hpp"
#include "core/plan/segment_planner.hpp"

namespace learned {

// Bytes that `entries` planned entries need in a page beside their residuals and directory: headers and the
// room (or the bitmap) for dead marks.
template <class K = Code>
constexpr std::size_t page_overhead(std::size_t entries) {
  return kHeaderSize + sizeof(BasicPageTrailer<K>) + (entries + 7) / 8;
}
// Whether a plan fits into one page that keeps room for `deltas` delta entries.
template <class K>
bool plan_fits(const BasicSegmentPlanner<K>& plan, unsigned level, std::size_t deltas);
// Bytes that a plan takes in a page, room for dead marks included.
template <class K>
std::size_t plan_bytes(const BasicSegmentPlanner<K>& plan);

// Writes a whole page from a plan, with no delta entries. `dead` is null or a bitmap over the plan's entries
// of which `dead_count` bits are set. REQUIRES: plan_fits(plan, level, 0).
template <class K = Code>
void write_page(std::uint8_t* page, const BasicPageIdentity<K>& id, const BasicSegmentPlanner<K>& plan,
                const BasicColumns<K>& columns, const std::uint8_t* dead, unsigned dead_count);

}  // namespace learned
