#include "core/plan/planned_page.hpp"

namespace learned {

std::size_t plan_bytes(const SegmentPlanner& plan) { return page_overhead(plan.entries()) + plan.bytes(); }

bool plan_fits(const SegmentPlanner& plan, unsigned level, std::size_t deltas) {
  return !plan.overflow() && plan.entries() <= kMaxEntries &&
         plan_bytes(plan) + deltas * delta_size(level) <= kPageSize;
}

void write_page(std::uint8_t* page, const PageIdentity& id, const SegmentPlanner& plan,
                const Columns& columns, const std::uint8_t* dead, unsigned dead_count) {
  PageWriter writer(page, id);
  for (std::size_t s = 0; s < plan.size(); s++) writer.add(plan[s], columns);
  writer.finish(dead, dead_count);
}

}  // namespace learned
