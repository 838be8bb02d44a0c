// What a btree would be as a learned index: how large, and how long the build would take.
#pragma once

#include "am/key/key_columns.hpp"
#include "am/server/server.hpp"

namespace learned {

struct SizeTrial {
  int64 size;     // bytes of the btree
  int64 rebuilt;  // what it would have after REINDEX, about
  int64 learned;
  int64 entries;
  double sampled;            // share of the pages that were read; 1: sizes are exact
  double seconds_per_entry;  // of the processor, that making pages of the sample took
};

// Reads some of the btree's pages, of one that is small all. `columns`: what its columns would be in a learned index (key_columns_in()).
SizeTrial try_as_learned(Relation btree, const KeyColumns& columns, int fillfactor);

}  // namespace learned
