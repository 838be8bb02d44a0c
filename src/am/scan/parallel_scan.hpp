// What the processes of a parallel index scan share: the place where the scan goes on.
//
// One process at a time takes the place, reads the leaf there, decides how much of it is its own piece, and puts down
// where the next piece begins; only then does it return the entries of its piece, while others go on. So pieces are
// handed out in the order of the keys, and what each process returns is in order.
//
// A place is a position (code, TID), and every leaf says which positions it has. Splits, joins and recycled pages
// between two pieces matter no more than between two leaves of an ordinary scan.
#pragma once

#include "am/server/server.hpp"
#include "core/base/types.hpp"

namespace learned {

// In a part (scan_state.hpp), the entries from `fence` on, or, backward, those before it.
struct ScanPlace {
  int part;
  Entry fence;
  Block hint;  // the leaf that had this position; kNoBlock: unknown
};

struct SharedScan {
  enum class State { fresh, free, taken, over };

  slock_t mutex;  // protects what follows
  State state;
  ScanPlace place;  // valid while free
  ConditionVariable moved;
};

// Waits for the place, and takes it. `fresh`: the scan has not begun, there is no place yet. False: it is over.
// REQUIRES: put_place() or end_place() follows.
bool take_place(SharedScan* shared, ScanPlace* place, bool* fresh);
void put_place(SharedScan* shared, const ScanPlace& place);
void end_place(SharedScan* shared);

}  // namespace learned
