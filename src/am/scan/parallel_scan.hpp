// What the processes of a parallel index scan share: the place where the scan goes on.
//
// One process at a time takes the place, reads the leaf there, decides how much of it is its own piece, and puts down
// where the next piece begins; only then does it return the entries of its piece, while others go on. So pieces are
// handed out in the order of the keys, and what each process returns is in order.
//
// A place is a position (code, TID), and every leaf says which positions it has. Splits, joins and recycled pages
// between two pieces matter no more than between two leaves of an ordinary scan. What is shared has room for keys of any size, as the
// server asks for its size before it knows of which index.
#pragma once

#include "am/server/server.hpp"
#include "core/code/key_set.hpp"

namespace learned {

// In a part (scan_parts.hpp), the entries from `fence` on, or, backward, those before it.
template <class K>
struct BasicScanPlace {
  int part;
  BasicEntry<K> fence;
  Block hint;  // the leaf that had this position; kNoBlock: unknown
};

struct SharedScan {
  enum class State { fresh, free, taken, over };

  slock_t mutex;  // protects what follows
  State state;
  BasicScanPlace<WideKey> place;  // valid while free
  ConditionVariable moved;
};

// Takes the next piece from what is left to scan, and stands where it begins. False: nothing is left.
template <class K>
bool take_piece(IndexScanDesc scan, bool forward);

// Ends a parallel scan that cannot match anything. True: this process was the first.
bool begin_and_end_pieces(IndexScanDesc scan);

}  // namespace learned
