#include "am/scan/kill_items.hpp"

#include "am/server/compat.hpp"
#include "core/page/kill_marks.hpp"

namespace learned {

namespace {

// Whether rank `rank` of the page is this entry.
template <class K>
bool holds(const BasicPageView<K>& page, int rank, const BasicEntry<K>& entry) {
  BasicEntry<K> found{};
  if (rank < 0 || static_cast<unsigned>(rank) >= page.encoded()) return false;
  const auto r = static_cast<unsigned>(rank);
  if (!decode(page, r, r + 1, &found.code, &found.tid)) return false;
  if (page.tree() == TreeId::nulls) found.code = K{};
  return found == entry && !page.is_dead(r);
}

template <class K>
void kill_delta(const BasicPageView<K>& page, const BasicEntry<K>& entry, BasicKillMarker<K>* marker) {
  for (unsigned j = 0; j < page.deltas(); j++) {
    if (page.delta_item(j).entry() == entry) marker->add_delta(j);
  }
}

}  // namespace

template <class K>
bool BasicKillItems<K>::add(const Entry& entry, int rank) {
  if (kills_ == nullptr) kills_ = static_cast<Kill*>(MemoryContextAlloc(context_, kMost * sizeof(Kill)));
  if (count_ == kMost) return false;
  kills_[count_++] = {entry, rank};
  return true;
}

// In the page itself, locked for share.
template <class K>
void BasicKillItems<K>::set_in(BufferStore* store, Buffer buffer, TreeId tree) {
  std::uint8_t* bytes = store->hints(buffer);
  const BasicPageView<K> page(bytes);
  if (check_header(page) != nullptr || page.deleted() || page.tree() != tree || page.level() != 0) return;
  if (!compat::begin_hints(buffer)) return;
  const Kill* kill = kills_;
  const Kill* end = kills_ + count_;
  std::sort(kills_, kills_ + count_, [](const Kill& a, const Kill& b) { return a.rank < b.rank; });
  BasicKillMarker<K> marker(bytes);
  while (kill < end) {
    if (kill->rank < 0) {
      kill_delta(page, kill->entry, &marker);
      kill++;
      continue;
    }
    const int first = kill->rank;
    int next = first;
    // A scan that turned round may have met an entry twice.
    for (; kill < end && (kill->rank == next || (next > first && kill->rank == next - 1)); kill++) {
      if (!holds(page, kill->rank, kill->entry)) break;
      next = kill->rank + 1;
    }
    if (next > first) {
      marker.add(static_cast<unsigned>(first), static_cast<unsigned>(next));
    } else {
      kill++;
    }
  }
  compat::finish_hints(buffer, marker.finish());
}

template <class K>
void BasicKillItems<K>::set(BufferStore* store, KilledLeaf* leaf) {
  if (count_ == 0) return;
  const bool pinned = BufferIsValid(leaf->pinned);
  const Buffer buffer = pinned ? leaf->pinned : store->pin(leaf->block);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  if (pinned || BufferGetLSNAtomic(buffer) == leaf->lsn) {
    set_in(store, buffer, leaf->tree);
    // With checksums the hint itself may have been logged; under the lock nothing else has changed.
    if (!pinned) leaf->lsn = BufferGetLSNAtomic(buffer);
  }
  LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  if (!pinned) ReleaseBuffer(buffer);
  count_ = 0;
}

#define LEARNED_KILL_ITEMS(K) template class BasicKillItems<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_KILL_ITEMS)
#undef LEARNED_KILL_ITEMS

}  // namespace learned
