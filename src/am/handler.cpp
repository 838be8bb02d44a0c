// The entry points of the library: load-time set-up and the access method's handler.
#include "am/callbacks.hpp"
#include "am/key/key_mapping.hpp"
#include "am/key/key_order.hpp"
#include "am/key/row_bound.hpp"
#include "am/options.hpp"
#include "am/scan/parallel_scan.hpp"
#include "am/server/compat.hpp"
#include "am/write/gathered.hpp"

extern "C" {
LEARNED_EXPORT extern const Pg_magic_struct* PG_MAGIC_FUNCTION_NAME(void);
LEARNED_MODULE_MAGIC;

LEARNED_EXPORT void _PG_init(void);
}

LEARNED_SQL_FUNCTION(learned_handler);

extern "C" void _PG_init(void) {
  learned::register_options();
  // Once, though the server calls _PG_init again after a failure: a hook must not be its own predecessor.
  static bool hooked = false;
  if (hooked) return;
  hooked = true;
  learned::register_planner_doubles();
  learned::register_outgrown_statistics();
  learned::register_row_comparisons();
  learned::register_upper_paths();
  learned::register_refusals();
  learned::register_gathering();
}

namespace learned {
namespace {

constexpr IndexAmRoutine make_routine() {
  IndexAmRoutine routine{};
  routine.type = T_IndexAmRoutine;

  // Strategies 1-5 and support functions 1-4 are a btree's, in number and meaning: the planner relies on it. Strategies 6 and 7
  // are ours (row_bound.hpp). Functions 5 (operator class options) and 6 stay unused; 7 is ours (key_mapping.hpp).
  routine.amstrategies = kStrategies;
  routine.amsupport = kMappingFunction;
  routine.amoptsprocnum = 0;

  routine.amcanorder = true;
  routine.amcanorderbyop = false;
  routine.amcanbackward = true;
  // What is not true here the server refuses before anything is in the catalogs; what the flags cannot say,
  // register_refusals() does.
  routine.amcanunique = compat::kUniqueIndexes;
  routine.amcanmulticol = true;
  routine.amcaninclude = true;
  routine.amoptionalkey = true;
  routine.amsearcharray = true;
  routine.amsearchnulls = true;
  routine.amstorage = false;
  routine.amclusterable = true;
  routine.ampredlocks = true;
  routine.amcanparallel = true;
  routine.amusemaintenanceworkmem = false;
  routine.amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL | VACUUM_OPTION_PARALLEL_COND_CLEANUP;
  routine.amkeytype = InvalidOid;

  routine.ambuild = learned_build;
  routine.ambuildempty = learned_build_empty;
  routine.aminsert = learned_insert;
  routine.ambulkdelete = learned_bulk_delete;
  routine.amvacuumcleanup = learned_vacuum_cleanup;
  routine.amcanreturn = learned_can_return;
  routine.amcostestimate = learned_cost_estimate;
  routine.amoptions = learned_options;
  routine.amproperty = nullptr;
  routine.ambuildphasename = learned_build_phase_name;
  routine.amvalidate = learned_validate;
  routine.amadjustmembers = learned_adjust_members;
  routine.ambeginscan = learned_begin_scan;
  routine.amrescan = learned_rescan;
  routine.amgettuple = learned_gettuple;
  routine.amgetbitmap = learned_getbitmap;
  routine.amendscan = learned_end_scan;
  routine.ammarkpos = learned_mark_pos;
  routine.amrestrpos = learned_restore_pos;
  routine.amestimateparallelscan = compat::fixed_parallel_scan_size<sizeof(SharedScan)>();
  routine.aminitparallelscan = learned_init_parallel_scan;
  routine.amparallelrescan = learned_parallel_rescan;

  compat::complete_routine(&routine, learned_tree_height);
  return routine;
}

// Made by the compiler.
constexpr IndexAmRoutine kRoutine = make_routine();

}  // namespace
}  // namespace learned

// From version 18 on, planning any query may call this, hence a finished routine.
extern "C" Datum learned_handler(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return learned::compat::handler_result(&learned::kRoutine);
}
