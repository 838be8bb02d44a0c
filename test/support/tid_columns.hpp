// What every TID codec must do, tried against plain arrays.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "core/column/tid_column.hpp"
#include "support/test_support.hpp"

namespace learned::testing {

using TidArray = std::vector<Tid>;

// Facts of TIDs as the planner gathers them, found the plain way.
struct GatheredFacts {
  explicit GatheredFacts(const TidArray& tids) {
    facts.tids = tids.data();
    facts.count = static_cast<std::uint32_t>(tids.size());
    facts.origin = 1000;
    for (std::size_t i = 1; i < tids.size(); i++) {
      if (tids[i] != tids[i - 1] + 1) starts.push_back(static_cast<std::uint32_t>(i) + facts.origin);
    }
    facts.starts = starts.data();
    facts.breaks = static_cast<std::uint32_t>(starts.size());
    facts.max_offset = 0;
    for (const Tid t : tids) facts.max_offset = std::max(facts.max_offset, tid_offset(t));
    facts.ordinal_lo = ~std::uint64_t{0};
    facts.ordinal_hi = 0;
    for (const Tid t : tids) {
      const std::uint64_t ordinal = tid_to_ordinal(t, facts.max_offset);
      facts.ordinal_lo = std::min(facts.ordinal_lo, ordinal);
      facts.ordinal_hi = std::max(facts.ordinal_hi, ordinal);
    }
  }

  std::vector<std::uint32_t> starts;
  TidFacts facts;
};

// A column in memory, with nothing behind it but the slack that readers are allowed.
struct EncodedTids {
  EncodedTids(const TidColumn& c, const TidArray& tids) : column(c), size(tid_bytes(c, tids.size())) {
    bytes.reset(new std::uint8_t[size + kBitSlack]);
    std::fill_n(bytes.get(), size + kBitSlack, std::uint8_t{0xA5});
    const std::uint8_t* end = encode_tids(bytes.get(), c, tids.data(), tids.size());
    EXPECT_EQ(end, bytes.get() + size) << "bytes() is what encode() writes";
    for (std::size_t i = 0; i < kBitSlack; i++) EXPECT_EQ(bytes[size + i], 0xA5) << "written behind the end";
  }

