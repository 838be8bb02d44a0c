/*
 * A module for test servers that are to use learned indexes without knowing: what a statement would make a btree
 * index becomes a learned one where learned supports its shape and type. The statements themselves, and so the
 * echo of them in PostgreSQL's own tests, stay as they are.
 *
 *   use_learned.hash     on: hash indexes, too
 *   use_learned.unique   on: UNIQUE and PRIMARY KEY indexes become learned as well (the server must allow it)
 *   use_learned.beside   on: beside a unique index of btree a plain learned one is made, TABLE_COLUMN_idx
 *   use_learned.except   tables that keep their btrees, separated by commas
 *   use_learned.instead  what is made: learned; or btree, for comparison
 *
 * At the end of a session one line goes to the server's log: the indexes made and the scans of learned indexes in
 * executed plans, and of both how many were of indexes on several columns, included ones counted. (What LearnedGroups
 * scans is not looked at.)
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_utilcmd.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/varlena.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

static char *instead = NULL;
static char *except = NULL;
static bool use_for_hash = false;
static bool use_for_unique = false;
static bool make_beside = false;
static int	indexes_made = 0;
static int	several_made = 0;
static int	several_scans = 0;
static int	plain_scans = 0;
static int	index_only_scans = 0;
static int	bitmap_scans = 0;
static int	group_scans = 0;
static bool report_registered = false;
static ProcessUtility_hook_type next_process_utility = NULL;
static ExecutorEnd_hook_type next_executor_end = NULL;

/* ---- what was used -------------------------------------------------------------------------------- */

static void
report(int code, Datum arg)
{
	if (indexes_made + plain_scans + index_only_scans + bitmap_scans + group_scans > 0)
		elog(LOG_SERVER_ONLY,
			 "use_learned: %d indexes, %d plain, %d index-only, %d bitmap, %d group scans, of several columns %d and %d",
			 indexes_made, plain_scans, index_only_scans, bitmap_scans, group_scans, several_made, several_scans);
}

static void
register_report(void)
{
	if (!report_registered && !IsParallelWorker())
		before_shmem_exit(report, (Datum) 0);
	report_registered = true;
}

static bool
count_if_learned(Relation index)
{
	if (index == NULL || index->rd_rel->relam != get_index_am_oid(instead, true))
		return false;
	several_scans += IndexRelationGetNumberOfAttributes(index) > 1;
	return true;
}

static bool
count_scans(PlanState *node, void *context)
{
	/* A plan that is only explained opens no index. */
	if (IsA(node, IndexScanState))
		plain_scans += count_if_learned(((IndexScanState *) node)->iss_RelationDesc);
	else if (IsA(node, IndexOnlyScanState))
		index_only_scans += count_if_learned(((IndexOnlyScanState *) node)->ioss_RelationDesc);
	else if (IsA(node, BitmapIndexScanState))
		bitmap_scans += count_if_learned(((BitmapIndexScanState *) node)->biss_RelationDesc);
	else if (IsA(node, CustomScanState))
		group_scans += strcmp(((CustomScanState *) node)->methods->CustomName, "LearnedGroups") == 0;
	return planstate_tree_walker(node, count_scans, context);
}

static void
executor_end(QueryDesc *query)
{
	if (!IsParallelWorker() && query->planstate != NULL)
	{
		register_report();
		(void) count_scans(query->planstate, NULL);
	}
	if (next_executor_end)
		next_executor_end(query);
	else
		standard_ExecutorEnd(query);
}

/* ---- what becomes learned ------------------------------------------------------------------------- */

/* fillfactor, from 50 on, is the one option that both access methods have. */
static bool
options_fit(List *options)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "fillfactor") != 0 || option->arg == NULL || !IsA(option->arg, Integer) ||
			intVal(option->arg) < 50)
			return false;
	}
	return true;
}

static bool
is_excepted(const char *table)
{
	List	   *names;
	ListCell   *cell;

	if (!SplitIdentifierString(pstrdup(except), ',', &names))
		elog(ERROR, "use_learned.except is not a list of names");
	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), table) == 0)
			return true;
	}
	return false;
}

/* The type of a column of the index; InvalidOid if that is not known here. */
static Oid
column_type(Oid table, const IndexElem *column)
{
	if (column->name != NULL)
	{
		AttrNumber	number = get_attnum(table, column->name);

		return number > 0 ? get_atttype(table, number) : InvalidOid;
	}
	return column->expr != NULL ? exprType(column->expr) : InvalidOid;
}

/* Words of a column in a learned index, 0 if there is no such. */
static int
column_words(Oid table, const IndexElem *column, Oid learned)
{
	Oid			type = column_type(table, column);

	if (column->collation != NIL || column->opclassopts != NIL || !OidIsValid(type) ||
		!OidIsValid(GetDefaultOpClass(type, learned)))
		return 0;
	if (column->opclass != NIL &&
		(list_length(column->opclass) != 1 ||
		 !OidIsValid(OpclassnameGetOpcid(learned, strVal(linitial(column->opclass))))))
		return 0;
	type = getBaseType(type);
	return type == UUIDOID || type == TIMETZOID ? 2 : 1;
}

