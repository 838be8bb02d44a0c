// Damage followed by writes: pages of an index are damaged in one way out of many, then there are inserts near and far,
// removals and joins, as after a disk that lied. Whatever does not raise an error must be the right answer, for ever after:
// nobody may make the checksum of a page anew over damage, nor reuse a page that is a part of the tree. Nothing may hang.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "core/page/check.hpp"
#include "core/tree/vacuum.hpp"
#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

struct Damaged {
  Block block;
  std::string fault;
};
[[noreturn]] void raise(Block block, Fault fault) { throw Damaged{block, fault.text()}; }

// An index of which it is known what it must hold, and what it may: entries of rows that were rolled back or deleted.
class Trial {
 public:
  Trial() : tree_(&store_, TreeId::keys) { store_.on_corrupt(raise); }

  MemoryStore& store() { return store_; }
  std::set<Entry>& expected() { return expected_; }

  // Runs something that may find damage. What the server does then: locks go, a change that was not committed is dropped.
  template <class Step>
  bool attempt(const Step& step) {
    const std::size_t reads = store_.reads();
    try {
      step();
    } catch (const Damaged& damaged) {
      store_.abort_change();
      errors_++;
      last_ = damaged;
      return false;
    }
    EXPECT_TRUE(store_.all_released());
    EXPECT_LT(store_.reads() - reads, 100000u);
    return true;
  }
  std::size_t errors() const { return errors_; }
  const Damaged& last() const { return last_; }

  void insert(const Entry& e) {
    if (expected_.contains(e) || doomed_.contains(e) || gone_.contains(e)) return;
    // What is rolled back may have an entry nevertheless, until VACUUM comes.
    (attempt([&] { tree_.insert({e.code, e.tid, kNoBlock}); }) ? expected_ : doomed_).insert(e);
  }
  template <class Dead>
  void remove(const Dead& dead) {
    for (auto it = expected_.begin(); it != expected_.end();) {
      if (dead(*it)) {
        doomed_.insert(*it);
        it = expected_.erase(it);
      } else {
        ++it;
      }
    }
  }
  // As vacuum.cpp: along the right links, packing what is left. Only if it comes to its end may the
  // rows' places be used again, and entries left behind lead to wrong rows.
  bool vacuum() {
    const bool done = attempt([&] {
      LeafPacker packer(&store_, TreeId::keys, scratch_);
      auto h = tree_.locate({0, 0}, LockMode::exclusive);
      for (;;) {
        const unsigned before = tree_.view(h).live();
        remove_doomed(h);
        const PageView page = tree_.view(h);
        const VisitedPage<Code> here(h, page, before - page.live());
        const Block right = page.right();
        const Entry high = here.high;
        store_.release(h);
        packer.add(here, [this](Block block) { store_.recycle(block); });
        if (here.rightmost) break;
        h = tree_.step_right(right, high, LockMode::exclusive);
        if (tree_.view(h).low() != high) raise(h, "low fence is not the high fence of the left sibling");
      }
      // What find_free_pages() does.
      for (Block b = 1; b < store_.size(); b++) {
        if (is_free_page(store_.page(b))) store_.recycle(b);
      }
    });
    if (done) {
      gone_.insert(doomed_.begin(), doomed_.end());
      doomed_.clear();
    }
    return done;
  }

