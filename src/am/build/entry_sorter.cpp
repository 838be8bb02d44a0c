#include "am/build/entry_sorter.hpp"

#include <sys/mman.h>

#include <numeric>

#include "am/server/grown_array.hpp"
#include "core/sort/radix_sort.hpp"

namespace learned {
namespace {

// The buffer never gets smaller than this, whatever the budget says.
constexpr std::size_t kMinCapacity = 1024;
// What sort_entries() can count.
constexpr std::size_t kMaxCapacity = (std::size_t{1} << 32) - 1;

template <class K>
struct Layout {
  static constexpr std::size_t kEntryBytes = sizeof(SortEntry<K>);
  // What streams are read in.
  static constexpr std::size_t kUnitBytes = std::lcm(std::size_t{BLCKSZ}, kEntryBytes);
  static constexpr std::size_t kUnit = kUnitBytes / kEntryBytes;
  // Entries handed out or written at once; in between, interrupts are looked for.
  static constexpr std::size_t kBatch = 8 * BLCKSZ / kEntryBytes;
  // Larger buffers than this do not make reading a stream any faster.
  static constexpr std::size_t kMaxStreamBuffer = (std::size_t{1} << 20) / kUnitBytes * kUnit;
  static_assert(kUnitBytes <= 8 * BLCKSZ && kMaxStreamBuffer >= kUnit);

