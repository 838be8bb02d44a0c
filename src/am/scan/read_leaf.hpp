// What whoever reads a leaf owes to whom it reads beside, before the leaf's content lock goes.
#pragma once

#include "am/server/compat.hpp"

namespace learned {

// For LeafWalk: an insert that is not seen finds the predicate lock.
struct ReadLeaf {
  Relation index;
  Snapshot snapshot;

  void operator()(Buffer leaf) const {
    PredicateLockPage(index, BufferGetBlockNumber(leaf), snapshot);
    compat::test_for_old_snapshot(snapshot, index, leaf);
  }
};

}  // namespace learned
