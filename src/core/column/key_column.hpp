// A column of keys. KeyCodec<K> has the same verbs for keys of one word, which are a column under a line and no more, and for
// keys of several, which have a column for each word (word_column.hpp):
//
//   fit, bytes, encode, at, decode, load, slice   as codecs of TIDs have them (core/column/tid_model.hpp)
//   possible      whether a model from disk is one that a writer makes; check: what reading does not look at
//   exact         whether the model says it all
//   layout        how a word's bytes lie, for guesses where an entry is
//   continues     whether an exact model predicts further keys
//   survey, join  what a planner keeps of keys of several words, so that fitting them together takes fewer looks at them
//   lower_bound   first rank whose key is not below a given one; equal_range: those whose key is the given one, too
//   prefetch      begins to fetch the words of a key behind its first
//
// Flags have a column of their own, of no width while they do not change.
#pragma once

#include "core/base/key.hpp"
#include "core/column/word_column.hpp"

namespace learned {

// How the bytes of a word lie.
struct WordLayout {
  unsigned width;   // bits of a residual, or of a low part
  bool elias_fano;  // a bitmap follows
};

template <class K>
struct KeyCodec;

template <>
struct KeyCodec<Code> {
  using Model = ColumnModel;
  using Bits = const std::uint8_t*;
  struct Facts {};

  static Model fit(const Code* keys, std::size_t n) { return fit_ascending(keys, n); }
  static WordLayout layout(const Model& model, unsigned) { return {model.width, false}; }
  static bool possible(const Model& model) { return LineCodec::possible(model); }
  static Fault check(const Model&, const Bits&, std::size_t) { return nullptr; }
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

template <unsigned W>
struct KeyCodec<Words<W>> {
  using K = Words<W>;
  struct Model {
    WordModel word[W];
    std::uint8_t flags;        // of the first key
    std::uint8_t flags_width;  // 0: of all; W: a column of them
  };
  struct Bits {
    WordBits word[W];
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

  // What a planner knows before a fit.
  struct Prior {
    bool lines;           // only these: the keys are those of an inner page
    std::uint8_t spread;  // words that are known to be off any line: bit w of word w
  };
  // Words of which both parts of what is to be one segment are off any line: so is the whole.
  static std::uint8_t spread_in_both(const Model& a, const Model& b) {
    unsigned spread = 0;
    for (unsigned w = 0; w < W; w++)
      spread |= unsigned{a.word[w].elias_fano() && b.word[w].elias_fano()} << w;
    return static_cast<std::uint8_t>(spread);
  }

  static Model fit(const K* keys, std::size_t n) { return fit(keys, n, survey(keys, n), {}); }
  static Model fit(const K* keys, std::size_t n, const Facts& facts, Prior prior) {
    Model model;
    model.flags = keys[0].flags;
    model.flags_width = facts.flags_differ != 0 ? W : 0;
    for (unsigned w = 0; w < W; w++)
      model.word[w] = fit_word(word_column(keys, w, n), facts.word[w], choice(prior, w, facts));
    return model;
  }
  // The same where the first `middle` keys have a model: its lines are kept where they will do. prior.spread does not matter.
  static Model refit(const Model& before, std::size_t middle, const K* keys, std::size_t n,
                     const Facts& facts, Prior prior) {
    Model model = before;
    model.flags_width = facts.flags_differ != 0 ? W : 0;
    prior.spread = spread_in_both(before, before);
    for (unsigned w = 0; w < W; w++) {
      const WordColumn words = word_column(keys, w, n);
      if (extends_line(before.word[w], words, middle, facts.word[w])) continue;
      model.word[w] = fit_word(words, facts.word[w], choice(prior, w, facts));
    }
    return model;
  }

  static WordLayout layout(const Model& model, unsigned w) {
    return {model.word[w].line.width, model.word[w].elias_fano()};
  }
  static bool possible(const Model& model) {
    for (const WordModel& word : model.word) {
      if (!word.possible() || (word.elias_fano() && model.flags_width != 0)) return false;
    }
    return (model.flags_width == 0 || model.flags_width == W) && model.flags >> W == 0;
  }
  static Fault check(const Model& model, const Bits& bits, std::size_t n) {
    for (unsigned w = 0; w < W; w++) {
      if (Fault fault = check_word(model.word[w], bits.word[w], n)) return fault;
    }
    return nullptr;
  }
  static bool exact(const Model& model) {
    bool all = model.flags_width == 0;
    for (const WordModel& word : model.word) all = all && word.exact();
    return all;
  }
  static std::size_t bytes(const Model& model, std::size_t n) {
    std::size_t sum = packed_bytes(n, model.flags_width);
    for (const WordModel& word : model.word) sum += word_bytes(word, n);
    return sum;
  }

  static std::uint8_t* encode(std::uint8_t* out, const Model& model, std::size_t n, const K* keys) {
    for (unsigned w = 0; w < W; w++) out = encode_word(out, model.word[w], word_column(keys, w, n));
    if (model.flags_width == 0) return out;
    BitWriter writer(out, model.flags_width);
    for (std::size_t i = 0; i < n; i++) writer.put(keys[i].flags);
    return writer.flush();
  }

