#include "core/plan/merge.hpp"

#include <algorithm>

#include "core/page/search.hpp"
#include "core/plan/kill_carrier.hpp"
#include "core/plan/slice.hpp"

namespace learned {

namespace {

// A kept last segment longer than this is not fitted anew for a few appended entries.
constexpr std::size_t kRefitLimit = 2048;

// Entries of segment s.
template <class K>
std::size_t segment_length(const BasicPageView<K>& page, unsigned s) {
  BasicSegmentRef<K> ref;
  return load_segment(page, s, &ref) ? ref.count : kMaxEntries;
}

struct RankRange {
  unsigned begin;
  unsigned end;
  std::size_t planned = 0;  // rank of the first of them in the page to come: where its kill mark goes
};

// Decodes the live entries of the ranks and merges them with ws->delta[0, deltas) into the columns from `at` on.
template <class K>
bool decode_merged(const BasicPageView<K>& page, RankRange ranks, unsigned deltas, KillCarrier<K>* kills,
                   std::uint32_t at, std::uint32_t* out) {
  using Entry = BasicEntry<K>;
  using Item = BasicItem<K>;
  BasicWorkspace<K>* ws = kills->workspace();
  const bool inner = page.level() > 0;
  const bool has_dead = (page.flags() & kHasDead) != 0;
  const bool any_killed = kills->any();
  const unsigned count = ranks.end - ranks.begin;
  if (std::size_t{at} + count + deltas > Workspace::kCapacity) return false;
  // Decode behind the room that the delta will take, then merge from there.
  const K* codes = ws->codes + at + deltas;
  const Tid* tids = ws->tids + at + deltas;
  const Block* children = ws->children + at + deltas;
  if (!decode(page, ranks.begin, ranks.end, ws->codes + at + deltas, ws->tids + at + deltas,
              inner ? ws->children + at + deltas : nullptr)) {
    return false;
  }
  std::uint32_t n = at;
  const auto put = [&](const Item& item, bool killed) {
    if (killed) kills->mark(ranks.planned + (n - at));
    ws->codes[n] = item.code;
    ws->tids[n] = item.tid;
    ws->children[n] = item.child;
    n++;
  };
  unsigned d = 0;
  for (unsigned i = 0; i <= count; i++) {
    const bool at_end = i == count;
    // n <= at + i + d <= at + i + deltas: what is overwritten was read before.
    while (d < deltas && (at_end || ws->delta[d].entry() < Entry{codes[i], tids[i]})) {
      put(ws->delta[d], any_killed && kills->delta_killed(d));
      d++;
    }
    if (at_end || (has_dead && page.is_dead(ranks.begin + i))) continue;
    put({codes[i], tids[i], inner ? children[i] : kNoBlock}, any_killed && kills->killed(ranks.begin + i));
  }
  // Order is what every search relies on; a damaged page shows here before it spreads.
  for (std::uint32_t i = at + 1; i < n; i++) {
    if (!(Entry{ws->codes[i - 1], ws->tids[i - 1]} < Entry{ws->codes[i], ws->tids[i]})) return false;
  }
  *out = n - at;
  return true;
}

}  // namespace

template <class K>
bool plan_merge(const BasicPageView<K>& page, BasicWorkspace<K>* ws, BasicMergePlan<K>* merge) {
  using SegmentRef = BasicSegmentRef<K>;
  using PlannedSegment = BasicPlannedSegment<K>;
  using SegmentPlanner = BasicSegmentPlanner<K>;
  const unsigned level = page.level();
  const unsigned encoded = page.encoded();
  const unsigned segments = page.segments();
  const unsigned deltas = sorted_delta(page, ws->delta);
  merge->columns = workspace_columns(ws, level);
  merge->plan = SegmentPlanner(ws->segments, merge->columns, level);

  unsigned first_rank = encoded;  // where the first delta entry belongs
  unsigned touched = segments;    // first segment to decode
  unsigned behind = segments;     // first segment kept behind the decoded ones
  if (deltas > 0 && segments > 0) {
    unsigned last_rank;
    if (!lower_bound(page, ws->delta[0].entry(), &first_rank) ||
        !lower_bound(page, ws->delta[deltas - 1].entry(), &last_rank)) {
      return false;
    }
    touched = segment_of_rank(page, first_rank > 0 ? first_rank - 1 : 0);
    behind = segment_of_rank(page, last_rank < encoded ? last_rank : encoded - 1) + 1;
    if (first_rank == encoded) {
      SegmentRef last;
      if (!load_segment(page, segments - 1, &last)) return false;
      if ((KeyCodec<K>::exact(last.key) && last.tids.exact() && last.count >= SegmentPlanner::kBlock) ||
          last.count > kRefitLimit) {
        touched = segments;
      }
    }
  }
  merge->strictly_behind = first_rank == encoded;
  merge->at_end = first_rank + std::max(unsigned{kMaxDelta}, encoded / 16) >= encoded;
  if (merge->at_end && touched < segments) {
    // Appending leaves a short segment behind each time. Fit it anew with those in front of it that are no longer
    // than what comes: every entry is fitted a logarithmic number of times, and segments get their full length.
    std::size_t length = deltas;
    for (unsigned s = touched; s < behind; s++) length += segment_length(page, s);
    while (touched > 0) {
      const std::size_t next = segment_length(page, touched - 1);
      if (next > length || length + next > kRefitLimit) break;
      length += next;
      touched--;
    }
  }

  const bool has_dead = (page.flags() & kHasDead) != 0;
  unsigned begin = encoded;  // ranks [begin, end) are decoded
  unsigned end = encoded;
  if (touched < behind) {
    SegmentRef ref;
    if (!load_segment(page, touched, &ref)) return false;
    begin = ref.first_rank;
    if (!load_segment(page, behind - 1, &ref)) return false;
    end = ref.first_rank + ref.count;
  }
  KillCarrier<K> kills(page, ws);
  kills.begin_plan();
  if (begin > end || !decode_merged(page, {begin, end, begin}, deltas, &kills, 0, &merge->decoded))
    return false;
  const std::uint32_t n = merge->decoded;

  if (has_dead) std::memset(ws->dead_map, 0, sizeof ws->dead_map);
  const auto keep_dead = [&](unsigned from, unsigned to, std::size_t at) {
    if (!has_dead) return;
    for (unsigned r = from; r < to; r++, at++) {
      if (!page.is_dead(r)) continue;
      set_bit(ws->dead_map, at);
      merge->dead_count++;
    }
  };
  for (unsigned s = 0; s < touched; s++) {
    PlannedSegment p{};
    if (!keep_segment(page, s, &p)) return false;
    merge->plan.keep(p);
  }
  merge->kept = touched;
  keep_dead(0, begin, 0);
  kills.keep(0, begin, 0);
  merge->plan.push(0, n);
  if (behind < segments) {
    const std::size_t at = merge->plan.entries();
    for (unsigned s = behind; s < segments; s++) {
      PlannedSegment p{};
      if (!keep_segment(page, s, &p)) return false;
      merge->plan.keep(p);
      merge->kept_behind++;
    }
    keep_dead(end, encoded, at);
    kills.keep(end, encoded, at);
  }
  return true;
}

template <class K>
bool decode_live(const BasicPageView<K>& page, BasicWorkspace<K>* ws, std::uint32_t* n, std::uint32_t at) {
  const unsigned deltas = sorted_delta(page, ws->delta);
  KillCarrier<K> kills(page, ws);
  if (at == 0) kills.begin_plan();
  return decode_merged(page, {0, page.encoded(), at}, deltas, &kills, at, n);
}

#define LEARNED_INSTANTIATE(K)                                                               \
  template bool plan_merge(const BasicPageView<K>&, BasicWorkspace<K>*, BasicMergePlan<K>*); \
  template bool decode_live(const BasicPageView<K>&, BasicWorkspace<K>*, std::uint32_t*, std::uint32_t);
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
