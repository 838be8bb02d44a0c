// What whoever reads a leaf owes to whom it reads beside, before the leaf's content lock goes.
#pragma once

#include "am/server/compat.hpp"
#include "core/tree/walk.hpp"

namespace learned {

// For LeafWalk: an insert that is not seen finds the predicate lock.
struct ReadLeaf {
  Relation index;
  Snapshot snapshot;
  // What is read of this leaf and of all others, if it is one range of a plain index's keys; else null.
  const TreeRange* only = nullptr;

  void operator()(Buffer leaf) const {
    if (only == nullptr || !IsolationIsSerializable() || !lock_stretches(leaf))
      PredicateLockPage(index, BufferGetBlockNumber(leaf), snapshot);
    compat::test_for_old_snapshot(snapshot, index, leaf);
  }

 private:
  // Locks the keys of a short range instead of its leaf. False: it is not that short, or there have been many.
  bool lock_stretches(Buffer leaf) const;
};

}  // namespace learned
