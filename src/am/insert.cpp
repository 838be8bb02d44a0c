#include "am/buffer_store.hpp"
#include "am/callbacks.hpp"
#include "am/key_type.hpp"

namespace learned {

bool learned_insert(Relation index, Datum* values, bool* isnull, ItemPointer heap_tid, Relation,
                    IndexUniqueCheck, bool, struct IndexInfo*) {
  BufferStore store(index);
  const Tid tid = make_tid(ItemPointerGetBlockNumber(heap_tid), ItemPointerGetOffsetNumber(heap_tid));
  if (isnull[0]) {
    Tree<BufferStore>(&store, TreeId::nulls).insert({0, tid, kNoBlock});
  } else {
    Tree<BufferStore>(&store, TreeId::keys)
        .insert({datum_to_code(key_type_of(index), values[0]), tid, kNoBlock});
  }
  // There are no unique indexes on this server version, so nothing was checked.
  return false;
}

}  // namespace learned
