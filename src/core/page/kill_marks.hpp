// Kill marks: entries that a scan found dead to every transaction, so that later scans need not visit the table
// for them. Hints, and nothing but hints: never logged, dropped whenever the page is logged whole or replayed, and
// never the reason for removing an entry.
//
// They live in the hole of a leaf, which generic WAL zeroes on every change but an insert, full-page images leave
// out and consistency checking masks. From `lower`, rounded up to 8, to 8 bytes below `upper` (those stay zero:
// check_header()) there are words of 48 bits of content and 16 bits of check:
//
//   word 0     one run [begin, end) of killed ranks, the longest known; how many words are in use, and how many of
//              them are for delta entries. 0: no kill marks
//   word 1 ... delta entries, by number, as many words as the page could have entries for with its segments
//   then       encoded entries, by rank. What has no room has no kill marks: a page is not bound to have room for any
//
// The run is what keeps a queue fast: a dense page, too full for a bitmap of all its ranks, is passed in one step.
//
// Bytes from disk are not trusted, and a wrong kill mark would hide a row. So a word is believed only if its check
// matches its content, its number and a hash of what the page is (low fence, size, first and last segment: the seed), which
// stays when an entry is appended to the delta or to the last segment: those leave kill marks in place. Any three flipped
// bits of a word are noticed for certain, in words that are zero too; anything else with 1 - 2^-16. What does not match is
// no kill mark.
//
// Kill marks are set under a share lock, by several backends at a time. Each word is stored at once (8 aligned bytes) and
// is true by itself, so that of two backends that set the same word one's kill marks may be lost, no more.
//
// So a word is sound wherever it stands, also behind those that word 0 counts: a hint alone is written to disk without being
// logged, and a crash may leave any 512-byte sector of the hole as it was before, at any time in the life of this version
// of the page; and a copy may be taken while words are stored. Any mixture of them is as good: within one version of a page
// kill marks are only ever added, and what a word means (delta entries, or ranks) follows from its number and from what the
// seed is made of.
//
// Words of 0.2 have another check and mean what their word 0 says, which may not have reached the disk with them. They are
// not believed, and not called damage either; the first kill mark that is set makes them go.
#pragma once

#include "core/page/view.hpp"

namespace learned {

inline constexpr unsigned kKillMarksPerWord = 48;
// Most words of kill marks in a page.
inline constexpr std::size_t kMaxKillWords = (kSpecial - kHeaderSize) / 8;

// Where the words are.
struct KillMarkArea {
  std::size_t base;      // of word 0 in the page
  unsigned words;        // that have room now
  unsigned delta_words;  // words for delta entries
};
template <class K>
KillMarkArea kill_mark_area(const BasicPageView<K>& page);
// Whether the words of a leaf are sound: each is zero or matches its check. REQUIRES: nobody changes them (a copy).
template <class K>
bool kill_words_sound(const BasicPageView<K>& page);
// Copies a page in which others may be setting kill marks: words come whole. REQUIRES: both are 8-aligned; the page is locked.
void copy_page(std::uint8_t* to, const std::uint8_t* from);

// Reads the kill marks of a leaf. REQUIRES: the page is in place (not a compact copy), 8-aligned, and locked.
class KillMarks {
 public:
  KillMarks() = default;
  template <class K>
  explicit KillMarks(const BasicPageView<K>& page);

  // Whether there may be kill marks.
  bool any() const { return used_ > 0; }
  bool killed(unsigned rank) const {
    if (used_ == 0) return false;
    return (rank >= run_begin_ && rank < run_end_) ||
           ((rank_word(rank / kKillMarksPerWord) >> rank % kKillMarksPerWord) & 1) != 0;
  }
  bool delta_killed(unsigned j) const {
    if (used_ == 0 || j / kKillMarksPerWord >= delta_words_) return false;
    return ((word(1 + j / kKillMarksPerWord) >> j % kKillMarksPerWord) & 1) != 0;
  }
  // First rank of [rank, end) that is killed (or, with `killed` false, that is not); `end` if there is none.
  unsigned next(unsigned rank, unsigned end, bool killed) const;
  // The last rank of [begin, rank) that is not killed, plus one; `begin` if there is none.
  unsigned live_before(unsigned begin, unsigned rank) const;

  unsigned run_begin() const { return run_begin_; }
  unsigned run_end() const { return run_end_; }

  // Copies the words to `out` (kMaxKillWords), to be read without the page and its lock.
  void detach(std::uint64_t* out);

 private:
  template <class K>
  friend class BasicKillMarker;
  std::uint64_t word(unsigned number) const;
  std::uint64_t rank_word(unsigned i) const { return word(1 + delta_words_ + i); }

  const std::uint64_t* words_ = nullptr;
  unsigned used_ = 0;  // words that may be other than zero
  unsigned delta_words_ = 0;
  unsigned run_begin_ = 0;
  unsigned run_end_ = 0;
  std::uint32_t seed_ = 0;
};

// Adds kill marks to a leaf in place, under a share lock at least.
template <class K>
class BasicKillMarker {
 public:
  explicit BasicKillMarker(std::uint8_t* page);

  // Encoded entries [begin, end). REQUIRES: begin < end <= encoded(); cheapest in ascending order.
  void add(unsigned begin, unsigned end);
  void add_delta(unsigned j);
  // The kill marks that another version of the page had, of the same ranks and delta entries.
  void add_all(const KillMarks& kill_marks);
  // Stores what belongs to all kill marks together. True: the page was changed.
  bool finish();

 private:
  struct Run {
    unsigned begin;
    unsigned end;
    unsigned size() const { return end - begin; }
  };
  bool claim(unsigned used);
  void drop_unknown();
  void set(unsigned number, std::uint64_t kill_marks);
  void flush();
  void extend(Run* run) const;

  std::uint64_t* words_;
  BasicPageView<K> page_;
  KillMarkArea area_;
  KillMarks kill_marks_;
  std::uint32_t seed_;
  Run known_;             // the page's run, with what touches it
  Run longest_{0, 0};     // of the others
  unsigned pending_ = 0;  // a word whose kill marks are being gathered; 0: none
  std::uint64_t pending_kill_marks_ = 0;
  bool changed_ = false;
};
using KillMarker = BasicKillMarker<Code>;

// The kill marks of a page, to be set again when it was logged with other links or flags, but the same entries.
class SavedKillMarks {
 public:
  // REQUIRES: as KillMarks.
  template <class K>
  void save(const BasicPageView<K>& page) {
    if (page.level() > 0) return;
    kill_marks_ = KillMarks(page);
    kill_marks_.detach(words_);
  }
  template <class K = Code>
  void restore(std::uint8_t* page) const {
    if (!kill_marks_.any()) return;
    BasicKillMarker<K> marker(page);
    marker.add_all(kill_marks_);
    marker.finish();
  }

 private:
  KillMarks kill_marks_;
  std::uint64_t words_[kMaxKillWords];
};

// Kills the entries of the leaf `page` whose bits [from, from + encoded()) are set in `map`.
template <class K = Code>
void set_kill_marks(std::uint8_t* page, const std::uint8_t* map, std::size_t from);

// Sets bits [begin, end) of a bitmap.
void set_bits(std::uint8_t* map, std::size_t begin, std::size_t end);

}  // namespace learned
