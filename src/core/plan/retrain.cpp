#include "core/plan/retrain.hpp"

#include "core/plan/merge.hpp"
#include "core/plan/planned_page.hpp"

namespace learned {

template <class K>
bool plan_retrain(const BasicPageView<K>& page, BasicWorkspace<K>* ws, bool* better, std::size_t allowance) {
  *better = false;
  std::uint32_t n;
  if (!decode_live(page, ws, &n)) return false;
  const unsigned level = page.level();
  const BasicPageIdentity<K> id = identity_of(page);
  std::memset(ws->page, 0, kPageSize);
  if (n == 0) {
    write_empty_page(ws->page, id);
    *better = page.encoded() > 0 || page.deltas() > 0;
    return true;
  }
  const BasicColumns<K> columns = workspace_columns(ws, level);
  BasicSegmentPlanner<K> plan(ws->segments, columns, level);
  plan.push(0, n);
  plan.compact();
  // A dead bitmap or its reserve is in both sums; deltas count as what they take.
  const std::size_t now = page.lower() + (kPageSize - page.upper()) +
                          ((page.flags() & kHasDead) != 0 ? 0 : (page.encoded() + 7u) / 8);
  const std::size_t room = plan_bytes(plan) < now ? 0 : 24;
  if (plan_bytes(plan) >= now + allowance || !plan_fits(plan, level, room)) return true;
  write_page(ws->page, id, plan, columns, nullptr, 0);
  *better = true;
  return true;
}

#define LEARNED_INSTANTIATE(K) \
  template bool plan_retrain(const BasicPageView<K>&, BasicWorkspace<K>*, bool*, std::size_t);
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
