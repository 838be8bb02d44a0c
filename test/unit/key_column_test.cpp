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
  for (const WideKeys shape : kAllWideKeys) {
    for (const std::size_t n : {1, 2, 15, 64, 700, 5000}) {
      for (const unsigned nulls : {0u, 0u, 10u, 100u}) {
        SCOPED_TRACE("shape " + std::to_string(static_cast<int>(shape)) + ", n " + std::to_string(n) +
                     ", nulls " + std::to_string(nulls));
        const std::vector<TypeParam> keys = this->keys(shape, n, nulls);
        const Stored<TypeParam> column(Codec::fit(keys.data(), n), keys);
        expect_same(column, keys);
        if (::testing::Test::HasFatalFailure()) return;
        const auto search = [&](const TypeParam& key) {
          const auto expected = std::lower_bound(keys.begin(), keys.end(), key) - keys.begin();
          ASSERT_EQ(Codec::lower_bound({column.model, column.bits, static_cast<unsigned>(n), keys[0]}, key,
                                       [](std::size_t) {}),
                    expected);
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
}

// What is known of two parts is what a look at all keys finds; and a model that is fitted anew where its lines no longer do
// stores all of them, no wider than before or than one made from nothing.
TYPED_TEST(KeyColumnTest, PartsAreJoined) {
  using Codec = KeyCodec<TypeParam>;
  unsigned kept = 0;
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
          const auto model = Codec::refit(before, middle, keys.data(), n, joined);
          for (unsigned w = 0; w < KeyTraits<TypeParam>::kWords; w++) {
            EXPECT_EQ(joined.word[w].span, all.word[w].span);
            EXPECT_EQ(joined.word[w].differ, all.word[w].differ);
            EXPECT_EQ(joined.word[w].ascending, all.word[w].ascending);
            const unsigned width = model.word[w].line.width;
            EXPECT_LE(width, std::max(before.word[w].line.width, fresh.word[w].line.width));
            kept += width > 0 && model.word[w].line.slope == before.word[w].line.slope ? 1 : 0;
          }
          expect_same(Stored<TypeParam>(model, keys), keys);
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
  EXPECT_GT(kept, 10u);
}

// The front part of a column keeps the model; a back part takes one bit more for each word at most.
TYPED_TEST(KeyColumnTest, PartsKeepTheLines) {
  using Codec = KeyCodec<TypeParam>;
  for (const WideKeys shape : kAllWideKeys) {
    for (const unsigned nulls : {0u, 20u}) {
      SCOPED_TRACE("shape " + std::to_string(static_cast<int>(shape)));
      const std::vector<TypeParam> keys = this->keys(shape, 1000, nulls);
      const auto model = Codec::fit(keys.data(), keys.size());
      for (const std::size_t cut : {1, 3, 500, 999}) {
        const std::vector<TypeParam> front(keys.begin(), keys.begin() + static_cast<long>(cut));
        const std::vector<TypeParam> back(keys.begin() + static_cast<long>(cut), keys.end());
        expect_same(Stored<TypeParam>(Codec::slice(model, true, front.size(), front.data()), front), front);
        const auto part = Codec::slice(model, false, back.size(), back.data());
        expect_same(Stored<TypeParam>(part, back), back);
        for (unsigned w = 0; w < KeyTraits<TypeParam>::kWords; w++)
          EXPECT_LE(part.word[w].line.width, model.word[w].line.width + 1);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
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
}

}  // namespace
}  // namespace learned
