// The entries of a learned index are those of the btree, in the same order. So a stretch of consecutive leaves of the btree, made into pages by the very
// code of CREATE INDEX, gives a stretch of the learned index: with the keys and the positions of rows that are neighbours there.
#include "am/advise/size_trial.hpp"

#include <ctime>

#include "am/advise/btree_pages.hpp"
#include "am/server/grown_array.hpp"
#include "am/server/table_tids.hpp"
#include "core/plan/workspace.hpp"
#include "core/sort/sort_entry.hpp"
#include "core/tree/bulk_loader.hpp"
#include "core/tree/page_count.hpp"

namespace learned {
namespace {

// Pages of a btree up to which all of it is read.
constexpr BlockNumber kReadWhole = 512;
// Of a larger one: pages from all over it, for how many of them are leaves, and how full; and stretches of leaves.
constexpr BlockNumber kProbes = 128;
// More of those where pages differ much: so many are free, or leaves have so little on them.
constexpr BlockNumber kProbesOfUneven = 1024;
constexpr double kFewLeaves = 0.9;
constexpr double kLittleUsed = 0.6 * BLCKSZ;
constexpr BlockNumber kStretches = 32;
// A stretch has so many leaves, and more of them where they are nearly empty: what makes less than a page would say little of how pages are filled.
constexpr int64 kLeavesOfStretch = 8;
constexpr int64 kMostLeavesOfStretch = 128;
constexpr int64 kUsedOfStretch = kLeavesOfStretch * BLCKSZ / 2;
constexpr int64 kEntriesOfStretch = 4096;  // enough, on leaves with lists of rows

constexpr BlockNumber kMostTries = 16;  // pages looked at for a leaf to begin with

constexpr int64 kEntriesBetweenInterrupts = 4096;

// Of this process: what others do on the machine does not count.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Counts pages, for BulkLoader.
template <class K>
class CountingSink : public PageCount<K> {
 public:
  // Room for the separators of one level, old content kept.
  BasicItem<K>* separators(std::size_t count) {
    if (count > capacity_) {
      capacity_ = std::max<std::size_t>(count, 2 * capacity_ + 64);
      separators_ = enlarge(CurrentMemoryContext, separators_, capacity_);
    }
    return separators_;
  }

 private:
  BasicItem<K>* separators_ = nullptr;
  std::size_t capacity_ = 0;
};
static_assert(std::is_trivially_destructible_v<CountingSink<Code>>);

template <class K>
class Trial {
 public:
  using Entry = SortEntry<K>;

  Trial(Relation btree, const KeyColumns& columns, int fillfactor)
      : btree_(btree),
        columns_(columns),
        fillfactor_(fillfactor),
        pages_(btree),
        workspace_(workspace_init<K>(palloc(workspace_bytes<K>()))) {}

  SizeTrial run() {
    const BlockNumber blocks = pages_.blocks();
    SizeTrial result{};
    result.size = int64{blocks} * BLCKSZ;
    const double begin = processor_seconds();
    if (blocks <= kReadWhole + 1) {
      try_whole(&result);
    } else {
      try_stretches(&result);
    }
    if (tried_ > 0) result.seconds_per_entry = (processor_seconds() - begin) / static_cast<double>(tried_);
    return result;
  }

 private:
  struct Stretch {
    int64 leaves;
    int64 entries;
    int64 used;  // bytes of the leaves
  };
  static double used_of_leaf(const Stretch& stretch) {
    return static_cast<double>(stretch.used) / static_cast<double>(std::max<int64>(stretch.leaves, 1));
  }

  void try_whole(SizeTrial* result) {
    const BlockNumber first = pages_.leftmost_leaf();
    constexpr int64 kAll = std::numeric_limits<int64>::max();
    Stretch stretch{};
    if (first != P_NONE) stretch = collect(first, {pages_.blocks(), kAll, kAll});
    double learned = 1;
    for (int t = 0; t < kTreeCount; t++) {
      CountingSink<K> sink;
      make_pages(static_cast<TreeId>(t), false, &sink);
      learned += static_cast<double>(sink.leaves() + sink.inner());
    }
    finish(result, {learned, static_cast<double>(stretch.leaves), static_cast<double>(stretch.entries),
                    static_cast<double>(stretch.used)});
    result->sampled = 1;
  }

