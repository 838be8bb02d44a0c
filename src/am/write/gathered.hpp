// Entries of an INSERT or a COPY that brings many rows: gathered, and inserted in ascending order, so that a leaf is locked, changed and logged
// once for all that it takes. src/README.md, "Gathered entries", says why nobody misses them.
#pragma once

#include "am/server/server.hpp"
#include "core/page/view.hpp"

namespace learned {

// Keeps an entry for later, if one of this index and of this statement, known by its memory, may be. False: insert it now.
template <class K>
bool gather(Relation index, TreeId tree, const BasicItem<K>& item, MemoryContext statement);
// Inserts what has been gathered. To be called before this session reads an index in any way that is not a query of its own.
void insert_gathered();
// Once, when the library is loaded.
void register_gathering();

}  // namespace learned
