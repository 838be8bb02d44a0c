// A column of keys. KeyCodec<K> has the same verbs for keys of one word, which are a column under a line and no more, and for
// keys of several, which have one line for each word:
//
//   fit, bytes, encode, at, decode, load, slice   as codecs of TIDs have them (core/column/tid_model.hpp)
//   possible      whether a model from disk is one that a writer makes
//   exact         whether the model says it all
//   width         bits of a word's residuals
//   continues     whether an exact model predicts further keys
//   survey, join  what a planner keeps of keys of several words, so that fitting them together takes fewer looks at them
//   lower_bound   first rank whose key is not below a given one
//   prefetch      begins to fetch the words of a key behind its first
//
// A word is stored as it is but for its *gap*: the longest run of bits that are the same in all of a segment's words although
// higher bits differ (the version of a uuid; the low zeros of microseconds that are whole milliseconds), where taking
// them out makes residuals narrower. The first key has these bits, and with it, exactly stored, no base is needed: it is the first
// word less its residual. Flags have a column of their own, of no width while they do not change.
#pragma once

#include "core/base/key.hpp"
#include "core/column/line.hpp"

namespace learned {

template <class K>
struct KeyCodec;

template <>
struct KeyCodec<Code> {
  using Model = ColumnModel;
  using Bits = const std::uint8_t*;
  struct Facts {};

  static Model fit(const Code* keys, std::size_t n) { return fit_ascending(keys, n); }
  static unsigned width(const Model& model, unsigned) { return model.width; }
  static bool possible(const Model& model) { return LineCodec::possible(model); }
  static bool exact(const Model& model) { return model.width == 0; }
  static std::size_t bytes(const Model& model, std::size_t n) { return LineCodec::bytes(model, n); }
  static std::uint8_t* encode(std::uint8_t* out, const Model& model, std::size_t n, const Code* keys) {
    return LineCodec::encode(out, model, n, [&](std::size_t i) { return keys[i]; });
  }
  static Code at(const Model& model, const Bits& bits, unsigned i) { return LineCodec::at(model, bits, i); }
  static void decode(const Model& model, const Bits& bits, unsigned begin, unsigned n, Code* out) {
    LineCodec::decode(model, bits, begin, n, out);
  }
  static bool load(Extent* bytes, Model* model, const Code&, std::size_t n, Bits* bits) {
    return LineCodec::load(bytes, *model, n, bits);
  }
  static Model slice(const Model& model, bool front, std::size_t n, const Code* keys) {
    return LineCodec::slice(model, front, n, [&](std::size_t i) { return keys[i]; });
  }
  // n further keys, from rank `at` on. REQUIRES: exact(model).
  static bool continues(const Model& model, std::uint32_t at, const Code* keys, std::uint32_t n) {
    if ((model.slope & low_mask(model.shift & 0x7F)) == 0 && (model.shift & ColumnModel::kDescending) == 0) {
      // A whole number a step, as serial numbers have: no multiplication.
      const std::uint64_t step = model.slope >> model.shift;
      std::uint64_t expected = model.base + step * at;
      std::uint64_t miss = 0;
      for (std::uint32_t i = 0; i < n; i++, expected += step) miss |= keys[i] ^ expected;
      return miss == 0;
    }
    for (std::uint32_t i = 0; i < n; i++) {
      if (keys[i] != model.predict(at + i)) return false;
    }
    return true;
  }
};

// A word's line, through what is left of the words without their gap.
struct WordModel {
  ColumnModel line;
  std::uint8_t gap_at;  // bits [gap_at, gap_at + gap_bits) are left out; both 0: none
  std::uint8_t gap_bits;
  Code gap;  // these bits, in place

  bool possible() const {
    return LineCodec::possible(line) && gap_at + gap_bits < 64 && (gap_bits > 0 || gap_at == 0);
  }
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
  // Only that it is narrower than 64 - gap_bits is known of a sum of line and residual from disk.
  Code predict(std::uint64_t i) const { return restore(line.predict(i)); }
};

// One word of each of n >= 1 keys.
struct WordColumn {
  const std::uint8_t* at;
  std::size_t stride;
  std::size_t n;

