// The structure of an index while others change it (verify.cpp has the protocol and its proof).
#include "am/check/verify.hpp"

namespace learned {
namespace {

template <class K>
class LiveCheck : PageChecker<K> {
  using Base = PageChecker<K>;
  using Base::check_content;
  using Base::check_meta;
  using Base::fault;
  using Base::items_;
  using Base::page_;
  using Base::reader_;
  using Base::store_;
  using Base::take_downlinks;
  using typename Base::BufferStore;
  using typename Base::Entry;
  using typename Base::Item;
  using typename Base::PageTrailer;
  using typename Base::PageView;

 public:
  LiveCheck(Relation index, CheckProgress* progress) : PageChecker<K>(index, progress) {}

  void check_structure() {
    seen_ = static_cast<std::uint8_t*>(palloc0(reader_.blocks() / 8 + 1));
    for (int t = 0; t < kTreeCount; t++) {
      tree_ = static_cast<TreeId>(t);
      // Once more if it grew by a level, whose downlinks were not looked at.
      while (!check_tree()) {
      }
    }
    for (Block block = kMetaBlock + 1; block < reader_.blocks(); block++) {
      if (!test_bit(seen_, block)) check_unlinked(block);
    }
    pfree(seen_);
  }

 private:
  // A page as it was read.
  struct Seen {
    Block block;
    XLogRecPtr lsn;
    PageTrailer t;

    TreeId tree() const { return static_cast<TreeId>(t.tree); }
    bool deleted() const { return (t.flags & kDeleted) != 0; }
    bool unfinished() const { return (t.flags & kIncompleteSplit) != 0; }
    bool rightmost() const { return (t.flags & kRightmost) != 0; }
    bool covers(const Entry& e) const { return e >= t.low_fence() && (rightmost() || e < t.high_fence()); }
  };

  // ---- reading ----------------------------------------------------------------------------------------

  Seen describe(Block block) const {
    return {block, PageGetLSN(reinterpret_cast<::Page>(page_)), PageView(page_).trailer()};
  }

  // A page that `from` leads to: a sound one by itself, of whatever kind. Its copy is in page_.
  Seen read(Block from, Block to) {
    if (!store_.exists(to)) fault(from, "link leads beyond the end of the index");
    reader_.copy(to, page_);
    if (is_new_page(page_)) fault(to, "page is linked but new");
    check_content(to);
    return describe(to);
  }
  Seen read_again(const Seen& page) { return read(page.block, page.block); }

  // The page of a level of this tree that covers `key` now.
  Seen find(const Entry& key, unsigned level) {
    store_.interrupt();
    const Buffer buffer = Tree<BufferStore>(&store_, tree_).locate(key, LockMode::share, level);
    const Block block = BufferGetBlockNumber(buffer);
    copy_page(page_, store_.bytes(buffer));
    UnlockReleaseBuffer(buffer);
    check_content(block);
    return describe(block);
  }

  // The child in page_ whose separator is `key`; kNoBlock if there is none.
  Block downlink_in_page(const Entry& key) const {
    Item child;
    return find_child(PageView(page_), key, &child) && child.entry() == key ? child.child : kNoBlock;
  }

  // Two reads of a page with no change in between; where nothing is logged, none to be seen.
  static bool same(const Seen& a, const Seen& b) {
    return a.lsn == b.lsn && a.t.flags == b.t.flags && a.t.tree == b.t.tree && a.t.level == b.t.level &&
           a.t.right == b.t.right && a.t.low_fence() == b.t.low_fence() &&
           a.t.high_fence() == b.t.high_fence();
  }
  bool belongs(const Seen& page, unsigned level) const {
    return !page.deleted() && page.tree() == tree_ && page.t.level == level;
  }

  void mark_seen(Block block) {
    if (block < reader_.blocks()) set_bit(seen_, block);
  }

  // ---- siblings ---------------------------------------------------------------------------------------

  // Why a page cannot be of `level` and right of `left`, which ends at `low`; nullptr if it can.
  Fault why_not_next(const Seen& page, unsigned level, Block left, const Entry& low) const {
    if (page.deleted()) return "page is linked but deleted";
    if (page.tree() != tree_) return "page belongs to another tree than what leads to it";
    if (page.t.level != level) return "page belongs to another level than what leads to it";
    if (page.t.low_fence() != low) return "low fence is not the high fence of the left sibling";
    if (page.t.left != left) return "left link does not lead to the left sibling";
    return nullptr;
  }

  // The leftmost page of a level stays that for ever.
  Seen read_leftmost(Block from, Block block, unsigned level) {
    const Seen page = read(from, block);
    if (Fault why = why_not_next(page, level, kNoBlock, lowest_entry<K>())) fault(block, why);
    return page;
  }

