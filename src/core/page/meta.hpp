// Block 0: what the index is and where its trees begin.
//
//      0 server page header (24 bytes)
//     24 MetaPage
//        nothing else; `lower` ends the MetaPage
#pragma once

#include "core/page/format.hpp"

namespace learned {

inline constexpr std::uint32_t kMetaMagic = 0x4C524D54;  // "TMRL" in a hex dump

struct MetaPage {
  std::uint32_t magic;
  std::uint8_t version;            // kFormatOf the keys
  std::uint8_t code_width;         // bytes of a key's words
  std::uint8_t level[kTreeCount];  // level of each root; 0: the root is a leaf
  Block root[kTreeCount];
  std::uint32_t key_kind;  // type of the first column (its OID for built-in types), for inspection
  std::uint32_t check;     // over all fields but this one
};
static_assert(sizeof(MetaPage) == 24);

struct MetaInfo {
  Block root[kTreeCount];
  std::uint8_t level[kTreeCount];
  std::uint32_t key_kind;
};

// Writes the whole page, of an index with keys of type K.
template <class K = Code>
void write_meta_page(std::uint8_t* page, const MetaInfo& info);
// Reads and checks it.
template <class K = Code>
Fault read_meta_page(const std::uint8_t* page, MetaInfo* info);
// What is to be verified before it is written anew: the same.
template <class K = Code>
Fault verify_meta_page(const std::uint8_t* page) {
  MetaInfo info;
  return read_meta_page<K>(page, &info);
}

}  // namespace learned