  // Entries of [from, to], read page by page. False: an error.
  bool scan(const Entry& from, const Entry& to, bool forward, Entries* found) {
    return attempt([&] {
      found->clear();
      auto h = tree_.locate(forward ? from : to, LockMode::share);
      for (;;) {
        Entries here = read_leaf(h);
        if (!forward) std::reverse(here.begin(), here.end());
        for (const Entry& e : here) {
          if (e >= from && e <= to) found->push_back(e);
        }
        const PageView page = tree_.view(h);
        const bool last = forward ? page.rightmost() || to < page.high() : page.low() <= from;
        const Block next = forward ? page.right() : page.left();
        const Entry fence = forward ? page.high() : page.low();
        store_.release(h);
        if (last) break;
        h = forward ? tree_.step_right(next, fence, LockMode::share)
                    : tree_.step_left(next, fence, LockMode::share);
      }
      if (!forward) std::reverse(found->begin(), found->end());
    });
  }
  // Empty if that is right, or an error.
  std::string wrong_scan(const Entry& from, const Entry& to, bool forward) {
    Entries found;
    if (!scan(from, to, forward, &found)) return "";
    for (std::size_t i = 1; i < found.size(); i++) {
      if (!(found[i - 1] < found[i])) return "entries out of order or twice";
    }
    auto must = expected_.lower_bound(from);
    for (const Entry& e : found) {
      if (must != expected_.end() && *must < e) return "entry missed";
      if (must != expected_.end() && *must == e) {
        ++must;
      } else if (!doomed_.contains(e)) {
        return "entry that nobody put there";
      }
    }
    return must != expected_.end() && *must <= to ? "entry missed" : "";
  }

  Entry random_position(Random& random) {
    if (expected_.empty() || random() % 4 == 0) return {random(), random() & kMaxTid};
    auto it = expected_.lower_bound({random() % (expected_.rbegin()->code + 1), 0});
    return it == expected_.end() ? *expected_.rbegin() : *it;
  }
  // The answers to questions that anybody might ask.
  std::string wrong_answer(Random& random, int points) {
    for (int i = 0; i < points; i++) {
      const Entry e = random_position(random);
      if (std::string w = wrong_scan({e.code, 0}, {e.code, kMaxTid}, true); !w.empty()) return "point: " + w;
    }
    const Entry a = random_position(random);
    const Entry b = random_position(random);
    for (bool forward : {true, false}) {
      const char* way = forward ? "forward: " : "backward: ";
      if (std::string w = wrong_scan(std::min(a, b), std::max(a, b), forward); !w.empty())
        return "range " + (way + w);
      if (std::string w = wrong_scan({0, 0}, {kMaxCode, kMaxTid}, forward); !w.empty()) return way + w;
    }
    return "";
  }

 private:
  Entries read_leaf(Block h) {
    store_.verify(h);
    const PageView page = tree_.view(h);
    std::vector<Code> codes(page.encoded());
    std::vector<Tid> tids(page.encoded());
    if (!decode(page, 0, page.encoded(), codes.data(), tids.data())) raise(h, "page does not decode");
    Entries entries;
    for (unsigned r = 0; r < page.encoded(); r++) {
      if (!page.is_dead(r)) entries.push_back({codes[r], tids[r]});
    }
    for (unsigned j = 0; j < page.deltas(); j++) entries.push_back(page.delta_item(j).entry());
    std::sort(entries.begin(), entries.end());
    return entries;
  }
  void remove_doomed(Block h) {
    store_.verify(h);
    const PageView page = tree_.view(h);
    std::vector<Code> codes(page.encoded());
    std::vector<Tid> tids(page.encoded());
    if (!decode(page, 0, page.encoded(), codes.data(), tids.data())) raise(h, "page does not decode");
    std::vector<std::uint8_t> encoded(page.encoded() / 8 + 1);
    std::uint8_t deltas[kMaxDelta / 8] = {};
    bool any = false;
    for (unsigned r = 0; r < page.encoded(); r++) {
      if (page.is_dead(r) || !doomed_.contains({codes[r], tids[r]})) continue;
      set_bit(encoded.data(), r);
      any = true;
    }
    for (unsigned j = 0; j < page.deltas(); j++) {
      if (!doomed_.contains(page.delta_item(j).entry())) continue;
      set_bit(deltas, j);
      any = true;
    }
    if (any) remove_entries(&store_, h, encoded.data(), deltas, scratch_);
  }

