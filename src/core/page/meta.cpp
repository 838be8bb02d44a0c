#include "core/page/meta.hpp"

namespace learned {

namespace {

std::uint32_t meta_check(MetaPage meta) {
  meta.check = 0;
  std::uint64_t h = 0x9E3779B97F4A7C15u;
  std::uint8_t bytes[sizeof(MetaPage)];
  store(bytes, meta);
  for (std::size_t i = 0; i < sizeof bytes; i += 8) {
    h = (h ^ load<std::uint64_t>(bytes + i)) * 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
  }
  return static_cast<std::uint32_t>(h);
}

}  // namespace

template <class K>
void write_meta_page(std::uint8_t* page, const MetaInfo& info) {
  std::memset(page + kLowerOffset - 2, 0, kPageSize - (kLowerOffset - 2));
  store(page + kLowerOffset, static_cast<std::uint16_t>(kHeaderSize + sizeof(MetaPage)));
  store(page + kUpperOffset, static_cast<std::uint16_t>(kPageSize));
  store(page + kSpecialOffset, static_cast<std::uint16_t>(kPageSize));
  store(page + kPageSizeVersionOffset, static_cast<std::uint16_t>(kPageSize | kServerLayoutVersion));
  MetaPage meta{};
  meta.magic = kMetaMagic;
  meta.version = kFormatOf<K>;
  meta.code_width = kCodeWidthOf<K>;
  for (int t = 0; t < kTreeCount; t++) {
    meta.root[t] = info.root[t];
    meta.level[t] = info.level[t];
  }
  meta.key_kind = info.key_kind;
  meta.check = meta_check(meta);
  store(page + kHeaderSize, meta);
}

template <class K>
Fault read_meta_page(const std::uint8_t* page, MetaInfo* info) {
  const auto meta = load<MetaPage>(page + kHeaderSize);
  if (meta.magic != kMetaMagic) return "metapage is not that of a learned index";
  if (meta.version > kNewestFormat) return {FaultKind::newer, "index has a newer format version"};
  if (meta.version == 0) return "metapage has an unknown format version";
  if (meta.check != meta_check(meta)) return "metapage checksum does not match";
  if (meta.version != kFormatOf<K> || meta.code_width != kCodeWidthOf<K>)
    return "metapage is not that of an index on these columns";
  if (load<std::uint16_t>(page + kLowerOffset) != kHeaderSize + sizeof(MetaPage) ||
      load<std::uint16_t>(page + kUpperOffset) != kPageSize ||
      load<std::uint16_t>(page + kSpecialOffset) != kPageSize ||
      load<std::uint16_t>(page + kPageSizeVersionOffset) != (kPageSize | kServerLayoutVersion)) {
    return "metapage areas are displaced";
  }
  for (int t = 0; t < kTreeCount; t++) {
    info->root[t] = meta.root[t];
    info->level[t] = meta.level[t];
  }
  info->key_kind = meta.key_kind;
  return nullptr;
}

#define LEARNED_META(K)                                             \
  template void write_meta_page<K>(std::uint8_t*, const MetaInfo&); \
  template Fault read_meta_page<K>(const std::uint8_t*, MetaInfo*);
LEARNED_FOR_EVERY_KEY(LEARNED_META)
#undef LEARNED_META

}  // namespace learned
