// A column of words: one word of each key of several (key_column.hpp).
//
// A word is stored as it is but for its *gap*: the longest run of bits that are the same in all of a segment's words although
// higher bits differ (the version of a uuid; the low zeros of microseconds that are whole milliseconds), where taking
// them out makes what is stored narrower. The first key has these bits, and with it, exactly stored, no base is needed.
//
// Words are a line with residuals, whatever they are. Where they ascend, Elias-Fano (elias_fano.hpp) is another way, and what takes fewer
// bytes is taken: random words are off any line by what chance does, a few hundred of them by five bits more than the logarithm of their mean
// distance.
#pragma once

#include "core/base/fault.hpp"
#include "core/column/elias_fano.hpp"
#include "core/column/line.hpp"

namespace learned {

struct WordModel {
  // A shift that no line has: the words are stored by Elias-Fano. Then the line's base is the first word, its slope the last one
  // less that, its width that of the low parts.
  static constexpr std::uint8_t kEliasFano = 0x40;

  ColumnModel line;     // of the words without their gap
  std::uint8_t gap_at;  // bits [gap_at, gap_at + gap_bits) are left out; both 0: none
  std::uint8_t gap_bits;
  Code gap;  // these bits, in place

  bool elias_fano() const { return line.shift == kEliasFano; }
  // REQUIRES: elias_fano().
  EliasShape shape() const { return {line.slope, line.width}; }

  bool possible() const {
    return (elias_fano() ? line.slope != 0 && shape().possible() : LineCodec::possible(line)) &&
           gap_at + gap_bits < 64 && (gap_bits > 0 || gap_at == 0);
  }
  // Whether the model says it all.
  bool exact() const { return line.width == 0 && !elias_fano(); }
  bool constant() const { return line.width == 0 && line.slope == 0; }

  Code squeeze(Code word) const { return word >> (gap_at + gap_bits) << gap_at | (word & low_mask(gap_at)); }
  Code restore(Code squeezed) const {
    return squeezed >> gap_at << (gap_at + gap_bits) | gap | (squeezed & low_mask(gap_at));
  }
  // The least squeezed word that stands for one >= `word`. False: there is none.
  bool squeeze_up(Code word, Code* squeezed) const {
    *squeezed = squeeze(word);
    if (gap_bits == 0) return true;
    const Code bits = word & (low_mask(gap_bits) << gap_at);
    if (bits == gap) return true;
    *squeezed &= ~low_mask(gap_at);
    if (bits < gap) return true;
    *squeezed += Code{1} << gap_at;
    return (*squeezed & low_mask(64u - gap_bits)) != 0;
  }
  // Only that it is narrower than 64 - gap_bits is known of a sum of line and residual from disk. REQUIRES: !elias_fano().
  Code predict(std::uint64_t i) const { return restore(line.predict(i)); }
};

// One word of each of n >= 1 keys.
struct WordColumn {
  const std::uint8_t* at;
  std::size_t stride;
  std::size_t n;

