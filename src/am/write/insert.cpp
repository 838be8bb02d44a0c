#include "am/store/buffer_store.hpp"
#include "am/callbacks.hpp"
#include "am/key/key_type.hpp"
#include "am/write/unique.hpp"

namespace learned {

bool learned_insert(Relation index, Datum* values, bool* isnull, ItemPointer heap_tid, Relation heap,
                    IndexUniqueCheck check_unique, bool, struct IndexInfo* index_info) {
  const bool check = check_unique != UNIQUE_CHECK_NO;
  if (check && (!isnull[0] || index_info->ii_NullsNotDistinct)) {
    return insert_unique({index, heap, values, isnull, heap_tid, check_unique});
  }
  BufferStore store(index);
  const Tid tid = make_tid(ItemPointerGetBlockNumber(heap_tid), ItemPointerGetOffsetNumber(heap_tid));
  if (isnull[0]) {
    Tree<BufferStore>(&store, TreeId::nulls).insert({0, tid, kNoBlock});
  } else {
    Tree<BufferStore>(&store, TreeId::keys)
        .insert({datum_to_code(key_type_of(index), values[0]), tid, kNoBlock});
  }
  // A NULL that equals no other is unique. Where nothing was to be checked, the result does not count.
  return check;
}

}  // namespace learned