  Code operator[](std::size_t i) const { return load<Code>(at + i * stride); }
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

WordModel fit_word(const WordColumn& words, const WordFacts& facts);
inline WordModel fit_word(const WordColumn& words) { return fit_word(words, survey_word(words)); }
// The model of the first `middle` words, if it is a line that the rest stays as close to. False: it is not.
bool extends_line(const WordModel& model, const WordColumn& words, std::size_t middle,
                  const WordFacts& facts);
// Values [begin, begin + n) into every `stride`th byte from `out` on.
void decode_word(const WordModel& model, const std::uint8_t* bits, unsigned begin, unsigned n,
                 WordColumn out);

template <unsigned W>
struct KeyCodec<Words<W>> {
  using K = Words<W>;
  struct Model {
    WordModel word[W];
    std::uint8_t flags;        // of the first key
    std::uint8_t flags_width;  // 0: of all; W: a column of them
  };
  struct Bits {
    const std::uint8_t* word[W];
    const std::uint8_t* flags;
  };

  static WordColumn word_column(const K* keys, unsigned w, std::size_t n) {
    return {reinterpret_cast<const std::uint8_t*>(&keys->word[w]), sizeof(K), n};
  }

  struct Facts {
    WordFacts word[W];
    std::uint8_t flags_differ;
  };
  static Facts survey(const K* keys, std::size_t n) {
    Facts facts;
    for (unsigned w = 0; w < W; w++) facts.word[w] = survey_word(word_column(keys, w, n));
    facts.flags_differ = 0;
    for (std::size_t i = 1; i < n; i++) facts.flags_differ |= keys[i].flags ^ keys[0].flags;
    return facts;
  }
  // Of `n` keys of which `a` is known of the first `middle`, `b` of the others.
  static Facts join(const Facts& a, const Facts& b, const K* keys, std::size_t middle) {
    Facts facts;
    for (unsigned w = 0; w < W; w++)
      facts.word[w] = learned::join(a.word[w], b.word[w], word_column(keys, w, middle + 1), middle);
    facts.flags_differ =
        static_cast<std::uint8_t>(a.flags_differ | b.flags_differ | (keys[0].flags ^ keys[middle].flags));
    return facts;
  }

  static Model fit(const K* keys, std::size_t n) { return fit(keys, n, survey(keys, n)); }
  static Model fit(const K* keys, std::size_t n, const Facts& facts) {
    Model model;
    model.flags = keys[0].flags;
    model.flags_width = facts.flags_differ != 0 ? W : 0;
    for (unsigned w = 0; w < W; w++) model.word[w] = fit_word(word_column(keys, w, n), facts.word[w]);
    return model;
  }
  // The same where the first `middle` keys have a model: its lines are kept where they will do.
  static Model refit(const Model& before, std::size_t middle, const K* keys, std::size_t n,
                     const Facts& facts) {
    Model model = before;
    model.flags_width = facts.flags_differ != 0 ? W : 0;
    for (unsigned w = 0; w < W; w++) {
      const WordColumn words = word_column(keys, w, n);
      if (extends_line(before.word[w], words, middle, facts.word[w])) continue;
      model.word[w] = fit_word(words, facts.word[w]);
    }
    return model;
  }

  // Of the residuals of word w.
  static unsigned width(const Model& model, unsigned w) { return model.word[w].line.width; }
  static bool possible(const Model& model) {
    for (const WordModel& word : model.word) {
      if (!word.possible()) return false;
    }
    return (model.flags_width == 0 || model.flags_width == W) && model.flags >> W == 0;
  }
  static bool exact(const Model& model) {
    unsigned width = model.flags_width;
    for (const WordModel& word : model.word) width += word.line.width;
    return width == 0;
  }
  static std::size_t bytes(const Model& model, std::size_t n) {
    std::size_t sum = packed_bytes(n, model.flags_width);
    for (const WordModel& word : model.word) sum += LineCodec::bytes(word.line, n);
    return sum;
  }

