// The structure of an index that stands still (verify.cpp).
#include "am/check/verify.hpp"

namespace learned {
namespace {

template <class K>
class StrictCheck : PageChecker<K> {
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
  StrictCheck(Relation index, CheckProgress* progress) : PageChecker<K>(index, progress) {}

  // REQUIRES: nobody changes the index.
  void check_structure() {
    seen_ = static_cast<std::uint8_t*>(palloc0(reader_.blocks() / 8 + 1));
    const MetaInfo meta = check_meta();
    set_bit(seen_, kMetaBlock);
    for (int t = 0; t < kTreeCount; t++) check_tree(static_cast<TreeId>(t), meta.root[t], meta.level[t]);
    for (Block block = 0; block < reader_.blocks(); block++) {
      if (test_bit(seen_, block)) continue;
      reader_.copy(block, page_);
      if (is_new_page(page_)) continue;
      check_content(block);
      if (!PageView(page_).deleted()) fault(block, "page is not linked into a tree");
    }
    pfree(seen_);
  }

 private:
  // One level of a tree on the way from left to right. `block` is the page in page_; what it says about the next
  // one is kept here.
  struct Level {
    TreeId tree;
    unsigned level;
    Block block;      // kNoBlock before the first page
    Block next;       // kNoBlock behind the last one
    Entry low;        // of the page
    Entry next_low;   // where the next one must begin
    bool unfinished;  // the page is to the right of an unfinished split: it has no downlink
    bool next_unfinished;
  };

  // Reads a page that `from` leads to.
  void follow(Block from, Block to) {
    if (to >= reader_.blocks()) fault(from, "link leads beyond the end of the index");
    if (test_bit(seen_, to)) fault(to, "page is linked from two places");
    set_bit(seen_, to);
    reader_.copy(to, page_);
  }

  // On to the next page of the level, into page_. False: that was the last one.
  bool step(Level* at, Block from) {
    if (at->next == kNoBlock) return false;
    const Block block = at->next;
    follow(at->block != kNoBlock ? at->block : from, block);
    if (is_new_page(page_)) fault(block, "page is linked but new");
    check_content(block);
    const PageView page(page_);
    if (page.deleted()) fault(block, "page is linked but deleted");
    if (page.tree() != at->tree) fault(block, "page belongs to another tree than what leads to it");
    if (page.level() != at->level) fault(block, "page belongs to another level than what leads to it");
    if (page.left() != at->block) fault(block, "left link does not lead to the left sibling");
    if (page.low() != at->next_low) fault(block, "low fence is not the high fence of the left sibling");
    at->block = block;
    at->next = page.right();
    at->low = page.low();
    at->next_low = page.high();
    at->unfinished = at->next_unfinished;
    at->next_unfinished = page.incomplete_split();
    return true;
  }

  static Level begin_level(TreeId tree, unsigned level, Block leftmost) {
    return {tree, level, kNoBlock, leftmost, lowest_entry<K>(), lowest_entry<K>(), false, false};
  }

  void check_tree(TreeId tree, Block root, unsigned height) {
    Level top = begin_level(tree, height, root);
    step(&top, kMetaBlock);
    // A root that was split keeps its place until there is one above it.
    while (step(&top, kMetaBlock)) require_unfinished(top);
    Block leftmost = root;
    for (unsigned level = height; level > 0; level--) leftmost = check_downlinks(tree, level, leftmost);
  }

  void require_unfinished(const Level& at) {
    if (!at.unfinished) fault(at.block, "page has no downlink");
  }

  // Walks the level below `level`, along the downlinks of `level`, which was walked already. Returns its leftmost
  // page.
  Block check_downlinks(TreeId tree, unsigned level, Block parent) {
    Block leftmost = kNoBlock;
    Level below{};
    while (parent != kNoBlock) {
      reader_.copy(parent, page_);
      const Block next_parent = PageView(page_).right();
      const std::uint32_t n = take_downlinks(parent);
      if (leftmost == kNoBlock) {
        leftmost = items_[0].child;
        below = begin_level(tree, level - 1, leftmost);
      }
      for (std::uint32_t i = 0; i < n; i++) check_downlink(&below, parent, items_[i]);
      parent = next_parent;
    }
    while (step(&below, kMetaBlock)) require_unfinished(below);
    return leftmost;
  }

  // The downlink must name the next page that has one.
  void check_downlink(Level* below, Block parent, const Item& downlink) {
    do {
      if (!step(below, parent)) fault(parent, "downlink leads to no page of the level below");
      if (below->unfinished && below->block == downlink.child) {
        fault(below->block, "page has a downlink although the split that made it is unfinished");
      }
    } while (below->unfinished);
    if (below->block == downlink.child) {
      if (below->low != downlink.entry()) fault(parent, "separator is not the low fence of its child");
    } else if (below->low < downlink.entry()) {
      fault(below->block, "page has no downlink");
    } else {
      fault(parent, "downlink leads to no page of the level below");
    }
  }

  std::uint8_t* seen_ = nullptr;  // bitmap of blocks
};
static_assert(std::is_trivially_destructible_v<StrictCheck<Code>>);

}  // namespace

template <class K>
void check_structure_strictly(Relation index, CheckProgress* progress) {
  StrictCheck<K>(index, progress).check_structure();
}
#define LEARNED_CHECK(K) template void check_structure_strictly<K>(Relation, CheckProgress*);
LEARNED_FOR_EVERY_KEY(LEARNED_CHECK)
#undef LEARNED_CHECK

}  // namespace learned
