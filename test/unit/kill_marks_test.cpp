// Kill marks: what is marked is found, whatever else happens to the page; what was not marked never is.
#include "core/page/kill_marks.hpp"

#include "core/page/check.hpp"
#include <utility>

#include "support/test_support.hpp"

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
    std::uint64_t words[kMaxKillWords];
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
  const unsigned used = 1 + area.delta_words + page().encoded() / kKillMarksPerWord + 1;
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

// A word's check as 0.2 made it, bit by bit: a CRC of its content, and a hash of the page and the word's number.
std::uint16_t plain_check(const PageView& page, std::uint64_t content, unsigned number) {
  const auto mix = [](std::uint64_t h, std::uint64_t word) {
    h = (h ^ word) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
  };
  const PageTrailer t = page.trailer();
  std::uint64_t h = mix(mix(t.low.code, t.low.tid),
                        page.lower() | std::uint64_t{t.dead} << 16 | std::uint64_t{t.segments} << 32);
  for (unsigned s : {0u, t.segments - 1u}) {
    for (std::size_t at = 0; at < sizeof(Segment); at += 8)
      h = mix(h, load<std::uint64_t>(page.high_part() + kSpecial - (s + 1) * sizeof(Segment) + at));
  }
  unsigned crc = 0;
  for (unsigned byte = 0; byte < 6; byte++) {
    crc ^= (content >> 8 * byte & 0xFF) << 8;
    for (int bit = 0; bit < 8; bit++) crc = (crc << 1 ^ ((crc & 0x8000) != 0 ? 0x1021 : 0)) & 0xFFFF;
  }
  return static_cast<std::uint16_t>(crc ^
                                    ((h >> 32 | std::uint64_t{number} << 32) * 0x9E3779B97F4A7C15u >> 48));
}

// Of a hint that was written without being logged, a crash leaves what sectors it likes.
class TornMarksTest : public KillMarksTest {
 protected:
  static constexpr std::size_t kSector = 512;
  struct Shape {
    Keys keys;
    Tids tids;
    std::size_t entries;
    unsigned deltas;
  };
  static constexpr Shape kShapes[] = {{Keys::random62, Tids::random, 300, 20},
                                      {Keys::random62, Tids::random, 450, 0},
                                      {Keys::random62, Tids::random, 480, 70},
                                      {Keys::random62, Tids::append, 60000, 0},
                                      {Keys::jitter, Tids::append, 2000, 100},
                                      {Keys::jitter, Tids::append, 60000, 0},
                                      {Keys::serial, Tids::append, 60000, 0},
                                      {Keys::serial, Tids::varied_rows, 30000, 3},
                                      {Keys::few_values, Tids::stragglers, 1500, 40},
                                      {Keys::one_value, Tids::random, 700, 128},
                                      {Keys::serial, Tids::append, 2, 1},
                                      {Keys::pairs, Tids::one_row_pages, 3000, 10}};

