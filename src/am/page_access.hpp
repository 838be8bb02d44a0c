// Server macros that name the server's own type Block, wrapped where that name is not ours.
#pragma once

#include "am/server.hpp"

inline Page buffer_page(Buffer buffer) { return BufferGetPage(buffer); }
inline const std::uint8_t* buffer_bytes(Buffer buffer) {
  return reinterpret_cast<const std::uint8_t*>(BufferGetPage(buffer));
}
