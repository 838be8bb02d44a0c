#include "am/build/parallel_build.hpp"

#include <dlfcn.h>

#include "am/server/compat.hpp"

// What a worker runs; the server looks it up by name.
extern "C" {
LEARNED_EXPORT void learned_parallel_build_main(dsm_segment* segment, shm_toc* toc);
}

namespace learned {

// In dynamic shared memory, followed by the description of the parallel table scan.
struct SharedBuild {
  // Set before the workers start.
  Oid heap;
  Oid index;
  bool concurrent;
  bool unique;
  std::size_t worker_memory;
  double worker_rows;

  // Signalled by each worker that has sorted.
  ConditionVariable sorted;

  // The mutex protects what follows.
  slock_t mutex;
  int workers_done;
  double heap_tuples;
  std::uint64_t index_tuples;
  bool broken_hot_chain;
};

namespace {

enum SharedKey : uint64 {
  kKeyBuild = 1,
  kKeyQueues = 2,
  kKeyQueryText = 3,
  kKeyWalUsage = 4,
  kKeyBufferUsage = 5,
};

constexpr char kWorkerMain[] = "learned_parallel_build_main";

// Entries are sent so many bytes at once. A message that wraps around in its queue is copied once more; most do not.
constexpr std::size_t kMessageBytes = std::size_t{1} << 16;
constexpr std::size_t kQueueBytes = 8 * kMessageBytes;
// Follows the entries of each tree. Shorter than an entry.
constexpr char kEndMark = 0;

// The file that the workers load: the very one that this process did, which with 18's extension_control_path need
// not be in the server's library directory.
const char* library_path() {
  Dl_info library;
  const bool known = dladdr(reinterpret_cast<void*>(&learned_parallel_build_main), &library) != 0;
  return known && library.dli_fname != nullptr ? library.dli_fname : "$libdir/learned_index";
}

// The table scan's description may need a stronger alignment than SharedBuild.
Size scan_offset() { return BUFFERALIGN(sizeof(SharedBuild)); }

ParallelTableScanDesc shared_scan(SharedBuild* shared) {
  return reinterpret_cast<ParallelTableScanDesc>(reinterpret_cast<char*>(shared) + scan_offset());
}

void estimate(ParallelContext* context, Size bytes) {
  shm_toc_estimate_chunk(&context->estimator, bytes);
  shm_toc_estimate_keys(&context->estimator, 1);
}

// Reserves a chunk of the shared memory and makes it known to the workers.
void* allocate(ParallelContext* context, SharedKey key, Size bytes) {
  void* chunk = shm_toc_allocate(context->toc, bytes);
  shm_toc_insert(context->toc, key, chunk);
  return chunk;
}

shm_mq* queue_of(void* queues, int worker) {
  return reinterpret_cast<shm_mq*>(static_cast<char*>(queues) +
                                   static_cast<std::size_t>(worker) * kQueueBytes);
}

// A build that blocks writers has to find all rows and judges them itself; a concurrent one takes what its
// snapshot sees, and a second scan adds the rest.
Snapshot scan_snapshot(bool concurrent) {
  return concurrent ? RegisterSnapshot(GetTransactionSnapshot()) : SnapshotAny;
}

void leave(ParallelContext* context, Snapshot snapshot) {
  if (snapshot != SnapshotAny) UnregisterSnapshot(snapshot);
  DestroyParallelContext(context);
  ExitParallelMode();
}

// The queue of a worker broke off. Its error message, if it could send one, is raised here.
[[noreturn]] void raise_loss(ParallelContext* context, std::size_t worker) {
  (void)WaitForBackgroundWorkerShutdown(context->worker[worker].bgwhandle);
  CHECK_FOR_INTERRUPTS();
  ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE), errmsg("lost connection to parallel worker")));
  pg_unreachable();
}

}  // namespace