  // The page to the right of one that is not the last. False: others changed things; `at` is what there is now in its
  // place, or as it was.
  bool read_right(Seen* at, Seen* right) {
    *right = read(at->block, at->t.right);
    if (why_not_next(*right, at->t.level, at->block, at->t.high_fence()) == nullptr) return true;
    settle_siblings(at, right->t.left);
    return false;
  }

  // `back` is where the right page's left link led.
  void settle_siblings(Seen* at, Block back) {
    const unsigned level = at->t.level;
    const Buffer pins[] = {store_.pin(at->block), store_.pin(at->t.right),
                           back != kNoBlock && store_.exists(back) ? store_.pin(back) : InvalidBuffer};
    const Seen before = read_again(*at);
    const Seen right = read(at->block, at->t.right);
    const Seen after = read_again(*at);
    for (Buffer pin : pins) {
      if (BufferIsValid(pin)) ReleaseBuffer(pin);
    }
    if (!belongs(before, level) || before.t.low_fence() != at->t.low_fence()) {
      *at = find(at->t.low_fence(), level);
    } else if (before.t.right != at->t.right || before.t.high_fence() != at->t.high_fence()) {
      // (Also if the link is the same: what it led to was joined, and its block used again for the next split.)
      *at = before;
    } else if (same(before, after)) {
      const Fault why = why_not_next(right, level, at->block, before.t.high_fence());
      // Only the left link can be wrong because of a page that was not pinned.
      if (why != nullptr && (right.t.left == at->block || right.t.left == back)) fault(right.block, why);
    }
  }

  // ---- levels -----------------------------------------------------------------------------------------

  // From the root to the leaves. False: the tree has grown meanwhile.
  bool check_tree() {
    const int t = static_cast<int>(tree_);
    const MetaInfo meta = check_meta();
    const unsigned height = meta.level[t];
    Block from = kMetaBlock;
    Block leftmost = meta.root[t];
    for (unsigned level = height;; level--) {
      has_parents_ = level < height;
      if (has_parents_) set_parent(read_leftmost(from, from, level + 1));
      if (!walk(read_leftmost(from, leftmost, level))) return false;
      if (level == 0) break;
      from = leftmost;
      read_leftmost(from, leftmost, level);
      leftmost = downlink_in_page(lowest_entry<K>());
    }
    return check_meta().level[t] == height;
  }

  // From the leftmost page of a level on. False: the tree has grown, and what was its root has a parent now.
  bool walk(Seen at) {
    mark_seen(at.block);
    while (!at.rightmost()) {
      Seen right;
      bool grown = false;
      if (read_right(&at, &right) && check_next(&at, right, &grown)) {
        at = right;
        mark_seen(at.block);
        continue;
      }
      if (grown) return false;
      // The way on may begin further left than it was.
      if (has_parents_ && at.t.low_fence() < parent_.t.low_fence())
        set_parent(find(at.t.low_fence(), at.t.level + 1));
    }
    if (has_parents_) follow_parents(at, nullptr);
    return true;
  }

  // The page to the right of `at` against its parent. False: `at` has changed, and is what there is now.
  bool check_next(Seen* at, const Seen& right, bool* grown) {
    if (!has_parents_) {
      if (at->unfinished()) return true;
      return settle_root(at, right, grown);
    }
    const Entry end = right.t.low_fence();
    follow_parents(*at, &end);
    const Block child = downlink(end);
    if (child == (at->unfinished() ? kNoBlock : right.block)) return true;
    return settle_downlink(at, right);
  }

  // ---- parents ----------------------------------------------------------------------------------------

  // The inner page in page_ is the one whose downlinks are compared.
  void set_parent(const Seen& page) {
    parent_ = page;
    parent_items_ = take_downlinks(page.block);
  }

  // The first downlink with a separator above `key`; the end of them if there is none.
  const Item* first_above(const Entry& key) const {
    return std::upper_bound(items_, items_ + parent_items_, key,
                            [](const Entry& e, const Item& item) { return e < item.entry(); });
  }
  Block downlink(const Entry& key) const {
    const Item* above = first_above(key);
    return above != items_ && above[-1].entry() == key ? above[-1].child : kNoBlock;
  }

  // On to the parent that covers `end` (the last one if there is none). Downlinks on the way, between where `at`
  // begins and `end`, lead to pages that the walk has not met.
  void follow_parents(const Seen& at, const Entry* end) {
    Entry behind = at.t.low_fence();
    for (;;) {
      const Item* item = first_above(behind);
      for (; item != items_ + parent_items_ && (end == nullptr || item->entry() < *end); item++) {
        behind = item->entry();
        settle_unmet(at, behind);
      }
      if (parent_.rightmost() || (end != nullptr && *end < parent_.t.high_fence())) return;
      Seen right;
      if (read_right(&parent_, &right)) {
        set_parent(right);
      } else {
        set_parent(find(parent_.t.low_fence(), parent_.t.level));
      }
    }
  }

