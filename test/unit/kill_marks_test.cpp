// Kill marks: what is marked is found, whatever else happens to the page; what was not marked never is.
#include "core/kill_marks.hpp"

#include "core/page_check.hpp"
#include "test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

class KillMarksTest : public ::testing::Test {
 protected:
  // A leaf as full as can be, or with room for delta entries.
  void make_page(Keys keys, Tids tids, bool full) {
    Random random(7);
    const Entries entries = make_entries(keys, tids, full ? 60000 : 300, random);
    fill_page(page_, leaf_identity(), as_items(entries), ws_.get());
  }
  PageView page() { return PageView(page_); }

  // Marks what `gone` says, run by run.
  void kill(const std::vector<bool>& gone) {
    KillMarker marker(page_);
    for (unsigned r = 0; r < gone.size();) {
      unsigned end = r;
      while (end < gone.size() && gone[end]) end++;
      if (end > r) marker.add(r, end);
      r = end + 1;
    }
    marker.finish();
  }
  // What the page says is killed: the three ways to ask agree.
  std::vector<bool> marked() {
    const KillMarks marks(page());
    const unsigned n = page().encoded();
    std::vector<bool> found(n);
    for (unsigned r = 0; r < n; r++) found[r] = marks.killed(r);
    for (unsigned r = 0; r <= n; r += 1 + n / 997) {
      for (unsigned end : {r, std::min(n, r + 3), std::min(n, r + 200), n}) {
        unsigned dead = r;
        while (dead < end && !found[dead]) dead++;
        unsigned live = r;
        while (live < end && found[live]) live++;
        EXPECT_EQ(marks.next(r, end, true), dead) << r << " " << end;
        EXPECT_EQ(marks.next(r, end, false), live) << r << " " << end;
      }
      for (unsigned begin : {r, r - std::min(r, 3u), r - std::min(r, 200u), 0u}) {
        unsigned live = r;
        while (live > begin && found[live - 1]) live--;
        EXPECT_EQ(marks.live_before(begin, r), live) << begin << " " << r;
      }
    }
    // A copy says the same.
    KillMarks copy(page());
    std::uint64_t words[kMaxMarkWords];
    copy.detach(words);
    for (unsigned r = 0; r < n; r++) EXPECT_EQ(copy.killed(r), found[r]);
    return found;
  }
  static bool within(const std::vector<bool>& some, const std::vector<bool>& all) {
    for (std::size_t i = 0; i < some.size(); i++) {
      if (some[i] && !all[i]) return false;
    }
    return true;
  }
  std::vector<bool> random_kills(unsigned one_in, Random& random) {
    std::vector<bool> gone(page().encoded());
    for (std::size_t i = 0; i < gone.size(); i++) gone[i] = random() % one_in == 0;
    return gone;
  }
  void expect_sound() {
    EXPECT_EQ(page_fault(page_), "");
    EXPECT_EQ(check_page(page_, ws_.get()), nullptr);
  }

  std::unique_ptr<Workspace> ws_ = new_workspace();
  PageBytes page_;
};

TEST_F(KillMarksTest, WithRoomEveryMarkIsFound) {
  Random random(1);
  for (Keys keys : kAllKeys) {
    for (unsigned one_in : {1u, 2u, 10u, 100u}) {
      make_page(keys, Tids::varied_rows, false);
      const std::vector<bool> gone = random_kills(one_in, random);
      EXPECT_FALSE(KillMarks(page()).any());
      kill(gone);
      ASSERT_EQ(marked(), gone) << name_of(keys) << " " << one_in;
      expect_sound();
      // More of them.
      std::vector<bool> more = random_kills(3, random);
      kill(more);
      for (std::size_t i = 0; i < gone.size(); i++) more[i] = more[i] || gone[i];
      ASSERT_EQ(marked(), more) << name_of(keys) << " " << one_in;
      expect_sound();
    }
  }
}