  MemoryStore store_;
  Tree<MemoryStore> tree_;
  std::set<Entry> expected_;
  std::set<Entry> doomed_;  // rolled back or deleted, and maybe still there
  std::set<Entry> gone_;    // removed by a VACUUM
  std::size_t errors_ = 0;
  Damaged last_{};
  alignas(8) std::uint8_t scratch_[kPageSize];
};

// ---- damage ---------------------------------------------------------------------------------------

constexpr std::size_t kSector = 512;
constexpr const char* kKinds[] = {"bit",
                                  "bits",
                                  "byte",
                                  "bytes",
                                  "range zeroed",
                                  "sector zeroed",
                                  "sector of another page",
                                  "half of the page zeroed",
                                  "page zeroed",
                                  "page of another index",
                                  "pages swapped",
                                  "page replaced",
                                  "file cut",
                                  "trailer byte",
                                  "header byte",
                                  "delta byte"};
constexpr int kKindCount = sizeof kKinds / sizeof *kKinds;

// Returns the block.
Block damage(MemoryStore::Image* image, const MemoryStore::Image& foreign, int kind, Random& random) {
  auto& pages = image->pages;
  const auto block = static_cast<Block>(random() % pages.size());
  std::uint8_t* page = pages[block].bytes;
  std::uint8_t* other = pages[random() % pages.size()].bytes;
  const auto change = [&](std::size_t at) { page[at] ^= static_cast<std::uint8_t>(random() % 255 + 1); };
  switch (kind) {
    case 0:
      page[random() % kPageSize] ^= static_cast<std::uint8_t>(1 << random() % 8);
      break;
    case 1:
      for (std::uint64_t n = 2 + random() % 8; n > 0; n--)
        page[random() % kPageSize] ^= static_cast<std::uint8_t>(1 << random() % 8);
      break;
    case 2:
      change(random() % kPageSize);
      break;
    case 3: {
      const std::size_t at = random() % kPageSize;
      for (std::size_t i = at; i < std::min(kPageSize, at + 1 + random() % 64); i++) change(i);
      break;
    }
    case 4: {
      const std::size_t at = random() % kPageSize;
      std::memset(page + at, 0, std::min(kPageSize - at, std::size_t{1} + random() % 1000));
      break;
    }
    case 5:
      std::memset(page + random() % 16 * kSector, 0, kSector);
      break;
    case 6: {
      const std::size_t at = random() % 16 * kSector;
      std::memcpy(page + at, other + at, kSector);
      break;
    }
    case 7:
      std::memset(page + random() % 2 * (kPageSize / 2), 0, kPageSize / 2);
      break;
    case 8:
      std::memset(page, 0, kPageSize);
      break;
    case 9: {
      // (Only its fences tell a page from that of another index. The leftmost pages of all indexes begin alike.)
      const std::uint8_t* theirs = foreign.pages[random() % foreign.pages.size()].bytes;
      if (PageView(theirs).low() != PageView(page).low()) std::memcpy(page, theirs, kPageSize);
      break;
    }
    case 10: {
      MemoryStore::Page saved;
      std::memcpy(saved.bytes, page, kPageSize);
      std::memcpy(page, other, kPageSize);
      std::memcpy(other, saved.bytes, kPageSize);
      break;
    }
    case 11:
      std::memcpy(page, other, kPageSize);
      break;
    case 12:
      pages.resize(1 + random() % pages.size());
      break;
    case 13:
      change(kSpecial + random() % sizeof(PageTrailer));
      break;
    case 14:
      change(12 + random() % 8);
      break;
    case 15: {
      const PageView view(page);
      const std::size_t size = view.dir() - view.upper();
      if (check_header(view) == nullptr && size > 0) change(view.upper() + random() % size);
      break;
    }
  }
  return block;
}

struct Template {
  MemoryStore::Image image;
  std::set<Entry> content;
  std::vector<Entry> inserts;  // for later
};

