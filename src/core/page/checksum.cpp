#include "core/page/checksum.hpp"

#include "core/page/view.hpp"

namespace learned {

namespace {

// Four independent multiply-rotate lanes, so that a page takes well under a microsecond. It finds damage, it does not
// resist forgery. The trailer comes last, so that what a change of the trailer alone makes of the sum takes no second
// pass over the page.
template <class K>
class PageSum {
 public:
  using PageTrailer = BasicPageTrailer<K>;
  static constexpr std::size_t kSpecial = kSpecialOf<K>;

  // Takes in all but the trailer.
  explicit PageSum(const std::uint8_t* page) : layout_(load<std::uint16_t>(page + kLowerOffset)) {
    const BasicPageView<K> view(page);
    std::size_t lower = view.lower();
    std::size_t dir = view.dir();
    // A damaged page must not lead outside; its checksum will not match anyway.
    if (lower < kHeaderSize || lower > kSpecial) lower = kHeaderSize;
    if (dir > kSpecial || dir < lower) dir = kSpecial;
    add(page + kHeaderSize, lower - kHeaderSize);
    add(page + dir, kSpecial - dir);
  }
  std::uint32_t with(PageTrailer trailer) const {
    PageSum sum = *this;
    trailer.check = 0;
    std::uint8_t bytes[sizeof(PageTrailer)];
    store(bytes, trailer);
    sum.add(bytes, sizeof bytes);
    // Server header fields that describe the layout.
    sum.lane_[2] = mix(sum.lane_[2], layout_ | (std::uint64_t{kSpecial} << 16));
    std::uint64_t h = 0;
    for (std::uint64_t l : sum.lane_) h = mix(h, l);
    return static_cast<std::uint32_t>(h ^ (h >> 32));
  }

 private:
  static std::uint64_t mix(std::uint64_t h, std::uint64_t word) {
    h = (h ^ word) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
  }
  void add(const std::uint8_t* p, std::size_t n) {
    while (n >= 32) {
      for (int i = 0; i < 4; i++) lane_[i] = mix(lane_[i], load<std::uint64_t>(p + 8 * i));
      p += 32;
      n -= 32;
    }
    for (; n >= 8; p += 8, n -= 8) lane_[0] = mix(lane_[0], load<std::uint64_t>(p));
    std::uint64_t tail = n;
    for (std::size_t i = 0; i < n; i++) tail = (tail << 8) | p[i];
    lane_[1] = mix(lane_[1], tail);
  }

  std::uint64_t lane_[4] = {1, 2, 3, 4};
  std::uint16_t layout_;
};

}  // namespace

template <class K>
std::uint32_t page_checksum(const std::uint8_t* page) {
  return PageSum<K>(page).with(BasicPageView<K>(page).trailer());
}

template <class K>
std::uint32_t next_checksum(const std::uint8_t* page, const BasicPageTrailer<K>& next, bool* sound) {
  const PageSum<K> sum(page);
  const BasicPageTrailer<K> now = BasicPageView<K>(page).trailer();
  *sound = sum.with(now) == now.check;
  return sum.with(next);
}

#define LEARNED_INSTANTIATE(K)                                  \
  template std::uint32_t page_checksum<K>(const std::uint8_t*); \
  template std::uint32_t next_checksum(const std::uint8_t*, const BasicPageTrailer<K>&, bool*);
LEARNED_FOR_EVERY_KEY(LEARNED_INSTANTIATE)

}  // namespace learned
