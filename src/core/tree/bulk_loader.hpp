// Builds a tree from sorted entries, page by page, left to right, then the levels above.
#pragma once

#include <algorithm>

#include "core/plan/planned_page.hpp"
#include "core/plan/workspace.hpp"

namespace learned {

struct TreeShape {
  Block root;
  std::uint8_t level;
  Block next_block;  // first block behind the tree
  std::uint64_t entries;
};

// Takes entries in order and yields full pages' worth of them.
//
// Pages whose rows lie together in the table, most of them in the order of the keys or at least few others between
// them, are taken for append-only ones and filled to the brim; others leave room for inserts as fillfactor says (inner
// pages always do).
template <class K>
class BasicPageFiller {
 public:
  using Item = BasicItem<K>;
  using Workspace = BasicWorkspace<K>;
  using Columns = BasicColumns<K>;
  using SegmentPlanner = BasicSegmentPlanner<K>;

  BasicPageFiller(Workspace* ws, unsigned level, int fillfactor)
      : ws_(ws),
        level_(level),
        fillfactor_(fillfactor),
        columns_(workspace_columns(ws, level)),
        plan_(ws->segments, columns_, level) {}

  // Adds an entry; true when a page is full: then take_page() must be called before the next add().
  bool add(const Item& item) {
    ws_->codes[n_] = item.code;
    ws_->tids[n_] = item.tid;
    ws_->children[n_] = item.child;
    n_++;
    return n_ - planned_ >= SegmentPlanner::kBlock && plan_block();
  }

  // Entries that wait for a page.
  std::uint32_t pending() const { return n_; }
  // First pending entry: the low fence of the page to come.
  Item first() const { return {ws_->codes[0], ws_->tids[0], ws_->children[0]}; }

  // Plans what is pending as tightly as it would be in a page that more entries filled: those are made compact only when they are full.
  void compact() {
    if (full_) return;
    if (planned_ < n_ && !try_block(n_ - planned_)) {
      full_ = true;
    } else {
      plan_.compact();
    }
  }

  // Writes what is planned (all that is pending, at the end) and keeps the rest. Returns the entries taken.
  // `id.high` and the links are the caller's to set later.
  std::uint32_t take_page(std::uint8_t* page, const BasicPageIdentity<K>& id) {
    if (!full_ && planned_ < n_) {
      // The last, partial block.
      if (!try_block(n_ - planned_)) full_ = true;
    }
    write_page(page, id, plan_, columns_, nullptr, 0);
    const std::uint32_t taken = planned_;
    n_ -= taken;
    std::memmove(ws_->codes, ws_->codes + taken, n_ * sizeof(K));
    std::memmove(ws_->tids, ws_->tids + taken, n_ * sizeof(Tid));
    if (level_ > 0) std::memmove(ws_->children, ws_->children + taken, n_ * sizeof(Block));
    plan_ = SegmentPlanner(ws_->segments, columns_, level_);
    planned_ = 0;
    full_ = false;
    rows_ = Rows{};
    return taken;
  }

 private:
  // Where the pending entries' rows are.
  struct Rows {
    std::uint32_t descents = 0;  // entries whose row lies before that of the entry before
    std::uint32_t first_block = ~std::uint32_t{0};
    std::uint32_t last_block = 0;
    std::uint32_t highest_offset = 0;
    std::uint32_t seen = 0;  // pending entries that this is about
  };

  // Takes in those that came since. REQUIRES: an entry is pending.
  void survey() {
    Rows rows = rows_;
    Tid before = ws_->tids[rows.seen > 0 ? rows.seen - 1 : 0];
    for (; rows.seen < n_; rows.seen++) {
      const Tid tid = ws_->tids[rows.seen];
      rows.descents += tid < before ? 1 : 0;
      before = tid;
      rows.first_block = std::min(rows.first_block, tid_block(tid));
      rows.last_block = std::max(rows.last_block, tid_block(tid));
      rows.highest_offset = std::max(rows.highest_offset, std::uint32_t{tid_offset(tid)});
    }
    rows_ = rows;
  }

