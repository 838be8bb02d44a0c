#include "core/plan/planned_page.hpp"

namespace learned {

template <class K>
std::size_t plan_bytes(const BasicSegmentPlanner<K>& plan) {
  return page_overhead<K>(plan.entries()) + plan.bytes();
}

template <class K>
bool plan_fits(const BasicSegmentPlanner<K>& plan, unsigned level, std::size_t deltas) {
  return !plan.overflow() && plan.entries() <= kMaxEntries &&
         plan_bytes(plan) + deltas * delta_size<K>(level) <= kPageSize;
}

template <class K>
void write_page(std::uint8_t* page, const BasicPageIdentity<K>& id, const BasicSegmentPlanner<K>& plan,
                const BasicColumns<K>& columns, const std::uint8_t* dead, unsigned dead_count) {
  BasicPageWriter<K> writer(page, id);
  for (std::size_t s = 0; s < plan.size(); s++) writer.add(plan[s], columns);
  writer.finish(dead, dead_count);
}

#define LEARNED_INSTANTIATE(K)                                                                        \
  template std::size_t plan_bytes(const BasicSegmentPlanner<K>&);                                     \
  template bool plan_fits(const BasicSegmentPlanner<K>&, unsigned, std::size_t);                      \
  template void write_page(std::uint8_t*, const BasicPageIdentity<K>&, const BasicSegmentPlanner<K>&, \
                           const BasicColumns<K>&, const std::uint8_t*, unsigned);
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
