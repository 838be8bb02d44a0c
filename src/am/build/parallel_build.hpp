// Parallel CREATE INDEX: workers scan and sort shares of the table, the leader one too, merges and writes.
//
//   leader                                    worker (one of several)
//   begin(): shared state, launch             learned_parallel_build_main()
//   collect(): its share of the scan, sort    its share of the scan, sort
//     wait until everybody has sorted         report counts and broken HOT chains
//   for each tree: next_batch() until empty   for each tree: send the sorted entries, then an end
//   end(): wait for exits, add up usage       exit
//
// Sorted entries travel through one message queue per worker, some tens of thousands at a time, so each process
// needs only its share of maintenance_work_mem: nothing is collected twice, and what a worker had to spill is
// merged by the worker itself, while the leader merges and writes.
#pragma once

#include "am/build/row_collector.hpp"
#include "am/server/server.hpp"
#include "core/sort/merge_tree.hpp"

namespace learned {

struct SharedBuild;

template <class K>
class ParallelBuild {
 public:
  using Entry = SortEntry<K>;

  // Launches up to `workers` workers. nullptr if none could be had: the caller builds alone. Otherwise the
  // server is in parallel mode until end() is called or the transaction aborts.
  static ParallelBuild* begin(Relation heap, Relation index, const IndexInfo& index_info, int workers);

  // How many processes scan, this one included.
  std::size_t participants() const { return inputs_; }
  // How many rows are expected of each participant.
  double worker_rows() const;

  // Scans and sorts this process's share, then waits for the workers to have done the same. Returns the number of
  // rows of the table, and says in `index_info` whether anybody met a broken HOT chain.
  double collect(RowCollector<K>* rows, IndexInfo* index_info);

  // Entries of all participants. REQUIRES: collect() was called.
  std::uint64_t total() const { return total_; }

  // Begins to merge the entries of a tree, which must be read to their end. Trees come in order of their numbers.
  void begin_tree(BasicEntrySorter<K>* own);
  std::span<const Entry> next_batch() { return merge_.next_batch(); }

  // Waits for the workers to exit and leaves parallel mode.
  void end();

 private:
  // Input 0 of the merge is this process's sorter, the others are the workers' queues.
  class Source {
   public:
    std::span<const Entry> next_batch(std::size_t input);

   private:
    friend class ParallelBuild;
    BasicEntrySorter<K>* own_;
    ParallelContext* context_;
    shm_mq_handle** queues_;
    bool* ended_;  // per worker: the end of the current tree was read
  };
  using Merge = MergeTree<Source, K>;

  Relation heap_;
  Relation index_;
  ParallelContext* context_;
  Snapshot snapshot_;
  SharedBuild* shared_;
  BufferUsage* buffer_usage_;
  WalUsage* wal_usage_;
  std::size_t inputs_;
  std::uint64_t total_;
  Source source_;
  typename Merge::Node* nodes_;
  Merge merge_;
};
static_assert(std::is_trivially_destructible_v<ParallelBuild<Code>>);

}  // namespace learned
