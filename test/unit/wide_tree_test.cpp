// Trees of keys of several words against std::set: every shape, with NULLs in any column, loaded, inserted into, thinned and
// joined; searches for keys that are there and for those beside them; sizes.
#include <gtest/gtest.h>

#include "support/wide_tree.hpp"

namespace learned {
namespace {

using namespace learned::testing;
using Random = std::mt19937_64;

template <class K>
class WideTreeTest : public ::testing::Test {
 protected:
  using Entry = BasicEntry<K>;
  static constexpr unsigned kWords = KeyTraits<K>::kWords;

  static Tid tid_of(std::size_t i, bool scattered) {
    const std::size_t place = scattered ? i * 0x9E3779B1u % (1u << 22) : i;
    return make_tid(static_cast<std::uint32_t>(place / 100), static_cast<std::uint16_t>(place % 100 + 1));
  }
  std::vector<Entry> entries(WideKeys shape, std::size_t n, unsigned nulls, bool scattered) {
    std::vector<Entry> all;
    for (std::size_t i = 0; i < n; i++) {
      all.push_back({wide_key<kWords>(shape, i, nulls, random_), tid_of(i, scattered)});
    }
    return all;
  }
  // A key near one that is there, or anywhere.
  K near(const K& key) {
    K other = key;
    const unsigned w = static_cast<unsigned>(random_() % kWords);
    switch (random_() % 5) {
      case 0:
        other.word[w] += random_() % 3 - 1;
        break;
      case 1:
        other.word[w] = random_();
        break;
      case 2:
        other.flags ^= static_cast<std::uint8_t>(1u << w);
        break;
      case 3:
        other = key_prefix(key, w + 1);
        break;
      case 4:
        if (key != KeyTraits<K>::highest()) other = KeyTraits<K>::after(key);
        break;
    }
    return other;
  }
  void expect_searches(WideTree<K>& tree, int searches) {
    const std::vector<Entry> present(tree.expected().begin(), tree.expected().end());
    for (int i = 0; i < searches; i++) {
      const Entry& e = present[random_() % present.size()];
      tree.expect_found(e);
      tree.expect_found({near(e.code), random_() % 2 == 0 ? 0 : e.tid});
      if (::testing::Test::HasFailure()) return;
    }
    tree.expect_found(lowest_entry<K>());
    tree.expect_found({KeyTraits<K>::highest(), kMaxTid});
  }