  TidColumn column;
  std::size_t size;
  std::unique_ptr<std::uint8_t[]> bytes;
};

inline void expect_spanned(const TidColumn& column, const TidArray& tids) {
  const Span span = tid_span(column, tids.size());
  const auto [lo, hi] = std::minmax_element(tids.begin(), tids.end());
  EXPECT_LE(span.lo, *lo);
  EXPECT_GE(span.hi, *hi);
}

// All verbs but slicing: what is read is what was written.
inline void expect_reads(const TidColumn& column, const TidArray& tids, Random& random) {
  const auto n = static_cast<unsigned>(tids.size());
  const EncodedTids encoded(column, tids);
  ASSERT_EQ(check_tid_model(column, n), nullptr);
  TidBits data;
  Extent all{encoded.bytes.get(), encoded.size};
  ASSERT_TRUE(load_tids(&all, column, n, &data));
  EXPECT_EQ(all.size, 0u);
  if (encoded.size > 0) {
    TidBits cut;
    Extent less{encoded.bytes.get(), encoded.size - 1};
    EXPECT_FALSE(load_tids(&less, column, n, &cut)) << "a byte is missing";
  }
  ASSERT_EQ(check_tids(column, data, n), nullptr);
  for (unsigned i = 0; i < n; i += 1 + n / 600) ASSERT_EQ(tid_at(column, data, i), tids[i]) << i;
  TidArray out(n);
  decode_tids(column, data, 0, n, out.data());
  ASSERT_EQ(out, tids);
  for (int round = 0; round < 10; round++) {
    const auto begin = static_cast<unsigned>(random() % n);
    const auto count = static_cast<unsigned>(random() % (n - begin)) + 1;
    decode_tids(column, data, begin, count, out.data());
    ASSERT_TRUE(std::equal(out.begin(), out.begin() + count, tids.begin() + begin)) << begin << ", " << count;
  }
  if (!tids_grow(column)) {
    EXPECT_EQ(tid_bytes(column, n + 1), tid_bytes(column, n));
  }
  expect_spanned(column, tids);
}

inline void expect_slices(const TidColumn& column, const TidArray& tids, Random& random) {
  const auto n = static_cast<unsigned>(tids.size());
  const EncodedTids encoded(column, tids);
  TidBits data;
  Extent all{encoded.bytes.get(), encoded.size};
  ASSERT_TRUE(load_tids(&all, column, n, &data));
  std::vector<std::uint32_t> scratch(n);
  for (int round = 0; round < 12; round++) {
    const unsigned from = round % 3 == 0 ? 0 : static_cast<unsigned>(random() % n);
    const unsigned to = round % 3 == 1 ? n : from + 1 + static_cast<unsigned>(random() % (n - from));
    const unsigned torn = torn_tids(column, data, from, to);
    ASSERT_LE(torn, to - from);
    if (torn > 0) {
      const TidArray head(tids.begin() + from, tids.begin() + from + torn);
      const TidColumn counting = TidLinear::fit_counting(head.data(), torn);
      EXPECT_EQ(tid_bytes(counting, torn), 0u);
      ASSERT_NO_FATAL_FAILURE(expect_reads(counting, head, random));
    }
    if (from + torn == to) continue;
    const TidArray part(tids.begin() + from + torn, tids.begin() + to);
    ASSERT_EQ(torn_tids(column, data, from + torn, to), 0u);
    const TidColumn sliced = slice_tids(column, from == 0, part.data(), part.size(), scratch.data());
    EXPECT_EQ(sliced.codec, column.codec);
    EXPECT_LE(sliced.model.width, column.model.width + (from == 0 ? 0 : 1)) << "a bit more at most";
    ASSERT_NO_FATAL_FAILURE(expect_reads(sliced, part, random)) << from << " to " << to << " of " << n;
  }
}

// A header from disk may say anything: what load_tids() accepts lies within the bytes, and all that reads it ends.
inline void expect_harmless(TidCodec codec, Random& random) {
  unsigned loaded = 0;
  for (int round = 0; round < 20000; round++) {
    TidColumn column{};
    column.codec = codec;
    const auto word = [&] { return random() >> (random() % 64); };
    column.model = {word(), word(), static_cast<std::uint8_t>(random() % 20 | (random() % 2) << 7),
                    static_cast<std::uint8_t>(random() % (round % 2 == 0 ? 70 : 12))};
    column.scale = static_cast<std::uint16_t>(word());
    column.runs = static_cast<std::uint16_t>(random() % 40);
    column.rank_width = static_cast<std::uint8_t>(random() % 18);
    const auto n = 1 + static_cast<unsigned>(random() % 200);
    const std::size_t size = random() % 600;
    // Exactly so long, for AddressSanitizer to see.
    const std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[size + kBitSlack]);
    for (std::size_t i = 0; i < size + kBitSlack; i++) bytes[i] = static_cast<std::uint8_t>(random());
    Extent extent{bytes.get(), size};
    TidBits data;
    if (!load_tids(&extent, column, n, &data)) continue;
    loaded++;
    ASSERT_LE(tid_bytes(column, n), size);
    ASSERT_EQ(extent.at, bytes.get() + tid_bytes(column, n));
    (void)check_tid_model(column, n);
    const bool sound = check_tids(column, data, n) == nullptr;
    TidArray out(n);
    decode_tids(column, data, 0, n, out.data());
    for (unsigned i = 0; i < n; i++) ASSERT_LE(tid_at(column, data, i), kMaxTid);
    const auto from = static_cast<unsigned>(random() % n);
    ASSERT_LE(torn_tids(column, data, from, n), n - from);
    std::vector<std::uint32_t> scratch(n);
    (void)slice_tids(column, from == 0, out.data() + from, n - from, scratch.data());
    if (sound) expect_spanned(column, out);
  }
  EXPECT_GT(loaded, 500u) << "nothing was tried";
}

// TIDs of every shape, and of every length that matters.
template <class Try>
void for_each_tids(Random& random, Try try_tids) {
  for (const Tids shape : kAllTids) {
    for (const std::size_t n : {1, 2, 3, 9, 64, 65, 1000, 20000}) {
      SCOPED_TRACE(name_of(shape) + ", " + std::to_string(n));
      const TidArray tids = make_tids(shape, n, random);
      try_tids(tids);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace learned::testing
