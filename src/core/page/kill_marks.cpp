#include "core/page/kill_marks.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace learned {

namespace {

constexpr std::uint64_t kContent = low_mask(kKillMarksPerWord);

// CRC-16-CCITT, bytewise: any three flipped bits of up to 2^15 are noticed.
constexpr std::array<std::uint16_t, 256> make_crc_table() {
  std::array<std::uint16_t, 256> table{};
  for (unsigned i = 0; i < 256; i++) {
    auto crc = static_cast<std::uint16_t>(i << 8);
    for (int bit = 0; bit < 8; bit++) {
      crc = static_cast<std::uint16_t>((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    table[i] = crc;
  }
  return table;
}
constexpr std::array<std::uint16_t, 256> kCrc = make_crc_table();

constexpr std::uint16_t crc_of(std::uint64_t content) {
  std::uint16_t crc = 0;
  for (unsigned shift = 0; shift < kKillMarksPerWord; shift += 8) {
    crc = static_cast<std::uint16_t>((crc << 8) ^ kCrc[(crc >> 8) ^ ((content >> shift) & 0xFF)]);
  }
  return crc;
}

// What up to three flipped bits of a word change between its check and the CRC of its content: a bitmap of such
// differences. Two words whose checks differ otherwise, the same content given, are more than three flips apart, and so is
// a word whose check is such a number beside its CRC from a word that is zero.
constexpr std::array<std::uint64_t, 1024> make_near() {
  std::array<std::uint16_t, 64> flip{};
  for (unsigned bit = 0; bit < 64; bit++) {
    flip[bit] = bit < kKillMarksPerWord ? crc_of(std::uint64_t{1} << bit)
                                        : static_cast<std::uint16_t>(1u << (bit - kKillMarksPerWord));
  }
  std::array<std::uint64_t, 1024> near{};
  const auto add = [&near](unsigned difference) {
    near[difference / 64] |= std::uint64_t{1} << difference % 64;
  };
  add(0);
  for (unsigned a = 0; a < 64; a++) {
    add(flip[a]);
    for (unsigned b = 0; b < a; b++) {
      const unsigned two = flip[a] ^ flip[b];
      add(two);
      for (unsigned c = 0; c < b; c++) add(two ^ flip[c]);
    }
  }
  return near;
}
constexpr std::array<std::uint64_t, 1024> kNear = make_near();
constexpr bool is_near(unsigned difference) { return (kNear[difference / 64] >> difference % 64 & 1) != 0; }

// The page and the word's number are mixed into a check beside the CRC, which keeps what that promises about the word itself. This
// is how 0.2 did it: then a word with the wrong number, a zero, or a word of another layout may be few flips from a sound one.
std::uint16_t plain_number(unsigned number, std::uint32_t seed) {
  return static_cast<std::uint16_t>((seed | std::uint64_t{number} << 32) * 0x9E3779B97F4A7C15u >> 48);
}
// And this is how it is done now: never near to zero, nor to what 0.2 makes of the same. For each parity of what 0.2
// makes, one of three differences does.
constexpr std::uint16_t kApart[2][3] = {{0xAA44, 0xF429, 0x277B}, {0x4566, 0xCB78, 0xBD79}};
constexpr std::uint16_t set_apart(std::uint16_t plain) {
  for (std::uint16_t d : kApart[std::popcount(plain) % 2]) {
    if (!is_near(static_cast<unsigned>(plain ^ d))) return static_cast<std::uint16_t>(plain ^ d);
  }
  return 0;
}
constexpr bool all_apart(unsigned begin, unsigned end) {
  for (unsigned plain = begin; plain < end; plain++) {
    if (is_near(set_apart(static_cast<std::uint16_t>(plain)))) return false;
    if (is_near(plain ^ set_apart(static_cast<std::uint16_t>(plain)))) return false;
  }
  return true;
}
// (In parts, as compilers bound the steps of one evaluation.)
template <unsigned kPart>
constexpr bool kAllApart = all_apart(kPart * 4096, (kPart + 1) * 4096);
template <unsigned... kParts>
constexpr bool every_part(std::integer_sequence<unsigned, kParts...>) {
  return (kAllApart<kParts> && ...);
}
static_assert(every_part(std::make_integer_sequence<unsigned, 16>{}));

std::uint64_t make_word(std::uint64_t content, unsigned number, std::uint32_t seed) {
  return content |
         std::uint64_t{static_cast<std::uint16_t>(crc_of(content) ^ set_apart(plain_number(number, seed)))}
             << kKillMarksPerWord;
}

// Other backends store words while we read them.
std::uint64_t load_word(const std::uint64_t* p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
// Word 0: what was stored before it is seen by whoever sees it.
bool exchange_word(std::uint64_t* p, std::uint64_t* expected, std::uint64_t word) {
  return __atomic_compare_exchange_n(p, expected, word, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}
void store_word(std::uint64_t* p, std::uint64_t word) { __atomic_store_n(p, word, __ATOMIC_RELAXED); }

// What tells versions of a page apart, and stays when an entry is added to its delta or counted behind its last one.
template <class K>
std::uint32_t seed_of(const BasicPageView<K>& page) {
  const auto mix = [](std::uint64_t h, std::uint64_t word) {
    h = (h ^ word) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
  };
  const unsigned segments = page.segments();
  const BasicEntry<K> low = page.low();
  std::uint64_t key = KeyTraits<K>::word(low.code, 0);
  for (unsigned w = 1; w < KeyTraits<K>::kWords; w++) key = mix(key, KeyTraits<K>::word(low.code, w));
  std::uint64_t h = mix(mix(key ^ KeyTraits<K>::flags(low.code), low.tid),
                        page.lower() | std::uint64_t{page.dead()} << 16 | std::uint64_t{segments} << 32);
  for (unsigned s : {0u, segments - 1}) {
    if (s >= segments) continue;
    const std::uint8_t* p = page.high_part() + kSpecialOf<K> - (s + 1) * segment_size<K>(page.level());
    for (std::size_t at = 0; at < segment_size<K>(0); at += 8) h = mix(h, load<std::uint64_t>(p + at));
  }
  return static_cast<std::uint32_t>(h >> 32);
}

bool matches(std::uint64_t word, unsigned number, std::uint32_t seed) {
  return word == make_word(word & kContent, number, seed);
}
// A word of 0.2. Nobody believes it: what it means depends on a word 0 that may not have reached the disk with it.
bool matches_plain(std::uint64_t word, unsigned number, std::uint32_t seed) {
  return word >> kKillMarksPerWord ==
         static_cast<std::uint16_t>(crc_of(word & kContent) ^ plain_number(number, seed));
}

// Content of word 0. Its top bits are constant: many bits must change to make one out of zero.
struct Head {
  unsigned begin;
  unsigned end;
  unsigned used;
  unsigned delta_words;

  std::uint64_t content() const {
    return begin | std::uint64_t{end} << 16 | std::uint64_t{used} << 32 | std::uint64_t{delta_words} << 42 |
           kTag << 44;
  }
  static constexpr std::uint64_t kTag = 0xB;
};
static_assert(kMaxKillWords < 1 << 10 && kMaxDelta <= 3 * kKillMarksPerWord);

// Whether the content of a word 0 is possible.
template <class K>
bool parse_head(std::uint64_t word, const BasicPageView<K>& page, Head* head) {
  if ((word >> 44 & 0xF) != Head::kTag) return false;
  *head = {static_cast<unsigned>(word & 0xFFFF), static_cast<unsigned>(word >> 16 & 0xFFFF),
           static_cast<unsigned>(word >> 32 & 0x3FF), static_cast<unsigned>(word >> 42 & 3)};
  return head->begin <= head->end && head->end <= page.encoded() && head->used > 0;
}
template <class K>
bool read_head(std::uint64_t word, const BasicPageView<K>& page, std::uint32_t seed, Head* head) {
  return matches(word, 0, seed) && parse_head(word, page, head) &&
         head->delta_words == kill_mark_area(page).delta_words;
}

}  // namespace

template <class K>
KillMarkArea kill_mark_area(const BasicPageView<K>& page) {
  const std::size_t lower = page.lower();
  const std::size_t base = (lower + 7) & ~std::size_t{7};
  const std::size_t limit = page.upper() - std::size_t{8};  // lower >= kHeaderSize: no underflow
  // As many delta entries as could fit while the page keeps its segments. Where words stand is what they mean: so this
  // must follow from nothing but what the seed is a hash of.
  const std::size_t deltas = std::min(kMaxDelta, (page.dir() - lower) / delta_size<K>(page.level()));
  return {base, limit > base ? static_cast<unsigned>((limit - base) / 8) : 0,
          static_cast<unsigned>((deltas + kKillMarksPerWord - 1) / kKillMarksPerWord)};
}

template <class K>
bool kill_words_sound(const BasicPageView<K>& page) {
  const KillMarkArea area = kill_mark_area(page);
  if (area.words == 0) return true;
  const auto* words = reinterpret_cast<const std::uint64_t*>(page.low_part() + area.base);
  const std::uint32_t seed = seed_of(page);
  Head head{};
  unsigned plain = 0;  // words in use as 0.2 used them
  if (words[0] != 0 && !read_head(words[0], page, seed, &head)) {
    if (!matches_plain(words[0], 0, seed) || !parse_head(words[0], page, &head)) return false;
    plain = head.used;
  }
  for (unsigned i = 1; i < area.words; i++) {
    if (words[i] == 0 || matches(words[i], i, seed)) continue;
    // One flip may make such a word out of zero.
    constexpr int kFew = 3;
    if ((i < plain || std::popcount(words[i]) > kFew) && matches_plain(words[i], i, seed)) continue;
    return false;
  }
  return true;
}

void copy_page(std::uint8_t* to, const std::uint8_t* from) {
  for (std::size_t at = 0; at < kPageSize; at += sizeof(std::uint64_t)) {
    store(to + at, __atomic_load_n(reinterpret_cast<const std::uint64_t*>(from + at), __ATOMIC_ACQUIRE));
  }
}

template <class K>
KillMarks::KillMarks(const BasicPageView<K>& page) {
  // Mostly there is none: the first word says so, where there is room for one.
  const std::size_t base = (page.lower() + std::size_t{7}) & ~std::size_t{7};
  if (base + 16 > page.upper() ||
      load_word(reinterpret_cast<const std::uint64_t*>(page.low_part() + base)) == 0) {
    return;
  }
  const KillMarkArea area = kill_mark_area(page);
  if (area.words == 0) return;
  const auto* words = reinterpret_cast<const std::uint64_t*>(page.low_part() + area.base);
  const std::uint64_t first = load_word(words);
  const std::uint32_t seed = seed_of(page);
  Head head;
  if (first == 0 || !read_head(first, page, seed, &head)) return;
  words_ = words;
  seed_ = seed;
  used_ = std::min(head.used, area.words);
  delta_words_ = head.delta_words;
  run_begin_ = head.begin;
  run_end_ = head.end;
}

// Content of a word; 0 where nothing can be believed.
std::uint64_t KillMarks::word(unsigned number) const {
  if (number >= used_) return 0;
  const std::uint64_t word = load_word(words_ + number);
  return matches(word, number, seed_) ? word & kContent : 0;
}

unsigned KillMarks::next(unsigned rank, unsigned end, bool killed) const {
  while (rank < end) {
    if (used_ == 0) return killed ? end : rank;
    if (rank >= run_begin_ && rank < run_end_) {
      if (killed) return rank;
      rank = run_end_;
      continue;
    }
    const unsigned i = rank / kKillMarksPerWord;
    const unsigned first = i * kKillMarksPerWord;
    unsigned stop = std::min(end, first + kKillMarksPerWord);
    if (rank < run_begin_) stop = std::min(stop, run_begin_);
    if (killed && 1 + delta_words_ + i >= used_) {
      // No words from here on: only the run may follow.
      return rank < run_begin_ && run_begin_ < run_end_ ? std::min(end, run_begin_) : end;
    }
    const std::uint64_t wanted = killed ? rank_word(i) : ~rank_word(i);
    const unsigned found = rank + static_cast<unsigned>(std::countr_zero(wanted >> (rank - first)));
    // countr_zero(0) is 64, beyond any word.
    if (found < stop) return found;
    rank = stop;
  }
  return end;
}

unsigned KillMarks::live_before(unsigned begin, unsigned rank) const {
  while (rank > begin) {
    if (used_ == 0) return rank;
    if (rank > run_begin_ && rank <= run_end_) {
      rank = run_begin_;
      continue;
    }
    const unsigned i = (rank - 1) / kKillMarksPerWord;
    const unsigned first = i * kKillMarksPerWord;
    unsigned stop = std::max(begin, first);
    if (rank > run_end_) stop = std::max(stop, run_end_);
    const std::uint64_t live = ~rank_word(i) & low_mask(rank - first);
    const auto found = first + static_cast<unsigned>(std::bit_width(live));
    if (live != 0 && found > stop) return found;
    rank = stop;
  }
  return begin;
}

void KillMarks::detach(std::uint64_t* out) {
  for (unsigned i = 0; i < used_; i++) out[i] = load_word(words_ + i);
  words_ = out;
}

template <class K>
BasicKillMarker<K>::BasicKillMarker(std::uint8_t* page)
    : page_(page), area_(kill_mark_area(page_)), kill_marks_(page_), seed_(seed_of(page_)) {
  words_ = reinterpret_cast<std::uint64_t*>(page + area_.base);
  known_ = {kill_marks_.run_begin_, kill_marks_.run_end_};
}

// Counts words below `used` as in use, and makes them so. False: there is no room for them.
template <class K>
bool BasicKillMarker<K>::claim(unsigned used) {
  if (used > area_.words) return false;
  if (used <= kill_marks_.used_) return true;
  std::uint64_t old = load_word(words_);
  Head head{};
  do {
    // A word that does not match holds nothing worth keeping.
    if (old == 0 || !read_head(old, page_, seed_, &head)) {
      drop_unknown();
      head = {0, 0, 0, area_.delta_words};
    }
    if (head.used >= used) break;
    head.used = used;
  } while (!exchange_word(words_, &old, make_word(head.content(), 0, seed_)));
  for (unsigned i = std::max(kill_marks_.used_, 1u); i < used; i++) {
    if (!matches(load_word(words_ + i), i, seed_)) store_word(words_ + i, make_word(0, i, seed_));
  }
  kill_marks_.words_ = words_;
  kill_marks_.seed_ = seed_;
  kill_marks_.delta_words_ = area_.delta_words;
  kill_marks_.used_ = used;
  changed_ = true;
  return true;
}

// Before the first words are counted: what an older version or damage left in the hole makes way. (Another backend that
// begins at the same time may lose kill marks.)
template <class K>
void BasicKillMarker<K>::drop_unknown() {
  for (unsigned i = 1; i < area_.words; i++) {
    const std::uint64_t word = load_word(words_ + i);
    if (word != 0 && !matches(word, i, seed_)) store_word(words_ + i, 0);
  }
}

template <class K>
void BasicKillMarker<K>::set(unsigned number, std::uint64_t kill_marks) {
  if (!claim(number + 1)) return;
  const std::uint64_t old = load_word(words_ + number);
  const std::uint64_t before = matches(old, number, seed_) ? old & kContent : 0;
  const std::uint64_t word = make_word(before | kill_marks, number, seed_);
  if (word == old) return;
  store_word(words_ + number, word);
  changed_ = true;
}

template <class K>
void BasicKillMarker<K>::flush() {
  if (pending_ > 0) set(pending_, pending_kill_marks_);
  pending_ = 0;
  pending_kill_marks_ = 0;
}

template <class K>
void BasicKillMarker<K>::add(unsigned begin, unsigned end) {
  for (unsigned rank = begin; rank < end;) {
    const unsigned i = rank / kKillMarksPerWord;
    const unsigned stop = std::min(end, (i + 1) * kKillMarksPerWord);
    const unsigned number = 1 + area_.delta_words + i;
    if (number >= area_.words) break;
    if (pending_ != number) flush();
    pending_ = number;
    pending_kill_marks_ |= low_mask(stop - rank) << (rank - i * kKillMarksPerWord);
    rank = stop;
  }
  const Run run{begin, end};
  if (known_.size() == 0) {
    known_ = run;
  } else if (run.begin <= known_.end && run.end >= known_.begin) {
    known_ = {std::min(run.begin, known_.begin), std::max(run.end, known_.end)};
  } else if (longest_.size() > 0 && run.begin <= longest_.end && run.end >= longest_.begin) {
    longest_ = {std::min(run.begin, longest_.begin), std::max(run.end, longest_.end)};
  } else if (run.size() > longest_.size()) {
    longest_ = run;
  }
}

template <class K>
void BasicKillMarker<K>::add_delta(unsigned j) {
  if (j / kKillMarksPerWord < area_.delta_words)
    set(1 + j / kKillMarksPerWord, std::uint64_t{1} << j % kKillMarksPerWord);
}

template <class K>
void BasicKillMarker<K>::add_all(const KillMarks& kill_marks) {
  if (area_.delta_words != kill_marks.delta_words_) return;
  for (unsigned i = kill_marks.used_; i-- > 1;) {
    const std::uint64_t content = kill_marks.word(i);
    if (content != 0) set(i, content);
  }
  if (kill_marks.run_end_ - kill_marks.run_begin_ > known_.size())
    known_ = {kill_marks.run_begin_, kill_marks.run_end_};
}

// Takes in what is killed beside a run; what VACUUM removed may lie between.
template <class K>
void BasicKillMarker<K>::extend(Run* run) const {
  const auto gone = [&](unsigned rank) { return kill_marks_.killed(rank) || page_.is_dead(rank); };
  while (run->end < page_.encoded() && gone(run->end)) run->end++;
  while (run->begin > 0 && gone(run->begin - 1)) run->begin--;
}

template <class K>
bool BasicKillMarker<K>::finish() {
  flush();
  if (known_.size() > 0) extend(&known_);
  if (longest_.size() > 0) extend(&longest_);
  const Run best = longest_.size() > known_.size() ? longest_ : known_;
  if (best.size() == 0 || !claim(1)) return changed_;
  std::uint64_t old = load_word(words_);
  Head head{};
  do {
    if (!read_head(old, page_, seed_, &head)) head = {0, 0, kill_marks_.used_, area_.delta_words};
    if (head.begin <= best.begin && head.end >= best.end) return changed_;
    if (head.end - head.begin > best.size()) return changed_;
    head = {best.begin, best.end, head.used, head.delta_words};
  } while (!exchange_word(words_, &old, make_word(head.content(), 0, seed_)));
  return true;
}

template <class K>
void set_kill_marks(std::uint8_t* page, const std::uint8_t* map, std::size_t from) {
  const unsigned encoded = BasicPageView<K>(page).encoded();
  BasicKillMarker<K> marker(page);
  unsigned rank = 0;
  while (rank < encoded) {
    // Most bytes are all or nothing.
    if ((from + rank) % 8 == 0 && rank + 8 <= encoded && map[(from + rank) / 8] == 0) {
      rank += 8;
      continue;
    }
    if (!test_bit(map, from + rank)) {
      rank++;
      continue;
    }
    const unsigned begin = rank;
    while (rank < encoded && test_bit(map, from + rank)) {
      rank += (from + rank) % 8 == 0 && rank + 8 <= encoded && map[(from + rank) / 8] == 0xFF ? 8 : 1;
    }
    marker.add(begin, rank);
  }
  marker.finish();
}

void set_bits(std::uint8_t* map, std::size_t begin, std::size_t end) {
  while (begin < end && begin % 8 != 0) set_bit(map, begin++);
  if (begin < end) std::memset(map + begin / 8, 0xFF, (end - begin) / 8);
  for (begin = begin < end ? end - (end - begin) % 8 : end; begin < end; begin++) set_bit(map, begin);
}

#define LEARNED_INSTANTIATE(K)                                   \
  template KillMarkArea kill_mark_area(const BasicPageView<K>&); \
  template bool kill_words_sound(const BasicPageView<K>&);       \
  template KillMarks::KillMarks(const BasicPageView<K>&);        \
  template class BasicKillMarker<K>;                             \
  template void set_kill_marks<K>(std::uint8_t*, const std::uint8_t*, std::size_t);
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