TEST_F(KillMarksTest, AFullPageTakesWhatHasRoom) {
  Random random(2);
  for (Keys keys : kAllKeys) {
    for (Tids tids : {Tids::append, Tids::random}) {
      make_page(keys, tids, true);
      const std::vector<bool> gone = random_kills(5, random);
      kill(gone);
      ASSERT_TRUE(within(marked(), gone)) << name_of(keys);
      expect_sound();
    }
  }
}

// The head of a queue, or its tail, however dense the page.
TEST_F(KillMarksTest, ARunIsAlwaysFound) {
  for (Keys keys : {Keys::serial, Keys::jitter, Keys::random62, Keys::pairs}) {
    make_page(keys, Tids::append, true);
    const unsigned n = page().encoded();
    if (kill_mark_area(page()).words == 0) continue;
    std::vector<bool> gone(n);
    for (unsigned done = 0; done < n;) {
      const unsigned end = std::min(n, done + 1 + n / 7);
      KillMarker marker(page_);
      marker.add(done, end);
      EXPECT_TRUE(marker.finish());
      std::fill(gone.begin() + done, gone.begin() + end, true);
      done = end;
    }
    ASSERT_EQ(marked(), gone) << name_of(keys);
    EXPECT_EQ(KillMarks(page()).next(0, n, false), n);
    make_page(keys, Tids::append, true);
    std::fill(gone.begin(), gone.end(), false);
    for (unsigned left = n; left > n / 2;) {
      const unsigned begin = left - std::min(left, 1 + n / 7);
      KillMarker marker(page_);
      marker.add(begin, left);
      EXPECT_TRUE(marker.finish());
      std::fill(gone.begin() + begin, gone.begin() + left, true);
      left = begin;
    }
    ASSERT_EQ(marked(), gone) << name_of(keys);
    expect_sound();
  }
}

// A run goes over what VACUUM marked: those entries are returned by nobody.
TEST_F(KillMarksTest, DeadEntriesDoNotBreakARun) {
  make_page(Keys::serial, Tids::append, false);
  std::vector<std::uint8_t> doomed(page().encoded() / 8 + 1);
  set_bits(doomed.data(), 100, 120);
  mark_dead(page_, doomed.data());
  seal(page_);
  KillMarker marker(page_);
  marker.add(90, 100);
  marker.add(120, 130);
  marker.finish();
  const KillMarks marks(page());
  EXPECT_EQ(marks.run_begin(), 90u);
  EXPECT_EQ(marks.run_end(), 130u);
}

TEST_F(KillMarksTest, InsertsLeaveMarksAndTakeTheirRoom) {
  Random random(3);
  for (Keys keys : {Keys::serial, Keys::random62, Keys::jitter, Keys::few_values}) {
    make_page(keys, Tids::varied_rows, false);
    const std::vector<bool> gone = random_kills(4, random);
    kill(gone);
    std::vector<bool> delta_gone;
    while (delta_room(page()) > 0) {
      add_delta(page_,
                {random(), make_tid(1u << 30, static_cast<std::uint16_t>(delta_gone.size() + 1)), kNoBlock});
      delta_gone.push_back(random() % 3 == 0);
      if (delta_gone.back()) {
        KillMarker marker(page_);
        marker.add_delta(static_cast<unsigned>(delta_gone.size() - 1));
        marker.finish();
      }
      expect_sound();
    }
    ASSERT_GT(delta_gone.size(), 20u);
    EXPECT_TRUE(within(marked(), gone));
    const KillMarks marks(page());
    for (unsigned j = 0; j < delta_gone.size(); j++) EXPECT_EQ(marks.delta_killed(j), delta_gone[j]) << j;
  }
}

