// Work on one of many things that must not end the work on all of them, nor keep it waiting.
#pragma once

#include "am/server/server.hpp"

namespace learned {

// What is not the thing's fault: the query is to end, the transaction cannot go on (a standby's recovery is in its way, a deadlock), or the server has no room.
inline bool ends_query(int code) {
  const int kind = ERRCODE_TO_CATEGORY(code);
  return kind == ERRCODE_OPERATOR_INTERVENTION || kind == ERRCODE_TRANSACTION_ROLLBACK ||
         kind == ERRCODE_INSUFFICIENT_RESOURCES;
}

// Calls f() in a subtransaction of its own, as PL/pgSQL does for EXCEPTION. Returns the error that it ended with, nullptr if there was none; errors that
// are to end the query go on. Memory that f() takes in the current context stays, locks and open relations go only with an error.
//
// REQUIRES: insert_gathered() was called: entries of the statement that are not in their index yet would be lost with the subtransaction.
template <class F>
ErrorData* run_guarded(F&& f) {
  MemoryContext memory = CurrentMemoryContext;
  ResourceOwner owner = CurrentResourceOwner;
  ErrorData* volatile error = nullptr;
  BeginInternalSubTransaction(nullptr);
  // (A subtransaction that ends takes its own memory along.)
  MemoryContextSwitchTo(memory);
  PG_TRY();
  {
    f();
    ReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(memory);
    CurrentResourceOwner = owner;
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(memory);
    error = CopyErrorData();
    FlushErrorState();
    RollbackAndReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(memory);
    CurrentResourceOwner = owner;
    if (ends_query(error->sqlerrcode)) ReThrowError(error);
  }
  PG_END_TRY();
  return error;
}

// Locks a table and its index for reading, if nobody has to be waited for; false: it is not so, and neither is locked.
inline bool lock_if_free(Oid table, Oid index) {
  if (!ConditionalLockRelationOid(table, AccessShareLock)) return false;
  if (ConditionalLockRelationOid(index, AccessShareLock)) return true;
  UnlockRelationOid(table, AccessShareLock);
  return false;
}

// Gives both back.
inline void unlock_again(Oid table, Oid index) {
  UnlockRelationOid(index, AccessShareLock);
  UnlockRelationOid(table, AccessShareLock);
}

constexpr const char* kLockedByOthers = "locked by another session: ask again";

}  // namespace learned
