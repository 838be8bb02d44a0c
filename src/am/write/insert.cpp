#include "am/callbacks.hpp"
#include "am/key/key_columns.hpp"
#include "am/store/buffer_store.hpp"
#include "am/write/unique.hpp"

namespace learned {
namespace {

template <class K>
void insert(Relation index, const RowKey<K>& row, Tid tid) {
  BasicBufferStore<K> store(index);
  Tree<BasicBufferStore<K>>(&store, row.tree).insert({row.key, tid, kNoBlock});
}

}  // namespace

bool learned_insert(Relation index, Datum* values, bool* isnull, ItemPointer heap_tid, Relation heap,
                    IndexUniqueCheck check_unique, bool, struct IndexInfo* index_info) {
  const KeyColumns columns = key_columns_of(index);
  const bool check = check_unique != UNIQUE_CHECK_NO;
  return with_key(columns.words, [&]<class K>() {
    if (check && (index_info->ii_NullsNotDistinct || !has_null_key(columns, isnull)))
      return insert_unique<K>(columns, {index, heap, values, isnull, heap_tid, check_unique});
    // A NULL that equals no other is unique, and its entry is there.
    if (check_unique == UNIQUE_CHECK_EXISTING) return true;
    insert(index, key_of_row<K>(columns, values, isnull),
           make_tid(ItemPointerGetBlockNumber(heap_tid), ItemPointerGetOffsetNumber(heap_tid)));
    // Where nothing was to be checked, the result does not count.
    return check;
  });
}

}  // namespace learned