// What years of use leave: leaves as built and as split, deltas, dead marks, deleted pages, one or two inner levels.
Template make_template(Keys keys, Tids tids, std::size_t n, std::uint64_t seed) {
  Random random(seed);
  auto trial = std::make_unique<Trial>();
  const Entries entries = make_entries(keys, tids, n, random);
  Entries first;
  Entries later;
  for (const Entry& e : entries) (random() % 3 > 0 ? first : later).push_back(e);
  bulk_load(trial->store(), first, 90);
  trial->expected().insert(first.begin(), first.end());
  std::shuffle(later.begin(), later.end(), random);
  for (std::size_t i = 0; i < later.size() / 3; i++) trial->insert(later[i]);
  const Entry lo = first[first.size() / 2];
  const Entry hi = first[first.size() * 2 / 3];
  trial->remove([&](const Entry& e) { return (e > lo && e < hi) || e.tid % 13 == 0; });
  EXPECT_TRUE(trial->vacuum());
  for (std::size_t i = later.size() / 3; i < later.size() / 2; i++) trial->insert(later[i]);
  EXPECT_EQ(trial->wrong_answer(random, 50), "");
  EXPECT_EQ(trial->errors(), 0u);
  Entries rest(later.begin() + static_cast<std::ptrdiff_t>(later.size() / 2), later.end());
  return {trial->store().image(), trial->expected(), rest};
}

// One trial: damage, then writes with questions in between. Returns what went wrong.
std::string run_trial(const Template& from, const Template& foreign, int kind, std::uint64_t seed,
                      bool* noticed) {
  Random random(seed);
  auto trial = std::make_unique<Trial>();
  MemoryStore::Image image = from.image;
  const Block damaged = damage(&image, foreign.image, kind, random);
  // What backends remember is from before.
  trial->store().set_image(from.image);
  trial->store().learn_predictions();
  trial->store().set_image(image);
  trial->store().set_wrong_predictions(random() % 2 == 0);
  trial->expected() = from.content;
  std::size_t next = random() % from.inserts.size();
  for (int round = 0; round < 3; round++) {
    if (std::string w = trial->wrong_answer(random, 10); !w.empty()) return w;
    // Far and wide, then many in one place.
    for (int i = 0; i < 150; i++) trial->insert(from.inserts[next++ % from.inserts.size()]);
    // Beside the damaged page: its neighbours are split, and it is relinked, or its parent is rewritten.
    const PageView was(from.image.pages[damaged].bytes);
    const Block beside = random() % 4 == 0   ? static_cast<Block>(random() % from.image.pages.size())
                         : random() % 2 == 0 ? was.left()
                                             : was.right();
    if (damaged != kMetaBlock && beside != kMetaBlock && beside < from.image.pages.size()) {
      const PageView other(from.image.pages[beside].bytes);
      const Code low = other.low().code;
      const Code width = other.rightmost() ? kMaxCode - low : other.high().code - low;
      for (unsigned i = 0; i < 700; i++) {
        trial->insert({low + (width > 0 ? random() % width : 0),
                       make_tid(1u << 28 | static_cast<unsigned>(random() % (1 << 20)), 1)});
      }
    }
    if (std::string w = trial->wrong_answer(random, 10); !w.empty()) return "after inserts: " + w;
    const Entry a = trial->random_position(random);
    const Entry b = trial->random_position(random);
    const std::uint64_t step = 2 + random() % 20;
    trial->remove([&](const Entry& e) {
      return (e > std::min(a, b) && e < std::max(a, b) && random() % 8 > 0) || e.tid % step == 0;
    });
    trial->vacuum();
    if (std::string w = trial->wrong_answer(random, 10); !w.empty()) return "after vacuum: " + w;
  }
  *noticed = trial->errors() > 0;
  return "";
}