template <class K>
ParallelBuild<K>* ParallelBuild<K>::begin(Relation heap, Relation index, const IndexInfo& index_info,
                                          int workers) {
  EnterParallelMode();
  ParallelContext* context = CreateParallelContext(library_path(), kWorkerMain, workers);
  const Snapshot snapshot = scan_snapshot(index_info.ii_Concurrent);

  const auto count = static_cast<Size>(context->nworkers);
  const Size shared_bytes = add_size(scan_offset(), table_parallelscan_estimate(heap, snapshot));
  const Size queue_bytes = mul_size(kQueueBytes, count);
  const Size text_bytes = debug_query_string != nullptr ? std::strlen(debug_query_string) + 1 : 0;
  estimate(context, shared_bytes);
  estimate(context, queue_bytes);
  estimate(context, mul_size(sizeof(WalUsage), count));
  estimate(context, mul_size(sizeof(BufferUsage), count));
  if (text_bytes > 0) estimate(context, text_bytes);
  InitializeParallelDSM(context);
  if (context->seg == nullptr) {  // no dynamic shared memory
    leave(context, snapshot);
    return nullptr;
  }

  auto* build = new (palloc0(sizeof(ParallelBuild))) ParallelBuild{};
  build->heap_ = heap;
  build->index_ = index;
  build->context_ = context;
  build->snapshot_ = snapshot;

  auto* shared = static_cast<SharedBuild*>(allocate(context, kKeyBuild, shared_bytes));
  build->shared_ = shared;
  shared->heap = RelationGetRelid(heap);
  shared->index = RelationGetRelid(index);
  shared->concurrent = index_info.ii_Concurrent;
  shared->unique = index_info.ii_Unique;
  shared->worker_memory = static_cast<std::size_t>(maintenance_work_mem) * 1024 / (count + 1);
  shared->worker_rows = expected_rows(heap, index_info) / static_cast<double>(count + 1);
  ConditionVariableInit(&shared->sorted);
  SpinLockInit(&shared->mutex);
  shared->workers_done = 0;
  shared->heap_tuples = 0;
  shared->index_tuples = 0;
  shared->broken_hot_chain = false;
  table_parallelscan_initialize(heap, shared_scan(shared), snapshot);
  // Each share of the table shall arrive in ascending order, from its beginning: see RowCollector::collect().
  shared_scan(shared)->phs_syncscan = false;

  build->wal_usage_ =
      static_cast<WalUsage*>(allocate(context, kKeyWalUsage, mul_size(sizeof(WalUsage), count)));
  build->buffer_usage_ =
      static_cast<BufferUsage*>(allocate(context, kKeyBufferUsage, mul_size(sizeof(BufferUsage), count)));
  if (text_bytes > 0)
    std::memcpy(allocate(context, kKeyQueryText, text_bytes), debug_query_string, text_bytes);

  void* queues = allocate(context, kKeyQueues, queue_bytes);
  Source* source = &build->source_;
  source->context_ = context;
  source->queues_ = static_cast<shm_mq_handle**>(palloc(count * sizeof(shm_mq_handle*)));
  source->ended_ = static_cast<bool*>(palloc0(count * sizeof(bool)));
  for (int i = 0; i < context->nworkers; ++i) {
    shm_mq* queue = shm_mq_create(queue_of(queues, i), kQueueBytes);
    shm_mq_set_receiver(queue, MyProc);
    source->queues_[i] = shm_mq_attach(queue, context->seg, nullptr);
  }

  LaunchParallelWorkers(context);
  ereport(DEBUG1, (errmsg_internal("building learned index \"%s\" with %d of %d parallel workers",
                                   RelationGetRelationName(index), context->nworkers_launched, workers)));
  if (context->nworkers_launched == 0) {
    leave(context, snapshot);
    return nullptr;
  }
  build->inputs_ = static_cast<std::size_t>(context->nworkers_launched) + 1;
  build->nodes_ = static_cast<typename Merge::Node*>(
      palloc(Merge::node_count(build->inputs_) * sizeof(typename Merge::Node)));
  for (int i = 0; i < context->nworkers_launched; ++i) {
    // Whoever waits for the queue notices if the worker never starts.
    shm_mq_set_handle(source->queues_[i], context->worker[i].bgwhandle);
  }
  return build;
}

template <class K>
double ParallelBuild<K>::worker_rows() const {
  return shared_->worker_rows;
}

template <class K>
double ParallelBuild<K>::collect(RowCollector<K>* rows, IndexInfo* index_info) {
  TableScanDesc scan = compat::begin_parallel_scan(heap_, shared_scan(shared_));
  const double own_tuples = rows->collect(heap_, index_, index_info, true, scan);
  pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, kPhaseSorting);
  rows->finish();

  // Else the wait below might be for a worker that never came.
  WaitForParallelWorkersToAttach(context_);
  double heap_tuples = own_tuples;
  for (;;) {
    SpinLockAcquire(&shared_->mutex);
    const bool done = shared_->workers_done == context_->nworkers_launched;
    if (done) {
      heap_tuples += shared_->heap_tuples;
      total_ = rows->total() + shared_->index_tuples;
      if (shared_->broken_hot_chain) index_info->ii_BrokenHotChain = true;
    }
    SpinLockRelease(&shared_->mutex);
    if (done) break;
    // Raises the error of a worker, too.
    ConditionVariableSleep(&shared_->sorted, WAIT_EVENT_PARALLEL_CREATE_INDEX_SCAN);
  }
  ConditionVariableCancelSleep();
  return heap_tuples;
}

template <class K>
void ParallelBuild<K>::begin_tree(BasicEntrySorter<K>* own) {
  source_.own_ = own;
  std::fill_n(source_.ended_, context_->nworkers_launched, false);
  merge_ = Merge(&source_, inputs_, nodes_);
}

