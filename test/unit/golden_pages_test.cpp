// Format 1, byte for byte: whole indexes of one-word keys that are loaded, inserted into, thinned and joined give the very pages
// that they gave when the format was released, whatever happened to the code since. (A cheaper plan would be allowed to change
// them: then the numbers change with it, knowingly.)
#include <gtest/gtest.h>

#include "support/memory_store.hpp"
#include "support/test_support.hpp"

namespace learned {
namespace {

// Of our own: what the library's distributions yield is not the same everywhere.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t n) { return next() % n; }

 private:
  std::uint64_t state_;
};

struct Shape {
  const char* name;
  Code (*code)(std::uint64_t i, Numbers& numbers);
  Tid (*tid)(std::uint64_t i, Numbers& numbers);
  std::uint64_t digest;
};

Tid in_order(std::uint64_t i, Numbers&) {
  return make_tid(static_cast<std::uint32_t>(i / 185), static_cast<std::uint16_t>(i % 185 + 1));
}
// Distinct, as the multiplier is odd.
Tid scattered(std::uint64_t i, Numbers&) {
  const std::uint64_t place = i * 0x9E3779B1u % (1u << 20);
  return make_tid(static_cast<std::uint32_t>(place / 128), static_cast<std::uint16_t>(place % 128 + 1));
}
Tid rows_of_any_width(std::uint64_t i, Numbers&) {
  return make_tid(static_cast<std::uint32_t>(i / 60), static_cast<std::uint16_t>(i % 60 + 1 + i / 60 % 7));
}

constexpr Shape kShapes[] = {
    {"serial", [](std::uint64_t i, Numbers&) { return Code{1} << 63 | i; }, in_order, 0x32EAE3CE71C24A88},
    {"jitter", [](std::uint64_t i, Numbers& n) { return i * 1000000 + n.below(250000); }, in_order,
     0xE2402E13BA719F56},
    {"random", [](std::uint64_t, Numbers& n) { return n.next(); }, scattered, 0x29F30EDE962DEB0E},
    {"few values", [](std::uint64_t, Numbers& n) { return n.below(40); }, rows_of_any_width,
     0x43840F9E2A54C53D},
    {"jumps", [](std::uint64_t i, Numbers& n) { return i / 500 * 0x123456789ABCu + n.below(900); }, scattered,
     0x0317514AF5C2A710},
    {"one value", [](std::uint64_t, Numbers&) { return Code{7}; }, rows_of_any_width, 0xE4AB7DCC88C42249},
};

std::uint64_t digest_of(const MemoryStore& store) {
  std::uint64_t h = 0xCBF29CE484222325u;
  for (const MemoryStore::Page& page : store.image().pages) {
    for (std::size_t at = 0; at < kPageSize; at++) h = (h ^ page.bytes[at]) * 0x100000001B3u;
  }
  return h;
}

void thin_out(MemoryStore& store, Numbers& numbers) {
  alignas(8) static std::uint8_t scratch[kPageSize];
  for (Block b = 1; b < store.size(); b++) {
    const PageView page(store.page(b));
    if (page.level() > 0 || page.deleted() || page.tree() != TreeId::keys) continue;
    std::vector<std::uint8_t> encoded(page.encoded() / 8 + 1);
    std::vector<std::uint8_t> deltas(page.deltas() / 8 + 1);
    // Some leaves lose nearly all, some a little.
    const std::uint64_t most = numbers.below(3) == 0 ? 100 : 7;
    for (unsigned i = 0; i < page.encoded(); i++) {
      if (numbers.below(100) < most - most / 20) set_bit(encoded.data(), i);
    }
    for (unsigned i = 0; i < page.deltas(); i++) {
      if (numbers.below(2) == 0) set_bit(deltas.data(), i);
    }
    const auto h = store.read(b, LockMode::exclusive);
    remove_entries(&store, h, encoded.data(), deltas.data(), scratch);
    store.release(h);
  }
  std::vector<std::pair<Block, Block>> pairs;
  for (Block b = 1; b < store.size(); b++) {
    const PageView page(store.page(b));
    if (page.level() == 0 && !page.deleted() && page.tree() == TreeId::keys && page.left() != kNoBlock)
      pairs.emplace_back(page.left(), b);
  }
  for (const auto& [left, b] : pairs) join_leaves(&store, TreeId::keys, left, b, scratch);
}

std::uint64_t life_of(const Shape& shape) {
  Numbers numbers(2024);
  MemoryStore store;
  std::vector<Entry> entries;
  std::vector<Entry> later;
  for (std::uint64_t i = 0; i < 60000; i++) {
    const Entry e{shape.code(i, numbers), shape.tid(i, numbers)};
    (i < 30000 || numbers.below(3) > 0 ? entries : later).push_back(e);
  }
  std::sort(entries.begin(), entries.end());
  testing::bulk_load(store, entries);
  Tree<MemoryStore> tree(&store, TreeId::keys);
  for (const Entry& e : later) tree.insert({e.code, e.tid, kNoBlock});
  for (std::uint64_t i = 60000; i < 64000; i++)
    tree.insert({shape.code(i, numbers), shape.tid(i, numbers), kNoBlock});
  thin_out(store, numbers);
  for (std::uint64_t i = 64000; i < 66000; i++)
    tree.insert({shape.code(i, numbers), shape.tid(i, numbers), kNoBlock});
  return digest_of(store);
}

TEST(GoldenPagesTest, FormatOneIsByteForByteWhatItWas) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(shape.name);
    EXPECT_EQ(life_of(shape), shape.digest);
  }
}

}  // namespace
}  // namespace learned