// Every page that a change only relinks, flags or continues is verified before its checksum is made anew.
class ResealTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Random random(11);
    for (int i = 0; i < 3000; i++) trial_.insert({random() >> 2, make_tid(static_cast<unsigned>(i), 1)});
    left_ = trial_.store().locate_leaf({0, 0});
    right_ = PageView(trial_.store().page(left_)).right();
    ASSERT_NE(right_, kNoBlock);
  }
  // A flipped bit among the residuals, where no header check sees it.
  void flip(Block block) { trial_.store().page(block)[200] ^= 0x10; }
  bool sound(Block block) {
    const std::uint8_t* page = trial_.store().page(block);
    return PageView(page).trailer().check == page_checksum(page);
  }
  PageView view(Block block) { return PageView(trial_.store().page(block)); }
  // Inserts below `high` until an error.
  bool insert_until_error(Code high) {
    Random random(12);
    for (unsigned i = 0; i < 3000; i++) {
      const std::size_t errors = trial_.errors();
      trial_.insert({random() % high, make_tid(1u << 20 | i, 1)});
      if (trial_.errors() > errors) return true;
    }
    return false;
  }

  Trial trial_;
  Block left_ = kNoBlock;
  Block right_ = kNoBlock;
};

TEST_F(ResealTest, TheNeighbourOfASplit) {
  flip(right_);
  ASSERT_TRUE(insert_until_error(view(left_).high().code));
  EXPECT_EQ(trial_.last().block, right_);
  EXPECT_FALSE(sound(right_));
  EXPECT_EQ(view(left_).right(), right_) << "nothing was half done";
}

TEST_F(ResealTest, TheParentOfASplit) {
  const MetaInfo meta = Tree<MemoryStore>(&trial_.store(), TreeId::keys).read_meta();
  trial_.store().page(meta.root[0])[kHeaderSize] ^= 1;
  if (view(meta.root[0]).encoded() == 0) trial_.store().page(meta.root[0])[view(meta.root[0]).upper()] ^= 1;
  Random random(13);
  const std::size_t errors = trial_.errors();
  for (unsigned i = 0; i < 200; i++) trial_.insert({random() >> 2, make_tid(1u << 20 | i, 1)});
  EXPECT_GT(trial_.errors(), errors);
  EXPECT_NE(verify_page(trial_.store().page(meta.root[0])), nullptr);
}

TEST_F(ResealTest, TheNeighbourOfAJoin) {
  // Of three leaves the middle one is joined into the left one.
  const Block third = view(right_).right();
  ASSERT_NE(third, kNoBlock);
  const Entry end = view(right_).high();
  trial_.remove([&](const Entry& e) { return e < end && e.tid % 16 > 0; });
  flip(third);
  // Damage that looks like an unfinished split, too.
  std::uint8_t* page = trial_.store().page(third);
  set_flags(page, static_cast<std::uint16_t>(PageView(page).flags() | kIncompleteSplit));
  EXPECT_FALSE(trial_.vacuum());
  EXPECT_FALSE(sound(third));
}

TEST_F(ResealTest, ARootThatGrows) {
  Trial trial;
  Random random(14);
  Block root = trial.store().locate_leaf({0, 0});
  for (unsigned i = 0; PageView(trial.store().page(root)).encoded() < 300; i++)
    trial.insert({random() >> 2, make_tid(i, 1)});
  trial.store().page(root)[200] ^= 0x10;
  for (unsigned i = 0; i < 500; i++) trial.insert({random() >> 2, make_tid(1u << 20 | i, 1)});
  EXPECT_GT(trial.errors(), 400u);
  EXPECT_NE(verify_page(trial.store().page(root)), nullptr);
  // Metapage: a changed field, or one that lies.
  EXPECT_EQ(trial.store().locate_leaf({0, 0}), root);
}