  static Code word_at(const Model& model, const Bits& bits, unsigned w, unsigned i) {
    return model.word[w].restore(squeezed_at(model.word[w], bits.word[w], i));
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
      decode_word(model.word[w], bits.word[w], begin, word_column(out, w, n));
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
      if (!load_word(bytes, &model->word[w], first.word[w], n, &bits->word[w])) return false;
    }
    return bytes->take(packed_bytes(n, model->flags_width), &bits->flags);
  }

  // REQUIRES: these are keys of the segment that the model is of.
  static Model slice(const Model& model, bool front, std::size_t n, const K* keys) {
    Model part = model;
    for (unsigned w = 0; w < W; w++) part.word[w] = slice_word(model.word[w], front, word_column(keys, w, n));
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
    for (unsigned w = 1; w < W; w++) __builtin_prefetch(bits.word[w].bits + i * model.word[w].line.width / 8);
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
    return narrow<false>(keys, key, near).begin;
  }
  // The ranks of the key, which begin at its lower bound.
  template <class Near>
  static Ranks equal_range(const Sorted& keys, const K& key, Near near) {
    return narrow<true>(keys, key, near);
  }

 private:
  static WordChoice choice(Prior prior, unsigned w, const Facts& facts) {
    // Flags go before words: where they change, whole keys are bisected, for which Elias-Fano is slow.
    if (prior.lines || facts.flags_differ != 0) return WordChoice::line;
    return (prior.spread >> w & 1) != 0 ? WordChoice::elias_fano : WordChoice::any;
  }

  // kEnd: the end is needed, too.
  template <bool kEnd, class Near>
  static Ranks narrow(const Sorted& keys, const K& key, Near near) {
    const Model& model = keys.model;
    Ranks ranks{0, keys.count};
    if (model.flags_width != 0) {
      // Flags go before words: words do not ascend, keys do.
      ranks.begin = first_not(ranks, [&](unsigned i) { return at(model, keys.bits, i) < key; });
      if (kEnd) ranks.end = end_of_equals(ranks, [&](unsigned i) { return at(model, keys.bits, i) == key; });
      return ranks;
    }
    for (unsigned w = 0; w < W; w++) {
      const auto none = [&](bool behind) {
        const unsigned at = behind ? ranks.end : ranks.begin;
        return Ranks{at, at};
      };
      if (((model.flags ^ key.flags) >> w & 1) != 0) return none(key.flag(w));
      const WordModel& word = model.word[w];
      const WordBits& bits = keys.bits.word[w];
      const Code wanted = key.word[w];
      if (word.constant()) {
        if (wanted != keys.first.word[w]) return none(wanted > keys.first.word[w]);
        continue;
      }
      Code squeezed;
      if (!word.squeeze_up(wanted, &squeezed)) return none(true);
      if (word.elias_fano()) {
        // Of all words, which ascend whatever is in front of them.
        const Ranks found = elias_equals(word, bits, keys.count, squeezed, near);
        ranks = {clip(found.begin, ranks), clip(found.end, ranks)};
      } else {
        ranks.begin = first_not_below(keys, w, squeezed, ranks, near);
        if (!kEnd && w + 1 == W) break;
        ranks.end = end_of_equals(
            ranks, [&](unsigned i) { return LineCodec::at(word.line, bits.bits, i) == squeezed; });
      }
      if (ranks.begin == ranks.end) break;
      // What stands for more than the wanted word.
      if (word.restore(squeezed) != wanted) return none(false);
    }
    return ranks;
  }
  static unsigned clip(unsigned rank, Ranks ranks) {
    return rank < ranks.begin ? ranks.begin : rank > ranks.end ? ranks.end : rank;
  }
  // A bisection reads one line after the other, each when it knows what it found in the last: a few are fetched all at once.
  static void fetch_words(const std::uint8_t* bits, unsigned width, Ranks ranks) {
    constexpr std::size_t kLine = 64;
    constexpr std::size_t kMost = 10 * kLine;
    const std::size_t begin = std::size_t{ranks.begin} * width / 8;
    const std::size_t end = std::size_t{ranks.end} * width / 8;
    if (end - begin > kMost) return;
    for (std::size_t at = begin; at < end; at += kLine) __builtin_prefetch(bits + at);
  }
  // Of ranks whose words before word w are equal, so that words w ascend. REQUIRES: word w is under a line.
  template <class Near>
  static unsigned first_not_below(const Sorted& keys, unsigned w, Code squeezed, Ranks ranks, Near near) {
    const WordModel& word = keys.model.word[w];
    const std::uint8_t* bits = keys.bits.word[w].bits;
    if (ranks.begin == 0 && ranks.end == keys.count) {
      unsigned reads;
      return LineCodec::lower_bound({word.line, bits, keys.count, word.squeeze(keys.first.word[w])}, squeezed,
                                    &reads, near);
    }
    fetch_words(bits, word.line.width, ranks);
    near((std::size_t{ranks.begin} + ranks.end) / 2);
    return first_not(ranks, [&](unsigned i) { return LineCodec::at(word.line, bits, i) < squeezed; });
  }
};

}  // namespace learned
