// How often a backend found in its own memory what it looked for. Plain counters: to count costs a look-up nothing that could be measured.
#pragma once

#include "am/server/server.hpp"

namespace learned {

struct CacheCounts {
  uint64 hits;
  uint64 misses;
  uint64 evictions;  // what was there made room for something else
};

struct CacheSize {
  int64 entries;
  int64 bytes;  // that these take
  int64 most_bytes;
};

}  // namespace learned