  // Pages from all over the index: those that are leaves.
  Stretch probe(BlockNumber probes) {
    Stretch probed{};
    for (BlockNumber i = 0; i < probes; i++) {
      if (pages_.read(middle_of_part(i, probes)) == BtreePages::Kind::leaf) add_leaf(&probed);
    }
    return probed;
  }

  void try_stretches(SizeTrial* result) {
    const auto pages = static_cast<double>(pages_.blocks() - 1);
    BlockNumber probes = kProbes;
    Stretch probed = probe(probes);
    if (static_cast<double>(probed.leaves) < kFewLeaves * probes || used_of_leaf(probed) < kLittleUsed) {
      probes = std::min(kProbesOfUneven, pages_.blocks() - 1);
      probed = probe(probes);
    }
    const double scale = pages / probes;
    const double leaves = static_cast<double>(probed.leaves) * scale;
    const double needed = std::clamp(kUsedOfStretch / std::max(used_of_leaf(probed), 1.0),
                                     double{kLeavesOfStretch}, double{kMostLeavesOfStretch});
    if (used_of_leaf(probed) < kLittleUsed && leaves <= kStretches * needed) {
      try_whole(result);
      return;
    }

    // Of each stretch, pages for a leaf: a leaf to begin with has the same chance wherever it is, however long the stretch is then.
    int tried = 0;
    double used = 0;
    double learned_leaves[kTreeCount] = {};
    for (BlockNumber i = 0; i < kStretches; i++) {
      const BlockNumber first = leaf_of_part(i);
      if (first == P_NONE) continue;
      const Stretch stretch = collect(first, {kMostLeavesOfStretch, kEntriesOfStretch, kUsedOfStretch});
      if (stretch.leaves == 0) continue;
      tried++;
      used += used_of_leaf(stretch);
      for (int t = 0; t < kTreeCount; t++) {
        CountingSink<K> sink;
        make_pages(static_cast<TreeId>(t), true, &sink);
        learned_leaves[t] += sink.filled_leaves() / static_cast<double>(stretch.leaves);
      }
    }
    // (Stretches are few: where leaves are not equally full, probes know better how full they are.)
    const double fuller = used > 0 ? used_of_leaf(probed) / (used / tried) : 1;
    double learned = 1;
    for (const double of_stretches : learned_leaves) {
      const double all = std::ceil(of_stretches / std::max(tried, 1) * leaves * fuller);
      learned += std::max(all, 1.0) + inner_pages_above(all);
    }
    finish(result, {learned, leaves, static_cast<double>(probed.entries) * scale,
                    static_cast<double>(probed.used) * scale});
    // (Some were read twice: all would be exact.)
    result->sampled = std::min(0.99, static_cast<double>(pages_.reads()) / pages);
  }

  struct Totals {
    double learned_pages;
    double leaves;
    double entries;
    double used;  // bytes of leaves
  };
  void finish(SizeTrial* result, const Totals& totals) const {
    // As nbtsort.c packs leaves, by default: free space of a tenth of a page, and the high key.
    constexpr double kFilled = BLCKSZ * 0.9 - 24 - 16 - 20;
    const double leaves = std::ceil(totals.used / kFilled);
    result->rebuilt = static_cast<int64>((1 + leaves + inner_pages_above(leaves)) * BLCKSZ);
    result->learned = static_cast<int64>(totals.learned_pages * BLCKSZ);
    result->entries = std::llround(totals.entries);
  }

