/*
 * For 015_vacuum_answers.pl: pages of an index are read and changed behind its back, in the buffers and in the log as any
 * change is; and an access method's handler is asked twice.
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/generic_xlog.h"
#include "access/genam.h"
#include "fmgr.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(read_page);
PG_FUNCTION_INFO_V1(write_page);
PG_FUNCTION_INFO_V1(same_routine);

/* read_page(index, block) */
Datum
read_page(PG_FUNCTION_ARGS)
{
	Relation	index = index_open(PG_GETARG_OID(0), AccessShareLock);
	Buffer		buffer = ReadBuffer(index, (BlockNumber) PG_GETARG_INT32(1));
	bytea	   *result = palloc(VARHDRSZ + BLCKSZ);

	SET_VARSIZE(result, VARHDRSZ + BLCKSZ);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(VARDATA(result), BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	index_close(index, AccessShareLock);
	PG_RETURN_BYTEA_P(result);
}

/* write_page(index, block, offset, bytes) */
Datum
write_page(PG_FUNCTION_ARGS)
{
	Relation	index = index_open(PG_GETARG_OID(0), RowExclusiveLock);
	Buffer		buffer = ReadBuffer(index, (BlockNumber) PG_GETARG_INT32(1));
	bytea	   *bytes = PG_GETARG_BYTEA_PP(3);
	GenericXLogState *state;
	Page		page;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	state = GenericXLogStart(index);
	page = GenericXLogRegisterBuffer(state, buffer, 0);
	memcpy((char *) page + PG_GETARG_INT32(2), VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
	index_close(index, RowExclusiveLock);
	PG_RETURN_VOID();
}

/* same_routine(handler): whether it returns the same routine at each call */
Datum
same_routine(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(GetIndexAmRoutine(PG_GETARG_OID(0)) == GetIndexAmRoutine(PG_GETARG_OID(0)));
}
