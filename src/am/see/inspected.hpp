// What the functions that show an index share.
#pragma once

#include "am/check/inspection.hpp"
#include "am/key/key_columns.hpp"

namespace learned {

// Calls f.operator()<K>(opened) for the index that is a function's first argument, K being the type of its keys; in a memory
// context that goes with the call.
template <class F>
void with_inspected_index(FunctionCallInfo fcinfo, F&& f) {
  const InspectedIndex opened = open_inspected_index(PG_GETARG_OID(0), AccessShareLock);
  MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "learned index inspection", ALLOCSET_DEFAULT_SIZES);
  MemoryContext caller = MemoryContextSwitchTo(context);
  with_key(key_words_of(opened.index), [&]<class K>() { f.template operator()<K>(opened); });
  MemoryContextSwitchTo(caller);
  MemoryContextDelete(context);
  close_inspected_index(opened);
}

// Where rows are made one after the other: what each of them takes goes with it.
class RowMemory {
 public:
  RowMemory() : context_(AllocSetContextCreate(CurrentMemoryContext, "row", ALLOCSET_DEFAULT_SIZES)) {}

  // make() makes a row.
  template <class Make>
  void with_row(const Make& make) {
    MemoryContext caller = MemoryContextSwitchTo(context_);
    make();
    MemoryContextSwitchTo(caller);
    MemoryContextReset(context_);
  }

 private:
  MemoryContext context_;
};

}  // namespace learned
