/* Another extension's get_relation_stats_hook: what it does is set by other_statistics.mode. */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/pathnodes.h"
#include "utils/guc.h"
#include "utils/selfuncs.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

static get_relation_stats_hook_type previous;
/* Calls from now on until it acts. */
static int calls = -1;
static char *mode;

static void assign_mode(const char *value, void *extra) { calls = strcmp(value, "error") == 0 ? 2 : -1; }

static bool answer(PlannerInfo *root, RangeTblEntry *rte, AttrNumber column, VariableStatData *variable)
{
	if (calls > 0 && --calls == 0)
		elog(ERROR, "an error of another hook");
	/* There are no statistics. */
	if (strcmp(mode, "nothing") == 0)
		return true;
	return previous != NULL && previous(root, rte, column, variable);
}

void _PG_init(void)
{
	DefineCustomStringVariable("other_statistics.mode", "What the hook does.", NULL, &mode, "pass", PGC_USERSET, 0, NULL,
							   assign_mode, NULL);
	previous = get_relation_stats_hook;
	get_relation_stats_hook = answer;
}