// No flip of three bits in a word, no garbage, no marks of another version of the page hide an entry.
TEST_F(KillMarksTest, DamageHidesNothing) {
  Random random(4);
  make_page(Keys::random62, Tids::random, false);
  for (unsigned j = 0; j < 20; j++)
    add_delta(page_, {random(), make_tid(1u << 30, static_cast<std::uint16_t>(j + 1)), kNoBlock});
  const std::vector<bool> gone = random_kills(4, random);
  kill(gone);
  KillMarker marker(page_);
  marker.add_delta(3);
  marker.finish();
  const PageBytes sound = page_;
  const KillMarkArea area = kill_mark_area(page());
  const unsigned used = 1 + area.delta_words + page().encoded() / kMarksPerWord + 1;
  const auto hides_nothing = [&] {
    const KillMarks marks(page());
    for (unsigned r = 0; r < gone.size(); r++) {
      if (marks.killed(r) && !gone[r]) return false;
    }
    for (unsigned j = 0; j < 20; j++) {
      if (marks.delta_killed(j) && j != 3) return false;
    }
    return marks.next(0, page().encoded(), false) <= page().encoded();
  };
  for (unsigned w = 0; w < used; w++) {
    for (unsigned a = 0; a < 64; a++) {
      for (unsigned b = 0; b < 64; b++) {
        page_ = sound;
        auto* word = reinterpret_cast<std::uint64_t*>(page_.bytes + area.base) + w;
        // One bit, two, or three.
        *word ^= (std::uint64_t{1} << a) | (std::uint64_t{1} << b) |
                 (a != b && b % 7 == 0 ? std::uint64_t{1} << (a * b % 64) : 0);
        ASSERT_TRUE(hides_nothing()) << w << " " << a << " " << b;
      }
    }
  }
  for (int i = 0; i < 2000; i++) {
    page_ = sound;
    auto* words = reinterpret_cast<std::uint64_t*>(page_.bytes + area.base);
    // Anything, or one word in another's place.
    words[random() % used] = i % 2 == 0 ? random() : words[random() % used];
    if (i % 2 == 0) {
      ASSERT_TRUE(hides_nothing()) << i;
    } else {
      const KillMarks marks(page());
      for (unsigned r = 0; r < gone.size(); r++) ASSERT_FALSE(marks.killed(r) && !gone[r]) << i;
    }
  }
  // Left behind by an older version of the page.
  const PageView old(sound);
  make_page(Keys::random64, Tids::random, false);
  std::memcpy(page_.bytes + kill_mark_area(page()).base, sound.bytes + area.base, 8 * used);
  for (unsigned r = 0; r < page().encoded(); r++) EXPECT_FALSE(KillMarks(page()).killed(r));
}

TEST_F(KillMarksTest, NoBitOfAnEmptyHoleIsAMark) {
  for (Keys keys : {Keys::serial, Keys::random62}) {
    make_page(keys, Tids::append, true);
    const std::vector<bool> none(page().encoded());
    for (std::size_t at = page().lower(); at < page().upper(); at++) {
      for (int bit = 0; bit < 8; bit++) {
        page_.bytes[at] ^= static_cast<std::uint8_t>(1 << bit);
        ASSERT_FALSE(KillMarks(page()).any()) << at;
        ASSERT_NE(check_page(page_, ws_.get()), nullptr) << at;
        page_.bytes[at] ^= static_cast<std::uint8_t>(1 << bit);
      }
      if (at % 16 != 0) at += 13;
    }
  }
}

// --- trees ---

