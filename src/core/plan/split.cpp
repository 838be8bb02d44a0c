#include "core/plan/split.hpp"

#include <algorithm>

#include "core/plan/kill_carrier.hpp"
#include "core/plan/planned_page.hpp"
#include "core/plan/slice.hpp"

namespace learned {

template <class K>
std::uint32_t balanced_cut(BasicWorkspace<K>* ws, const BasicColumns<K>& columns, unsigned level,
                           std::uint32_t n) {
  BasicSegmentPlanner<K> plan(ws->segments, columns, level);
  plan.push(0, n);
  std::uint32_t cut = n / 2;
  if (!plan.overflow()) {
    const auto cost = [&](std::size_t s) {
      return plan[s].bytes + segment_size<K>(level) + plan[s].count / 8;
    };
    std::size_t total = 0;
    for (std::size_t s = 0; s < plan.size(); s++) total += cost(s);
    std::size_t before = 0;
    for (std::size_t s = 0; s < plan.size(); s++) {
      if (before + cost(s) >= total / 2) {
        cut = plan[s].first +
              static_cast<std::uint32_t>(std::uint64_t{plan[s].count} * (total / 2 - before) / cost(s));
        break;
      }
      before += cost(s);
    }
  }
  return std::clamp(cut, std::uint32_t{1}, n - 1);
}

namespace {

// Room for delta entries that a page should have left after an ordinary split.
constexpr std::size_t kSplitRoom = 12;

// The separator between two entries of a page: in leaves as short as they allow, so that inner pages have little to store.
template <class K>
BasicEntry<K> separator_between(const std::type_identity_t<BasicEntry<K>>& last,
                                const std::type_identity_t<BasicEntry<K>>& first, unsigned level) {
  return level == 0 ? short_fence(last, first) : first;
}

template <class K>
struct SplitIdentity {
  BasicPageIdentity<K> left;
  BasicPageIdentity<K> right;
};

template <class K>
SplitIdentity<K> split_identity(const BasicPageView<K>& page, Block right_block,
                                const BasicEntry<K>& separator) {
  BasicPageIdentity<K> left = identity_of(page);
  BasicPageIdentity<K> right = left;
  left.flags = static_cast<std::uint16_t>((left.flags & ~kRightmost) | kIncompleteSplit);
  left.right = right_block;
  left.high = separator;
  right.low = separator;
  // right.left is set by the caller, who knows the left page's own block.
  return {left, right};
}

// Entries [from, to) of the columns.
struct Rows {
  std::uint32_t from;
  std::uint32_t to;
};

// Writes a page of these with room for `room` delta entries. False: they do not fit.
template <class K>
bool write_planned(std::uint8_t* out, const BasicPageIdentity<K>& id, const BasicColumns<K>& columns,
                   BasicWorkspace<K>* ws, const Rows& rows, std::size_t room) {
  std::memset(out, 0, kPageSize);
  if (rows.from == rows.to) {
    write_empty_page(out, id);
    return true;
  }
  BasicSegmentPlanner<K> plan(ws->segments, columns, id.level);
  plan.push(rows.from, rows.to - rows.from);
  if (!plan_fits(plan, id.level, room)) plan.compact();
  if (!plan_fits(plan, id.level, room)) return false;
  write_page(out, id, plan, columns, nullptr, 0);
  return true;
}

// The page stays as full as it can be, the rest of its last entries goes to the right.
template <class K>
bool split_at_end(const BasicPageView<K>& page, Block right_block, BasicWorkspace<K>* ws,
                  BasicEntry<K>* separator, bool* done) {
  *done = false;
  using SegmentPlanner = BasicSegmentPlanner<K>;
  BasicMergePlan<K> merge{SegmentPlanner(ws->segments, {}, 0), {}};
  if (!plan_merge(page, ws, &merge)) return false;
  if (!merge.at_end || merge.kept_behind > 0 || merge.decoded < 2) return true;
  const unsigned level = page.level();
  BasicSegmentPlanner<K> plan(ws->segments, merge.columns, level);
  for (std::size_t s = 0; s < merge.kept; s++) {
    BasicPlannedSegment<K> p{};
    if (!keep_segment(page, static_cast<unsigned>(s), &p)) return false;
    plan.keep(p);
  }
  // Stragglers of several writers land a little before the end: leave them a page with room.
  const std::uint32_t goal = merge.strictly_behind ? merge.decoded - 1
                             : merge.decoded > kMaxDelta
                                 ? merge.decoded - static_cast<std::uint32_t>(kMaxDelta)
                                 : 0;
  std::uint32_t taken = 0;
  while (taken < goal) {
    const std::uint32_t step = std::min<std::uint32_t>(SegmentPlanner::kBlock, goal - taken);
    const typename SegmentPlanner::Mark mark = plan.save(ws->saved);
    plan.push_block(taken, step);
    if (!plan_fits(plan, level, 0)) plan.compact();
    if (!plan_fits(plan, level, 0)) {
      plan.restore(mark, ws->saved);
      break;
    }
    taken += step;
  }
  if (plan.entries() == 0 || !plan_fits(plan, level, 0)) return true;

  const BasicEntry<K> first{ws->codes[taken], ws->tids[taken]};
  BasicEntry<K> last{};
  if (taken > 0) {
    last = {ws->codes[taken - 1], ws->tids[taken - 1]};
  } else {
    K code{};
    Tid tid = 0;
    const auto rank = static_cast<unsigned>(plan.entries() - 1);
    if (!decode(page, rank, rank + 1, &code, &tid)) return false;
    last = {code, tid};
  }
  *separator = separator_between<K>(last, first, level);
  const SplitIdentity<K> ids = split_identity(page, right_block, *separator);
  std::memset(ws->page, 0, kPageSize);
  write_page(ws->page, ids.left, plan, merge.columns, ws->dead_map, merge.dead_count);
  *done = write_planned(ws->page2, ids.right, merge.columns, ws, {taken, merge.decoded}, 1);
  return true;
}

// Divides the n entries in the workspace's columns. False: a part does not fit.
template <class K>
bool write_both(const BasicPageView<K>& page, Block right_block, std::uint32_t cut, std::uint32_t n,
                BasicWorkspace<K>* ws, BasicEntry<K>* separator) {
  const unsigned level = page.level();
  const BasicColumns<K> columns = workspace_columns(ws, level);
  *separator =
      separator_between<K>({ws->codes[cut - 1], ws->tids[cut - 1]}, {ws->codes[cut], ws->tids[cut]}, level);
  const SplitIdentity<K> ids = split_identity(page, right_block, *separator);
  return write_planned(ws->page, ids.left, columns, ws, {0, cut}, kSplitRoom) &&
         write_planned(ws->page2, ids.right, columns, ws, {cut, n}, kSplitRoom);
}

template <class K>
bool split_balanced(const BasicPageView<K>& page, Block right_block, BasicWorkspace<K>* ws,
                    BasicEntry<K>* separator, bool* done) {
  *done = false;
  const unsigned level = page.level();
  std::uint32_t n;
  if (!decode_live(page, ws, &n)) return false;
  if (n < 2) return true;
  const std::uint32_t cut = balanced_cut(ws, workspace_columns(ws, level), level, n);
  *done = write_both(page, right_block, cut, n, ws, separator);
  return true;
}

// The ranks of all encoded entries stay what they are, counted over both pages. (Marks of delta entries are dropped:
// they get other numbers.)
template <class K>
void keep_all_marks(const BasicPageView<K>& page, BasicWorkspace<K>* ws) {
  KillCarrier<K> kills(page, ws);
  kills.begin_plan();
  kills.keep(0, page.encoded(), 0);
}

// The right end of a level is full to the brim (as a bulk load leaves it) and the entry belongs behind it: a
// leaf stays as it is beside a new empty one, an inner page gives away its last child.
template <class K>
bool split_full_end(const BasicPageView<K>& page, Block right_block, const BasicEntry<K>& incoming,
                    BasicWorkspace<K>* ws, BasicEntry<K>* separator, bool* done) {
  *done = false;
  const unsigned encoded = page.encoded();
  if (page.deltas() > 0 || encoded < 2) return true;
  K codes[1];
  Tid tids[1];
  if (!decode(page, encoded - 1, encoded, codes, tids)) return false;
  const BasicEntry<K> last{codes[0], tids[0]};
  if (!(last < incoming)) return true;
  const unsigned cut = page.level() == 0 ? encoded : encoded - 1;
  *separator = page.level() == 0 ? separator_between<K>(last, incoming, 0) : last;
  const SplitIdentity<K> ids = split_identity(page, right_block, *separator);
  keep_all_marks(page, ws);
  std::memset(ws->page, 0, kPageSize);
  std::memset(ws->page2, 0, kPageSize);
  if (!write_slice(ws->page, ids.left, page, 0, cut, ws)) return true;
  if (cut == encoded) {
    write_empty_page(ws->page2, ids.right);
    *done = true;
  } else {
    *done = write_slice(ws->page2, ids.right, page, cut, encoded, ws);
  }
  return true;
}

template <class K>
bool split_by_slices(const BasicPageView<K>& page, Block right_block, BasicWorkspace<K>* ws,
                     BasicEntry<K>* separator) {
  const unsigned encoded = page.encoded();
  if (encoded < 2) return false;
  unsigned cut = encoded - encoded / (KeyTraits<K>::kWords == 1 ? 4 : 8);
  if (page.segments() > 1) {
    // The segment border nearest to the middle of the bytes.
    const std::size_t middle = (kHeaderSize + std::size_t{page.lower()}) / 2;
    std::size_t best = kPageSize;
    for (unsigned s = 1; s < page.segments(); s++) {
      BasicSegmentRef<K> ref;
      if (!load_segment(page, s, &ref)) return false;
      const std::size_t distance = ref.offset > middle ? ref.offset - middle : middle - ref.offset;
      if (distance < best) {
        best = distance;
        cut = ref.first_rank;
      }
    }
  }
  K codes[2];
  Tid tids[2];
  if (cut < 1 || cut >= encoded || !decode(page, cut - 1, cut + 1, codes, tids)) return false;
  *separator = {codes[1], tids[1]};
  const SplitIdentity<K> ids = split_identity(page, right_block, *separator);
  keep_all_marks(page, ws);
  std::memset(ws->page, 0, kPageSize);
  std::memset(ws->page2, 0, kPageSize);
  return write_slice(ws->page, ids.left, page, 0, cut, ws) &&
         write_slice(ws->page2, ids.right, page, cut, encoded, ws);
}

// Without a delta or dead marks there is little to gain from fitting anew: all models are kept, and the page is cut in the
// middle of its bytes. Only the segment that lies across the cut is decoded.
template <class K>
bool split_unchanged(const BasicPageView<K>& page, Block right_block, BasicWorkspace<K>* ws,
                     BasicEntry<K>* separator, bool* done) {
  *done = false;
  const unsigned encoded = page.encoded();
  if (encoded < 2) return true;
  // Bytes of segments, with their directory; the cut is where half of them are.
  const std::size_t header = segment_size<K>(page.level());
  const std::size_t total = page.lower() - kHeaderSize + page.segments() * header;
  std::size_t before = 0;
  unsigned cut = 0;
  for (unsigned s = 0; s < page.segments() && cut == 0; s++) {
    BasicSegmentRef<K> ref;
    BasicPlannedSegment<K> p{};
    if (!load_segment(page, s, &ref) || !keep_segment(page, s, &p)) return false;
    const std::size_t bytes = p.bytes + header;
    if (before + bytes >= total / 2) {
      cut = ref.first_rank + static_cast<unsigned>(std::uint64_t{ref.count} *
                                                   (total / 2 - std::min(before, total / 2)) / bytes);
    }
    before += bytes;
  }
  cut = std::clamp(cut, 1u, encoded - 1);
  K codes[2];
  Tid tids[2];
  if (!decode(page, cut - 1, cut + 1, codes, tids)) return false;
  const BasicEntry<K> last{codes[0], tids[0]};
  const BasicEntry<K> first{codes[1], tids[1]};
  // A damaged page shows here before it spreads.
  if (last < page.low() || !(last < first) || !page.covers(first)) return false;
  *separator = separator_between<K>(last, first, page.level());
  const SplitIdentity<K> ids = split_identity(page, right_block, *separator);
  keep_all_marks(page, ws);
  std::memset(ws->page, 0, kPageSize);
  std::memset(ws->page2, 0, kPageSize);
  *done = write_slice(ws->page, ids.left, page, 0, cut, ws) &&
          write_slice(ws->page2, ids.right, page, cut, encoded, ws) &&
          delta_room(BasicPageView<K>(ws->page)) >= kSplitRoom &&
          delta_room(BasicPageView<K>(ws->page2)) >= kSplitRoom;
  return true;
}

}  // namespace

template <class K>
bool plan_split(const BasicPageView<K>& page, Block right_block,
                const std::type_identity_t<BasicEntry<K>>& incoming, BasicWorkspace<K>* ws,
                BasicEntry<K>* separator) {
  bool done = false;
  if (page.rightmost()) {
    if (!split_full_end(page, right_block, incoming, ws, separator, &done)) return false;
    if (!done && !split_at_end(page, right_block, ws, separator, &done)) return false;
  }
  if (!done && page.deltas() == 0 && page.dead() == 0 &&
      !split_unchanged(page, right_block, ws, separator, &done)) {
    return false;
  }
  if (!done && !split_balanced(page, right_block, ws, separator, &done)) return false;
  return done || split_by_slices(page, right_block, ws, separator);
}

template <class K>
bool plan_division(const BasicPageView<K>& page, Block right_block, std::uint32_t front,
                   BasicWorkspace<K>* ws, BasicEntry<K>* separator, bool* done) {
  std::uint32_t n;
  if (!decode_live(page, ws, &n)) return false;
  *done = front > 0 && front < n && write_both(page, right_block, front, n, ws, separator);
  return true;
}

#define LEARNED_INSTANTIATE(K)                                                                              \
  template std::uint32_t balanced_cut(BasicWorkspace<K>*, const BasicColumns<K>&, unsigned, std::uint32_t); \
  template bool plan_split(const BasicPageView<K>&, Block, const BasicEntry<K>&, BasicWorkspace<K>*,        \
                           BasicEntry<K>*);                                                                 \
  template bool plan_division(const BasicPageView<K>&, Block, std::uint32_t, BasicWorkspace<K>*,            \
                              BasicEntry<K>*, bool*);
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