  bool append_only() const {
    if (level_ > 0) return false;
    // A few steps back are stragglers.
    if (rows_.descents * 8 <= n_) return true;
    // Several writers, each with a delay of its own: many steps back, all of them short. The blocks from the first to the
    // last hold hardly half as many rows again.
    const std::uint64_t blocks = std::uint64_t{rows_.last_block} - rows_.first_block + 1;
    return blocks * rows_.highest_offset <= n_ + n_ / 2 + 2 * std::uint64_t{rows_.highest_offset};
  }

  // The bytes that a page may take.
  std::size_t room() const {
    return append_only() ? kPageSize
                         : kPageSize - kPageSize * static_cast<std::size_t>(100 - fillfactor_) / 100;
  }
  bool fits() const { return plan_fits(plan_, level_, 0) && plan_bytes(plan_) <= room(); }

  bool try_block(std::uint32_t count) {
    survey();
    typename SegmentPlanner::Mark mark = plan_.save(ws_->saved);
    plan_.push_block(planned_, count);
    if constexpr (KeyTraits<K>::kWords > 1) {
      if (!fits() && !mark.compact()) {
        // What is made compact without the block need not be so again if it does not fit. (Pages of one-word keys stay byte
        // for byte what they were.)
        plan_.restore(mark, ws_->saved);
        plan_.compact();
        mark = plan_.save(ws_->saved);
        plan_.push_block(planned_, count);
      }
    }
    if (!fits()) plan_.compact();
    if (fits()) {
      planned_ += count;
      return true;
    }
    const std::size_t bytes = plan_bytes(plan_);
    plan_.restore(mark, ws_->saved);
    growth_ = static_cast<double>(bytes - plan_bytes(plan_)) / count;
    return false;
  }

  // Whether fewer entries of a block that did not fit might.
  bool promising(std::uint32_t count) const {
    if constexpr (KeyTraits<K>::kWords == 1) return true;
    constexpr double kDoubt = 0.75;
    return static_cast<double>(plan_bytes(plan_)) + kDoubt * growth_ * count <= static_cast<double>(room());
  }

  // What a page of keys of several words holds is a few hundred entries: eight are two per cent.
  static constexpr std::uint32_t kSmallestChunk = KeyTraits<K>::kWords == 1 ? 8 : 2;

  bool plan_block() {
    if (try_block(SegmentPlanner::kBlock)) return false;
    // Fill up with ever smaller chunks of the block.
    std::uint32_t left = SegmentPlanner::kBlock;
    for (std::uint32_t chunk = left / 2; chunk >= kSmallestChunk; chunk /= 2) {
      if (chunk >= left || !promising(chunk) || !try_block(chunk)) continue;
      left -= chunk;
      // What it saves has room for a smaller chunk, perhaps.
      if constexpr (KeyTraits<K>::kWords > 1) plan_.compact();
    }
    full_ = true;
    return true;
  }

  Workspace* ws_;
  unsigned level_;
  int fillfactor_;
  Columns columns_;
  SegmentPlanner plan_;
  std::uint32_t n_ = 0;
  std::uint32_t planned_ = 0;
  Rows rows_;
  double growth_ = 0;  // bytes an entry by which the last block that did not fit would have enlarged the plan
  bool full_ = false;
};
using PageFiller = BasicPageFiller<Code>;

// The sink provides
//   void write(Block, const uint8_t* page)   blocks ascend by one from first_block
//   BasicItem<K>* separators(size_t count)           room for `count` items, old content kept: the separators of the
//                                            pages of one level, until the level above is built
template <class Sink, class K = Code>
class BulkLoader {
 public:
  using Entry = BasicEntry<K>;
  using Item = BasicItem<K>;
  using PageIdentity = BasicPageIdentity<K>;
  using Workspace = BasicWorkspace<K>;
  using PageFiller = BasicPageFiller<K>;