class KillMarksTreeTest : public ::testing::Test {
 protected:
  // Marks entries of all leaves, as scans would.
  template <class Gone>
  void kill(const Gone& gone) {
    for_each_leaf([&](Block block) {
      std::uint8_t* bytes = tree_->store().page(block);
      const PageView page(bytes);
      std::vector<Code> codes(page.encoded());
      std::vector<Tid> tids(page.encoded());
      ASSERT_TRUE(decode(page, 0, page.encoded(), codes.data(), tids.data()));
      KillMarker marker(bytes);
      for (unsigned r = 0; r < page.encoded(); r++) {
        const Entry e{codes[r], tids[r]};
        if (page.is_dead(r) || !gone(e)) continue;
        marker.add(r, r + 1);
        gone_.insert(e);
      }
      for (unsigned j = 0; j < page.deltas(); j++) {
        const Entry e = page.delta_item(j).entry();
        if (!gone(e)) continue;
        marker.add_delta(j);
        gone_.insert(e);
      }
      marker.finish();
    });
  }
  // The entries that are marked; each of them must have been killed.
  Entries marked() {
    Entries found;
    for_each_leaf([&](Block block) {
      const PageView page(tree_->store().page(block));
      EXPECT_EQ(check_page(tree_->store().page(block), tree_->store().workspace()), nullptr);
      const KillMarks marks(page);
      for (unsigned r = 0; r < page.encoded(); r++) {
        Entry e{};
        if (!marks.killed(r) || page.is_dead(r)) continue;
        EXPECT_TRUE(decode(page, r, r + 1, &e.code, &e.tid));
        found.push_back(e);
      }
      for (unsigned j = 0; j < page.deltas(); j++) {
        if (marks.delta_killed(j)) found.push_back(page.delta_item(j).entry());
      }
    });
    for (const Entry& e : found) EXPECT_TRUE(gone_.contains(e)) << e.code;
    return found;
  }
  template <class Visit>
  void for_each_leaf(const Visit& visit) {
    auto h = tree_->tree().locate({0, 0}, LockMode::share);
    for (;;) {
      const PageView page = tree_->tree().view(h);
      const bool last = page.rightmost();
      const Block right = page.right();
      const Entry high = page.high();
      visit(tree_->store().block(h));
      tree_->store().release(h);
      if (last) break;
      h = tree_->tree().step_right(right, high, LockMode::share);
    }
  }

  std::unique_ptr<ModelledTree> tree_ = std::make_unique<ModelledTree>();
  std::set<Entry> gone_;
};

TEST_F(KillMarksTreeTest, MergesAndSplitsKeepThem) {
  for (int round = 0; round < 8; round++) {
    const Keys keys = std::array{Keys::random62, Keys::jitter, Keys::few_values, Keys::stride}[round % 4];
    // After a checkpoint leaves are merged or split before they are full, too.
    const bool checkpoints = round >= 4;
    tree_ = std::make_unique<ModelledTree>();
    gone_.clear();
    Random random(5);
    Entries entries = make_entries(keys, Tids::varied_rows, 20000, random);
    Entries first;
    Entries later;
    for (const Entry& e : entries) (random() % 2 == 0 ? first : later).push_back(e);
    tree_->load(first, 70);
    std::shuffle(later.begin(), later.end(), random);
    std::size_t least = 100;
    for (std::size_t i = 0; i < later.size(); i++) {
      tree_->insert(later[i]);
      if (i % 1000 != 999) continue;
      const std::size_t share = gone_.empty() ? 100 : marked().size() * 100 / gone_.size();
      least = std::min(least, share);
      kill([&](const Entry& e) { return e.tid * 0x9E3779B97F4A7C15u % 10 == 0; });
      if (checkpoints && i % 2000 == 999) tree_->store().checkpoint();
    }
    // What is missing had no room in full pages.
    EXPECT_GE(least, checkpoints ? 60u : 65u) << name_of(keys);
    tree_->expect_sound();
  }
}

// Appended at one end, killed at the other: however dense the pages, all but a few of the killed are passed.
TEST_F(KillMarksTreeTest, AQueueKeepsItsRun) {
  for (Keys keys : {Keys::serial, Keys::jitter, Keys::pairs}) {
    tree_ = std::make_unique<ModelledTree>();
    gone_.clear();
    Random random(6);
    const Entries entries = make_entries(keys, Tids::append, keys == Keys::serial ? 110000 : 30000, random);
    std::size_t done = 0;
    for (std::size_t i = 0; i < entries.size(); i++) {
      tree_->insert(entries[i]);
      if (i % 5000 != 4999) continue;
      if (i > 5000) {
        // Of what was killed before these inserts, nearly everything is still known as killed.
        EXPECT_GE(marked().size() * 100, done * 98) << name_of(keys) << " " << i;
      }
      done = i - 100;
      const Entry last = entries[done];
      kill([&](const Entry& e) { return e < last; });
    }
    tree_->expect_sound();
  }
}

}  // namespace
}  // namespace learned