  void make(const Shape& shape, Random& random) {
    const Entries entries = make_entries(shape.keys, shape.tids, shape.entries, random);
    fill_page(page_, leaf_identity(), as_items(entries), ws_.get());
    for (unsigned j = 0; j < shape.deltas && delta_room(page()) > 0; j++) insert(random);
    gone_.assign(page().encoded(), false);
    delta_gone_.assign(kMaxDelta, false);
  }
  void insert(Random& random) {
    add_delta(page_,
              {random(), make_tid(1u << 30, static_cast<std::uint16_t>(page().deltas() + 1)), kNoBlock});
  }
  void mark_some(Random& random) {
    KillMarker marker(page_);
    for (unsigned r = 0; r < gone_.size(); r++) {
      if (r > 0 && random() % 7 != 0) continue;
      const auto end = static_cast<unsigned>(std::min<std::size_t>(gone_.size(), r + 1 + random() % 20));
      marker.add(r, end);
      for (; r < end; r++) gone_[r] = true;
    }
    for (unsigned j = 0; j < page().deltas(); j++) {
      if (random() % 3 != 0) continue;
      marker.add_delta(j);
      delta_gone_[j] = true;
    }
    marker.finish();
  }
  // What any reader believes was set some time.
  std::string fault(const std::uint8_t* disk) {
    if (Fault fault = check_page(disk, ws_.get())) return fault.text();
    const PageView view(disk);
    const KillMarks marks(view);
    for (unsigned r = 0; r < view.encoded(); r++) {
      if (marks.killed(r) && (r >= gone_.size() || !gone_[r]))
        return "rank " + std::to_string(r) + " was not marked";
    }
    for (unsigned r = marks.next(0, view.encoded(), true); r < view.encoded();
         r = marks.next(r + 1, view.encoded(), true)) {
      if (!marks.killed(r)) return "two ways to read differ";
    }
    for (unsigned j = 0; j < view.deltas(); j++) {
      if (marks.delta_killed(j) && !delta_gone_[j])
        return "delta entry " + std::to_string(j) + " was not marked";
    }
    return "";
  }
  // All cuts in two, and some of the other mixtures.
  void expect_mixtures_sound(const std::vector<PageBytes>& versions, Random& random,
                             const std::string& what) {
    for (std::size_t cut = 0; cut <= kPageSize; cut += kSector) {
      for (std::size_t i = 1; i < versions.size(); i++) {
        const PageBytes& old = versions[i - 1 - cut / kSector % i];
        for (const auto& [a, b] : {std::pair{&old, &versions[i]}, std::pair{&versions[i], &old}}) {
          PageBytes disk = *b;
          std::memcpy(disk, *a, cut);
          ASSERT_EQ(fault(disk), "") << what << ", cut at " << cut;
        }
      }
    }
    for (int i = 0; i < 30; i++) {
      PageBytes disk;
      for (std::size_t at = 0; at < kPageSize; at += kSector)
        std::memcpy(disk.bytes + at, versions[random() % versions.size()].bytes + at, kSector);
      ASSERT_EQ(fault(disk), "") << what << ", mixture " << i;
    }
  }

  std::vector<bool> gone_;
  std::vector<bool> delta_gone_;
};

TEST_F(TornMarksTest, EveryMixtureOfSectorsIsSound) {
  Random random(8);
  for (const Shape& shape : kShapes) {
    const std::string what =
        name_of(shape.keys) + " " + name_of(shape.tids) + " " + std::to_string(shape.entries);
    make(shape, random);
    std::vector<PageBytes> versions{page_};
    for (int i = 0; i < 3; i++) {
      mark_some(random);
      versions.push_back(page_);
    }
    expect_mixtures_sound(versions, random, what);
    // Life goes on with such a page: more marks, and what stands in the way of words makes way.
    for (int round = 0; round < 3; round++) {
      for (std::size_t at = 0; at < kPageSize; at += kSector)
        std::memcpy(page_.bytes + at, versions[random() % versions.size()].bytes + at, kSector);
      const PageBytes torn = page_;
      mark_some(random);
      ASSERT_EQ(fault(page_), "") << what;
      expect_mixtures_sound({torn, page_, versions[0], versions.back()}, random, what + ", marked again");
      while (delta_room(page()) > 0 && random() % 8 > 0) {
        insert(random);
        ASSERT_EQ(fault(page_), "") << what << ", after an insert";
      }
      page_ = versions[0];
    }
  }
}

