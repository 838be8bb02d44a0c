/*
 * Scans an index as some extensions do: the arguments of the keys are filled in after the rescan, some time before
 * the first row is asked for. For tests: what it finds must be the same with every access method.
 *
 *   late_keys_scan(index regclass, kind text, strategies int[], subtype regtype, arguments int8[], script text) RETURNS text
 *
 * kind         plain; only (index-only); bitmap; parallel (two participants of one scan, both in this process)
 * strategies   one key for each, on the index's only column, an int8
 * subtype      of the arguments: int4, int8; int8[] makes one key of all arguments, = ANY
 * arguments    groups of as many as there are keys
 * script       one letter for each step:
 *   r  rescan with keys whose arguments are zero      n  rescan without keys: those of before
 *   0-9  fills in that group of arguments             i  says that the arguments are NULL
 *   x  takes the arguments away
 *   f  one row forward        F  all rows forward     m  mark    z  back to the mark
 *   b  one row backward       B  all rows backward    (bitmap: F only, gives the number of entries)
 *
 * Returns key@(block,offset) of each row, and "." where there was none.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/tidbitmap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(late_keys_scan);

#if PG_VERSION_NUM >= 190000
#define beginscan(heap, index, snapshot, nkeys) index_beginscan(heap, index, snapshot, NULL, nkeys, 0, 0)
#define beginscan_parallel(heap, index, nkeys, shared) index_beginscan_parallel(heap, index, NULL, nkeys, 0, shared, 0)
#elif PG_VERSION_NUM >= 180000
#define beginscan(heap, index, snapshot, nkeys) index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#define beginscan_parallel(heap, index, nkeys, shared) index_beginscan_parallel(heap, index, NULL, nkeys, 0, shared)
#else
#define beginscan(heap, index, snapshot, nkeys) index_beginscan(heap, index, snapshot, nkeys, 0)
#define beginscan_parallel(heap, index, nkeys, shared) index_beginscan_parallel(heap, index, nkeys, 0, shared)
#endif
#if PG_VERSION_NUM >= 180000
#define beginscan_bitmap(index, snapshot, nkeys) index_beginscan_bitmap(index, snapshot, NULL, nkeys)
#else
#define beginscan_bitmap(index, snapshot, nkeys) index_beginscan_bitmap(index, snapshot, nkeys)
#endif

#define MAX_KEYS 4

typedef struct LateScan
{
	Relation	heap;
	Relation	index;
	bool		only;
	int			nscans;			/* 2 in a parallel scan */
	IndexScanDesc scans[2];
	bool		over[2];
	TupleTableSlot *slot;
	StringInfoData found;
}			LateScan;

static ParallelIndexScanDesc
share_scan(Relation heap, Relation index, int nkeys)
{
	Snapshot	snapshot = GetActiveSnapshot();
	Size		size;
	ParallelIndexScanDesc shared;

#if PG_VERSION_NUM >= 180000 && PG_VERSION_NUM < 190000
	SharedIndexScanInstrumentation *instrumentation = NULL;

	size = index_parallelscan_estimate(index, nkeys, 0, snapshot, false, true, 0);
#elif PG_VERSION_NUM >= 170000
	size = index_parallelscan_estimate(index, nkeys, 0, snapshot);
#else
	(void) nkeys;
	size = index_parallelscan_estimate(index, snapshot);
#endif
	shared = palloc0(size);
#if PG_VERSION_NUM >= 180000 && PG_VERSION_NUM < 190000
	index_parallelscan_initialize(heap, index, snapshot, false, true, 0, &instrumentation, shared);
#else
	index_parallelscan_initialize(heap, index, snapshot, shared);
#endif
	return shared;
}

/* One row of one of the scans. */
static bool
fetch(LateScan *late, int which, ScanDirection direction)
{
	IndexScanDesc scan = late->scans[which];
	Datum		key;
	bool		isnull;

	if (late->only)
	{
		if (index_getnext_tid(scan, direction) == NULL)
			return false;
		if (!index_fetch_heap(scan, late->slot))
			elog(ERROR, "a row is gone");
		key = index_getattr(scan->xs_itup, 1, scan->xs_itupdesc, &isnull);
	}
	else
	{
		if (!index_getnext_slot(scan, direction, late->slot))
			return false;
		key = slot_getattr(late->slot, late->index->rd_index->indkey.values[0], &isnull);
	}
	if (isnull)
		appendStringInfoString(&late->found, "NULL");
	else
		appendStringInfo(&late->found, INT64_FORMAT, DatumGetInt64(key));
	appendStringInfo(&late->found, "@(%u,%u) ", ItemPointerGetBlockNumber(&late->slot->tts_tid),
					 ItemPointerGetOffsetNumber(&late->slot->tts_tid));
	return true;
}

/* All that is left, the participants of a parallel scan by turns. */
static void
fetch_all(LateScan *late, ScanDirection direction)
{
	int			left = late->nscans;

	memset(late->over, 0, sizeof(late->over));
	for (int which = 0; left > 0; which = (which + 1) % late->nscans)
	{
		CHECK_FOR_INTERRUPTS();
		if (late->over[which] || fetch(late, which, direction))
			continue;
		late->over[which] = true;
		left--;
	}
	appendStringInfoString(&late->found, ". ");
}

