/*
 * A yardstick: an access method that does next to nothing of its own, so that what it costs is what the server costs
 * whoever uses an index. For bench/run.sh --methods learned,btree,floor; of bigint columns that are not null and
 * whose values are all different. It is no index: what it knows is kept in the memory of the one backend that built it,
 * and a rollback does not undo it.
 *
 *   k = constant   reads one page of a file of 62 bits an entry, whichever, and returns an entry with that key and any
 *                  row's TID. (Index-only scans only, which look at the visibility map, not at the row.)
 *   other ranges   index tuples out of an array, in the order of the keys
 *   INSERT         appends 16 bytes to the array
 *   VACUUM         asks about each entry, in the order of the array: the table's, if keys ascend in it or came by COPY
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/selfuncs.h"

PG_MODULE_MAGIC;

/*
 * Bits an entry. Uniform keys of 62 bits and the places of their rows, in random order, are one of 2^(62 n) tables:
 * n keys without their order have n * (62 - log2(n) + 1.44) bits, the order of n rows n * (log2(n) - 1.44).
 */
#define ENTROPY_BITS 62

/* An index tuple as the executor takes it: 16 bytes. */
typedef struct Tuple
{
	IndexTupleData head;
	int64		key;
} Tuple;

StaticAssertDecl(sizeof(Tuple) == 16, "an index tuple has no padding");

/* t_info of a tuple that VACUUM removed; otherwise it has the tuple's size. */
#define REMOVED 0

/* Of the index that was built last; in TopMemoryContext. */
static Tuple *tuples = NULL;
static Size tuple_count = 0;
static Size tuple_room = 0;
static bool tuples_sorted = true;
static Oid	tuples_of = InvalidOid;

typedef struct FloorScan
{
	bool		started;
	bool		equality;
	int64		low;			/* range of keys, both ends included */
	int64		high;
	Size		next;			/* of a range: the next one in the array */
	Buffer		pinned;
	BlockNumber index_blocks;
	BlockNumber heap_blocks;
	Tuple		probe;			/* what an equality returns */
} FloorScan;

PG_FUNCTION_INFO_V1(floor_handler);

/* ---- the array ------------------------------------------------------------------------------------ */

static void
append(int64 key, ItemPointer tid)
{
	Tuple	   *tuple;

	if (tuple_count == tuple_room)
	{
		Size		room = Max(1024, tuple_room * 2);

		tuples = tuples == NULL
			? MemoryContextAllocHuge(TopMemoryContext, room * sizeof(Tuple))
			: repalloc_huge(tuples, room * sizeof(Tuple));
		tuple_room = room;
	}
	tuple = &tuples[tuple_count];
	tuple->head.t_tid = *tid;
	tuple->head.t_info = sizeof(Tuple);
	tuple->key = key;
	tuples_sorted = tuples_sorted && (tuple_count == 0 || tuples[tuple_count - 1].key <= key);
	tuple_count++;
}

static int
compare(const void *a, const void *b)
{
	int64		x = ((const Tuple *) a)->key;
	int64		y = ((const Tuple *) b)->key;

	return (x > y) - (x < y);
}

