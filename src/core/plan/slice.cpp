#include "core/plan/slice.hpp"

#include "core/plan/planned_page.hpp"

namespace learned {

template <class K>
bool keep_segment(const BasicPageView<K>& page, unsigned s, BasicPlannedSegment<K>* out) {
  BasicSegmentRef<K> ref;
  if (!load_segment(page, s, &ref)) return false;
  out->first_code = ref.first_code;
  out->key = ref.key;
  out->tids = ref.tids;
  out->child = page.level() > 0 ? ref.child : ColumnModel{};
  out->first = 0;
  out->count = ref.count;
  out->bytes = static_cast<std::uint32_t>(segment_bytes<K>(ref, ref.count));
  out->verbatim = page.low_part() + ref.offset;
  return true;
}

namespace {

// Entries [from, to) of a segment, to be one of their own.
struct Part {
  unsigned from;
  unsigned to;
  std::uint32_t size() const { return to - from; }
};

// Plans a part of a segment, whose entries are in the workspace's columns from `first` on. The front part keeps all
// models: what holds for a segment holds for its beginning. A back part starts its lines elsewhere.
// REQUIRES: all of the part is torn, or nothing.
template <class K>
void plan_part(const BasicSegmentRef<K>& ref, const Part& part, std::uint32_t first, unsigned level,
               BasicWorkspace<K>* ws, BasicPlannedSegment<K>* out) {
  const std::uint32_t n = part.size();
  const bool front = part.from == 0;
  const K* codes = ws->codes + first;
  const Tid* tids = ws->tids + first;
  const Block* children = ws->children + first;
  out->first = first;
  out->count = n;
  out->verbatim = nullptr;
  out->first_code = codes[0];
  out->key = KeyCodec<K>::slice(ref.key, front, n, codes);
  // What is torn is the rest of a run.
  out->tids = torn_tids(ref.tids, ref.tid_bits, part.from, part.to) > 0
                  ? TidLinear::fit_counting(tids, n)
                  : slice_tids(ref.tids, front, tids, n, ws->runs + first);
  out->child = level == 0 ? ColumnModel{} : LineCodec::slice(ref.child, front, n, [&](std::size_t i) {
    return std::uint64_t{children[i]};
  });
  out->bytes = static_cast<std::uint32_t>(segment_bytes<K>(*out, n));
}

}  // namespace

template <class K>
bool write_slice(std::uint8_t* out, const BasicPageIdentity<K>& id, const BasicPageView<K>& page,
                 unsigned begin, unsigned end, BasicWorkspace<K>* ws) {
  const BasicColumns<K> columns = workspace_columns(ws, id.level);
  BasicSegmentPlanner<K> plan(ws->segments, columns, id.level);
  std::uint32_t used = 0;
  for (unsigned s = begin < end ? segment_of_rank(page, begin) : page.segments(); s < page.segments(); s++) {
    BasicSegmentRef<K> ref;
    BasicPlannedSegment<K> p{};
    if (!load_segment(page, s, &ref) || !keep_segment(page, s, &p)) return false;
    const unsigned first = ref.first_rank;
    if (first >= end) break;
    Part part{begin > first ? begin - first : 0, end < first + ref.count ? end - first : ref.count};
    if (part.size() == ref.count) {
      plan.keep(p);
      continue;
    }
    if (used + part.size() > Workspace::kCapacity ||
        !decode(page, first + part.from, first + part.to, ws->codes + used, ws->tids + used,
                id.level > 0 ? ws->children + used : nullptr)) {
      return false;
    }
    const unsigned torn = torn_tids(ref.tids, ref.tid_bits, part.from, part.to);
    const Part pieces[] = {{part.from, part.from + torn}, {part.from + torn, part.to}};
    for (const Part& piece : pieces) {
      if (piece.size() == 0) continue;
      plan_part(ref, piece, used, id.level, ws, &p);
      plan.keep(p);
      used += piece.size();
    }
  }
  unsigned dead_count = 0;
  if ((page.flags() & kHasDead) != 0) {
    std::memset(ws->dead_map, 0, (end - begin + 7) / 8);
    for (unsigned r = begin; r < end; r++) {
      if (!test_bit(page.dead_map(), r)) continue;
      set_bit(ws->dead_map, r - begin);
      dead_count++;
    }
  }
  unsigned deltas = 0;
  for (unsigned j = 0; j < page.deltas(); j++) {
    const BasicItem<K> item = page.delta_item(j);
    if (item.entry() >= id.low && ((id.flags & kRightmost) != 0 || item.entry() < id.high)) {
      ws->delta[deltas++] = item;
    }
  }
  if (!plan_fits(plan, id.level, deltas)) return false;
  write_page(out, id, plan, columns, ws->dead_map, dead_count);
  for (unsigned j = 0; j < deltas; j++) add_delta(out, ws->delta[j]);
  return true;
}

#define LEARNED_INSTANTIATE(K)                                                                             \
  template bool keep_segment(const BasicPageView<K>&, unsigned, BasicPlannedSegment<K>*);                  \
  template bool write_slice(std::uint8_t*, const BasicPageIdentity<K>&, const BasicPageView<K>&, unsigned, \
                            unsigned, BasicWorkspace<K>*);
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
