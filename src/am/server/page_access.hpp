// Server macros wrapped as functions: those that name the server's own type Block, where that name is not ours,
// and those that compilers of C++20 warn about.
#pragma once

#include "am/server/server.hpp"

inline Page buffer_page(Buffer buffer) { return BufferGetPage(buffer); }
inline const std::uint8_t* buffer_bytes(Buffer buffer) {
  return reinterpret_cast<const std::uint8_t*>(BufferGetPage(buffer));
}

#pragma GCC diagnostic push
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Wdeprecated-volatile"
#else
#pragma GCC diagnostic ignored "-Wvolatile"
#endif
inline void start_critical_section() { START_CRIT_SECTION(); }
inline void end_critical_section() { END_CRIT_SECTION(); }
#pragma GCC diagnostic pop