  static std::uint8_t* encode(std::uint8_t* out, const Model& model, std::size_t n, const K* keys) {
    for (unsigned w = 0; w < W; w++) {
      const WordModel& word = model.word[w];
      out =
          LineCodec::encode(out, word.line, n, [&](std::size_t i) { return word.squeeze(keys[i].word[w]); });
    }
    if (model.flags_width == 0) return out;
    BitWriter writer(out, model.flags_width);
    for (std::size_t i = 0; i < n; i++) writer.put(keys[i].flags);
    return writer.flush();
  }

  static Code word_at(const Model& model, const Bits& bits, unsigned w, unsigned i) {
    return model.word[w].restore(LineCodec::at(model.word[w].line, bits.word[w], i));
  }
  static std::uint8_t flags_at(const Model& model, const Bits& bits, unsigned i) {
    if (model.flags_width == 0) return model.flags;
    return static_cast<std::uint8_t>(read_bits(bits.flags, i, W));
  }
  static K at(const Model& model, const Bits& bits, unsigned i) {
    K key;
    for (unsigned w = 0; w < W; w++) key.word[w] = word_at(model, bits, w, i);
    key.flags = flags_at(model, bits, i);
    return key;
  }
  static void decode(const Model& model, const Bits& bits, unsigned begin, unsigned n, K* out) {
    for (unsigned w = 0; w < W; w++) {
      decode_word(model.word[w], bits.word[w], begin, n, word_column(out, w, n));
    }
    if (model.flags_width == 0) {
      for (unsigned i = 0; i < n; i++) out[i].flags = model.flags;
      return;
    }
    for (unsigned i = 0; i < n; i++) out[i].flags = flags_at(model, bits, begin + i);
  }

  // `first`: the segment's first key, from which the model takes what it does not say itself.
  static bool load(Extent* bytes, Model* model, const K& first, std::size_t n, Bits* bits) {
    if (!possible(*model)) return false;
    for (unsigned w = 0; w < W; w++) {
      WordModel& word = model->word[w];
      if (!bytes->take(LineCodec::bytes(word.line, n), &bits->word[w])) return false;
      word.gap = first.word[w] & (low_mask(word.gap_bits) << word.gap_at);
      word.line.base = word.squeeze(first.word[w]) - read_bits(bits->word[w], 0, word.line.width);
    }
    return bytes->take(packed_bytes(n, model->flags_width), &bits->flags);
  }

  // REQUIRES: these are keys of the segment that the model is of.
  static Model slice(const Model& model, bool front, std::size_t n, const K* keys) {
    if (front) return model;
    Model part = model;
    for (unsigned w = 0; w < W; w++) {
      const WordModel& word = model.word[w];
      part.word[w].line =
          LineCodec::slice(word.line, false, n, [&](std::size_t i) { return word.squeeze(keys[i].word[w]); });
      // A base is what the first residual makes it, also where the line is level.
    }
    part.flags = keys[0].flags;
    return part;
  }

  // REQUIRES: exact(model).
  static bool continues(const Model& model, std::uint32_t at, const K* keys, std::uint32_t n) {
    for (std::uint32_t i = 0; i < n; i++) {
      if (keys[i].flags != model.flags) return false;
      for (unsigned w = 0; w < W; w++) {
        if (keys[i].word[w] != model.word[w].predict(at + i)) return false;
      }
    }
    return true;
  }

  // Begins to fetch the words behind the first of key i.
  static void prefetch(const Model& model, const Bits& bits, std::size_t i) {
    for (unsigned w = 1; w < W; w++) __builtin_prefetch(bits.word[w] + i * model.word[w].line.width / 8);
  }

