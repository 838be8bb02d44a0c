// The entry points of the library: load-time set-up and the access method's handler.
#include "am/callbacks.hpp"
#include "am/options.hpp"

extern "C" {
LEARNED_EXPORT extern const Pg_magic_struct* PG_MAGIC_FUNCTION_NAME(void);
PG_MODULE_MAGIC;

LEARNED_EXPORT void _PG_init(void);
}

LEARNED_SQL_FUNCTION(learned_handler);

extern "C" void _PG_init(void) { learned::register_options(); }

// The server pfrees what this returns. From version 18 on, planning any query may call it: it only fills in a
// node.
extern "C" Datum learned_handler(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  IndexAmRoutine* routine = makeNode(IndexAmRoutine);

  // Strategies 1-5 and support functions 1-4 are a btree's, in number and meaning: the planner relies on it.
  // 5 (operator class options) and 6 stay unused; functions of our own would begin at 7.
  routine->amstrategies = BTMaxStrategyNumber;
  routine->amsupport = BTEQUALIMAGE_PROC;
  routine->amoptsprocnum = 0;

  routine->amcanorder = true;
  routine->amcanorderbyop = false;
  routine->amcanbackward = true;
  // Claimed so that learned_build can refuse them with a hint; learned_property denies them.
  routine->amcanunique = true;
  routine->amcanmulticol = true;
  routine->amcaninclude = true;
  routine->amoptionalkey = true;
  routine->amsearcharray = true;
  routine->amsearchnulls = true;
  routine->amstorage = false;
  routine->amclusterable = true;
  routine->ampredlocks = false;
  routine->amcanparallel = false;
  routine->amusemaintenanceworkmem = false;
  routine->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL | VACUUM_OPTION_PARALLEL_COND_CLEANUP;
  routine->amkeytype = InvalidOid;

  routine->ambuild = learned::learned_build;
  routine->ambuildempty = learned::learned_build_empty;
  routine->aminsert = learned::learned_insert;
  routine->ambulkdelete = learned::learned_bulk_delete;
  routine->amvacuumcleanup = learned::learned_vacuum_cleanup;
  routine->amcanreturn = learned::learned_can_return;
  routine->amcostestimate = learned::learned_cost_estimate;
  routine->amoptions = learned::learned_options;
  routine->amproperty = learned::learned_property;
  routine->ambuildphasename = learned::learned_build_phase_name;
  routine->amvalidate = learned::learned_validate;
  routine->amadjustmembers = learned::learned_adjust_members;
  routine->ambeginscan = learned::learned_begin_scan;
  routine->amrescan = learned::learned_rescan;
  routine->amgettuple = learned::learned_gettuple;
  routine->amgetbitmap = learned::learned_getbitmap;
  routine->amendscan = learned::learned_end_scan;
  routine->ammarkpos = learned::learned_mark_pos;
  routine->amrestrpos = learned::learned_restore_pos;
  routine->amestimateparallelscan = nullptr;
  routine->aminitparallelscan = nullptr;
  routine->amparallelrescan = nullptr;

  PG_RETURN_POINTER(routine);
}