  // The head of a stream that has ended: greater than every entry, as no TID, tagged or not, is so great.
  static constexpr SortEntry<K> kExhausted = pack(KeyTraits<K>::highest(), ~Tid{0});
  static constexpr bool exhausted(const SortEntry<K>& head) {
    return unpack(head).tid == unpack(kExhausted).tid;
  }
};

template <class K>
SortEntry<K>* allocate_entries(MemoryContext context, std::size_t capacity, int flags = MCXT_ALLOC_HUGE) {
  return static_cast<SortEntry<K>*>(
      MemoryContextAllocExtended(context, capacity * sizeof(SortEntry<K>), flags));
}

// Large pages save TLB misses of the scattered writes, and most of the page faults.
// Only a wish: a kernel without them ignores it.
template <class Entry>
void prefer_large_pages(Entry* entries, std::size_t capacity) {
#ifdef MADV_HUGEPAGE
  constexpr std::uintptr_t kLargePage = std::uintptr_t{2} << 20;
  const std::uintptr_t begin =
      (reinterpret_cast<std::uintptr_t>(entries) + kLargePage - 1) & ~(kLargePage - 1);
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(entries + capacity) & ~(kLargePage - 1);
  if (end > begin) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#else
  (void)entries;
  (void)capacity;
#endif
}

void poll_interrupts(void*) { CHECK_FOR_INTERRUPTS(); }

}  // namespace

template <class K>
BasicEntrySorter<K>* BasicEntrySorter<K>::create(SortMemory* memory, std::size_t reserve,
                                                 std::size_t expected) {
  MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "learned index entry sorter", ALLOCSET_DEFAULT_SIZES);
  auto* sorter = static_cast<BasicEntrySorter*>(MemoryContextAllocZero(context, sizeof(BasicEntrySorter)));
  sorter->context_ = context;
  sorter->memory_ = memory;
  sorter->reserve_ = reserve;
  sorter->sorted_ = true;
  if (const std::size_t entries = std::min(expected, sorter->affordable_capacity()); entries > kMinCapacity) {
    // Where address space counts as memory there may be too little: it is only a wish.
    sorter->entries_ = allocate_entries<K>(context, entries, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
    if (sorter->entries_ != nullptr) {
      sorter->allocated_ = entries;
      prefer_large_pages(sorter->entries_, entries);
    }
  }
  return sorter;
}

template <class K>
void BasicEntrySorter<K>::destroy() {
  if (spilled_.file != nullptr) BufFileClose(spilled_.file);
  memory_->free_bytes += charged_;
  MemoryContextDelete(context_);
}

// ---------------------------------------------------------------------------------------------------------
// Collecting

// The largest capacity that the budget allows, with the scratch space that its sort needs.
template <class K>
std::size_t BasicEntrySorter<K>::affordable_capacity() const {
  const std::size_t usable = memory_->free_bytes > reserve_ ? memory_->free_bytes - reserve_ : 0;
  const std::size_t entries = (charged_ + usable) / sizeof(Entry);
  const std::size_t capacity = entries >= 2 * kMinSortScratch ? entries - kMinSortScratch : entries / 2;
  return std::clamp(capacity, kMinCapacity, kMaxCapacity);
}

// Accounts for a buffer of that capacity, and scratch space. The minimum is granted even when nothing is left.
template <class K>
void BasicEntrySorter<K>::charge(std::size_t capacity) {
  const std::size_t wanted = (capacity + least_sort_scratch(capacity)) * sizeof(Entry);
  memory_->free_bytes += charged_;
  charged_ = std::min(wanted, memory_->free_bytes);
  memory_->free_bytes -= charged_;
}

// Makes the buffer one of that many entries. What was never used is address space, no memory.
template <class K>
void BasicEntrySorter<K>::allocate(std::size_t entries) {
  entries_ = entries_ == nullptr ? allocate_entries<K>(context_, entries)
                                 : static_cast<Entry*>(repalloc_huge(entries_, entries * sizeof(Entry)));
  allocated_ = entries;
  prefer_large_pages(entries_, entries);
}

template <class K>
void BasicEntrySorter<K>::resize(std::size_t capacity) {
  if (capacity > allocated_) allocate(capacity);
  capacity_ = capacity;
  charge(capacity);
}

// The buffer is full: enlarges it, or empties it into a run.
template <class K>
void BasicEntrySorter<K>::make_room() {
  // Once runs have begun, a larger buffer would only make runs of unequal length.
  if (spilled_.count == 0) {
    std::size_t capacity = std::min(std::max(2 * capacity_, kMinCapacity), affordable_capacity());
    // What was set aside is used up before the buffer moves, but for a last small step.
    if (capacity > allocated_ && allocated_ > capacity_ + capacity_ / 4) capacity = allocated_;
    // A last step of a few entries is not worth its copying, if there is any.
    if (capacity >= capacity_ + capacity_ / 8 + 1 || (capacity > capacity_ && capacity <= allocated_)) {
      resize(capacity);
      return;
    }
  }
  spill();
}

template <class K>
void BasicEntrySorter<K>::sort_collected() {
  if (sorted_) return;
  const std::size_t wanted = least_sort_scratch(count_);
  if (scratch_size_ < wanted) {
    if (scratch_ != nullptr) pfree(scratch_);
    scratch_ = nullptr;
    scratch_ = allocate_entries<K>(context_, wanted);
    scratch_size_ = wanted;
  }
  sort_entries<K>({entries_, count_}, {scratch_, scratch_size_}, SortPoll{poll_interrupts, nullptr});
  sorted_ = true;
}

template <class K>
void BasicEntrySorter<K>::spill() {
  sort_collected();
  begin_run(&spilled_);
  write_entries(&spilled_, entries_, count_);
  end_run(&spilled_);
  count_ = 0;
  sorted_ = true;
}

template <class K>
void BasicEntrySorter<K>::finish() {
  if (spilled_.count == 0) {
    sort_collected();
    if (scratch_ != nullptr) pfree(scratch_);
    scratch_ = nullptr;
    scratch_size_ = 0;
    return;
  }
  if (count_ > 0) spill();
  if (scratch_ != nullptr) pfree(scratch_);
  scratch_ = nullptr;
  pfree(entries_);
  entries_ = nullptr;
  capacity_ = allocated_ = scratch_size_ = 0;
  merge_passes();
}

// ---------------------------------------------------------------------------------------------------------
// Runs

template <class K>
void BasicEntrySorter<K>::begin_run(RunFile* out) {
  MemoryContext before = MemoryContextSwitchTo(context_);
  if (out->file == nullptr) out->file = BufFileCreateTemp(false);
  if (out->count == out->capacity) {
    out->capacity = std::max<std::size_t>(2 * out->capacity, 64);
    out->runs = enlarge(context_, out->runs, out->capacity);
  }
  MemoryContextSwitchTo(before);
  out->runs[out->count] = Run{Entry{}, Entry{}, 0, out->blocks, kNone};
}

// Appends entries to the run that was begun. They follow those written before in the order.
template <class K>
void BasicEntrySorter<K>::write_entries(RunFile* out, const Entry* entries, std::size_t count) {
  if (count == 0) return;
  Run* run = &out->runs[out->count];
  if (run->count == 0) run->first = entries[0];
  run->last = entries[count - 1];
  run->count += count;
  for (std::size_t done = 0; done < count;) {
    CHECK_FOR_INTERRUPTS();
    const std::size_t chunk = std::min(Layout<K>::kBatch, count - done);
    BufFileWrite(out->file, const_cast<Entry*>(entries + done), chunk * sizeof(Entry));
    done += chunk;
  }
}

template <class K>
void BasicEntrySorter<K>::end_run(RunFile* out) {
  Run* run = &out->runs[out->count++];
  const std::uint64_t bytes = run->count * sizeof(Entry);
  const std::size_t in_last_block = bytes % BLCKSZ;
  if (in_last_block > 0) {
    PGAlignedBlock zeros;
    std::memset(zeros.data, 0, BLCKSZ - in_last_block);
    BufFileWrite(out->file, zeros.data, BLCKSZ - in_last_block);
  }
  out->blocks += static_cast<std::int64_t>((bytes + BLCKSZ - 1) / BLCKSZ);
}

// ---------------------------------------------------------------------------------------------------------
// Merging

// Chains runs that do not overlap into as few streams as possible: taken in order of their first entries,
// each run continues the stream that ends earliest, or starts a new one. Input that was sorted, or sorted
// but for some late-comers, then needs no merge, or a small one.
template <class K>
void BasicEntrySorter<K>::form_streams() {
  const std::size_t count = spilled_.count;
  Run* runs = spilled_.runs;
  std::sort(runs, runs + count, [](const Run& a, const Run& b) { return a.first < b.first; });

  if (streams_ != nullptr) pfree(streams_);
  streams_ = static_cast<Stream*>(
      MemoryContextAllocExtended(context_, count * sizeof(Stream), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
  stream_count_ = 0;
  // While forming, next_run is the last run of the stream, and the streams are a heap with the earliest end
  // on top.
  const auto ends_later = [runs](const Stream& a, const Stream& b) {
    return runs[b.next_run].last < runs[a.next_run].last;
  };
  for (std::size_t i = 0; i < count; ++i) {
    runs[i].next_in_stream = kNone;
    if (stream_count_ > 0 && runs[streams_[0].next_run].last < runs[i].first) {
      std::pop_heap(streams_, streams_ + stream_count_, ends_later);
      Stream* stream = &streams_[stream_count_ - 1];
      runs[stream->next_run].next_in_stream = i;
      stream->next_run = i;
    } else {
      Stream* stream = &streams_[stream_count_++];
      stream->first_run = stream->next_run = i;
    }
    std::push_heap(streams_, streams_ + stream_count_, ends_later);
  }
  // In order of first entries, so that a pass over some of the streams makes a short range.
  std::sort(streams_, streams_ + stream_count_,
            [](const Stream& a, const Stream& b) { return a.first_run < b.first_run; });
}

// Merges until all streams that are left can be read at the same time, and opens those.
template <class K>
void BasicEntrySorter<K>::merge_passes() {
  // What the collecting buffers took is used for reading: a unit per stream at least.
  const std::size_t units = std::max<std::size_t>(charged_ / Layout<K>::kUnitBytes, 16);
  const std::size_t most_streams = std::min<std::size_t>(units, std::size_t{1} << 16);
  form_streams();
  const std::size_t widest = std::min(stream_count_, most_streams);
  read_buffer_capacity_ = std::min(units * Layout<K>::kUnit, widest * Layout<K>::kMaxStreamBuffer);
  read_buffer_ = allocate_entries<K>(context_, read_buffer_capacity_);
  batch_ = allocate_entries<K>(context_, Layout<K>::kBatch);
  heads_ = allocate_entries<K>(context_, widest);
  losers_ = static_cast<std::uint32_t*>(MemoryContextAlloc(context_, widest * sizeof(std::uint32_t)));

  while (stream_count_ > most_streams) {
    RunFile merged{};
    for (std::size_t first = 0; first < stream_count_; first += most_streams) {
      open_streams(first, std::min(most_streams, stream_count_ - first));
      begin_run(&merged);
      for (std::size_t n; (n = merge_some(batch_, Layout<K>::kBatch)) > 0;) write_entries(&merged, batch_, n);
      end_run(&merged);
    }
    BufFileClose(spilled_.file);
    pfree(spilled_.runs);
    spilled_ = merged;
    form_streams();
  }
  open_streams(0, stream_count_);
}

// Starts reading streams [first, first + count): shares the read buffer among them and plays the first round.
template <class K>
void BasicEntrySorter<K>::open_streams(std::size_t first, std::size_t count) {
  open_first_ = first;
  open_count_ = count;
  const std::size_t share = read_buffer_capacity_ / count / Layout<K>::kUnit * Layout<K>::kUnit;
  for (std::size_t i = 0; i < count; ++i) {
    Stream* stream = &streams_[first + i];
    stream->next_run = stream->first_run;
    stream->remaining = 0;
    stream->buffer = read_buffer_ + i * share;
    stream->cursor = stream->filled = 0;
    if (count > 1) heads_[i] = take_head(i);
  }
  if (count < 2) return;

  // Node n plays the winners of 2n and 2n + 1; nodes count .. 2 * count - 1 are the streams themselves.
  auto* winners = static_cast<std::uint32_t*>(palloc(2 * count * sizeof(std::uint32_t)));
  for (std::size_t i = 0; i < count; ++i) winners[count + i] = static_cast<std::uint32_t>(i);
  for (std::size_t node = count - 1; node > 0; --node) {
    std::uint32_t winner = winners[2 * node];
    std::uint32_t loser = winners[2 * node + 1];
    if (heads_[loser] < heads_[winner]) std::swap(winner, loser);
    winners[node] = winner;
    losers_[node] = loser;
  }
  losers_[0] = winners[1];
  pfree(winners);
}

// Reads the next entries of a stream into its buffer; false at its end.
template <class K>
bool BasicEntrySorter<K>::refill(Stream* stream) {
  CHECK_FOR_INTERRUPTS();
  if (stream->remaining == 0) {
    if (stream->next_run == kNone) return false;
    const Run& run = spilled_.runs[stream->next_run];
    stream->block = run.start_block;
    stream->remaining = run.count;
    stream->next_run = run.next_in_stream;
  }
  const std::size_t share = read_buffer_capacity_ / open_count_ / Layout<K>::kUnit * Layout<K>::kUnit;
  const std::size_t count = std::min<std::uint64_t>(share, stream->remaining);
  const std::size_t bytes = count * sizeof(Entry);
  if (BufFileSeekBlock(spilled_.file, static_cast<long>(stream->block)) != 0) {
    ereport(ERROR,
            (errcode_for_file_access(), errmsg("could not seek in temporary file of an index build: %m")));
  }
  const std::size_t bytes_read = BufFileRead(spilled_.file, stream->buffer, bytes);
  if (bytes_read != bytes) {
    ereport(ERROR, (errcode_for_file_access(),
                    errmsg("could not read from temporary file of an index build: read only %zu of %zu bytes",
                           bytes_read, bytes)));
  }
  // Whole blocks, unless the run ends here.
  stream->block += static_cast<std::int64_t>(bytes / BLCKSZ);
  stream->remaining -= count;
  stream->cursor = 0;
  stream->filled = count;
  return true;
}

// The next entry of an open stream, or kExhausted.
template <class K>
SortEntry<K> BasicEntrySorter<K>::take_head(std::size_t index) {
  Stream* stream = &streams_[open_first_ + index];
  if (stream->cursor == stream->filled && !refill(stream)) return Layout<K>::kExhausted;
  return stream->buffer[stream->cursor++];
}

// Merges up to `capacity` entries of the open streams; 0 at the end.
template <class K>
std::size_t BasicEntrySorter<K>::merge_some(Entry* out, std::size_t capacity) {
  CHECK_FOR_INTERRUPTS();
  if (open_count_ == 1) {
    std::size_t count = 0;
    for (; count < capacity; ++count) {
      out[count] = take_head(0);
      if (Layout<K>::exhausted(out[count])) break;
    }
    return count;
  }
  std::uint32_t winner = losers_[0];
  std::size_t count = 0;
  while (count < capacity && !Layout<K>::exhausted(heads_[winner])) {
    out[count++] = heads_[winner];
    Entry head = take_head(winner);
    heads_[winner] = head;
    for (std::size_t node = (winner + open_count_) / 2; node > 0; node /= 2) {
      const std::uint32_t other = losers_[node];
      if (heads_[other] < head) {
        losers_[node] = winner;
        winner = other;
        head = heads_[other];
      }
    }
  }
  losers_[0] = winner;
  return count;
}

template <class K>
std::span<const SortEntry<K>> BasicEntrySorter<K>::next_batch() {
  CHECK_FOR_INTERRUPTS();
  if (spilled_.count == 0) {
    const std::size_t count = std::min(Layout<K>::kBatch, count_ - position_);
    const Entry* batch = entries_ + position_;
    position_ += count;
    return {batch, count};
  }
  if (open_count_ == 1) {
    // Nothing to merge: hand the buffer out as it is.
    Stream* stream = &streams_[open_first_];
    if (!refill(stream)) return {};
    stream->cursor = stream->filled;
    return {stream->buffer, stream->filled};
  }
  return {batch_, merge_some(batch_, Layout<K>::kBatch)};
}

#define LEARNED_ENTRY_SORTER(K) template class BasicEntrySorter<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_ENTRY_SORTER)
#undef LEARNED_ENTRY_SORTER

}  // namespace learned
