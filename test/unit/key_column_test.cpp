// Columns of keys of several words against plain arrays: round trip, parts, searches, what is left out of words.
#include "core/column/key_column.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "support/wide_tree.hpp"

namespace learned {
namespace {

using namespace learned::testing;
using Random = std::mt19937_64;

// A column as it lies in a page: its bytes, and the model with what a page does not store taken out.
template <class K>
struct Stored {
  typename KeyCodec<K>::Model model;
  typename KeyCodec<K>::Bits bits;
  std::vector<std::uint8_t> bytes;

  Stored(typename KeyCodec<K>::Model fitted, const std::vector<K>& keys) : model(fitted) {
    const std::size_t size = KeyCodec<K>::bytes(model, keys.size());
    bytes.resize(size + kBitSlack);
    const std::uint8_t* end = KeyCodec<K>::encode(bytes.data(), model, keys.size(), keys.data());
    EXPECT_EQ(end, bytes.data() + size);
    for (WordModel& word : model.word) {
      word.line.base = 0;
      word.gap = 0;
    }
    Extent all{bytes.data(), size};
    EXPECT_TRUE(KeyCodec<K>::load(&all, &model, keys[0], keys.size(), &bits));
    EXPECT_EQ(all.size, 0u);
    if (size > 0) {
      typename KeyCodec<K>::Bits unused;
      Extent fewer{bytes.data(), size - 1};
      EXPECT_FALSE(KeyCodec<K>::load(&fewer, &model, keys[0], keys.size(), &unused));
    }
  }
};

template <class K>
void expect_same(const Stored<K>& column, const std::vector<K>& keys) {
  std::vector<K> decoded(keys.size());
  KeyCodec<K>::decode(column.model, column.bits, 0, static_cast<unsigned>(keys.size()), decoded.data());
  ASSERT_TRUE(decoded == keys);
  for (unsigned i = 0; i < keys.size(); i++)
    ASSERT_TRUE(KeyCodec<K>::at(column.model, column.bits, i) == keys[i]);
  // From any rank on, as many as any.
  for (unsigned begin = 0; begin < keys.size(); begin += 1 + static_cast<unsigned>(keys.size()) / 9) {
    const unsigned n = (static_cast<unsigned>(keys.size()) - begin + 1) / 2;
    KeyCodec<K>::decode(column.model, column.bits, begin, n, decoded.data());
    ASSERT_TRUE(std::equal(decoded.begin(), decoded.begin() + n, keys.begin() + begin));
  }
  ASSERT_EQ(KeyCodec<K>::check(column.model, column.bits, keys.size()).text(), nullptr);
}

template <class K>
unsigned spread_words(const typename KeyCodec<K>::Model& model) {
  return static_cast<unsigned>(std::popcount(KeyCodec<K>::spread_in_both(model, model)));
}

template <class K>
class KeyColumnTest : public ::testing::Test {
 protected:
  static constexpr unsigned kWords = KeyTraits<K>::kWords;

