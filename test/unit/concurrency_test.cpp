// What several processes do to one page at a time under share locks: setting kill marks, copying, checking, reading. For
// ThreadSanitizer (LEARNED_SANITIZE=thread), and sound without it.
#include <atomic>
#include <thread>

#include "core/page/kill_marks.hpp"
#include "core/page/check.hpp"
#include "support/test_support.hpp"

namespace learned {
namespace {

using namespace learned::testing;

class ConcurrencyTest : public ::testing::Test {
 protected:
  static constexpr int kRounds = 60;
  static constexpr unsigned kDeltas = 30;

  // A page that nobody has marked yet.
  void make(Keys keys, std::size_t n) {
    Random random(n);
    const auto ws = new_workspace();
    fill_page(page_, leaf_identity(), as_items(make_entries(keys, Tids::varied_rows, n, random)), ws.get());
    for (unsigned j = 0; j < kDeltas && delta_room(PageView(page_)) > 0; j++)
      add_delta(page_, {random(), make_tid(1u << 30, static_cast<std::uint16_t>(j + 1)), kNoBlock});
  }
  // Only every third rank and delta entry is ever marked.
  void mark(unsigned seed) {
    Random random(seed);
    const PageView page(page_);
    while (!stop_) {
      KillMarker marker(page_);
      for (int i = 0; i < 4; i++) {
        const auto r = static_cast<unsigned>(random() % page.encoded()) / 3 * 3;
        marker.add(r, r + 1);
      }
      if (page.deltas() > 0) marker.add_delta(static_cast<unsigned>(random() % page.deltas()) / 3 * 3);
      marker.finish();
      marked_++;
    }
  }
  bool believed_rightly(const KillMarks& marks, const PageView& page) {
    for (unsigned r = 0; r < page.encoded(); r++) {
      if (marks.killed(r) && r % 3 != 0) return false;
    }
    for (unsigned j = 0; j < page.deltas(); j++) {
      if (marks.delta_killed(j) && j % 3 != 0) return false;
    }
    return true;
  }
  void copy_and_check() {
    const auto ws = new_workspace();
    const auto copy = std::make_unique<PageBytes>();
    while (!stop_) {
      copy_page(*copy, page_);
      if (check_page(*copy, ws.get()) != nullptr) faults_++;
      if (!believed_rightly(KillMarks(PageView(*copy)), PageView(*copy))) faults_++;
      checked_++;
    }
  }
  // As a scan: header, search, marks in place and detached, a compact copy.
  void read() {
    std::uint64_t words[kMaxKillWords];
    std::vector<std::uint8_t> memory(kPageSize + 8);
    Random random(1);
    while (!stop_) {
      const PageView page(page_);
      if (check_header(page) != nullptr) faults_++;
      KillMarks marks(page);
      unsigned rank = 0;
      if (!lower_bound(page, {random(), 0}, &rank)) faults_++;
      if (rank < page.encoded() && marks.killed(rank) && rank % 3 != 0) faults_++;
      marks.detach(words);
      compact_copy(page, memory.data());
      if (!believed_rightly(marks, page)) faults_++;
      checked_++;
    }
  }
  void run(Keys keys, std::size_t n) {
    for (int round = 0; round < kRounds; round++) {
      make(keys, n);
      stop_ = false;
      checked_ = 0;
      marked_ = 0;
      std::vector<std::thread> threads;
      threads.emplace_back([this] { copy_and_check(); });
      threads.emplace_back([this] { read(); });
      threads.emplace_back([this, round] { mark(static_cast<unsigned>(2 * round)); });
      threads.emplace_back([this, round] { mark(static_cast<unsigned>(2 * round + 1)); });
      while (checked_ < 12 || marked_ < 40) std::this_thread::yield();
      stop_ = true;
      for (std::thread& t : threads) t.join();
      ASSERT_EQ(faults_, 0) << name_of(keys) << " " << n << ", round " << round;
      EXPECT_TRUE(KillMarks(PageView(page_)).any());
    }
  }

  PageBytes page_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> faults_ = 0;
  std::atomic<int> checked_ = 0;
  std::atomic<int> marked_ = 0;
};

TEST_F(ConcurrencyTest, MarksAreSetWhileOthersCopyCheckAndRead) { run(Keys::random62, 400); }
TEST_F(ConcurrencyTest, InADensePage) { run(Keys::serial, 3000); }

}  // namespace
}  // namespace learned
