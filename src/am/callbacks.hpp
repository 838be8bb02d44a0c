// Every callback that the access method gives to the server, one group per source file of that name.
#pragma once

#include "am/server/server.hpp"

namespace learned {

// build.cpp
IndexBuildResult* learned_build(Relation heap, Relation index, struct IndexInfo* index_info);
void learned_build_empty(Relation index);
char* learned_build_phase_name(int64 phase);

// insert.cpp. Eight parameters are the server's choice, not ours.
bool learned_insert(Relation index, Datum* values, bool* isnull, ItemPointer heap_tid, Relation heap,
                    IndexUniqueCheck check_unique, bool index_unchanged, struct IndexInfo* index_info);

// vacuum.cpp
IndexBulkDeleteResult* learned_bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                           IndexBulkDeleteCallback callback, void* callback_state);
IndexBulkDeleteResult* learned_vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats);

// scan.cpp
bool learned_can_return(Relation index, int attno);
IndexScanDesc learned_begin_scan(Relation index, int nkeys, int norderbys);
void learned_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys);
bool learned_gettuple(IndexScanDesc scan, ScanDirection direction);
int64 learned_getbitmap(IndexScanDesc scan, TIDBitmap* bitmap);
void learned_end_scan(IndexScanDesc scan);
void learned_mark_pos(IndexScanDesc scan);
void learned_restore_pos(IndexScanDesc scan);

// parallel_scan.cpp
void learned_init_parallel_scan(void* target);
void learned_parallel_rescan(IndexScanDesc scan);

// cost.cpp
void learned_cost_estimate(struct PlannerInfo* root, struct IndexPath* path, double loop_count,
                           Cost* startup_cost, Cost* total_cost, Selectivity* selectivity,
                           double* correlation, double* pages);
int learned_tree_height(Relation index);

// planner_doubles.cpp. Called when the library is loaded; sets a hook.
void register_planner_doubles();

// outgrown_statistics.cpp. The same.
void register_outgrown_statistics();

// row_comparisons.cpp. The same.
void register_row_comparisons();

// upper_paths.cpp. The same.
void register_upper_paths();

// options.cpp
bytea* learned_options(Datum reloptions, bool validate);

// validate.cpp
bool learned_validate(Oid opclass_oid);
void learned_adjust_members(Oid opfamily_oid, Oid opclass_oid, List* operators, List* functions);

}  // namespace learned
