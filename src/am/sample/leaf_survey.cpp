#include "am/sample/leaf_survey.hpp"

#include "core/plan/merge.hpp"

namespace learned {

// Calls f(stretch) for those of the level below that the range meets. There is always one, if it meets the parent.
//
// The page that the parent begins with may have been joined with its left neighbour since, or with its right one, and its first child, too: children, and the parts of
// children, that lie outside the parent's stretch belong to other stretches. The page that a link leads to may have been joined with the one that led there: what lies
// before the position that the way has come to was called for then.
template <class K>
template <class F>
void LeafSurvey<K>::each_child(const Stretch& parent, const F& f) {
  Tree<BasicBufferStore<K>> tree(&store_, parent.tree);
  const TreeRange& range = ranges_[static_cast<int>(parent.tree)];
  Entry position = parent.low;
  Block block = parent.block;
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    const Buffer buffer = tree.locate_at(block, position, LockMode::share, parent.level);
    store_.verify(buffer);
    const PageView page = tree.view(buffer);
    BasicWorkspace<K>* ws = store_.workspace();
    std::uint32_t n = 0;
    const Block here = store_.block(buffer);
    if (!decode_live(page, ws, &n) || n == 0) store_.corrupt(here, "page does not decode");
    const bool rightmost = page.rightmost();
    const Entry high = page.high();
    block = page.right();
    UnlockReleaseBuffer(buffer);
    for (std::uint32_t i = 0; i < n; i++) {
      Stretch child{};
      child.tree = parent.tree;
      child.last = rightmost && i + 1 == n;
      child.level = static_cast<std::uint8_t>(parent.level - 1);
      child.block = ws->children[i];
      child.low = {ws->codes[i], ws->tids[i]};
      child.high = i + 1 < n ? Entry{ws->codes[i + 1], ws->tids[i + 1]} : high;
      if (!child.last && child.high <= position) continue;
      if (!parent.last && child.low >= parent.high) break;
      child.low = std::max(child.low, position);
      if (!parent.last && (child.last || child.high > parent.high)) {
        child.last = false;
        child.high = parent.high;
      }
      if (child.low <= range.last() && (child.last || child.high > range.first())) f(child);
    }
    // (The page has been divided, and the right part may have no downlink yet.)
    if (rightmost || (!parent.last && high >= parent.high)) return;
    if (block == kNoBlock) store_.corrupt(here, "right link does not lead to the next page");
    position = high;
  }
}

template <class K>
void LeafSurvey<K>::add(const TreeRange& range) {
  ranges_[static_cast<int>(range.tree)] = range;
  const MetaInfo meta = Tree<BasicBufferStore<K>>(&store_, range.tree).read_meta();
  Stretch root{};
  root.tree = range.tree;
  root.last = true;
  root.level = meta.level[static_cast<int>(range.tree)];
  root.block = meta.root[static_cast<int>(range.tree)];
  root.low = lowest_entry<K>();
  GrownArray<Stretch> level;
  level.push(root);
  for (unsigned l = root.level; l > 1; l--) {
    GrownArray<Stretch> below;
    for (const Stretch& stretch : level)
      each_child(stretch, [&](const Stretch& child) { below.push(child); });
    level.release();
    level = below;
  }
  for (const Stretch& stretch : level) above_.push(stretch);
  level.release();
}

template <class K>
void LeafSurvey<K>::choose(uint64 most, double offset) {
  parents_ = above_.size();
  taken_ = std::min<uint64>(parents_, most);
  first_.reserve(taken_);
  for (uint64 i = 0; i < taken_; i++) {
    if (taken_ < parents_) {
      const double from = (static_cast<double>(i) + offset) * scale();
      above_[i] = above_[std::min(static_cast<uint64>(from), parents_ - 1)];
    }
    first_.push(size_);
    load_children(i);
    size_ += children_.size();
  }
}

template <class K>
void LeafSurvey<K>::load_children(Size parent) {
  children_.clear();
  if (above_[parent].level == 0) {
    children_.push(above_[parent]);
  } else {
    each_child(above_[parent], [this](const Stretch& child) { children_.push(child); });
    if (children_.size() == 0)
      store_.corrupt(above_[parent].block, "inner page has no child for a key of its range");
  }
  loaded_ = parent;
}

template <class K>
typename LeafSurvey<K>::Stretch LeafSurvey<K>::at(uint64 leaf) {
  const auto parent =
      static_cast<Size>(std::upper_bound(first_.begin(), first_.end(), leaf) - first_.begin() - 1);
  if (parent != loaded_) load_children(parent);
  const uint64 number = leaf - first_[parent];
  Stretch stretch = children_[std::min<uint64>(number, children_.size() - 1)];
  if (number >= children_.size()) {
    // There were more, which were joined with those that are there now.
    (stretch.last ? stretch.high : stretch.low) = stretch.last ? stretch.low : stretch.high;
    stretch.last = false;
    return stretch;
  }
  const bool last = leaf + 1 == (parent + 1 < first_.size() ? first_[parent + 1] : size_);
  if (last) {
    stretch.last = above_[parent].last;
    stretch.high = above_[parent].high;
  }
  return stretch;
}

template <class K>
uint64 LeafSurvey<K>::live(uint64 leaf) {
  uint64 live = 0;
  read(leaf, [&](const LeafEntries& entries) {
    live += static_cast<uint64>(entries.live());
    return true;
  });
  return live;
}

template <class K>
typename LeafSurvey<K>::Entry LeafSurvey<K>::entry(const LeafEntries& entries, int number) {
  Entry entry;
  bool dead;
  if (!entries.decode(number, number + 1, {&entry.code, &entry.tid, &dead})) corrupt("page does not decode");
  return entry;
}

#define LEARNED_LEAF_SURVEY(K) template class LeafSurvey<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_LEAF_SURVEY)
#undef LEARNED_LEAF_SURVEY

}  // namespace learned
