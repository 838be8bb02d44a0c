// The list of TID codecs, and what they share.
#include "core/column/tid_column.hpp"

#include "support/tid_columns.hpp"

namespace learned {
namespace {

using namespace learned::testing;

TEST(TidColumnTest, EachNumberIsItsCodecAndOthersAreUnknown) {
  for (int number = 0; number < 256; number++) {
    const auto codec = static_cast<TidCodec>(number);
    EXPECT_EQ(TidCodecs::known(codec), number < 3);
    if (number < 3) {
      EXPECT_EQ(TidCodecs::with(codec, [](auto c) { return decltype(c)::kCodec; }), codec);
      continue;
    }
    const TidColumn column{{0, 0, 0, 0}, 1, 0, 0, codec};
    Extent none{nullptr, 0};
    TidBits data;
    EXPECT_FALSE(load_tids(&none, column, 1, &data));
    EXPECT_STREQ(check_tid_model(column, 1).text(), "segment has an unknown tid codec");
  }
}

TEST(TidColumnTest, OrdinalsAndTidsAreInversesInSingleAndInMany) {
  Random random(1);
  for (const unsigned scale : {0u, 1u, 2u, 7u, 226u, 291u, 0xFFFFu}) {
    TidArray tids;
    std::vector<std::uint64_t> ordinals;
    for (int i = 0; i < 3000; i++) {
      const auto block = static_cast<std::uint32_t>(random() >> (32 + random() % 32));
      const auto offset = static_cast<std::uint16_t>(1 + random() % (scale == 0 ? 0xFFFFu : scale));
      tids.push_back(make_tid(block, offset));
      ordinals.push_back(tid_to_ordinal(tids.back(), scale));
      ASSERT_EQ(ordinal_to_tid(ordinals.back(), scale), tids.back());
    }
    if (scale > 0) {
      // Around a block's ends, the last ones there are.
      for (const std::uint32_t block : {0u, 1u, 0x7FFFFFFFu, 0xFFFFFFFEu, 0xFFFFFFFFu}) {
        for (const unsigned offset : {1u, scale}) {
          tids.push_back(make_tid(block, static_cast<std::uint16_t>(offset)));
          ordinals.push_back(tid_to_ordinal(tids.back(), scale));
        }
      }
    }
    ordinals_to_tids(ordinals.data(), static_cast<unsigned>(ordinals.size()), scale);
    ASSERT_EQ(ordinals, tids) << scale;
  }
}

TEST(TidColumnTest, SpansThatWrapSayNothing) {
  EXPECT_EQ(tid_span(Span{5, 7}, 0), (Span{5, 7}));
  EXPECT_EQ(tid_span(Span{5, kMaxTid}, 0), (Span{5, kMaxTid}));
  EXPECT_EQ(tid_span(Span{5, kMaxTid + 1}, 0), (Span{0, kMaxTid}));
  EXPECT_EQ(tid_span(Span{10, 25}, 10), (Span{make_tid(1, 1), make_tid(2, 6)}));
  EXPECT_EQ(tid_span(kWholeSpan, 10), (Span{0, kMaxTid}));
}

}  // namespace
}  // namespace learned
