#include "core/plan/merge.hpp"

#include <algorithm>

namespace learned {

namespace {

// A kept last segment longer than this is not fitted anew for a few appended entries.
constexpr std::size_t kRefitLimit = 2048;

// Entries of segment s.
std::size_t segment_length(const PageView& page, unsigned s) {
  SegmentRef ref;
  return load_segment(page, s, &ref) ? ref.count : kMaxEntries;
}

bool predicts_exactly(const Segment& seg) {
  return seg.key_width == 0 && seg.tid_width == 0 && seg.tid_codec == TidCodec::linear;
}

struct RankRange {
  unsigned begin;
  unsigned end;
  std::size_t planned = 0;  // rank of the first of them in the page to come: where its kill mark goes
};

// Kill marks of a page whose entries are being merged.
class KillCarrier {
 public:
  // REQUIRES: ws->delta has the page's delta entries, sorted, or none of them is wanted.
  KillCarrier(const PageView& page, Workspace* ws) : ws_(ws) {
    // Only leaves have marks; a compact copy has none.
    if (page.level() > 0 || page.low_part() != page.high_part()) return;
    marks_ = KillMarks(page);
    if (!marks_.any()) return;
    for (unsigned j = 0; j < page.deltas(); j++) {
      if (!marks_.delta_killed(j)) continue;
      const Entry entry = page.delta_item(j).entry();
      const Item* end = ws->delta + page.deltas();
      const Item* found = std::lower_bound(static_cast<const Item*>(ws->delta), end, entry,
                                           [](const Item& a, const Entry& e) { return a.entry() < e; });
      if (found != end && found->entry() == entry)
        set_bit(delta_, static_cast<std::size_t>(found - ws->delta));
    }
  }
  Workspace* workspace() { return ws_; }
  // This page is the first, or the only one, whose marks are to be carried.
  void begin_plan() {
    ws_->killed = marks_.any();
    if (ws_->killed) std::memset(ws_->killed_map, 0, sizeof ws_->killed_map);
  }
  bool any() const { return marks_.any(); }
  bool killed(unsigned rank) const { return marks_.killed(rank); }
  bool delta_killed(unsigned sorted) const { return test_bit(delta_, sorted); }
  void mark(std::size_t planned) { set_bit(ws_->killed_map, planned); }
  // Entries [begin, end) keep their order and begin at rank `planned`.
  void keep(unsigned begin, unsigned end, std::size_t planned) {
    if (!marks_.any()) return;
    for (unsigned r = marks_.next(begin, end, true); r < end; r = marks_.next(r, end, true)) {
      const unsigned stop = marks_.next(r, end, false);
      set_bits(ws_->killed_map, planned + (r - begin), planned + (stop - begin));
      r = stop;
    }
  }