  // Pages 1 and up are divided into so many equal parts: the same pages each time, so that figures move only if the index does.
  BlockNumber middle_of_part(BlockNumber part, BlockNumber parts) const {
    const uint64 pages = pages_.blocks() - 1;
    return static_cast<BlockNumber>(1 + (2 * uint64{part} + 1) * pages / (2 * uint64{parts}));
  }

  // Where a stretch begins: in the middle of its part, or at the next leaf behind; P_NONE: there is none near. (An index may have gigabytes of pages that
  // are free.)
  BlockNumber leaf_of_part(BlockNumber part) {
    const BlockNumber first = middle_of_part(part, kStretches);
    const BlockNumber end = std::min(first + kMostTries, pages_.blocks());
    for (BlockNumber block = first; block < end; block++) {
      if (pages_.read(block) == BtreePages::Kind::leaf) return block;
    }
    return P_NONE;
  }

  // The page that was read.
  void add_leaf(Stretch* stretch) const {
    stretch->leaves++;
    stretch->entries += pages_.entries();
    stretch->used += static_cast<int64>(pages_.used());
  }

  // Takes the entries of leaves from one on, to the right: up to so many leaves, or entries, or, by kLeavesOfStretch or more, bytes. (Steps are counted: damaged links may lead in a circle.)
  Stretch collect(BlockNumber block, const Stretch& most) {
    for (Entries& entries : entries_) entries.clear();
    Stretch stretch{};
    for (int64 steps = 0; block != P_NONE && steps < 2 * most.leaves; steps++) {
      const BtreePages::Kind kind = pages_.read(block);
      if (kind == BtreePages::Kind::inner) break;
      if (kind == BtreePages::Kind::leaf) {
        take_leaf();
        add_leaf(&stretch);
        if (stretch.leaves >= most.leaves || stretch.entries >= most.entries ||
            (stretch.leaves >= kLeavesOfStretch && stretch.used >= most.used)) {
          break;
        }
      }
      block = pages_.right();
    }
    tried_ += stretch.entries;
    return stretch;
  }

  void take_leaf() {
    Datum values[INDEX_MAX_KEYS];
    bool isnull[INDEX_MAX_KEYS];
    pages_.for_each_tuple([&](IndexTuple tuple, ItemPointer tids, unsigned n) {
      index_deform_tuple(tuple, RelationGetDescr(btree_), values, isnull);
      const RowKey<K> row = key_of_row<K>(columns_, values, isnull);
      Entries& entries = entries_[static_cast<int>(row.tree)];
      for (unsigned i = 0; i < n; i++) entries.push(pack(row.key, tid_of(tids[i])));
    });
  }

  void make_pages(TreeId tree, bool stretch, CountingSink<K>* sink) {
    Entries& entries = entries_[static_cast<int>(tree)];
    // Mostly they are in order. Not if the only column descends, where values are merged, nor behind equal keys with included columns.
    if (!std::is_sorted(entries.begin(), entries.end())) std::sort(entries.begin(), entries.end());
    BulkLoader<CountingSink<K>, K> loader(sink, workspace_, tree, fillfactor_, kMetaBlock + 1);
    int64 done = 0;
    for (const Entry& packed : entries) {
      const BasicEntry<K> entry = unpack(packed);
      loader.add(entry.code, entry.tid);
      if (++done % kEntriesBetweenInterrupts == 0) CHECK_FOR_INTERRUPTS();
    }
    if (stretch) loader.compact();
    loader.finish();
  }

  using Entries = GrownArray<Entry>;

  Relation btree_;
  KeyColumns columns_;
  int fillfactor_;
  BtreePages pages_;
  BasicWorkspace<K>* workspace_;
  Entries entries_[kTreeCount];
  int64 tried_ = 0;
};
static_assert(std::is_trivially_destructible_v<Trial<Code>>);

}  // namespace

SizeTrial try_as_learned(Relation btree, const KeyColumns& columns, int fillfactor) {
  return with_key(columns.words, [&]<class K>() { return Trial<K>(btree, columns, fillfactor).run(); });
}

}  // namespace learned
