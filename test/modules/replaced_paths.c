/*
 * A planner hook that puts a path of its own in the place of all of a table's, as an extension does that keeps a part of the
 * rows elsewhere: the table's own paths are then only a part of it, and must not come back. Here it is a sequential
 * scan, so that the plan shows whether it was taken.
 */
#include "postgres.h"

#include "fmgr.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

static set_rel_pathlist_hook_type previous_hook;

static void
replace_paths(PlannerInfo *root, RelOptInfo *rel, Index index, RangeTblEntry *rte)
{
	if (previous_hook)
		previous_hook(root, rel, index, rte);
	if (rte->rtekind != RTE_RELATION || rte->relid < 16384 || rte->inh)
		return;
	rel->pathlist = rel->partial_pathlist = NIL;
	add_path(rel, create_seqscan_path(root, rel, NULL, 0));
}

void
_PG_init(void)
{
	previous_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = replace_paths;
}
