/*
 * For 015_vacuum_answers.pl and 018_check_reuse.pl: pages of an index are read and changed behind its back, in the buffers and in the log as any
 * change is; and an access method's handler is asked twice. For the tests that count: a page that nobody can read until a file appears, so that
 * another session stops there, in the middle of a walk over leaves or of visits to the table, for as long as a test wants.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "access/amapi.h"
#include "access/generic_xlog.h"
#include "access/genam.h"
#include "access/relation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(hold_page);
PG_FUNCTION_INFO_V1(read_page);
PG_FUNCTION_INFO_V1(write_page);
PG_FUNCTION_INFO_V1(write_pages_before);
PG_FUNCTION_INFO_V1(same_routine);

/*
 * hold_page(relation, block, path): locks the page, makes a file path.held, and lets go when there is a file `path`. False: that
 * took more than twenty seconds.
 */
Datum
hold_page(PG_FUNCTION_ARGS)
{
	Relation	relation = relation_open(PG_GETARG_OID(0), AccessShareLock);
	Buffer		buffer = ReadBuffer(relation, (BlockNumber) PG_GETARG_INT32(1));
	char	   *path = text_to_cstring(PG_GETARG_TEXT_PP(2));
	char	   *held = psprintf("%s.held", path);
	struct stat status;
	bool		released = false;
	FILE	   *file;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	file = fopen(held, "w");
	if (file != NULL)
		fclose(file);
	for (int i = 0; i < 10000 && !released; i++)
	{
		pg_usleep(2000);
		released = stat(path, &status) == 0;
	}
	UnlockReleaseBuffer(buffer);
	relation_close(relation, AccessShareLock);
	PG_RETURN_BOOL(released);
}

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

/*
 * write_pages_before(index, block, pid, pages): locks the page `block` (from then on this session has the advisory lock 1, too: others see that they
 * may come), waits until that process waits for it; then gives pages 1 and up the contents `pages` (from behind the server's LSN and checksum on), and
 * lets it go on. Of no process: at once. False: it did not come in a minute.
 */
Datum
write_pages_before(PG_FUNCTION_ARGS)
{
	Relation	index = index_open(PG_GETARG_OID(0), RowExclusiveLock);
	BlockNumber wanted = (BlockNumber) PG_GETARG_INT32(1);
	PGPROC	   *proc = BackendPidGetProc(PG_GETARG_INT32(2));
	Buffer		held = ReadBuffer(index, wanted);
	Datum	   *pages;
	int			count;
	int			waits = proc == NULL ? 3 : 0;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(3), BYTEAOID, -1, false, TYPALIGN_INT, &pages, NULL, &count);
	LockBuffer(held, BUFFER_LOCK_EXCLUSIVE);
	if (proc != NULL)
		DirectFunctionCall1(pg_advisory_lock_int8, Int64GetDatum(1));
	for (int i = 0; i < 6000 && waits < 3; i++)
	{
		uint32		kind = *(volatile uint32 *) &proc->wait_event_info & 0xFF000000;

		waits = kind != 0 && kind != PG_WAIT_CLIENT && kind != PG_WAIT_IO ? waits + 1 : 0;
		pg_usleep(10000);
	}
	for (int i = 0; waits == 3 && i < count; i++)
	{
		BlockNumber block = (BlockNumber) i + 1;
		Buffer		buffer = block == wanted ? held : ReadBuffer(index, block);
		bytea	   *bytes = DatumGetByteaPP(pages[i]);
		GenericXLogState *state;

		if (buffer != held)
			LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		state = GenericXLogStart(index);
		memcpy((char *) GenericXLogRegisterBuffer(state, buffer, 0) + 10, VARDATA_ANY(bytes), BLCKSZ - 10);
		GenericXLogFinish(state);
		if (buffer != held)
			UnlockReleaseBuffer(buffer);
	}
	UnlockReleaseBuffer(held);
	index_close(index, RowExclusiveLock);
	PG_RETURN_BOOL(waits == 3);
}

/* same_routine(handler): whether it returns the same routine at each call */
Datum
same_routine(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(GetIndexAmRoutine(PG_GETARG_OID(0)) == GetIndexAmRoutine(PG_GETARG_OID(0)));
}
