/*
 * For the tests that count: a page that nobody can read until a file appears, so that another session stops there, in the middle
 * of a walk over leaves or of visits to the table, for as long as a test wants.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "access/relation.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(hold_page);
PG_FUNCTION_INFO_V1(page_bytes);

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

/* page_bytes(relation, block) */
Datum
page_bytes(PG_FUNCTION_ARGS)
{
	Relation	relation = relation_open(PG_GETARG_OID(0), AccessShareLock);
	Buffer		buffer = ReadBuffer(relation, (BlockNumber) PG_GETARG_INT32(1));
	bytea	   *result = palloc(VARHDRSZ + BLCKSZ);

	SET_VARSIZE(result, VARHDRSZ + BLCKSZ);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(VARDATA(result), BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	relation_close(relation, AccessShareLock);
	PG_RETURN_BYTEA_P(result);
}
