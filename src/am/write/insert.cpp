#include "am/callbacks.hpp"
#include "am/key/key_columns.hpp"
#include "am/server/table_tids.hpp"
#include "am/store/buffer_store.hpp"
#include "am/write/gathered.hpp"
#include "am/write/unique.hpp"

namespace learned {
namespace {

template <class K>
void insert(Relation index, const RowKey<K>& row, Tid tid, MemoryContext statement) {
  const BasicItem<K> item{row.key, tid, kNoBlock};
  if (gather(index, row.tree, item, statement)) return;
  BasicBufferStore<K> store(index);
  Tree<BasicBufferStore<K>>(&store, row.tree).insert(item);
}

// The columns, and where functions of operator classes are called for them, these, made once for a statement.
KeyColumns columns_for(Relation index, IndexInfo* info) {
  if (info->ii_AmCache != nullptr) return *static_cast<const KeyColumns*>(info->ii_AmCache);
  const KeyColumns columns = key_columns_of(index, info->ii_Context);
  if (columns.mapped) {
    info->ii_AmCache = new (MemoryContextAlloc(info->ii_Context, sizeof(KeyColumns))) KeyColumns(columns);
  }
  return columns;
}

}  // namespace

bool learned_insert(Relation index, Datum* values, bool* isnull, ItemPointer heap_tid, Relation heap,
                    IndexUniqueCheck check_unique, bool, struct IndexInfo* index_info) {
  const KeyColumns columns = columns_for(index, index_info);
  const bool check = check_unique != UNIQUE_CHECK_NO;
  return with_key(columns.words, [&]<class K>() {
    if (check && (index_info->ii_NullsNotDistinct || !has_null_key(columns, isnull)))
      return insert_unique<K>(columns, {index, heap, values, isnull, heap_tid, check_unique});
    // A NULL that equals no other is unique, and its entry is there.
    if (check_unique == UNIQUE_CHECK_EXISTING) return true;
    insert(index, key_of_row<K>(columns, values, isnull), tid_of(*heap_tid), index_info->ii_Context);
    // Where nothing was to be checked, the result does not count.
    return check;
  });
}

}  // namespace learned