// The flag that a split leaves goes with a record that seals the page.
TEST_F(ResealTest, AFinishedSplit) {
  std::uint8_t* page = trial_.store().page(left_);
  set_flags(page, static_cast<std::uint16_t>(PageView(page).flags() | kIncompleteSplit));
  const std::size_t errors = trial_.errors();
  trial_.insert({1, make_tid(1u << 21, 1)});
  EXPECT_EQ(trial_.errors(), errors + 1);
  EXPECT_EQ(trial_.last().block, left_);
  EXPECT_FALSE(sound(left_));
}

TEST_F(ResealTest, AnExactContinuation) {
  Trial trial;
  unsigned i = 1;
  for (; i < 1000; i++) trial.insert({i, make_tid(i / 100, static_cast<std::uint16_t>(i % 100 + 1))});
  const Block leaf = trial.store().locate_leaf({0, 0});
  ASSERT_TRUE(continues_exactly(PageView(trial.store().page(leaf)),
                                {i, make_tid(i / 100, static_cast<std::uint16_t>(i % 100 + 1)), kNoBlock}));
  // The right link.
  trial.store().page(leaf)[kSpecial + offsetof(PageTrailer, reserved)] ^= 1;
  trial.insert({i, make_tid(i / 100, static_cast<std::uint16_t>(i % 100 + 1))});
  EXPECT_EQ(trial.errors(), 1u);
  EXPECT_NE(verify_page(trial.store().page(leaf)), nullptr);
}

// A page that damage made look deleted, or took the header of, is a part of the tree nevertheless.
TEST_F(ResealTest, OnlyFreePagesAreUsedAgain) {
  std::uint8_t* page = trial_.store().page(right_);
  EXPECT_FALSE(is_free_page(page));
  set_flags(page, static_cast<std::uint16_t>(PageView(page).flags() | kDeleted));
  EXPECT_FALSE(is_free_page(page));
  std::memset(page, 0, kPageSize / 2);
  EXPECT_FALSE(is_free_page(page));
  std::memset(page, 0, kPageSize);
  EXPECT_TRUE(is_free_page(page));
  // One that is free as far as anybody can see, and is linked: its left neighbour must not wait for itself.
  trial_.store().recycle(right_);
  EXPECT_TRUE(insert_until_error(view(left_).high().code));
}

TEST(DamageTest, NoWriteMakesDamageSound) {
  const char* rounds = std::getenv("LEARNED_DAMAGE_TRIALS");
  const int trials = rounds != nullptr ? std::atoi(rounds) : 96;
  const char* first = std::getenv("LEARNED_DAMAGE_SEED");
  const std::uint64_t seed = first != nullptr ? std::strtoull(first, nullptr, 10) : 1;
  const Template templates[] = {make_template(Keys::random62, Tids::random, 9000, 1),
                                make_template(Keys::jitter, Tids::append, 20000, 2),
                                make_template(Keys::few_values, Tids::stragglers, 9000, 3),
                                make_template(Keys::random62, Tids::random, 500, 4)};
  std::map<std::string, std::pair<int, int>> noticed;
  for (int i = 0; i < trials; i++) {
    const std::uint64_t here = seed + static_cast<std::uint64_t>(i);
    const int kind = static_cast<int>(here % kKindCount);
    const auto& from = templates[here / kKindCount % 4];
    bool error = false;
    const std::string wrong = run_trial(from, templates[(here / kKindCount + 1) % 2 * 3], kind, here, &error);
    EXPECT_EQ(wrong, "") << kKinds[kind] << ", template " << here / kKindCount % 4 << ", seed " << here;
    auto& [all, found] = noticed[kKinds[kind]];
    all++;
    found += error ? 1 : 0;
  }
  for (const auto& [kind, count] : noticed) {
    RecordProperty(kind, count.second);
    if (rounds != nullptr)
      std::printf("%-24s %4d trials, %4d led to an error\n", kind.c_str(), count.first, count.second);
  }
}

}  // namespace
}  // namespace learned
