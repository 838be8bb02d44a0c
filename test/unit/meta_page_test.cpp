// Block 0: round trip, and every damaged byte.
#include "core/page/meta.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include "core/page/view.hpp"

namespace learned {
namespace {

class MetaPageTest : public ::testing::Test {
 protected:
  MetaPageTest() {
    std::memset(page_, 0xEE, sizeof page_);
    write_meta_page(page_, info_);
  }
  std::string fault() {
    MetaInfo out;
    const Fault f = read_meta_page(page_, &out);
    kind_ = f.kind();
    return f ? f.text() : "";
  }

  const MetaInfo info_{{17, 0xFFFFFFF0u}, {3, 0}, 20};
  alignas(8) std::uint8_t page_[kPageSize];
  FaultKind kind_ = FaultKind::none;
};

TEST_F(MetaPageTest, RoundTrip) {
  MetaInfo out;
  ASSERT_EQ(read_meta_page(page_, &out), nullptr);
  EXPECT_EQ(out.root[0], info_.root[0]);
  EXPECT_EQ(out.root[1], info_.root[1]);
  EXPECT_EQ(out.level[0], info_.level[0]);
  EXPECT_EQ(out.level[1], info_.level[1]);
  EXPECT_EQ(out.key_kind, info_.key_kind);
}

TEST_F(MetaPageTest, KeepsTheServersLogPositionAndZeroesTheRest) {
  for (std::size_t i = 0; i < kLowerOffset - 2; i++) EXPECT_EQ(page_[i], 0xEE) << i;
  for (std::size_t i = kHeaderSize + sizeof(MetaPage); i < kPageSize; i++) ASSERT_EQ(page_[i], 0) << i;
}

TEST_F(MetaPageTest, EveryFlippedBitOfTheContentIsSeen) {
  for (std::size_t at = kLowerOffset; at < kHeaderSize + sizeof(MetaPage); at++) {
    // The server looks after its own fields behind `special`.
    if (at >= kSpecialOffset + 2 && at < kHeaderSize) continue;
    for (unsigned bit = 0; bit < 8; bit++) {
      page_[at] = static_cast<std::uint8_t>(page_[at] ^ (1u << bit));
      EXPECT_NE(fault(), "") << "byte " << at << " bit " << bit;
      page_[at] = static_cast<std::uint8_t>(page_[at] ^ (1u << bit));
    }
  }
  EXPECT_EQ(fault(), "");
}

TEST_F(MetaPageTest, NamesTheFault) {
  const auto with = [&](std::size_t offset, std::uint8_t value) {
    const std::uint8_t old = page_[kHeaderSize + offset];
    page_[kHeaderSize + offset] = value;
    const std::string f = fault();
    page_[kHeaderSize + offset] = old;
    return f;
  };
  EXPECT_EQ(with(offsetof(MetaPage, magic), 0), "metapage is not that of a learned index");
  EXPECT_EQ(with(offsetof(MetaPage, version), kNewestFormat + 1), "index has a newer format version");
  EXPECT_EQ(kind_, FaultKind::newer);
  EXPECT_EQ(with(offsetof(MetaPage, version), 0), "metapage has an unknown format version");
  EXPECT_EQ(kind_, FaultKind::corrupt);
  EXPECT_EQ(with(offsetof(MetaPage, root), 99), "metapage checksum does not match");
  page_[kLowerOffset]++;
  EXPECT_EQ(fault(), "metapage areas are displaced");
}

TEST_F(MetaPageTest, KeysOfSeveralWordsHaveTheirOwn) {
  MetaInfo out;
  write_meta_page<Words<2>>(page_, info_);
  EXPECT_EQ(page_[kHeaderSize + offsetof(MetaPage, version)], 2);
  EXPECT_EQ(page_[kHeaderSize + offsetof(MetaPage, code_width)], 16);
  EXPECT_EQ(read_meta_page<Words<2>>(page_, &out), nullptr);
  EXPECT_STREQ(read_meta_page<Words<3>>(page_, &out).text(),
               "metapage is not that of an index on these columns");
  EXPECT_EQ(fault(), "metapage is not that of an index on these columns");
  write_meta_page(page_, info_);
  EXPECT_STREQ(read_meta_page<Words<2>>(page_, &out).text(),
               "metapage is not that of an index on these columns");
}

TEST_F(MetaPageTest, RandomBytesAreNoMetapage) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; round++) {
    for (std::uint8_t& byte : page_) byte = static_cast<std::uint8_t>(random());
    EXPECT_NE(fault(), "");
    store(page_ + kHeaderSize, kMetaMagic);  // deeper
    page_[kHeaderSize + offsetof(MetaPage, version)] = kFormatVersion;
    EXPECT_NE(fault(), "");
  }
}

TEST_F(MetaPageTest, IsNoTreePageAndTheReverse) {
  EXPECT_NE(check_header(PageView(page_)), nullptr);
  std::memset(page_, 0, sizeof page_);
  EXPECT_EQ(fault(), "metapage is not that of a learned index");
  EXPECT_NE(check_header(PageView(page_)), nullptr) << "an all-zero page";
}

}  // namespace
}  // namespace learned
