// Kill marks in scans (core/page/kill_marks.hpp): what the server found dead to every transaction is killed in the leaf,
// and what was killed is passed over.
//
// Not in recovery: "dead to every transaction" is what the primary says, and a standby's snapshots may be older. The
// server neither asks for kill marks there nor lets them be believed (ignore_killed_tuples).
//
// Between reading an entry and killing it VACUUM may have removed it, and another row with the same key may have come
// in its stead. So an entry is killed only if the leaf was pinned all the time (VACUUM's cleanup lock waits
// for pins), or if its LSN has not moved, as nbtree does it; and if it is where it was.
#pragma once

#include "am/store/buffer_store.hpp"
#include "am/server/server.hpp"
#include "core/base/types.hpp"

namespace learned {

// Where the entries to be killed were read.
struct KilledLeaf {
  TreeId tree;
  Block block;
  Buffer pinned;  // InvalidBuffer: it was not kept pinned
  XLogRecPtr lsn;
};

// The kills to be set in a leaf, before a scan leaves it.
template <class K>
class BasicKillItems {
 public:
  using Entry = BasicEntry<K>;
  using BufferStore = BasicBufferStore<K>;

  explicit BasicKillItems(MemoryContext context) : context_(context) {}

  // The server found the row of this entry dead to every transaction. `rank` is -1 for a delta entry. False: there is no
  // room, until set().
  bool add(const Entry& entry, int rank);
  bool empty() const { return count_ == 0; }
  // Sets the kill marks, and forgets the kills. No content lock is held. The leaf's LSN is kept up to date.
  void set(BufferStore* store, KilledLeaf* leaf);

 private:
  struct Kill {
    Entry entry;
    int rank;
  };
  static constexpr int kMost = 256;

  void set_in(BufferStore* store, Buffer buffer, TreeId tree);

  int count_ = 0;
  Kill* kills_ = nullptr;  // kMost, made on first use
  MemoryContext context_;
};
static_assert(std::is_trivially_destructible_v<BasicKillItems<Code>>);

}  // namespace learned
