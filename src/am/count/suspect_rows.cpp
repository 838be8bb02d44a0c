#include "am/count/suspect_rows.hpp"

#include "am/server/grown_array.hpp"

namespace learned {

template <class K>
SuspectRows<K>::SuspectRows(Relation heap, bool with_keys, MemoryContext context)
    : visits_(heap, context), with_keys_(with_keys), context_(context) {
  // Twice the entries, for the sort.
  const Size bytes = 2 * sizeof(Entry) + sizeof(Group) + (with_keys ? sizeof(K) : 0);
  limit_ =
      static_cast<uint32>(std::clamp<Size>(static_cast<Size>(work_mem) * 1024 / bytes, kInOrder, 1 << 24));
}

template <class K>
void SuspectRows<K>::grow() {
  const uint32 capacity = capacity_ == 0 ? 256 : capacity_ * 2;
  rows_ = enlarge(context_, rows_, capacity);
  groups_ = enlarge(context_, groups_, capacity);
  if (with_keys_) keys_ = enlarge(context_, keys_, capacity);
  capacity_ = capacity;
}

template <class K>
void SuspectRows<K>::sort() {
  if (sorted_) return;
  const Size scratch = least_sort_scratch(size_);
  auto* memory = static_cast<Entry*>(MemoryContextAllocHuge(context_, scratch * sizeof(Entry)));
  sort_entries<Code>({rows_, size_}, {memory, scratch}, {[](void*) { CHECK_FOR_INTERRUPTS(); }, nullptr});
  pfree(memory);
}

template <class K>
void SuspectRows<K>::release() {
  if (rows_ != nullptr) {
    pfree(rows_);
    pfree(groups_);
    if (with_keys_) pfree(keys_);
  }
  rows_ = nullptr;
  groups_ = nullptr;
  keys_ = nullptr;
  size_ = capacity_ = 0;
  visits_.end();
}

#define LEARNED_SUSPECT_ROWS(K) template class SuspectRows<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_SUSPECT_ROWS)
#undef LEARNED_SUSPECT_ROWS

}  // namespace learned