  Code operator[](std::size_t i) const { return load<Code>(at + i * stride); }
};

// A column's packed parts in place.
struct WordBits {
  const std::uint8_t* bits;  // residuals, or low parts
  EliasMap high;             // of Elias-Fano; else of no bits
};

// What a fit needs to know of all words; of two parts it follows from what is known of each.
struct WordFacts {
  Span span;
  Code differ;  // bits in which any two words differ
  bool ascending;
};
WordFacts survey_word(const WordColumn& words);
inline WordFacts join(const WordFacts& a, const WordFacts& b, const WordColumn& words, std::size_t middle) {
  return {{a.span.lo < b.span.lo ? a.span.lo : b.span.lo, a.span.hi > b.span.hi ? a.span.hi : b.span.hi},
          a.differ | b.differ | (words[0] ^ words[middle]),
          a.ascending && b.ascending && words[middle - 1] <= words[middle]};
}

// What words may be stored as.
enum class WordChoice : std::uint8_t {
  line,
  any,
  elias_fano,  // if it can be: they are known to be off any line, and none is tried
};
WordModel fit_word(const WordColumn& words, const WordFacts& facts, WordChoice choice = WordChoice::any);
inline WordModel fit_word(const WordColumn& words) { return fit_word(words, survey_word(words)); }
// The model of the first `middle` words, if it is a line that the rest stays as close to. False: it is not.
bool extends_line(const WordModel& model, const WordColumn& words, std::size_t middle,
                  const WordFacts& facts);

inline std::size_t word_bytes(const WordModel& model, std::size_t n) {
  return model.elias_fano() ? model.shape().bytes(n) : LineCodec::bytes(model.line, n);
}
std::uint8_t* encode_word(std::uint8_t* out, const WordModel& model, const WordColumn& words);

// Of Elias-Fano, apart from what is inlined for words that are a line, as those of all inner pages are.
bool load_elias(Extent* bytes, const EliasShape& shape, std::size_t n, WordBits* data);
Code elias_at(const WordModel& model, const WordBits& data, unsigned i);

// `first`: the first word, from which the model takes what it does not say itself. REQUIRES: possible().
inline bool load_word(Extent* bytes, WordModel* model, Code first, std::size_t n, WordBits* data) {
  const Code squeezed = model->squeeze(first);
  model->gap = first & (low_mask(model->gap_bits) << model->gap_at);
  if (!model->elias_fano()) [[likely]] {
    data->high = {nullptr, 0};
    if (!bytes->take(LineCodec::bytes(model->line, n), &data->bits)) return false;
    model->line.base = squeezed - read_bits(data->bits, 0, model->line.width);
    return true;
  }
  model->line.base = squeezed;
  return load_elias(bytes, model->shape(), n, data);
}
// What reading does not look at.
Fault check_word(const WordModel& model, const WordBits& data, std::size_t n);

// The word of rank i, less its gap.
inline Code squeezed_at(const WordModel& model, const WordBits& data, unsigned i) {
  if (model.elias_fano()) [[unlikely]]
    return elias_at(model, data, i);
  return LineCodec::at(model.line, data.bits, i);
}
// Words [begin, begin + out.n) into `out`.
void decode_word(const WordModel& model, const WordBits& data, unsigned begin, const WordColumn& out);

// A model for a part of the words. A line's front part keeps it; its back part follows it from another rank on. A part under
// Elias-Fano is divided into low and high bits as the whole is.
WordModel slice_word(const WordModel& model, bool front, const WordColumn& words);

// Ranks [begin, end).
struct Ranks {
  unsigned begin;
  unsigned end;
};
// The first of the ranks that is not `below`, as those are that come first; their end if all are.
template <class Below>
inline unsigned first_not(Ranks ranks, Below below) {
  while (ranks.begin < ranks.end) {
    const unsigned mid = (ranks.begin + ranks.end) / 2;
    if (below(mid)) {
      ranks.begin = mid + 1;
    } else {
      ranks.end = mid;
    }
  }
  return ranks.begin;
}
// The end of those that are `equal`, as the first ones of the ranks are, mostly few.
template <class Equal>
inline unsigned end_of_equals(Ranks ranks, Equal equal) {
  for (unsigned step = 1; ranks.begin < ranks.end; step *= 2) {
    const unsigned next = ranks.end - ranks.begin < step ? ranks.end : ranks.begin + step;
    if (!equal(next - 1)) {
      ranks.end = next - 1;
      break;
    }
    ranks.begin = next;
  }
  return first_not(ranks, equal);
}

// Of `count` words that Elias-Fano stores, those that equal `wanted` (without a gap), where the first one begins that is not below it.
// The bitmap says which words have its high part, mostly one or two; their low parts ascend. `near` as in
// LineCodec::lower_bound().
template <class Near>
inline Ranks elias_equals(const WordModel& model, const WordBits& data, unsigned count, Code wanted,
                          Near near) {
  const ColumnModel& line = model.line;
  if (wanted < line.base) return {0, 0};
  const unsigned width = line.width;
  const std::uint64_t part = (wanted - line.base) >> width;
  const std::uint64_t last_part = line.slope >> width;
  if (part > last_part) return {count, count};
  const auto clear = static_cast<std::uint32_t>(part);
  // In front of its words' bits are one clear bit for each lower high part, one set bit for each lower word.
  const std::uint32_t bit = clear == 0 ? 0 : data.high.find_clear(clear - 1) + 1;
  if (bit < clear || bit > data.high.bits) return {count, count};  // in a damaged page
  const std::uint32_t end = data.high.end_of_set(bit) - clear;
  const Ranks same{bit - clear < count ? bit - clear : count, end < count ? end : count};
  near(same.begin);
  const std::uint64_t low = (wanted - line.base) & low_mask(width);
  const auto low_at = [&](unsigned i) { return read_bits(data.bits, i, width); };
  const unsigned begin = first_not(same, [&](unsigned i) { return low_at(i) < low; });
  return {begin, end_of_equals({begin, same.end}, [&](unsigned i) { return low_at(i) == low; })};
}

}  // namespace learned
