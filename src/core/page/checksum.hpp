// The checksum in a page's trailer.
#pragma once

#include "core/page/format.hpp"

namespace learned {

// Checksum over everything but the server's header, the hole, the delta and the field itself.
template <class K = Code>
std::uint32_t page_checksum(const std::uint8_t* page);
// The checksum that the page will have with another trailer (whose `check` does not matter): *sound tells whether that of
// the trailer it has matches. One pass over the rest.
template <class K>
std::uint32_t next_checksum(const std::uint8_t* page, const BasicPageTrailer<K>& next, bool* sound);

}  // namespace learned