  // A loaded segment's keys, which ascend.
  struct Sorted {
    const Model& model;
    const Bits& bits;
    unsigned count;
    const K& first;
  };
  // Word by word: the ranks whose words are equal so far narrow. `near` as in LineCodec::lower_bound().
  template <class Near>
  static unsigned lower_bound(const Sorted& keys, const K& key, Near near) {
    unsigned lo = 0;
    unsigned hi = keys.count;
    if (keys.model.flags_width != 0) {
      // Flags go before words: words do not ascend, keys do.
      while (lo < hi) {
        const unsigned mid = (lo + hi) / 2;
        if (at(keys.model, keys.bits, mid) < key) {
          lo = mid + 1;
        } else {
          hi = mid;
        }
      }
      return lo;
    }
    for (unsigned w = 0; w < W; w++) {
      if (((keys.model.flags ^ key.flags) >> w & 1) != 0) return key.flag(w) ? hi : lo;
      const Code wanted = key.word[w];
      if (keys.model.word[w].constant()) {
        if (wanted != keys.first.word[w]) return wanted > keys.first.word[w] ? hi : lo;
        continue;
      }
      lo = first_not_below(keys, w, wanted, {lo, hi}, near);
      if (w + 1 == W) break;
      hi = end_of_equals(keys, w, wanted, {lo, hi});
      if (lo == hi) break;
    }
    return lo;
  }

 private:
  struct Ranks {
    unsigned lo;
    unsigned hi;
  };
  // A bisection reads one line after the other, each when it knows what it found in the last: a few are fetched all at once.
  static void fetch_words(const std::uint8_t* bits, unsigned width, Ranks ranks) {
    constexpr std::size_t kLine = 64;
    constexpr std::size_t kMost = 10 * kLine;
    const std::size_t begin = std::size_t{ranks.lo} * width / 8;
    const std::size_t end = std::size_t{ranks.hi} * width / 8;
    if (end - begin > kMost) return;
    for (std::size_t at = begin; at < end; at += kLine) __builtin_prefetch(bits + at);
  }
  // Of ranks whose words before word w are equal, so that words w ascend.
  template <class Near>
  static unsigned first_not_below(const Sorted& keys, unsigned w, Code wanted, Ranks ranks, Near near) {
    const WordModel& word = keys.model.word[w];
    Code squeezed;
    if (!word.squeeze_up(wanted, &squeezed)) return ranks.hi;
    if (ranks.lo == 0 && ranks.hi == keys.count) {
      unsigned reads;
      return LineCodec::lower_bound(
          {word.line, keys.bits.word[w], keys.count, word.squeeze(keys.first.word[w])}, squeezed, &reads,
          near);
    }
    fetch_words(keys.bits.word[w], word.line.width, ranks);
    near((std::size_t{ranks.lo} + ranks.hi) / 2);
    while (ranks.lo < ranks.hi) {
      const unsigned mid = (ranks.lo + ranks.hi) / 2;
      if (LineCodec::at(word.line, keys.bits.word[w], mid) < squeezed) {
        ranks.lo = mid + 1;
      } else {
        ranks.hi = mid;
      }
    }
    return ranks.lo;
  }
  // The end of those that begin at ranks.lo, if there is one; they are mostly few.
  static unsigned end_of_equals(const Sorted& keys, unsigned w, Code wanted, Ranks ranks) {
    unsigned step = 1;
    while (ranks.lo < ranks.hi) {
      const unsigned next = ranks.hi - ranks.lo < step ? ranks.hi : ranks.lo + step;
      if (word_at(keys.model, keys.bits, w, next - 1) != wanted) {
        ranks.hi = next - 1;
        break;
      }
      ranks.lo = next;
      step *= 2;
    }
    while (ranks.lo < ranks.hi) {
      const unsigned mid = (ranks.lo + ranks.hi) / 2;
      if (word_at(keys.model, keys.bits, w, mid) == wanted) {
        ranks.lo = mid + 1;
      } else {
        ranks.hi = mid;
      }
    }
    return ranks.lo;
  }
};

}  // namespace learned