  BulkLoader(Sink* sink, Workspace* ws, TreeId tree, int fillfactor, Block first_block)
      : sink_(sink),
        ws_(ws),
        tree_(tree),
        fillfactor_(fillfactor),
        next_(first_block),
        filler_(ws, 0, fillfactor) {}

  // REQUIRES: ascending (code, tid).
  void add(const K& code, Tid tid) {
    entries_++;
    add_item({code, tid, kNoBlock});
  }

  // The entries are a stretch of an index, to be measured: the last page shall take no more than its share. Called before finish().
  void compact() { filler_.compact(); }

  TreeShape finish() {
    finish_level();
    while (separators_ > 1) {
      level_++;
      const std::size_t children = separators_;
      separators_ = 0;
      previous_ = kNoBlock;
      have_page_ = false;
      filler_ = PageFiller(ws_, level_, fillfactor_);
      for (std::size_t i = 0; i < children; i++) {
        // Reads run ahead of writes: a level has fewer pages than the one below.
        add_item(sink_->separators(children)[i]);
      }
      finish_level();
    }
    return {root_, level_, next_, entries_};
  }

 private:
  void add_item(const Item& item) {
    if (filler_.add(item)) take_page();
  }

  void finish_level() {
    while (filler_.pending() > 0) take_page();
    if (!have_page_) {
      begin_page(lowest_entry<K>());
      std::memset(ws_->page2, 0, kPageSize);
      write_empty_page(ws_->page2, identity(lowest_entry<K>()));
      have_page_ = true;
    }
    flush_page(kNoBlock, lowest_entry<K>());
  }

  PageIdentity identity(const Entry& low) const {
    return {tree_, level_, kRightmost, previous_, kNoBlock, low, lowest_entry<K>()};
  }

  // The separator below a page: as short as its left neighbour allows.
  Entry fence(const Item& first) const {
    if (separators_ == 0) return lowest_entry<K>();
    return level_ > 0 ? first.entry() : short_fence(last_, first.entry());
  }

  void begin_page(const Entry& low) {
    Item* items = sink_->separators(separators_ + 1);
    items[separators_] = {low.code, low.tid, next_};
    separators_++;
  }

  void take_page() {
    const Entry low = fence(filler_.first());
    if (have_page_) flush_page(next_ + 1, low);
    begin_page(low);
    std::memset(ws_->page2, 0, kPageSize);
    filler_.take_page(ws_->page2, identity(low));
    // The last entry taken decides how short the next fence may be.
    const BasicPageView<K> page(ws_->page2);
    decode(page, page.encoded() - 1, page.encoded(), &last_.code, &last_.tid);
    have_page_ = true;
  }

  // Writes the page that waits in page2, now that its right neighbour is known.
  void flush_page(Block right, const Entry& high) {
    auto t = load<BasicPageTrailer<K>>(ws_->page2 + kSpecialOf<K>);
    t.right = right;
    if (right != kNoBlock) {
      t.flags = static_cast<std::uint16_t>(t.flags & ~kRightmost);
      t.set_high_fence(high);
    }
    store(ws_->page2 + kSpecialOf<K>, t);
    seal<K>(ws_->page2);
    sink_->write(next_, ws_->page2);
    previous_ = next_;
    root_ = next_;
    next_++;
  }

  Sink* sink_;
  Workspace* ws_;
  TreeId tree_;
  int fillfactor_;
  Block next_;
  PageFiller filler_;
  std::uint8_t level_ = 0;
  std::size_t separators_ = 0;
  Block previous_ = kNoBlock;
  Block root_ = kNoBlock;
  bool have_page_ = false;
  std::uint64_t entries_ = 0;
  Entry last_ = lowest_entry<K>();
};

}  // namespace learned
