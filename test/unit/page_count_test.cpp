// What entries would take: counts beside a tree that is built of them, of all and of stretches.
#include "core/tree/page_count.hpp"

#include <gtest/gtest.h>

#include "core/tree/bulk_loader.hpp"
#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

class Counter : public PageCount<Code> {
 public:
  Item* separators(std::size_t count) {
    if (separators_.size() < count) separators_.resize(2 * count);
    return separators_.data();
  }

 private:
  std::vector<Item> separators_;
};

class PageCountTest : public ::testing::Test {
 protected:
  Counter count(std::span<const Entry> entries, bool stretch = false) {
    Counter counter;
    BulkLoader<Counter> loader(&counter, workspace_.get(), TreeId::keys, 90, 1);
    for (const Entry& e : entries) loader.add(e.code, e.tid);
    if (stretch) loader.compact();
    loader.finish();
    return counter;
  }

  // The leaves of the whole as stretches of so many entries, one in `every`, tell.
  double extrapolate(const Entries& entries, std::size_t length, std::size_t every) {
    double leaves = 0;
    std::size_t tried = 0;
    for (std::size_t at = length / 2; at + length <= entries.size(); at += length * every) {
      leaves += count(std::span(entries).subspan(at, length), true).filled_leaves();
      tried += length;
    }
    return leaves / static_cast<double>(tried) * static_cast<double>(entries.size());
  }

 private:
  std::unique_ptr<Workspace> workspace_ = new_workspace();
};

TEST_F(PageCountTest, CountsAreThoseOfATree) {
  for (const Keys keys : kAllKeys) {
    for (const Tids tids : kAllTids) {
      SCOPED_TRACE(name_of(keys) + " " + name_of(tids));
      Random random(51);
      const Entries entries = make_entries(keys, tids, 20000, random);
      ModelledTree tree;
      tree.load(entries, 90);
      std::uint64_t leaves = 0;
      std::uint64_t inner = 0;
      for (std::size_t b = 1; b < tree.store().size(); b++) {
        const PageView page(tree.store().page(static_cast<Block>(b)));
        if (page.deleted() || page.tree() != TreeId::keys) continue;
        ++(page.level() == 0 ? leaves : inner);
      }
      const Counter counter = count(entries);
      EXPECT_EQ(counter.leaves(), leaves);
      EXPECT_EQ(counter.inner(), inner);
      EXPECT_EQ(counter.entries(), entries.size());
      EXPECT_LE(counter.filled_leaves(), static_cast<double>(leaves));
      EXPECT_GE(counter.filled_leaves(), static_cast<double>(leaves) - 1);
    }
  }
}

TEST_F(PageCountTest, NothingTakesNothing) {
  const Counter counter = count({});
  EXPECT_EQ(counter.leaves(), 1u);  // a tree has a root
  EXPECT_EQ(counter.filled_leaves(), 0);
}

// Keys whose distances are the same everywhere: a seventh of them tells of all.
TEST_F(PageCountTest, StretchesTellOfAll) {
  for (const Keys keys : {Keys::serial, Keys::stride, Keys::jitter, Keys::random62, Keys::random64,
                          Keys::few_values, Keys::one_value, Keys::thirds}) {
    for (const Tids tids : {Tids::append, Tids::varied_rows, Tids::random, Tids::stragglers}) {
      SCOPED_TRACE(name_of(keys) + " " + name_of(tids));
      Random random(52);
      const Entries entries = make_entries(keys, tids, 200000, random);
      const double real = count(entries).filled_leaves();
      EXPECT_NEAR(extrapolate(entries, 6000, 7) / real, 1, 0.1) << real << " leaves";
    }
  }
}

// A single page that more entries would fill counts by the share that is filled.
TEST_F(PageCountTest, SharesOfAPage) {
  Random random(53);
  const Entries serial = make_entries(Keys::serial, Tids::append, kMaxEntries, random);
  EXPECT_EQ(count(serial).filled_leaves(), 1);
  for (const std::size_t n : {1, 100, 1000, 10000, 40000}) {
    const double share = count(std::span(serial).first(n), true).filled_leaves();
    EXPECT_NEAR(share, static_cast<double>(n) / kMaxEntries, 0.02) << n;
  }
}

TEST_F(PageCountTest, InnerPages) {
  EXPECT_EQ(inner_pages_above(0), 0);
  EXPECT_EQ(inner_pages_above(1), 0);
  EXPECT_EQ(inner_pages_above(2), 1);
  EXPECT_EQ(inner_pages_above(300), 1);
  EXPECT_EQ(inner_pages_above(301), 3);
}

}  // namespace
}  // namespace learned