 private:
  Workspace* ws_;
  KillMarks marks_;
  std::uint8_t delta_[(kMaxDelta + 7) / 8] = {};
};

// Decodes the live entries of the ranks and merges them with ws->delta[0, deltas) into the columns from `at` on.
bool decode_merged(const PageView& page, RankRange ranks, unsigned deltas, KillCarrier* kills,
                   std::uint32_t at, std::uint32_t* out) {
  Workspace* ws = kills->workspace();
  const bool inner = page.level() > 0;
  const bool has_dead = (page.flags() & kHasDead) != 0;
  const bool any_killed = kills->any();
  const unsigned count = ranks.end - ranks.begin;
  if (std::size_t{at} + count + deltas > Workspace::kCapacity) return false;
  // Decode behind the room that the delta will take, then merge from there.
  const Code* codes = ws->codes + at + deltas;
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

unsigned sorted_delta(const PageView& page, Item* out) {
  const unsigned n = page.deltas();
  for (unsigned j = 0; j < n; j++) out[j] = page.delta_item(j);
  std::sort(out, out + n, [](const Item& a, const Item& b) { return a.entry() < b.entry(); });
  return n;
}

bool plan_merge(const PageView& page, Workspace* ws, MergePlan* merge) {
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
      if ((predicts_exactly(last.seg) && last.count >= SegmentPlanner::kBlock) || last.count > kRefitLimit) {
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
    begin = ref.seg.first_rank;
    if (!load_segment(page, behind - 1, &ref)) return false;
    end = ref.seg.first_rank + ref.count;
  }
  KillCarrier kills(page, ws);
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

bool decode_live(const PageView& page, Workspace* ws, std::uint32_t* n, std::uint32_t at) {
  const unsigned deltas = sorted_delta(page, ws->delta);
  KillCarrier kills(page, ws);
  if (at == 0) kills.begin_plan();
  return decode_merged(page, {0, page.encoded(), at}, deltas, &kills, at, n);
}

std::uint32_t balanced_cut(Workspace* ws, const Columns& columns, unsigned level, std::uint32_t n) {
  SegmentPlanner plan(ws->segments, columns, level);
  plan.push(0, n);
  std::uint32_t cut = n / 2;
  if (!plan.overflow()) {
    const auto cost = [&](std::size_t s) { return plan[s].bytes + segment_size(level) + plan[s].count / 8; };
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

Entry separator_between(const Entry& last, const Entry& first, unsigned level) {
  return level == 0 && last.code < first.code ? Entry{first.code, 0} : first;
}

struct SplitIdentity {
  PageIdentity left;
  PageIdentity right;
};

SplitIdentity split_identity(const PageView& page, Block right_block, const Entry& separator) {
  PageIdentity left = identity_of(page);
  PageIdentity right = left;
  left.flags = static_cast<std::uint16_t>((left.flags & ~kRightmost) | kIncompleteSplit);
  left.right = right_block;
  left.high = separator;
  right.low = separator;
  // right.left is set by the caller, who knows the left page's own block.
  return {left, right};
}

void write_planned(std::uint8_t* out, const PageIdentity& id, const Columns& columns, Workspace* ws,
                   std::uint32_t from, std::uint32_t to, std::size_t room, bool* fits) {
  std::memset(out, 0, kPageSize);
  if (from == to) {
    write_empty_page(out, id);
    *fits = true;
    return;
  }
  SegmentPlanner plan(ws->segments, columns, id.level);
  plan.push(from, to - from);
  if (!plan_fits(plan, id.level, room)) plan.compact();
  *fits = plan_fits(plan, id.level, room);
  if (*fits) write_page(out, id, plan, columns, nullptr, 0);
}

// The page stays as full as it can be, the rest of its last entries goes to the right.
bool split_at_end(const PageView& page, Block right_block, Workspace* ws, Entry* separator, bool* done) {
  *done = false;
  MergePlan merge{SegmentPlanner(ws->segments, {}, 0), {}};
  if (!plan_merge(page, ws, &merge)) return false;
  if (!merge.at_end || merge.kept_behind > 0 || merge.decoded < 2) return true;
  const unsigned level = page.level();
  SegmentPlanner plan(ws->segments, merge.columns, level);
  for (std::size_t s = 0; s < merge.kept; s++) {
    PlannedSegment p{};
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
    const SegmentPlanner::Mark mark = plan.save(ws->saved);
    plan.push_block(taken, step);
    if (!plan_fits(plan, level, 0)) plan.compact();
    if (!plan_fits(plan, level, 0)) {
      plan.restore(mark, ws->saved);
      break;
    }
    taken += step;
  }
  if (plan.entries() == 0 || !plan_fits(plan, level, 0)) return true;

  const Entry first{ws->codes[taken], ws->tids[taken]};
  Entry last{};
  if (taken > 0) {
    last = {ws->codes[taken - 1], ws->tids[taken - 1]};
  } else {
    Code code = 0;
    Tid tid = 0;
    const auto rank = static_cast<unsigned>(plan.entries() - 1);
    if (!decode(page, rank, rank + 1, &code, &tid)) return false;
    last = {code, tid};
  }
  *separator = separator_between(last, first, level);
  const SplitIdentity ids = split_identity(page, right_block, *separator);
  std::memset(ws->page, 0, kPageSize);
  write_page(ws->page, ids.left, plan, merge.columns, ws->dead_map, merge.dead_count);
  bool fits = false;
  write_planned(ws->page2, ids.right, merge.columns, ws, taken, merge.decoded, 1, &fits);
  *done = fits;
  return true;
}

bool split_balanced(const PageView& page, Block right_block, Workspace* ws, Entry* separator, bool* done) {
  *done = false;
  const unsigned level = page.level();
  std::uint32_t n;
  if (!decode_live(page, ws, &n)) return false;
  if (n < 2) return true;
  const Columns columns = workspace_columns(ws, level);
  const std::uint32_t cut = balanced_cut(ws, columns, level, n);
  *separator =
      separator_between({ws->codes[cut - 1], ws->tids[cut - 1]}, {ws->codes[cut], ws->tids[cut]}, level);
  const SplitIdentity ids = split_identity(page, right_block, *separator);
  bool left_fits = false;
  bool right_fits = false;
  write_planned(ws->page, ids.left, columns, ws, 0, cut, kSplitRoom, &left_fits);
  if (left_fits) write_planned(ws->page2, ids.right, columns, ws, cut, n, kSplitRoom, &right_fits);
  *done = left_fits && right_fits;
  return true;
}

// The ranks of all encoded entries stay what they are, counted over both pages. (Marks of delta entries are dropped:
// they get other numbers.)
void keep_all_marks(const PageView& page, Workspace* ws) {
  KillCarrier kills(page, ws);
  kills.begin_plan();
  kills.keep(0, page.encoded(), 0);
}

// The right end of a level is full to the brim (as a bulk load leaves it) and the entry belongs behind it: a
// leaf stays as it is beside a new empty one, an inner page gives away its last child.
bool split_full_end(const PageView& page, Block right_block, const Entry& incoming, Workspace* ws,
                    Entry* separator, bool* done) {
  *done = false;
  const unsigned encoded = page.encoded();
  if (page.deltas() > 0 || encoded < 2) return true;
  Code codes[1];
  Tid tids[1];
  if (!decode(page, encoded - 1, encoded, codes, tids)) return false;
  const Entry last{codes[0], tids[0]};
  if (!(last < incoming)) return true;
  const unsigned cut = page.level() == 0 ? encoded : encoded - 1;
  *separator = page.level() == 0 ? separator_between(last, incoming, 0) : last;
  const SplitIdentity ids = split_identity(page, right_block, *separator);
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

bool split_by_slices(const PageView& page, Block right_block, Workspace* ws, Entry* separator) {
  const unsigned encoded = page.encoded();
  if (encoded < 2) return false;
  unsigned cut = encoded - encoded / 4;
  if (page.segments() > 1) {
    // The segment border nearest to the middle of the bytes.
    const std::size_t middle = (kHeaderSize + std::size_t{page.lower()}) / 2;
    std::size_t best = kPageSize;
    for (unsigned s = 1; s < page.segments(); s++) {
      SegmentRef ref;
      if (!load_segment(page, s, &ref)) return false;
      const std::size_t distance =
          ref.seg.offset > middle ? ref.seg.offset - middle : middle - ref.seg.offset;
      if (distance < best) {
        best = distance;
        cut = ref.seg.first_rank;
      }
    }
  }
  Code codes[2];
  Tid tids[2];
  if (cut < 1 || cut >= encoded || !decode(page, cut - 1, cut + 1, codes, tids)) return false;
  *separator = {codes[1], tids[1]};
  const SplitIdentity ids = split_identity(page, right_block, *separator);
  keep_all_marks(page, ws);
  std::memset(ws->page, 0, kPageSize);
  std::memset(ws->page2, 0, kPageSize);
  return write_slice(ws->page, ids.left, page, 0, cut, ws) &&
         write_slice(ws->page2, ids.right, page, cut, encoded, ws);
}

// Without a delta or dead marks there is little to gain from fitting anew: all models are kept, and the page is cut in the
// middle of its bytes. Only the segment that lies across the cut is decoded.
bool split_unchanged(const PageView& page, Block right_block, Workspace* ws, Entry* separator, bool* done) {
  *done = false;
  const unsigned encoded = page.encoded();
  if (encoded < 2) return true;
  // Bytes of segments, with their directory; the cut is where half of them are.
  const std::size_t header = segment_size(page.level());
  const std::size_t total = page.lower() - kHeaderSize + page.segments() * header;
  std::size_t before = 0;
  unsigned cut = 0;
  for (unsigned s = 0; s < page.segments() && cut == 0; s++) {
    SegmentRef ref;
    PlannedSegment p{};
    if (!load_segment(page, s, &ref) || !keep_segment(page, s, &p)) return false;
    const std::size_t bytes = p.bytes + header;
    if (before + bytes >= total / 2) {
      cut = ref.seg.first_rank + static_cast<unsigned>(std::uint64_t{ref.count} *
                                                       (total / 2 - std::min(before, total / 2)) / bytes);
    }
    before += bytes;
  }
  cut = std::clamp(cut, 1u, encoded - 1);
  Code codes[2];
  Tid tids[2];
  if (!decode(page, cut - 1, cut + 1, codes, tids)) return false;
  const Entry last{codes[0], tids[0]};
  const Entry first{codes[1], tids[1]};
  // A damaged page shows here before it spreads.
  if (last < page.low() || !(last < first) || !page.covers(first)) return false;
  *separator = separator_between(last, first, page.level());
  const SplitIdentity ids = split_identity(page, right_block, *separator);
  keep_all_marks(page, ws);
  std::memset(ws->page, 0, kPageSize);
  std::memset(ws->page2, 0, kPageSize);
  *done = write_slice(ws->page, ids.left, page, 0, cut, ws) &&
          write_slice(ws->page2, ids.right, page, cut, encoded, ws) &&
          delta_room(PageView(ws->page)) >= kSplitRoom && delta_room(PageView(ws->page2)) >= kSplitRoom;
  return true;
}

}  // namespace

bool plan_split(const PageView& page, Block right_block, const Entry& incoming, Workspace* ws,
                Entry* separator) {
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

bool plan_retrain(const PageView& page, Workspace* ws, bool* better) {
  *better = false;
  std::uint32_t n;
  if (!decode_live(page, ws, &n)) return false;
  const unsigned level = page.level();
  const PageIdentity id = identity_of(page);
  std::memset(ws->page, 0, kPageSize);
  if (n == 0) {
    write_empty_page(ws->page, id);
    *better = page.encoded() > 0 || page.deltas() > 0;
    return true;
  }
  const Columns columns = workspace_columns(ws, level);
  SegmentPlanner plan(ws->segments, columns, level);
  plan.push(0, n);
  plan.compact();
  // A dead bitmap or its reserve is in both sums; deltas count as what they take.
  const std::size_t now = page.lower() + (kPageSize - page.upper()) +
                          ((page.flags() & kHasDead) != 0 ? 0 : (page.encoded() + 7u) / 8);
  if (!plan_fits(plan, level, 0) || plan_bytes(plan) >= now) return true;
  write_page(ws->page, id, plan, columns, nullptr, 0);
  *better = true;
  return true;
}

}  // namespace learned