template <class K>
std::span<const SortEntry<K>> ParallelBuild<K>::Source::next_batch(std::size_t input) {
  if (input == 0) return own_->next_batch();
  const std::size_t worker = input - 1;
  if (ended_[worker]) return {};
  CHECK_FOR_INTERRUPTS();
  Size bytes = 0;
  void* message = nullptr;
  if (shm_mq_receive(queues_[worker], &bytes, &message, false) != SHM_MQ_SUCCESS)
    raise_loss(context_, worker);
  ended_[worker] = bytes < sizeof(Entry);
  return {static_cast<const Entry*>(message), bytes / sizeof(Entry)};
}

template <class K>
void ParallelBuild<K>::end() {
  WaitForParallelWorkersToFinish(context_);
  // Complete only now that the workers have exited.
  for (int i = 0; i < context_->nworkers_launched; ++i) {
    InstrAccumParallelQuery(&buffer_usage_[i], &wal_usage_[i]);
  }
  leave(context_, snapshot_);
}

#define LEARNED_PARALLEL_BUILD(K) template class ParallelBuild<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_PARALLEL_BUILD)
#undef LEARNED_PARALLEL_BUILD

// ---------------------------------------------------------------------------------------------------------
// Workers

namespace {

// false: the leader has gone.
template <class K>
bool send_entries(shm_mq_handle* queue, BasicEntrySorter<K>* sorter) {
  using Entry = SortEntry<K>;
  for (std::span<const Entry> batch; !(batch = sorter->next_batch()).empty();) {
    while (!batch.empty()) {
      const std::span<const Entry> chunk = batch.first(std::min(batch.size(), kMessageBytes / sizeof(Entry)));
      if (shm_mq_send(queue, chunk.size_bytes(), chunk.data(), false, false) != SHM_MQ_SUCCESS) return false;
      batch = batch.subspan(chunk.size());
    }
  }
  return shm_mq_send(queue, sizeof(kEndMark), &kEndMark, false, true) == SHM_MQ_SUCCESS;
}

void report_sorted(SharedBuild* shared, double heap_tuples, std::uint64_t index_tuples,
                   bool broken_hot_chain) {
  SpinLockAcquire(&shared->mutex);
  shared->workers_done++;
  shared->heap_tuples += heap_tuples;
  shared->index_tuples += index_tuples;
  if (broken_hot_chain) shared->broken_hot_chain = true;
  SpinLockRelease(&shared->mutex);
  ConditionVariableSignal(&shared->sorted);
}

// The worker's part of a build for keys of type K.
template <class K>
void take_part(SharedBuild* shared, Relation heap, Relation index, shm_mq_handle* queue) {
  IndexInfo* index_info = BuildIndexInfo(index);
  index_info->ii_Concurrent = shared->concurrent;
  RowCollector<K> rows;
  rows.open(index, shared->unique, shared->worker_memory, shared->worker_rows);
  TableScanDesc scan = compat::begin_parallel_scan(heap, shared_scan(shared));
  const double heap_tuples = rows.collect(heap, index, index_info, false, scan);
  rows.finish();
  report_sorted(shared, heap_tuples, rows.total(), index_info->ii_BrokenHotChain);

  for (int i = 0; i < kTreeCount; ++i) {
    BasicEntrySorter<K>* sorter = rows.sorter(static_cast<TreeId>(i));
    if (!send_entries(queue, sorter)) break;
    sorter->destroy();
  }
}

void run_worker(dsm_segment* segment, shm_toc* toc) {
  auto* shared = static_cast<SharedBuild*>(shm_toc_lookup(toc, kKeyBuild, false));
  shm_mq* mq = queue_of(shm_toc_lookup(toc, kKeyQueues, false), ParallelWorkerNumber);
  shm_mq_set_sender(mq, MyProc);
  shm_mq_handle* queue = shm_mq_attach(mq, segment, nullptr);

  // The leader holds these locks already.
  const LOCKMODE heap_lock = shared->concurrent ? ShareUpdateExclusiveLock : ShareLock;
  const LOCKMODE index_lock = shared->concurrent ? RowExclusiveLock : AccessExclusiveLock;
  Relation heap = table_open(shared->heap, heap_lock);
  Relation index = index_open(shared->index, index_lock);

  InstrStartParallelQuery();
  with_key(key_words_of(index), [&]<class K>() { take_part<K>(shared, heap, index, queue); });

  auto* buffer_usage = static_cast<BufferUsage*>(shm_toc_lookup(toc, kKeyBufferUsage, false));
  auto* wal_usage = static_cast<WalUsage*>(shm_toc_lookup(toc, kKeyWalUsage, false));
  InstrEndParallelQuery(&buffer_usage[ParallelWorkerNumber], &wal_usage[ParallelWorkerNumber]);

  index_close(index, index_lock);
  table_close(heap, heap_lock);
}

}  // namespace
}  // namespace learned

extern "C" void learned_parallel_build_main(dsm_segment* segment, shm_toc* toc) {
  debug_query_string = static_cast<char*>(shm_toc_lookup(toc, learned::kKeyQueryText, true));
  pgstat_report_activity(STATE_RUNNING, debug_query_string);
  learned::run_worker(segment, toc);
}