// A page near the end of its room for entries, as appends leave it: entries are counted behind the last, and what a word
// means must not change with their number.
TEST_F(TornMarksTest, AppendsDoNotMoveWhatWordsMean) {
  Random random(9);
  // Serial keys in a table whose blocks hold 70 rows, then 60, and so on: some hundred runs of TIDs.
  Entries entries;
  for (std::uint32_t block = 0; entries.size() < 30000; block++) {
    for (std::uint16_t row = 1; row <= 120 + block % 3; row++)
      entries.push_back({1000 + entries.size(), make_tid(block, row)});
  }
  for (std::uint16_t row = 1; row < 20000; row++)
    entries.push_back({1000 + entries.size(), make_tid(1u << 20, row)});
  const std::size_t n = 44000;
  ASSERT_TRUE(
      write_entries(page_, leaf_identity(), Entries(entries.begin(), entries.begin() + n), ws_.get()));
  gone_.assign(n, false);
  delta_gone_.assign(kMaxDelta, false);
  std::vector<PageBytes> versions{page_};
  mark_some(random);
  versions.push_back(page_);
  const unsigned before = kill_mark_area(page()).delta_words;
  for (std::size_t i = n; i < 49100; i++) {
    if (i % 64 == 0) {
      // The head is lost, other words are not.
      const std::size_t head = kill_mark_area(page()).base / kSector * kSector;

      PageBytes torn = page_;
      std::memset(torn.bytes + kill_mark_area(page()).base, 0, head + kSector - kill_mark_area(page()).base);
      const PageBytes whole = page_;
      page_ = torn;
      KillMarker marker(page_);
      marker.add(1, 2);
      gone_[1] = true;
      marker.finish();
      ASSERT_EQ(fault(page_), "") << i;
      page_ = whole;
    }
    ASSERT_TRUE(continues_exactly(page(), {entries[i].code, entries[i].tid, kNoBlock})) << i;
    bool sound = false;
    const std::uint32_t checksum = extended_checksum(page_, &sound);
    ASSERT_TRUE(sound);
    extend_exactly(page_, checksum);
    gone_.push_back(false);
  }
  ASSERT_EQ(kill_mark_area(page()).delta_words, before);
}

// An index that 0.2 left, with all its marks, torn or not: none is believed, none is called damage, and new ones are.
TEST_F(TornMarksTest, MarksOfAnOlderVersionAreNotBelieved) {
  Random random(10);
  for (const Shape& shape : kShapes) {
    make(shape, random);
    mark_some(random);
    // The same words with the other check.
    const KillMarkArea area = kill_mark_area(page());
    const auto convert = [&](PageBytes* bytes) {
      auto* words = reinterpret_cast<std::uint64_t*>(bytes->bytes + area.base);
      for (unsigned i = 0; i < area.words; i++) {
        if (words[i] == 0) continue;
        const std::uint64_t content = words[i] & low_mask(kKillMarksPerWord);
        words[i] = content | std::uint64_t{plain_check(page(), content, i)} << kKillMarksPerWord;
      }
    };
    const PageBytes now = page_;
    convert(&page_);
    const PageBytes old = page_;
    ASSERT_EQ(check_page(page_, ws_.get()), nullptr);
    EXPECT_FALSE(KillMarks(page()).any());
    // Its words do not pass for ours under our own word 0, and the other way round.
    for (std::size_t cut = 0; cut <= kPageSize; cut += kSector) {
      for (const auto& [a, b] : {std::pair{&now, &old}, std::pair{&old, &now}}) {
        PageBytes disk = *b;
        std::memcpy(disk, *a, cut);
        ASSERT_EQ(fault(disk), "") << cut;
      }
    }
    if (area.words < 4) continue;
    std::vector<bool> none(gone_.size());
    std::swap(gone_, none);
    std::fill(delta_gone_.begin(), delta_gone_.end(), false);
    mark_some(random);
    ASSERT_EQ(fault(page_), "");
    EXPECT_TRUE(KillMarks(page()).any());
    // And with a part of the old words left, or a head that was lost.
    page_ = old;
    std::memset(page_.bytes + area.base, 0, 8);
    EXPECT_FALSE(KillMarks(page()).any());
    mark_some(random);
    ASSERT_EQ(fault(page_), "");
  }
}

// The check notices any three flips, wherever words are in use or not.
TEST_F(TornMarksTest, TheCheckNoticesThreeFlips) {
  Random random(11);
  for (const Shape& shape : kShapes) {
    make(shape, random);
    const PageBytes clean = page_;
    mark_some(random);
    for (const PageBytes* sound : {&std::as_const(clean), &std::as_const(page_)}) {
      PageBytes bytes = *sound;
      const KillMarkArea area = kill_mark_area(PageView(bytes));
      for (int i = 0; area.words > 0 && i < 60000; i++) {
        const std::uint64_t flips = std::uint64_t{1} << random() % 64 | std::uint64_t{1} << random() % 64 |
                                    std::uint64_t{1} << random() % 64;
        auto* word = reinterpret_cast<std::uint64_t*>(bytes.bytes + area.base) + random() % area.words;
        *word ^= flips;
        ASSERT_FALSE(kill_words_sound(PageView(bytes)));
        *word ^= flips;
      }
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
