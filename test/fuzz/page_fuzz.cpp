// Arbitrary bytes as a page: whatever check_header() lets pass, no reader, merger or checker may crash on, and
// what check_page() calls sound must behave as a page.
//
// The input is laid over a sound page (so that deep code is reached): a first byte chooses the page, then come
// patches: a position, relative to the area where it hurts most, and bytes.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "core/page/kill_marks.hpp"
#include "core/column/line_errors.hpp"
#include "core/page/check.hpp"
#include "core/plan/merge.hpp"
#include "core/plan/retrain.hpp"
#include "core/plan/split.hpp"
#include "core/page/view.hpp"
#include "core/page/checksum.hpp"
#include "core/page/search.hpp"
#include "core/plan/planned_page.hpp"

using namespace learned;

namespace {

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "page_fuzz: %s\n", what);
  std::abort();
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  std::uint8_t byte() { return empty() ? 0 : data_[at_++]; }
  std::uint16_t word() { return static_cast<std::uint16_t>(byte() | byte() << 8); }
  std::uint64_t number() {
    std::uint64_t v = 0;
    for (int i = 0; i < 8; i++) v = v << 8 | byte();
    return v;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

struct alignas(8) Page {
  std::uint8_t bytes[kPageSize];
};

Workspace* workspace() {
  static const std::unique_ptr<Workspace> ws = std::make_unique<Workspace>();
  return ws.get();
}

// A sound page: shape chooses keys, TIDs, level, delta and dead marks.
void make_page(Page* page, std::uint8_t shape) {
  Workspace* ws = workspace();
  const unsigned level = shape & 1;
  const std::uint32_t n = (shape & 2) != 0 ? 40 : 700;
  std::uint64_t state = shape;
  for (std::uint32_t i = 0; i < n; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    ws->codes[i] = (shape & 4) != 0 ? i * 100 + (state >> 60) : Code{i} * i / 3 + (i / 200 << 30);
    ws->tids[i] = (shape & 8) != 0
                      ? make_tid(i / 37, static_cast<std::uint16_t>(i % 37 + 1))
                      : make_tid(i / (20 + shape % 7), static_cast<std::uint16_t>(i % (20 + shape % 7) + 1));
    // Rows of a few keys, far apart: Elias-Fano.
    if ((shape & 128) != 0) {
      ws->codes[i] = i / 150;
      ws->tids[i] = make_tid(i * 20 + static_cast<std::uint32_t>(state >> 60),
                             static_cast<std::uint16_t>(1 + (state >> 50) % 99));
    }
    ws->children[i] = 5 + i + static_cast<Block>(state >> 61);
  }
  ws->codes[0] = 0;
  if (level > 0) ws->tids[0] = 0;
  SegmentPlanner plan(ws->segments, workspace_columns(ws, level), level);
  plan.push(0, n);
  std::memset(page->bytes, 0, kPageSize);
  const PageIdentity id{
      TreeId::keys, static_cast<std::uint8_t>(level), kRightmost, kNoBlock, kNoBlock, {0, 0}, {0, 0}};
  if (!plan_fits(plan, level, 0)) fail("sound page does not fit");
  write_page(page->bytes, id, plan, workspace_columns(ws, level), nullptr, 0);
  for (std::uint32_t i = 0; i < (shape >> 4 & 3) * 10u && delta_room(PageView(page->bytes)) > 0; i++) {
    add_delta(page->bytes, {i * 777, make_tid(90000 + i, 3), level > 0 ? 1000 + i : kNoBlock});
  }
  if ((shape & 64) != 0 && level == 0) {
    static std::uint8_t doomed[kMaxEntries / 8] = {};
    doomed[1] = 0x5A;
    mark_dead(page->bytes, doomed);
    seal(page->bytes);
  }
}

void read_everything(const PageView& page, const Entry* keys, int n_keys) {
  Workspace* ws = workspace();
  const unsigned n = page.encoded();
  const bool inner = page.level() > 0;
  if (!decode(page, 0, n, ws->codes, ws->tids, inner ? ws->children : nullptr)) return;
  (void)decode(page, n / 3, n, ws->codes, ws->tids, inner ? ws->children : nullptr);
  for (int k = 0; k < n_keys; k++) {
    unsigned rank = 0;
    if (lower_bound(page, keys[k], &rank) && rank > n) fail("rank beyond the page");
    unsigned end = 0;
    SegmentRef found;
    if (equal_range(page, keys[k].code, &rank, &end, &found)) {
      if (rank > end || end > n) fail("range beyond the page");
      if (end == rank + 1 && found.count > 0) (void)found.tid_at(rank - found.first_rank);
    }
    Item item;
    if (inner) (void)find_child(page, keys[k], &item);
  }
  for (unsigned s = 0; s < page.segments(); s++) {
    SegmentRef ref;
    if (!load_segment(page, s, &ref)) continue;
    (void)ref.code_at(ref.count - 1);
    (void)ref.tid_at(ref.count - 1);
    if (inner) (void)ref.child_at(ref.count - 1);
    if (n_keys > 0 && ref.lower_bound(keys[0].code) > ref.count) fail("lower bound beyond the segment");
  }
  for (unsigned j = 0; j < page.deltas(); j++) (void)PageView::delta_sound(page.delta_at(j), page.level());
  for (unsigned r = 0; r < n; r += 1 + n / 50) (void)page.is_dead(r);
  if (page.low_part() != page.high_part()) return;  // a copy has no hole
  const KillMarks marks(page);
  for (unsigned r = 0; r < n; r += 1 + n / 50) {
    const unsigned dead = marks.next(r, n, true);
    const unsigned live = marks.next(r, n, false);
    if (dead < r || live < r || dead > n || live > n || marks.live_before(0, r) > r)
      fail("marks beyond the page");
    if (dead == r ? live == r : live != r) fail("entry is both killed and not");
  }
}

void change_everything(const std::uint8_t* bytes, const Entry& key) {
  Workspace* ws = workspace();
  const PageView page(bytes);
  MergePlan merge{SegmentPlanner(ws->segments, {}, 0), {}};
  if (plan_merge(page, ws, &merge) && plan_fits(merge.plan, page.level(), 0) && merge.plan.entries() > 0) {
    static Page out;
    write_page(out.bytes, identity_of(page), merge.plan, merge.columns, ws->dead_map, merge.dead_count);
    if (check_header(PageView(out.bytes)) != nullptr) fail("a merge broke the header");
  }
  Entry separator;
  (void)plan_split(page, 77, key, ws, &separator);
  bool better;
  (void)plan_retrain(page, ws, &better);
}

// Any bytes are a column: the two ways of measuring it against a line must agree.
void compare_line_errors(const std::uint8_t* bytes, const Entry& key) {
  static std::uint64_t values[kPageSize / 8];
  std::memcpy(values, bytes, sizeof values);
  const std::size_t n = key.tid % (kPageSize / 8 + 1);
  const Line line{values[key.code % (kPageSize / 8)], key.code >> 10,
                  static_cast<unsigned>(key.tid >> 16) % 17};
  const LineErrors plain = line_errors_plain(line, values, n);
  if (plain.lo > 0 || plain.hi < 0) fail("errors do not include zero");
  if (!has_line_errors_wide()) return;
  const LineErrors wide = line_errors_wide(line, values, n);
  if (wide.lo != plain.lo || wide.hi != plain.hi)
    fail("vectors measure other errors than plain instructions");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  static Page page;
  const std::uint8_t mode = in.byte();
  if (mode % 8 == 0) {
    // Raw bytes, from the end of the page backwards: the trailer first.
    std::memset(page.bytes, 0, kPageSize);
    for (std::size_t at = kPageSize; at > 0 && !in.empty(); at--) page.bytes[at - 1] = in.byte();
  } else {
    make_page(&page, in.byte());
    const PageView view(page.bytes);
    const std::size_t area[4] = {kLowerOffset, kSpecial, view.dir(), view.upper()};
    for (int patch = mode % 8; patch > 0 && !in.empty(); patch--) {
      const std::uint8_t where = in.byte();
      std::size_t at = area[where % 4] + in.word() % (where % 4 == 0 ? kPageSize : 256);
      for (int n = 1 + where / 64; n > 0; n--, at++) page.bytes[at % kPageSize] = in.byte();
    }
    if ((mode & 8) != 0) seal(page.bytes);
    if ((mode & 16) != 0 && check_header(view) == nullptr && view.encoded() > 2) {
      KillMarker marker(page.bytes);
      marker.add(view.encoded() / 3, view.encoded() / 2 + 1);
      marker.finish();
      // Somewhere among them.
      if ((mode & 32) != 0) page.bytes[(kill_mark_area(view).base + in.byte()) % kPageSize] ^= in.byte();
    }
  }
  Entry keys[4];
  for (Entry& e : keys) e = {in.number(), in.number() & kMaxTid};
  keys[3] = {kMaxCode, kMaxTid};

  const PageView view(page.bytes);
  // A page that the checker calls sound has a sound header; the checker takes any bytes.
  const bool sound = check_page(page.bytes, workspace()) == nullptr;
  if (check_header(view) != nullptr) {
    if (sound) fail("check_page is content with a broken header");
    return 0;
  }
  (void)page_checksum(page.bytes);
  read_everything(view, keys, 4);
  static std::uint64_t copy[kPageSize / 8 + 2];
  if (compact_bytes(view) > sizeof copy) fail("compact copy is larger than the page");
  read_everything(compact_copy(view, reinterpret_cast<std::uint8_t*>(copy)), keys, 4);
  const Entry key = keys[0];
  compare_line_errors(page.bytes, key);
  change_everything(page.bytes, key);
  if (sound && !view.deleted() && view.encoded() >= 2 && view.covers(key)) {
    Entry separator;
    if (!plan_split(view, 77, key, workspace(), &separator)) fail("a sound page does not divide");
  }
  return 0;
}
