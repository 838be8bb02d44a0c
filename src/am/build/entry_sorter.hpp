// Collects the entries of an index build and gives them back in (code, tid) order, within a memory budget.
//
// Why not the server's tuplesort: it refuses index relations that are not btree's (before 18), and forms a
// tuple and calls a comparator for every element. Entries are plain integers, made for a radix
// sort: the whole build of 20 million random keys takes less time than tuplesort needs to sort them.
//
//   add() ... add()  ->  finish()  ->  next_batch() until it is empty
//
// Input that arrives sorted (a serial number, a timestamp of an append-only table) is noticed and not sorted. The sort
// works in place: memory that was not used yet is dear, as the kernel clears it, and on virtual machines often has to
// find it first. What exceeds the budget is written in sorted runs to a temporary file,
// which obeys temp_file_limit and temp_tablespaces and is removed by the resource owner if the build fails.
// Runs that do not overlap are read one after the other; the others are merged, in several passes if there
// are very many.
//
// In the file, a run begins at a block (BufFile seeks to blocks), and its entries follow one another without gaps. Their
// size need not divide a block's; so that reading can go on with a seek, all of a run but its end is read in whole *units*, the
// least that is both whole blocks and whole entries (a block, three or five, by the number of words).
//
// Everything lives in one memory context and has no destructor, so an ereport may leave at any point.
#pragma once

#include "am/server/server.hpp"
#include "core/sort/sort_entry.hpp"

namespace learned {

// Bytes that the sorters of one build may still take, together.
struct SortMemory {
  std::size_t free_bytes;
};

template <class K>
class BasicEntrySorter {
 public:
  using Entry = SortEntry<K>;

  // `reserve` bytes of the memory are never taken: they are left for the other sorters that share it. Address space is
  // set aside for `expected` entries, as far as the memory allows, so that the buffer need not move as it fills.
  static BasicEntrySorter* create(SortMemory* memory, std::size_t reserve, std::size_t expected);

  void add(const K& key, Tid tid) {
    const Entry entry = pack(key, tid);
    if (count_ == capacity_) make_room();
    if (sorted_ && count_ > 0 && entry < entries_[count_ - 1]) sorted_ = false;
    entries_[count_++] = entry;
    ++total_;
  }

  // How many entries were added.
  std::uint64_t total() const { return total_; }

  // Ends the input and sorts it. REQUIRES: called once.
  void finish();

  // The next entries in order, some thousand at a time; empty at the end. Valid until the next call.
  // REQUIRES: finish() was called.
  std::span<const Entry> next_batch();

  // Gives all memory and disk space back. The object is gone afterwards.
  void destroy();

 private:
  // A sorted stretch of the temporary file. It starts on a block of its own.
  struct Run {
    Entry first;
    Entry last;
    std::uint64_t count;
    std::int64_t start_block;
    std::size_t next_in_stream;  // kNone, or the run that continues this one
  };
  static constexpr std::size_t kNone = ~std::size_t{0};

  // One input of a merge: a chain of runs that follow one another in the order, read through a buffer.
  struct Stream {
    std::size_t first_run;
    std::size_t next_run;
    std::int64_t block;       // where to read on in the current run
    std::uint64_t remaining;  // entries of the current run that were not read yet
    Entry* buffer;
    std::size_t cursor;
    std::size_t filled;
  };

  // A temporary file of runs.
  struct RunFile {
    BufFile* file;  // nullptr: none yet
    std::int64_t blocks;
    Run* runs;
    std::size_t count;
    std::size_t capacity;
  };

  void make_room();
  void charge(std::size_t capacity);
  std::size_t affordable_capacity() const;
  void allocate(std::size_t entries);
  void resize(std::size_t capacity);
  void sort_collected();
  void spill();

  void begin_run(RunFile* out);
  void write_entries(RunFile* out, const Entry* entries, std::size_t count);
  void end_run(RunFile* out);

  void form_streams();
  void merge_passes();
  void open_streams(std::size_t first, std::size_t count);
  bool refill(Stream* stream);
  Entry take_head(std::size_t stream);
  std::size_t merge_some(Entry* out, std::size_t capacity);

  MemoryContext context_;
  SortMemory* memory_;
  std::size_t reserve_;
  std::size_t charged_;  // bytes taken from memory_

  // Entries collected and not yet written to a run. Scratch space is accounted for with them, though it is allocated only
  // when a sort needs it.
  Entry* entries_;
  std::size_t count_;
  std::size_t capacity_;   // entries that there may be: what was charged for
  std::size_t allocated_;  // that there is address space for
  bool sorted_;
  Entry* scratch_;
  std::size_t scratch_size_;
  std::uint64_t total_;

  RunFile spilled_;

  // Reading back: either the collected entries (no run), or streams, several of which make a merge.
  std::size_t position_;
  Stream* streams_;
  std::size_t stream_count_;
  Entry* read_buffer_;
  std::size_t read_buffer_capacity_;

  // Loser tree over the open streams: heads_[i] is the next entry of open stream i; losers_[node] lost the
  // match at the node and waits there, losers_[0] is the overall winner.
  std::size_t open_first_;
  std::size_t open_count_;
  Entry* heads_;
  std::uint32_t* losers_;
  Entry* batch_;
};
using EntrySorter = BasicEntrySorter<Code>;
static_assert(std::is_trivially_destructible_v<EntrySorter>);

}  // namespace learned