  std::vector<K> keys(WideKeys shape, std::size_t n, unsigned nulls) {
    std::vector<K> all;
    for (std::size_t i = 0; i < n; i++) all.push_back(wide_key<kWords>(shape, i, nulls, random_));
    std::sort(all.begin(), all.end());
    return all;
  }
  Random random_{5};
};
using Keys = ::testing::Types<Words<2>, Words<3>, Words<4>>;
TYPED_TEST_SUITE(KeyColumnTest, Keys);

TYPED_TEST(KeyColumnTest, RoundTripAndSearch) {
  using Codec = KeyCodec<TypeParam>;
  unsigned spread = 0;
  for (const WideKeys shape : kAllWideKeys) {
    for (const std::size_t n : {1, 2, 15, 64, 700, 5000}) {
      for (const unsigned nulls : {0u, 0u, 10u, 100u}) {
        SCOPED_TRACE("shape " + std::to_string(static_cast<int>(shape)) + ", n " + std::to_string(n) +
                     ", nulls " + std::to_string(nulls));
        const std::vector<TypeParam> keys = this->keys(shape, n, nulls);
        const Stored<TypeParam> column(Codec::fit(keys.data(), n), keys);
        spread += spread_words<TypeParam>(column.model);
        expect_same(column, keys);
        if (::testing::Test::HasFatalFailure()) return;
        const auto search = [&](const TypeParam& key) {
          const auto expected = std::equal_range(keys.begin(), keys.end(), key);
          const typename Codec::Sorted sorted{column.model, column.bits, static_cast<unsigned>(n), keys[0]};
          const auto near = [&](std::size_t rank) { EXPECT_LE(rank, n); };
          ASSERT_EQ(Codec::lower_bound(sorted, key, near), expected.first - keys.begin());
          const Ranks ranks = Codec::equal_range(sorted, key, near);
          ASSERT_EQ(ranks.begin, expected.first - keys.begin());
          ASSERT_EQ(ranks.end, expected.second - keys.begin());
        };
        for (int i = 0; i < 300; i++) {
          TypeParam key = keys[this->random_() % n];
          search(key);
          const auto w = static_cast<unsigned>(this->random_() % KeyTraits<TypeParam>::kWords);
          switch (this->random_() % 4) {
            case 0:
              key.word[w] += this->random_() % 3 - 1;
              break;
            case 1:
              key.word[w] ^= Code{1} << this->random_() % 64;
              break;
            case 2:
              key.flags ^= static_cast<std::uint8_t>(1u << w);
              break;
            default:
              key.word[w] = this->random_();
          }
          search(key);
          if (::testing::Test::HasFatalFailure()) return;
        }
        search(KeyTraits<TypeParam>::lowest());
        search(KeyTraits<TypeParam>::highest());
      }
    }
  }
  EXPECT_GT(spread, 20u);
}

// What is known of two parts is what a look at all keys finds; and a model that is fitted anew where its lines no longer do
// stores all of them, no wider than before or than one made from nothing.
TYPED_TEST(KeyColumnTest, PartsAreJoined) {
  using Codec = KeyCodec<TypeParam>;
  unsigned kept = 0;
  unsigned spread = 0;
  for (const WideKeys shape : kAllWideKeys) {
    for (const std::size_t n : {2, 65, 400, 3000}) {
      for (const unsigned nulls : {0u, 20u}) {
        for (const std::size_t middle : {std::size_t{1}, n / 2, n - 1}) {
          SCOPED_TRACE("shape " + std::to_string(static_cast<int>(shape)) + ", n " + std::to_string(n) +
                       ", middle " + std::to_string(middle) + ", nulls " + std::to_string(nulls));
          const std::vector<TypeParam> keys = this->keys(shape, n, nulls);
          const auto all = Codec::survey(keys.data(), n);
          const auto joined =
              Codec::join(Codec::survey(keys.data(), middle), Codec::survey(keys.data() + middle, n - middle),
                          keys.data(), middle);
          EXPECT_EQ(joined.flags_differ, all.flags_differ);
          const auto before = Codec::fit(keys.data(), middle);
          const auto fresh = Codec::fit(keys.data(), n);
          const auto model = Codec::refit(before, middle, keys.data(), n, joined, {});
          for (unsigned w = 0; w < KeyTraits<TypeParam>::kWords; w++) {
            EXPECT_EQ(joined.word[w].span, all.word[w].span);
            EXPECT_EQ(joined.word[w].differ, all.word[w].differ);
            EXPECT_EQ(joined.word[w].ascending, all.word[w].ascending);
            const WordModel& word = model.word[w];
            const unsigned width = word.line.width;
            if (before.word[w].elias_fano() && all.word[w].ascending && all.flags_differ == 0) {
              // No line was tried, unless the bitmap has become too long.
              spread += word.elias_fano() ? 1 : 0;
              EXPECT_TRUE(word.elias_fano() || word.line.width == fresh.word[w].line.width);
            } else if (!word.elias_fano() && !fresh.word[w].elias_fano()) {
              EXPECT_LE(width, std::max(before.word[w].line.width, fresh.word[w].line.width));
            }
            kept += width > 0 && !word.elias_fano() && word.line.slope == before.word[w].line.slope ? 1 : 0;
          }
          expect_same(Stored<TypeParam>(model, keys), keys);
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
  EXPECT_GT(kept, 10u);
  EXPECT_GT(spread, 10u);
}

// The front part of a column keeps the model; a back part takes one bit more for each word at most. No part of a word under
// Elias-Fano takes more than the whole, less a bit for each key that is not in it.
TYPED_TEST(KeyColumnTest, PartsKeepTheLines) {
  using Codec = KeyCodec<TypeParam>;
  unsigned spread = 0;
  for (const WideKeys shape : kAllWideKeys) {
    for (const unsigned nulls : {0u, 20u}) {
      SCOPED_TRACE("shape " + std::to_string(static_cast<int>(shape)));
      const std::vector<TypeParam> keys = this->keys(shape, 1000, nulls);
      const auto model = Codec::fit(keys.data(), keys.size());
      const auto expect_no_more = [&](const WordModel& part, const WordModel& whole, std::size_t n) {
        if (!whole.elias_fano()) {
          EXPECT_LE(part.line.width, whole.line.width + 1);
          return;
        }
        spread++;
        EXPECT_LE(word_bytes(part, n) + (keys.size() - n) / 8, word_bytes(whole, keys.size()) + 1);
      };
      for (const std::size_t cut : {1, 3, 500, 999}) {
        const std::vector<TypeParam> front(keys.begin(), keys.begin() + static_cast<long>(cut));
        const std::vector<TypeParam> back(keys.begin() + static_cast<long>(cut), keys.end());
        const auto front_part = Codec::slice(model, true, front.size(), front.data());
        expect_same(Stored<TypeParam>(front_part, front), front);
        const auto part = Codec::slice(model, false, back.size(), back.data());
        expect_same(Stored<TypeParam>(part, back), back);
        for (unsigned w = 0; w < KeyTraits<TypeParam>::kWords; w++) {
          expect_no_more(front_part.word[w], model.word[w], front.size());
          expect_no_more(part.word[w], model.word[w], back.size());
        }
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
  EXPECT_GT(spread, 0u);
}

// What all words are that could be stored in another way, and what may not be.
TYPED_TEST(KeyColumnTest, EliasFanoIsTakenWhereItSavesBytes) {
  using Codec = KeyCodec<TypeParam>;
  for (const WideKeys shape : kAllWideKeys) {
    for (const std::size_t n : {2, 64, 450, 3000}) {
      SCOPED_TRACE("shape " + std::to_string(static_cast<int>(shape)) + ", n " + std::to_string(n));
      const std::vector<TypeParam> keys = this->keys(shape, n, 0);
      const auto facts = Codec::survey(keys.data(), n);
      const auto model = Codec::fit(keys.data(), n);
      const auto lines = Codec::fit(keys.data(), n, facts, {true, 0});
      const auto spread = Codec::fit(keys.data(), n, facts, {false, 0xFF});
      EXPECT_EQ(spread_words<TypeParam>(lines), 0u);
      for (unsigned w = 0; w < KeyTraits<TypeParam>::kWords; w++) {
        EXPECT_EQ(word_bytes(model.word[w], n),
                  std::min(word_bytes(lines.word[w], n), word_bytes(spread.word[w], n)));
        if (!facts.word[w].ascending || facts.word[w].differ == 0) {
          EXPECT_FALSE(spread.word[w].elias_fano());
        }
      }
      expect_same(Stored<TypeParam>(lines, keys), keys);
      expect_same(Stored<TypeParam>(spread, keys), keys);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
  // Random words: the logarithm of their mean distance and two bits or so, some three less than by a line.
  std::vector<TypeParam> keys = this->keys(WideKeys::uuid, 450, 0);
  auto model = Codec::fit(keys.data(), keys.size());
  ASSERT_TRUE(model.word[0].elias_fano());
  EXPECT_LT(word_bytes(model.word[0], 450) * 8, 450 * (60 - 8.8 + 2.2));
  EXPECT_LT(
      word_bytes(model.word[0], 450) * 8 + 450 * 2,
      word_bytes(Codec::fit(keys.data(), 450, Codec::survey(keys.data(), 450), {true, 0}).word[0], 450) * 8);
  // Not where flags change.
  keys.back().flags ^= 2;
  EXPECT_EQ(spread_words<TypeParam>(Codec::fit(keys.data(), keys.size())), 0u);
}

// Whatever the bytes say of a column under Elias-Fano, nothing is read behind them (the sanitizers look on), and ranks are ranks.
TYPED_TEST(KeyColumnTest, DamagedBitmapsAreHarmless) {
  using Codec = KeyCodec<TypeParam>;
  const auto n = static_cast<unsigned>(300);
  const std::vector<TypeParam> keys = this->keys(WideKeys::uuid, n, 0);
  Stored<TypeParam> column(Codec::fit(keys.data(), n), keys);
  ASSERT_TRUE(column.model.word[0].elias_fano());
  const EliasShape shape = column.model.word[0].shape();
  const std::size_t map = shape.low_bytes(n);
  const std::size_t size = shape.high_bytes(n);
  const std::vector<std::uint8_t> sound = column.bytes;
  unsigned found = 0;
  for (int round = 0; round < 400; round++) {
    column.bytes = sound;
    switch (round % 4) {
      case 0:
        column.bytes[map + this->random_() % size] ^= static_cast<std::uint8_t>(1u << this->random_() % 8);
        break;
      case 1:
        std::fill_n(column.bytes.begin() + static_cast<long>(map), size, round % 8 == 1 ? 0 : 0xFF);
        break;
      default:
        for (std::size_t i = 0; i < size; i++)
          column.bytes[map + i] = static_cast<std::uint8_t>(this->random_());
    }
    // (Stored reads what it has copied: the vector's memory is the same.)
    found += Codec::check(column.model, column.bits, n).text() != nullptr ? 1 : 0;
    std::vector<TypeParam> decoded(n);
    Codec::decode(column.model, column.bits, 0, n, decoded.data());
    Codec::decode(column.model, column.bits, n - 1, 1, decoded.data());
    for (unsigned i = 0; i < n; i++) (void)Codec::at(column.model, column.bits, i);
    for (int i = 0; i < 20; i++) {
      const TypeParam key = keys[this->random_() % n];
      const Ranks ranks =
          Codec::equal_range({column.model, column.bits, n, keys[0]}, key, [](std::size_t) {});
      ASSERT_LE(ranks.begin, ranks.end);
      ASSERT_LE(ranks.end, n);
    }
  }
  EXPECT_GT(found, 390u);
}

TYPED_TEST(KeyColumnTest, ConstantWordsAndFlagsTakeNoBytes) {
  using Codec = KeyCodec<TypeParam>;
  std::vector<TypeParam> keys(500);
  for (std::size_t i = 0; i < keys.size(); i++) {
    for (Code& word : keys[i].word) word = 77;
    keys[i].word[1] = (Code{1} << 63) + i * 60000000;
    keys[i].flags = 2;
  }
  const auto model = Codec::fit(keys.data(), keys.size());
  EXPECT_EQ(Codec::bytes(model, keys.size()), 0u);
  EXPECT_TRUE(Codec::exact(model));
  TypeParam next = keys.back();
  next.word[1] += 60000000;
  EXPECT_TRUE(Codec::continues(model, 500, &next, 1));
  next.flags = 3;
  EXPECT_FALSE(Codec::continues(model, 500, &next, 1));
  next.flags = 2;
  next.word[0]++;
  EXPECT_FALSE(Codec::continues(model, 500, &next, 1));
}

TEST(WordModelTest, BitsThatAllShareAreLeftOut) {
  Random random(1);
  std::vector<Code> words;
  for (int i = 0; i < 400; i++) words.push_back((random() & ~Code{0xF000}) | 0x7000);
  const WordModel model = fit_word({reinterpret_cast<const std::uint8_t*>(words.data()), 8, words.size()});
  EXPECT_EQ(model.gap_at, 12);
  EXPECT_EQ(model.gap_bits, 4);
  EXPECT_LE(model.line.width, 60);
  for (const Code word : words) EXPECT_EQ(model.restore(model.squeeze(word)), word);
}

TEST(WordModelTest, ALineIsKeptToTheLastResidual) {
  Random random(7);
  for (const Code gap : {Code{0}, Code{0x50}}) {
    std::vector<Code> words;
    // Above a gap of four bits, if there is one, and two bits that are anything.
    const auto word = [&](Code high) { return gap == 0 ? high : high << 8 | gap << 1 | random() % 4; };
    for (Code i = 0; i < 300; i++) words.push_back(word(i * 1000 + random() % 900));
    std::sort(words.begin(), words.end());
    const auto column = [&] {
      return WordColumn{reinterpret_cast<const std::uint8_t*>(words.data()), 8, words.size()};
    };
    const WordModel model = fit_word(column());
    ASSERT_GT(model.line.slope, 0u);
    ASSERT_EQ(model.gap_bits > 0, gap != 0);
    const Code line = model.line.predict(300);
    const Code widest = low_mask(model.line.width);
    const auto extends = [&](Code next) {
      words.push_back(next);
      const bool result = extends_line(model, column(), 300, survey_word(column()));
      words.pop_back();
      return result;
    };
    EXPECT_TRUE(extends(model.restore(line)));
    EXPECT_TRUE(extends(model.restore(line + widest)));
    EXPECT_FALSE(extends(model.restore(line - 1)));
    EXPECT_FALSE(extends(model.restore(line + widest + 1)));
    // What the gap holds differs.
    if (gap != 0) {
      EXPECT_FALSE(extends(model.restore(line) ^ Code{1} << model.gap_at));
    }
  }
}

// The least squeezed word that stands for one not below the wanted one, by trying all.
TEST(WordModelTest, SqueezingUpIsExact) {
  WordModel model{};
  model.gap_at = 2;
  model.gap_bits = 3;
  for (Code gap = 0; gap < 8; gap++) {
    model.gap = gap << 2;
    for (Code word = 0; word < 256; word++) {
      Code expected = 0;
      while (model.restore(expected) < word) expected++;
      Code squeezed;
      ASSERT_TRUE(model.squeeze_up(word, &squeezed));
      EXPECT_EQ(squeezed, expected);
    }
    Code squeezed;
    EXPECT_EQ(model.squeeze_up(kMaxCode, &squeezed), gap == 7);
  }
}

TEST(WordModelTest, ImpossibleModelsAreTold) {
  WordModel model{};
  EXPECT_TRUE(model.possible());
  model.gap_at = 3;
  EXPECT_FALSE(model.possible());
  model.gap_bits = 60;
  EXPECT_TRUE(model.possible());
  model.gap_bits = 61;
  EXPECT_FALSE(model.possible());
  model = {};
  model.line.width = 65;
  EXPECT_FALSE(model.possible());
  KeyCodec<Words<2>>::Model key{};
  EXPECT_TRUE(KeyCodec<Words<2>>::possible(key));
  key.flags_width = 1;
  EXPECT_FALSE(KeyCodec<Words<2>>::possible(key));
  key.flags_width = 2;
  key.flags = 4;
  EXPECT_FALSE(KeyCodec<Words<2>>::possible(key));
  model = {};
  model.line = {0, 1000, WordModel::kEliasFano, 3};
  EXPECT_TRUE(model.possible());
  EXPECT_FALSE(model.constant());
  EXPECT_FALSE(model.exact());
  model.line.slope = 0;
  EXPECT_FALSE(model.possible());
  model.line.slope = Code{1} << 20;
  EXPECT_FALSE(model.possible());
  model.line.width = 63;
  EXPECT_TRUE(model.possible());
  model.line.width = 64;
  EXPECT_FALSE(model.possible());
  model.line = {0, 1000, WordModel::kEliasFano | 1, 3};
  EXPECT_FALSE(model.possible());
  model.line = {0, 1000, WordModel::kEliasFano | ColumnModel::kDescending, 3};
  EXPECT_FALSE(model.possible());
  key = {};
  key.word[1].line = {0, 1000, WordModel::kEliasFano, 3};
  EXPECT_TRUE(KeyCodec<Words<2>>::possible(key));
  key.flags_width = 2;
  EXPECT_FALSE(KeyCodec<Words<2>>::possible(key));
}

}  // namespace
}  // namespace learned