static void
fill(LateScan *late, int nkeys, Oid subtype, ArrayType *arguments, int group)
{
	int			count = ArrayGetNItems(ARR_NDIM(arguments), ARR_DIMS(arguments));
	int64	   *values = (int64 *) ARR_DATA_PTR(arguments);

	for (int which = 0; which < late->nscans; which++)
	{
		for (int k = 0; k < nkeys; k++)
		{
			ScanKey		key = &late->scans[which]->keyData[k];

			if (subtype == INT8ARRAYOID)
			{
				key->sk_argument = PointerGetDatum(arguments);
				continue;
			}
			if (group * nkeys + k >= count)
				elog(ERROR, "there is no group %d of arguments", group);
			key->sk_argument = subtype == INT4OID ? Int32GetDatum((int32) values[group * nkeys + k])
				: Int64GetDatum(values[group * nkeys + k]);
		}
	}
}

Datum
late_keys_scan(PG_FUNCTION_ARGS)
{
	Oid			indexid = PG_GETARG_OID(0);
	char	   *kind = text_to_cstring(PG_GETARG_TEXT_PP(1));
	ArrayType  *strategies = PG_GETARG_ARRAYTYPE_P(2);
	Oid			subtype = PG_GETARG_OID(3);
	ArrayType  *arguments = PG_GETARG_ARRAYTYPE_P_COPY(4);
	char	   *script = text_to_cstring(PG_GETARG_TEXT_PP(5));
	int			nkeys = ArrayGetNItems(ARR_NDIM(strategies), ARR_DIMS(strategies));
	bool		bitmap = strcmp(kind, "bitmap") == 0;
	bool		parallel = strcmp(kind, "parallel") == 0;
	bool		started = false;
	ScanKeyData keys[MAX_KEYS];
	LateScan	late = {0};

	if (nkeys > MAX_KEYS)
		elog(ERROR, "too many keys");
	late.heap = table_open(IndexGetRelation(indexid, false), AccessShareLock);
	late.index = index_open(indexid, AccessShareLock);
	late.only = strcmp(kind, "only") == 0;
	late.nscans = parallel ? 2 : 1;
	late.slot = table_slot_create(late.heap, NULL);
	initStringInfo(&late.found);

	for (int k = 0; k < nkeys; k++)
	{
		bool		array = subtype == INT8ARRAYOID;
		Oid			type = array ? INT8OID : subtype;
		StrategyNumber strategy = ((int32 *) ARR_DATA_PTR(strategies))[k];
		Oid			operator = get_opfamily_member(late.index->rd_opfamily[0], INT8OID, type, strategy);

		ScanKeyEntryInitialize(&keys[k], array ? SK_SEARCHARRAY : 0, 1, strategy, type, InvalidOid,
							   get_opcode(operator), (Datum) 0);
	}

	if (bitmap)
		late.scans[0] = beginscan_bitmap(late.index, GetActiveSnapshot(), nkeys);
	else if (parallel)
	{
		ParallelIndexScanDesc shared = share_scan(late.heap, late.index, nkeys);

		late.scans[0] = beginscan_parallel(late.heap, late.index, nkeys, shared);
		late.scans[1] = beginscan_parallel(late.heap, late.index, nkeys, shared);
	}
	else
		late.scans[0] = beginscan(late.heap, late.index, GetActiveSnapshot(), nkeys);
	late.scans[0]->xs_want_itup = late.only;

	for (char *step = script; *step != '\0'; step++)
	{
		switch (*step)
		{
			case 'r':
			case 'n':
				if (parallel && started)
					index_parallelrescan(late.scans[0]);
				for (int which = 0; which < late.nscans; which++)
					index_rescan(late.scans[which], *step == 'r' ? keys : NULL, nkeys, NULL, 0);
				started = true;
				break;
			case 'i':
				for (int which = 0; which < late.nscans; which++)
				{
					for (int k = 0; k < nkeys; k++)
						late.scans[which]->keyData[k].sk_flags |= SK_ISNULL;
				}
				break;
			case 'x':
				for (int which = 0; which < late.nscans; which++)
				{
					for (int k = 0; k < nkeys; k++)
						late.scans[which]->keyData[k].sk_argument = (Datum) 0;
				}
				break;
			case 'f':
			case 'b':
				if (!fetch(&late, 0, *step == 'f' ? ForwardScanDirection : BackwardScanDirection))
					appendStringInfoString(&late.found, ". ");
				break;
			case 'F':
			case 'B':
				if (bitmap)
				{
					TIDBitmap  *tids = tbm_create(1024 * 1024, NULL);

					appendStringInfo(&late.found, INT64_FORMAT " ", index_getbitmap(late.scans[0], tids));
					tbm_free(tids);
				}
				else
					fetch_all(&late, *step == 'F' ? ForwardScanDirection : BackwardScanDirection);
				break;
			case 'm':
				index_markpos(late.scans[0]);
				break;
			case 'z':
				index_restrpos(late.scans[0]);
				break;
			default:
				if (*step < '0' || *step > '9')
					elog(ERROR, "unknown step \"%c\"", *step);
				fill(&late, nkeys, subtype, arguments, *step - '0');
		}
	}

	for (int which = 0; which < late.nscans; which++)
		index_endscan(late.scans[which]);
	ExecDropSingleTupleTableSlot(late.slot);
	index_close(late.index, AccessShareLock);
	table_close(late.heap, AccessShareLock);
	PG_RETURN_TEXT_P(cstring_to_text(late.found.data));
}