/* The first one whose key is not below. */
static Size
lower_bound(int64 key)
{
	Size		low = 0;
	Size		high = tuple_count;

	if (!tuples_sorted)
	{
		qsort(tuples, tuple_count, sizeof(Tuple), compare);
		tuples_sorted = true;
	}
	while (low < high)
	{
		Size		middle = (low + high) / 2;

		if (tuples[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
must_have_tuples(Relation index)
{
	if (tuples_of != RelationGetRelid(index))
		elog(ERROR, "another session built \"%s\"", RelationGetRelationName(index));
}

/* ---- making --------------------------------------------------------------------------------------- */

static void
build_callback(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *state)
{
	if (isnull[0])
		elog(ERROR, "floor has no place for nulls");
	append(DatumGetInt64(values[0]), tid);
}

static IndexBuildResult *
floor_build(Relation heap, Relation index, IndexInfo *info)
{
	IndexBuildResult *result = palloc0(sizeof(IndexBuildResult));
	Size		pages;

	tuple_count = 0;
	tuples_sorted = true;
	tuples_of = RelationGetRelid(index);
	result->heap_tuples = table_index_build_scan(heap, index, info, true, true, build_callback, NULL, NULL);
	result->index_tuples = tuple_count;
	(void) lower_bound(0);
	pages = Max(1, (tuple_count * ENTROPY_BITS / 8 + BLCKSZ - 1) / BLCKSZ);
	for (Size i = 0; i < pages; i++)
	{
		Buffer		buffer = ReadBuffer(index, P_NEW);

		/* Initialized, as the server looks at every word of a page that is not whenever it reads it. */
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		PageInit(BufferGetPage(buffer), BLCKSZ, 0);
		MarkBufferDirty(buffer);
		UnlockReleaseBuffer(buffer);
	}
	return result;
}

static void
floor_build_empty(Relation index)
{
	elog(ERROR, "floor is for logged tables");
}

static bool
floor_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid, Relation heap,
			 IndexUniqueCheck check, bool unchanged, IndexInfo *info)
{
	must_have_tuples(index);
	if (isnull[0])
		elog(ERROR, "floor has no place for nulls");
	append(DatumGetInt64(values[0]), tid);
	return false;
}

static IndexBulkDeleteResult *
floor_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats, IndexBulkDeleteCallback callback,
				  void *state)
{
	must_have_tuples(info->index);
	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	stats->num_index_tuples = 0;
	for (Size i = 0; i < tuple_count; i++)
	{
		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		if (tuples[i].head.t_info == REMOVED)
			continue;
		if (callback(&tuples[i].head.t_tid, state))
		{
			tuples[i].head.t_info = REMOVED;
			stats->tuples_removed++;
		}
		else
			stats->num_index_tuples++;
	}
	return stats;
}

static IndexBulkDeleteResult *
floor_vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	return stats;
}

/* ---- scanning ------------------------------------------------------------------------------------- */

static IndexScanDesc
floor_begin_scan(Relation index, int nkeys, int norderbys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
	FloorScan  *s = palloc0(sizeof(FloorScan));
	Relation	heap = RelationIdGetRelation(index->rd_index->indrelid);

	s->pinned = InvalidBuffer;
	s->index_blocks = RelationGetNumberOfBlocks(index);
	s->heap_blocks = RelationGetNumberOfBlocks(heap);
	RelationClose(heap);
	scan->opaque = s;
	return scan;
}

static void
let_go(FloorScan *s)
{
	if (BufferIsValid(s->pinned))
		ReleaseBuffer(s->pinned);
	s->pinned = InvalidBuffer;
}

static void
floor_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys)
{
	FloorScan  *s = scan->opaque;

	let_go(s);
	if (keys != NULL && nkeys > 0)
		memmove(scan->keyData, keys, nkeys * sizeof(ScanKeyData));
	s->started = false;
	s->low = PG_INT64_MIN;
	s->high = PG_INT64_MAX;
	for (int i = 0; i < scan->numberOfKeys; i++)
	{
		int64		key = DatumGetInt64(scan->keyData[i].sk_argument);
		StrategyNumber strategy = scan->keyData[i].sk_strategy;

		if (strategy == BTLessStrategyNumber)
			s->high = Min(s->high, key - 1);
		if (strategy == BTLessEqualStrategyNumber || strategy == BTEqualStrategyNumber)
			s->high = Min(s->high, key);
		if (strategy == BTGreaterEqualStrategyNumber || strategy == BTEqualStrategyNumber)
			s->low = Max(s->low, key);
		if (strategy == BTGreaterStrategyNumber)
			s->low = Max(s->low, key + 1);
	}
	s->equality = s->low == s->high;
	if (scan->xs_want_itup)
		scan->xs_itupdesc = RelationGetDescr(scan->indexRelation);
}

static bool
probe(IndexScanDesc scan)
{
	FloorScan  *s = scan->opaque;
	uint64		place = hash_bytes_extended((unsigned char *) &s->low, sizeof(s->low), 0);

	if (s->started)
		return false;
	if (!scan->xs_want_itup)
		elog(ERROR, "floor knows no rows, only index-only scans may ask for a key");
	s->started = true;
	s->pinned = ReadBuffer(scan->indexRelation, place % s->index_blocks);
	ItemPointerSet(&s->probe.head.t_tid, (place >> 32) % s->heap_blocks, FirstOffsetNumber);
	s->probe.head.t_info = sizeof(Tuple);
	s->probe.key = s->low;
	scan->xs_itup = &s->probe.head;
	scan->xs_heaptid = s->probe.head.t_tid;
	return true;
}

static bool
floor_gettuple(IndexScanDesc scan, ScanDirection direction)
{
	FloorScan  *s = scan->opaque;

	scan->xs_recheck = false;
	if (s->equality)
		return probe(scan);
	if (!s->started)
	{
		must_have_tuples(scan->indexRelation);
		s->next = lower_bound(s->low);
		s->started = true;
	}
	while (s->next < tuple_count && tuples[s->next].head.t_info == REMOVED)
		s->next++;
	if (s->next >= tuple_count || tuples[s->next].key > s->high)
		return false;
	scan->xs_itup = &tuples[s->next].head;
	scan->xs_heaptid = tuples[s->next].head.t_tid;
	s->next++;
	return true;
}

static void
floor_end_scan(IndexScanDesc scan)
{
	let_go(scan->opaque);
}

/* ---- planning ------------------------------------------------------------------------------------- */

static bool
floor_can_return(Relation index, int column)
{
	return true;
}

static void
floor_cost(PlannerInfo *root, IndexPath *path, double loops, Cost *startup, Cost *total, Selectivity *selectivity,
		   double *correlation, double *pages)
{
	GenericCosts costs = {0};

	genericcostestimate(root, path, loops, &costs);
	*startup = costs.indexStartupCost;
	*total = costs.indexTotalCost;
	*selectivity = costs.indexSelectivity;
	*correlation = costs.indexCorrelation;
	*pages = costs.numIndexPages;
}

static bytea *
floor_options(Datum options, bool validate)
{
	return NULL;
}

Datum
floor_handler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *am = makeNode(IndexAmRoutine);

	am->amstrategies = BTMaxStrategyNumber;
	am->amoptionalkey = true;
	am->ambuild = floor_build;
	am->ambuildempty = floor_build_empty;
	am->aminsert = floor_insert;
	am->ambulkdelete = floor_bulk_delete;
	am->amvacuumcleanup = floor_vacuum_cleanup;
	am->amcanreturn = floor_can_return;
	am->amcostestimate = floor_cost;
	am->amoptions = floor_options;
	am->ambeginscan = floor_begin_scan;
	am->amrescan = floor_rescan;
	am->amgettuple = floor_gettuple;
	am->amendscan = floor_end_scan;
	PG_RETURN_POINTER(am);
}
