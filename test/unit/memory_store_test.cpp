// The store of the tests is strict: what the server would punish, it refuses.
#include "support/memory_store.hpp"

#include <gtest/gtest.h>

#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

TEST(MemoryStoreTest, StartsWithTwoEmptyTrees) {
  MemoryStore store;
  EXPECT_EQ(store.size(), 3u);
  for (const TreeId id : {TreeId::keys, TreeId::nulls}) {
    Entries found;
    EXPECT_EQ(tree_fault(store, id, &found), "");
    EXPECT_TRUE(found.empty());
  }
  EXPECT_TRUE(store.all_released());
}

TEST(MemoryStoreTest, ChangesAppearAtCommit) {
  MemoryStore store;
  const auto h = store.read(1, LockMode::exclusive);
  store.begin();
  std::uint8_t* image = store.edit(h, false);
  add_delta(image, {7, 1, kNoBlock});
  EXPECT_EQ(PageView(store.bytes(h)).deltas(), 0u);
  store.commit();
  EXPECT_EQ(PageView(store.bytes(h)).deltas(), 1u);
  store.begin();
  EXPECT_EQ(store.edit(h, true)[kSpecialOffset], 0) << "a fresh page is zeroed";
  store.commit();
  store.release(h);
}

TEST(MemoryStoreTest, AllocatesRecycledPagesFirst) {
  MemoryStore store;
  const auto a = store.allocate();
  EXPECT_EQ(store.block(a), 3u);
  store.release(a);
  store.recycle(a);
  const auto b = store.allocate();
  EXPECT_EQ(b, a);
  store.release(b);
}

TEST(MemoryStoreTest, BusyPagesAreNotWaitedFor) {
  MemoryStore store;
  MemoryStore::Handle h;
  ASSERT_TRUE(store.try_read(1, &h));
  MemoryStore::Handle again;
  EXPECT_FALSE(store.try_read(1, &again));
  EXPECT_FALSE(store.try_read_for_cleanup(1, &again));
  store.release(h);
  EXPECT_TRUE(store.try_read_for_cleanup(1, &again));
  store.release(again);
}

using MemoryStoreDeathTest = ::testing::Test;

TEST(MemoryStoreDeathTest, RefusesWhatTheServerWouldPunish) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  MemoryStore store;
  EXPECT_DEATH(store.read(99, LockMode::share), "beyond the end");
  EXPECT_DEATH(
      {
        store.read(1, LockMode::share);
        store.read(1, LockMode::share);
      },
      "locked already");
  EXPECT_DEATH(store.release(1), "not locked");
  EXPECT_DEATH(
      {
        store.read(1, LockMode::share);
        store.edit(1, false);
      },
      "not locked exclusively");
  EXPECT_DEATH(
      {
        store.read(1, LockMode::exclusive);
        store.begin();
        for (int i = 0; i < 5; i++) store.edit(1, false);
      },
      "more than four pages");
}

}  // namespace
}  // namespace learned