static bool
fits(IndexStmt *stmt, const char *query)
{
	Oid			learned = get_index_am_oid("learned", true);
	Oid			table;
	List	   *columns;
	ListCell   *cell;
	int			sum = 0;

	if (!OidIsValid(learned) ||
		(strcmp(stmt->accessMethod, "btree") != 0 && !(use_for_hash && strcmp(stmt->accessMethod, "hash") == 0)) ||
		!options_fit(stmt->options) || is_excepted(stmt->relation->relname))
		return false;
	table = RangeVarGetRelid(stmt->relation, NoLock, true);
	if (!OidIsValid(table))
		return false;
	foreach(cell, stmt->indexParams)
	{
		if (lfirst_node(IndexElem, cell)->expr != NULL && !stmt->transformed)
		{
			LockRelationOid(table, AccessShareLock);
			stmt = transformIndexStmt(table, copyObject(stmt), query);
			break;
		}
	}
	columns = list_concat_copy(stmt->indexParams, stmt->indexIncludingParams);
	foreach(cell, columns)
	{
		int			words = column_words(table, lfirst_node(IndexElem, cell), learned);

		if (words == 0)
			return false;
		sum += words;
	}
	return sum >= 1 && sum <= 4;
}

static void
count_index(const IndexStmt *stmt)
{
	indexes_made++;
	several_made += list_length(stmt->indexParams) + list_length(stmt->indexIncludingParams) > 1;
}

static void
run(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context, ParamListInfo params,
	QueryEnvironment *environment, DestReceiver *receiver, QueryCompletion *completion)
{
	if (next_process_utility)
		next_process_utility(pstmt, query, read_only_tree, context, params, environment, receiver, completion);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, environment, receiver, completion);
}

/* A plain index beside a unique one. */
static void
run_beside(PlannedStmt *pstmt, IndexStmt *stmt, const char *query, QueryEnvironment *environment)
{
	stmt->idxname = NULL;
	stmt->accessMethod = instead;
	stmt->unique = stmt->primary = stmt->isconstraint = stmt->deferrable = stmt->initdeferred = false;
	pstmt->utilityStmt = (Node *) stmt;
	CommandCounterIncrement();
	run(pstmt, query, false, PROCESS_UTILITY_SUBCOMMAND, NULL, environment, None_Receiver, NULL);
	count_index(stmt);
}

static List *
columns_named(List *names)
{
	List	   *columns = NIL;
	ListCell   *cell;

	foreach(cell, names)
	{
		IndexElem  *column = makeNode(IndexElem);

		column->name = strVal(lfirst(cell));
		columns = lappend(columns, column);
	}
	return columns;
}

/* The same for ALTER TABLE ADD PRIMARY KEY and UNIQUE: their index statements never come by here. */
static void
run_beside_alter(PlannedStmt *pstmt, const char *query, QueryEnvironment *environment)
{
	AlterTableStmt *alter = (AlterTableStmt *) pstmt->utilityStmt;
	ListCell   *cell;

	foreach(cell, alter->cmds)
	{
		Constraint *constraint = (Constraint *) lfirst_node(AlterTableCmd, cell)->def;
		IndexStmt  *stmt;

		if (constraint == NULL || !IsA(constraint, Constraint) ||
			(constraint->contype != CONSTR_PRIMARY && constraint->contype != CONSTR_UNIQUE) || constraint->keys == NIL)
			continue;
		stmt = makeNode(IndexStmt);
		stmt->relation = alter->relation;
		stmt->accessMethod = "btree";
		stmt->indexParams = columns_named(constraint->keys);
		stmt->indexIncludingParams = columns_named(constraint->including);
		if (fits(stmt, query))
			run_beside(copyObject(pstmt), stmt, query, environment);
	}
}

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *environment, DestReceiver *receiver,
				QueryCompletion *completion)
{
	PlannedStmt *beside = NULL;
	bool		rewritten = false;

	if (IsA(pstmt->utilityStmt, IndexStmt) && fits((IndexStmt *) pstmt->utilityStmt, query))
	{
		IndexStmt  *stmt;

		register_report();
		pstmt = copyObject(pstmt);
		read_only_tree = false;
		stmt = (IndexStmt *) pstmt->utilityStmt;
		if (!stmt->unique || use_for_unique)
		{
			stmt->accessMethod = instead;
			rewritten = true;
		}
		else if (make_beside && !stmt->concurrent)
			beside = copyObject(pstmt);
	}
	run(pstmt, query, read_only_tree, context, params, environment, receiver, completion);
	if (rewritten)
		count_index((IndexStmt *) pstmt->utilityStmt);
	if (beside)
		run_beside(beside, (IndexStmt *) beside->utilityStmt, query, environment);
	if (make_beside && IsA(pstmt->utilityStmt, AlterTableStmt))
		run_beside_alter(pstmt, query, environment);
}

void
_PG_init(void)
{
	DefineCustomStringVariable("use_learned.instead", "The access method of what is made.", NULL, &instead, "learned",
							   PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("use_learned.except", "Tables that keep their btrees.", NULL, &except, "", PGC_SUSET, 0,
							   NULL, NULL, NULL);
	DefineCustomBoolVariable("use_learned.hash", "Replaces hash indexes, too.", NULL, &use_for_hash, false, PGC_SUSET,
							 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("use_learned.unique", "Makes unique indexes learned, too.", NULL, &use_for_unique, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("use_learned.beside", "Makes a learned index beside each unique one.", NULL,
							 &make_beside, false, PGC_SUSET, 0, NULL, NULL, NULL);
	next_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	next_executor_end = ExecutorEnd_hook;
	ExecutorEnd_hook = executor_end;
}
