/*
 * A table access method that is not heap: "far" keeps rows as heap does, but its TIDs are places that no heap of a sensible size has. Whoever takes them for
 * blocks of the table's file reads beyond its end. There is no UPDATE, no VACUUM, no bitmap scan; a row is found by its TID only by index scans and DELETE.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "storage/block.h"
#include "storage/itemptr.h"
#include "utils/rel.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(far_handler);

#define FAR_BLOCKS ((BlockNumber) 1000000000)

static TableAmRoutine far_routine;

static void
go_far(ItemPointer tid)
{
	ItemPointerSetBlockNumber(tid, ItemPointerGetBlockNumber(tid) + FAR_BLOCKS);
}

static ItemPointerData
come_near(ItemPointer tid)
{
	ItemPointerData near = *tid;

	if (ItemPointerGetBlockNumber(tid) < FAR_BLOCKS)
		elog(ERROR, "row (%u,%u) is none of this table", ItemPointerGetBlockNumber(tid), ItemPointerGetOffsetNumber(tid));
	ItemPointerSetBlockNumber(&near, ItemPointerGetBlockNumber(tid) - FAR_BLOCKS);
	return near;
}

static bool
far_getnextslot(TableScanDesc scan, ScanDirection direction, TupleTableSlot *slot)
{
	if (!GetHeapamTableAmRoutine()->scan_getnextslot(scan, direction, slot))
		return false;
	go_far(&slot->tts_tid);
	return true;
}

static bool
far_fetch_tuple(struct IndexFetchTableData *scan, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot, bool *call_again, bool *all_dead)
{
	ItemPointerData near = come_near(tid);
	bool		found = GetHeapamTableAmRoutine()->index_fetch_tuple(scan, &near, snapshot, slot, call_again, all_dead);

	*tid = near;
	go_far(tid);
	if (found)
		go_far(&slot->tts_tid);
	return found;
}

#if PG_VERSION_NUM >= 190000
static void
far_insert(Relation rel, TupleTableSlot *slot, CommandId cid, uint32 options, BulkInsertStateData *bistate)
#else
static void
far_insert(Relation rel, TupleTableSlot *slot, CommandId cid, int options, struct BulkInsertStateData *bistate)
#endif
{
	GetHeapamTableAmRoutine()->tuple_insert(rel, slot, cid, options, bistate);
	go_far(&slot->tts_tid);
}

#if PG_VERSION_NUM >= 190000
static TM_Result
far_delete(Relation rel, ItemPointer tid, CommandId cid, uint32 options, Snapshot snapshot, Snapshot crosscheck, bool wait, TM_FailureData *tmfd)
{
	ItemPointerData near = come_near(tid);

	return GetHeapamTableAmRoutine()->tuple_delete(rel, &near, cid, options, snapshot, crosscheck, wait, tmfd);
}
#else
static TM_Result
far_delete(Relation rel, ItemPointer tid, CommandId cid, Snapshot snapshot, Snapshot crosscheck, bool wait, TM_FailureData *tmfd, bool moves)
{
	ItemPointerData near = come_near(tid);

	return GetHeapamTableAmRoutine()->tuple_delete(rel, &near, cid, snapshot, crosscheck, wait, tmfd, moves);
}
#endif

typedef struct
{
	IndexBuildCallback callback;
	void	   *state;
} FarBuild;

static void
far_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *state)
{
	FarBuild   *build = (FarBuild *) state;
	ItemPointerData far = *tid;

	go_far(&far);
	build->callback(index, &far, values, isnull, alive, build->state);
}

static double
far_build_scan(Relation table, Relation index, struct IndexInfo *info, bool allow_sync, bool anyvisible, bool progress, BlockNumber start, BlockNumber count,
			   IndexBuildCallback callback, void *state, TableScanDesc scan)
{
	FarBuild	build = {callback, state};
	const TableAmRoutine *routine = table->rd_tableam;
	double		rows;

	/* (It insists on being called for a heap.) */
	table->rd_tableam = GetHeapamTableAmRoutine();
	PG_TRY();
	{
		rows = table->rd_tableam->index_build_range_scan(table, index, info, allow_sync, anyvisible, progress, start, count, far_row, &build, scan);
	}
	PG_FINALLY();
	{
		table->rd_tableam = routine;
	}
	PG_END_TRY();
	return rows;
}

Datum
far_handler(PG_FUNCTION_ARGS)
{
	far_routine = *GetHeapamTableAmRoutine();
	far_routine.scan_getnextslot = far_getnextslot;
	far_routine.index_fetch_tuple = far_fetch_tuple;
	far_routine.tuple_insert = far_insert;
	far_routine.tuple_delete = far_delete;
	far_routine.index_build_range_scan = far_build_scan;
#if PG_VERSION_NUM < 180000
	far_routine.scan_bitmap_next_block = NULL;
#endif
	far_routine.scan_bitmap_next_tuple = NULL;
	PG_RETURN_POINTER(&far_routine);
}