  Random random_{2026};
};

using Keys = ::testing::Types<Words<2>, Words<3>, Words<4>>;
TYPED_TEST_SUITE(WideTreeTest, Keys);

TYPED_TEST(WideTreeTest, LoadedThenInsertedIntoThenThinned) {
  for (const WideKeys shape : kAllWideKeys) {
    for (const unsigned nulls : {0u, 10u, 50u}) {
      SCOPED_TRACE("shape " + std::to_string(static_cast<int>(shape)) + ", nulls " + std::to_string(nulls));
      auto all = this->entries(shape, 12000, nulls, nulls != 10);
      std::vector<BasicEntry<TypeParam>> later(all.begin() + 8000, all.end());
      all.resize(8000);
      std::sort(all.begin(), all.end());
      WideTree<TypeParam> tree;
      tree.load(all, nulls == 50 ? 100 : 90);
      tree.expect_sound();
      this->expect_searches(tree, 100);
      if (::testing::Test::HasFailure()) return;
      for (const auto& e : later) tree.insert(e);
      tree.expect_sound();
      this->expect_searches(tree, 200);
      if (::testing::Test::HasFailure()) return;
      tree.vacuum([](const auto& e) { return e.tid * 0x9E3779B97F4A7C15u >> 62 != 0; });
      tree.expect_sound();
      if (::testing::Test::HasFailure()) return;
      for (std::size_t i = 20000; i < 21000; i++)
        tree.insert(
            {wide_key<KeyTraits<TypeParam>::kWords>(shape, i, nulls, this->random_), this->tid_of(i, false)});
      tree.vacuum([](const auto& e) { return e.tid % 16 != 0; });
      tree.expect_sound();
      this->expect_searches(tree, 100);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TYPED_TEST(WideTreeTest, GrownByInsertsInAnyOrder) {
  for (const WideKeys shape : kAllWideKeys) {
    for (int order = 0; order < 3; order++) {
      SCOPED_TRACE("shape " + std::to_string(static_cast<int>(shape)) + ", order " + std::to_string(order));
      auto all = this->entries(shape, 6000, order == 1 ? 10 : 0, order == 1);
      if (order > 0) std::sort(all.begin(), all.end());
      if (order == 2) std::reverse(all.begin(), all.end());
      WideTree<TypeParam> tree;
      for (const auto& e : all) tree.insert(e);
      tree.expect_sound();
      this->expect_searches(tree, 100);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TYPED_TEST(WideTreeTest, GrownByBatches) {
  for (const WideKeys shape : kAllWideKeys) {
    for (const bool sorted : {false, true}) {
      SCOPED_TRACE("shape " + std::to_string(static_cast<int>(shape)) + (sorted ? ", sorted" : ""));
      auto all = this->entries(shape, 6000, sorted ? 0 : 10, sorted);
      if (sorted) std::sort(all.begin(), all.end());
      WideTree<TypeParam> tree;
      for (std::size_t i = 0; i < all.size();) {
        const std::size_t n = std::min(all.size() - i, 1 + this->random_() % 300);
        tree.insert_ascending(
            {all.begin() + static_cast<std::ptrdiff_t>(i), all.begin() + static_cast<std::ptrdiff_t>(i + n)});
        i += n;
      }
      tree.expect_sound();
      this->expect_searches(tree, 100);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TYPED_TEST(WideTreeTest, VacuumJoinsLeaves) {
  auto all = this->entries(WideKeys::uuid, 20000, 0, true);
  std::sort(all.begin(), all.end());
  WideTree<TypeParam> tree;
  tree.load(all);
  tree.vacuum([](const auto& e) { return e.tid % 32 != 0; });
  tree.expect_sound();
  EXPECT_GT(tree.joined(), 10u);
}

// A run of equal keys longer than a page, and separators with a TID.
TYPED_TEST(WideTreeTest, OneKeyOverManyPages) {
  std::vector<BasicEntry<TypeParam>> all;
  TypeParam key{};
  key.flags = 1;
  key.word[0] = 17;
  for (std::size_t i = 0; i < 30000; i++) all.push_back({key, this->tid_of(i * 7, true)});
  WideTree<TypeParam> tree;
  for (const auto& e : all) tree.insert(e);
  tree.expect_sound();
  this->expect_searches(tree, 300);
  EXPECT_GT(tree.leaves().size(), 3u);
}

// Delta entries have any size, so that a full page's copy may be longer than the page: by less than a word.
TYPED_TEST(WideTreeTest, CopiesOfFullPagesHaveTheRoomThatIsSaid) {
  WideTree<TypeParam> tree;
  std::size_t longest = 0;
  const auto copy_all = [&] {
    for (const Block block : tree.leaves()) {
      const BasicPageView<TypeParam> page(tree.store().page(block));
      const std::size_t bytes = compact_bytes(page);
      ASSERT_LE(bytes, kMaxCompactBytes);
      longest = std::max(longest, bytes);
      std::vector<std::uint64_t> copy(kMaxCompactBytes / 8);
      const auto view = compact_copy(page, reinterpret_cast<std::uint8_t*>(copy.data()));
      for (unsigned j = 0; j < page.deltas(); j++) {
        ASSERT_TRUE(view.delta_item(j).entry() == page.delta_item(j).entry());
      }
    }
  };
  for (int round = 0; round < (this->kWords == 2 ? 60 : 12) && longest <= kPageSize; round++) {
    // Some at a time: what is added then is in deltas.
    for (const auto& e : this->entries(WideKeys::uuid, 1500, 10, true)) {
      tree.insert({e.code, e.tid + static_cast<Tid>(round)});
      if (tree.expected().size() % 100 == 0) copy_all();
    }
    // (A bitmap of dead entries fills the room that is kept for it.)
    tree.vacuum([round](const auto& e) { return e.tid % 40 == static_cast<Tid>(round); });
    copy_all();
  }
  // (Whether one comes by chance depends on the sizes.)
  if (this->kWords == 2) {
    EXPECT_GT(longest, kPageSize);
  }
}

TYPED_TEST(WideTreeTest, StaleAndWrongPredictionsLeadNowhereElse) {
  auto all = this->entries(WideKeys::few_many, 5000, 10, true);
  WideTree<TypeParam> tree;
  for (std::size_t i = 0; i < all.size(); i++) {
    if (i == 1000) tree.store().set_wrong_predictions(true);
    if (i == 3000) tree.store().learn_predictions();
    tree.insert(all[i]);
  }
  tree.store().set_wrong_predictions(false);
  tree.expect_sound();
}

// Serial keys are inserted by counting.
TYPED_TEST(WideTreeTest, ASerialSuffixIsContinuedExactly) {
  std::vector<BasicEntry<TypeParam>> all;
  TypeParam key{};
  for (unsigned w = 0; w < KeyTraits<TypeParam>::kWords; w++) key.word[w] = 1000 + w;
  Code& last = key.word[KeyTraits<TypeParam>::kWords - 1];
  for (std::size_t i = 0; i < 5000; i++, last += 4) all.push_back({key, this->tid_of(i, false)});
  WideTree<TypeParam> tree;
  tree.load(all);
  const auto leaf = tree.leaves().back();
  const unsigned before = BasicPageView<TypeParam>(tree.store().page(leaf)).encoded();
  for (std::size_t i = 5000; i < 6000; i++, last += 4) tree.insert({key, this->tid_of(i, false)});
  tree.expect_sound();
  const BasicPageView<TypeParam> page(tree.store().page(leaf));
  EXPECT_EQ(page.encoded(), before + 1000);
  EXPECT_EQ(page.deltas(), 0u);
}

TEST(WideTreeSizeTest, BytesPerEntry) {
  Random random(7);
  const auto size = [&](std::size_t n, auto make, bool scattered) {
    std::vector<BasicEntry<Words<2>>> all;
    for (std::size_t i = 0; i < n; i++) {
      const std::size_t place = scattered ? i * 0x9E3779B1u % (1u << 20) : i;
      all.push_back({make(i), make_tid(static_cast<std::uint32_t>(place / 128),
                                       static_cast<std::uint16_t>(place % 128 + 1))});
    }
    std::sort(all.begin(), all.end());
    WideTree<Words<2>> tree;
    tree.load(all);
    return tree.loaded_bytes_per_entry();
  };
  constexpr std::size_t kEntries = 1000000;
  const double turns = size(
      kEntries,
      [&](std::size_t i) {
        return Words<2>{{i % 1000 + (Code{1} << 31), (Code{1} << 63) + i / 1000 * 60000000}, 0};
      },
      false);
  const double jitter = size(
      kEntries,
      [&](std::size_t i) {
        return Words<2>{
            {i % 1000 + (Code{1} << 31), (Code{1} << 63) + i / 1000 * 60000000 + random() % 1000000}, 0};
      },
      false);
  const double uuid = size(
      kEntries, [&](std::size_t) { return wide_key<2>(WideKeys::uuid, 0, 0, random); }, true);
  const double tenant = size(
      kEntries,
      [&](std::size_t i) {
        return Words<2>{{random() % 5000 + (Code{1} << 63), i + (Code{1} << 63)}, 0};
      },
      true);
  const double serial = size(
      kEntries,
      [&](std::size_t i) {
        return Words<2>{{i / 16 + (Code{1} << 31), i % 16 + (Code{1} << 31)}, 0};
      },
      false);
  RecordProperty("turns", std::to_string(turns));
  std::printf("bytes per entry: turns %.3f, with jitter %.3f, uuid %.2f, tenants %.2f, serial %.3f\n", turns,
              jitter, uuid, tenant, serial);
  EXPECT_LT(turns, 1);
  EXPECT_LT(jitter, 4);
  EXPECT_LT(uuid, 18.5);
  EXPECT_LT(tenant, 9);
  EXPECT_LT(serial, 1);
}

}  // namespace
}  // namespace learned