  // ---- what two reads do not settle -------------------------------------------------------------------

  // `right` has no parent, and `at`, to the left, no unfinished split.
  bool settle_root(Seen* at, const Seen& right, bool* grown) {
    const Buffer pin = store_.pin(right.block);
    const Seen before = read_again(*at);
    *grown = check_meta().level[static_cast<int>(tree_)] > at->t.level;
    const Seen after = read_again(*at);
    ReleaseBuffer(pin);
    if (*grown) return false;
    if (same(before, after) && belongs(before, at->t.level) && before.t.right == right.block &&
        !before.unfinished()) {
      fault(right.block, "page has no downlink");
    }
    // (Nothing of a level without parents is deleted; what has parents by now is found again.)
    *at = find(at->t.low_fence(), at->t.level);
    return false;
  }

  // The parent that covers the low fence of `right`, the page to the right of `at`, does not say what it should.
  bool settle_downlink(Seen* at, const Seen& right) {
    for (;;) {
      const Buffer pin = store_.pin(right.block);
      const Seen before = read_again(*at);
      const Seen parent = find(right.t.low_fence(), at->t.level + 1);
      const Block child = downlink_in_page(right.t.low_fence());
      set_parent(parent);
      const Seen after = read_again(*at);
      ReleaseBuffer(pin);
      if (!belongs(before, at->t.level) || before.t.low_fence() != at->t.low_fence() ||
          before.t.right != right.block || before.t.high_fence() != right.t.low_fence()) {
        *at = find(at->t.low_fence(), at->t.level);
        return false;
      }
      if (!same(before, after)) continue;
      if (before.unfinished()) {
        if (child == kNoBlock) return true;
        fault(right.block, "page has a downlink although the split that made it is unfinished");
      }
      if (child == right.block) return true;
      if (child == kNoBlock) fault(right.block, "page has no downlink");
      fault(parent.block, "downlink leads to another page than the one that begins there");
    }
  }

  // A parent has a downlink for `key`, which lies within the page `at` of the level below as it was when the walk
  // met it.
  void settle_unmet(const Seen& at, const Entry& key) {
    for (;;) {
      const Seen parent = find(key, at.t.level + 1);
      const Block child = downlink_in_page(key);
      if (child == kNoBlock) return;  // joined
      if (!store_.exists(child)) fault(parent.block, "downlink leads beyond the end of the index");
      const Buffer pin = store_.pin(child);
      const Seen parent_before = read_again(parent);
      const bool leads_there = belongs(parent_before, parent.t.level) && parent_before.covers(key) &&
                               downlink_in_page(key) == child;
      const Seen at_before = read_again(at);
      const Seen page = read(parent.block, child);
      const Seen at_after = read_again(at);
      const Seen parent_after = read_again(parent);
      ReleaseBuffer(pin);
      if (!leads_there || !same(parent_before, parent_after)) continue;
      if (Fault why = why_not_next(page, at.t.level, page.t.left, page.t.low_fence())) {
        fault(child, why);
      }
      if (page.t.low_fence() != key) fault(parent.block, "separator is not the low fence of its child");
      if (!same(at_before, at_after)) continue;
      // The walk's page may have been joined with its left neighbour, and its block be used again for this very child.
      if (child != at.block && belongs(at_before, at.t.level) && at_before.covers(key)) {
        fault(parent.block, "downlink leads to no page of the level below");
      }
      return;
    }
  }

  // A block that no level led to.
  void check_unlinked(Block block) {
    for (;;) {
      reader_.copy(block, page_);
      if (is_new_page(page_)) return;
      const Buffer pin = store_.pin(block);
      const Seen before = read(block, block);
      bool linked = before.deleted();
      bool changed = false;
      if (!linked) {
        tree_ = before.tree();
        linked = check_meta().level[static_cast<int>(tree_)] >= before.t.level &&
                 find(before.t.low_fence(), before.t.level).block == block;
        changed = !same(before, read_again(before));
      }
      ReleaseBuffer(pin);
      if (linked) return;
      if (!changed) fault(block, "page is not linked into a tree");
    }
  }

  TreeId tree_ = TreeId::keys;
  std::uint8_t* seen_ = nullptr;  // bitmap of the blocks there were when the check began
  // Of the level above the walk's, if there is one; its downlinks are in items_.
  bool has_parents_ = false;
  Seen parent_{};
  std::uint32_t parent_items_ = 0;
};
static_assert(std::is_trivially_destructible_v<LiveCheck<Code>>);

}  // namespace

template <class K>
void check_structure_live(Relation index, CheckProgress* progress) {
  LiveCheck<K>(index, progress).check_structure();
}
#define LEARNED_CHECK(K) template void check_structure_live<K>(Relation, CheckProgress*);
LEARNED_FOR_EVERY_KEY(LEARNED_CHECK)
#undef LEARNED_CHECK

}  // namespace learned
