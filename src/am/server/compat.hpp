// The differences between the server versions: 15, 17, 18 and 19 are supported and tested, 16 is not tested. Nothing
// else in this module looks at PG_VERSION_NUM.
#pragma once

#include "am/server/page_access.hpp"
#include "am/server/server.hpp"

#if PG_VERSION_NUM >= 180000
extern "C" {
#include "commands/explain_format.h"
}
#endif
#if PG_VERSION_NUM >= 190000
extern "C" {
#include "nodes/miscnodes.h"
}
#endif

#if PG_VERSION_NUM < 150000
#error "PostgreSQL 15 or later is required"
#endif

// What the server demands of every module. 18's PG_MODULE_MAGIC leaves members out, which clang warns about in C++.
#if PG_VERSION_NUM >= 180000
#define LEARNED_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "learned_index", .version = nullptr)
#else
#define LEARNED_MODULE_MAGIC PG_MODULE_MAGIC
#endif

namespace learned::compat {

// The server that this is compiled for, and the newest that the tests of record formats were run with: what is no
// contract is not relied on in newer ones (options.hpp, GenericWal).
inline constexpr int kServer = PG_VERSION_NUM / 10000;
inline constexpr int kNewestTested = 19;

// ---- files ------------------------------------------------------------------------------------------

// The name of a relation's file; {} names none.
#if PG_VERSION_NUM >= 160000
using FileId = RelFileLocator;
inline const FileId& file_id(Relation relation) { return relation->rd_locator; }
inline Oid file_number(Relation relation) { return relation->rd_locator.relNumber; }
inline bool names_a_file(const FileId& id) { return RelFileNumberIsValid(id.relNumber); }
inline bool same_file(const FileId& a, const FileId& b) { return RelFileLocatorEquals(a, b); }
#else
using FileId = RelFileNode;
inline const FileId& file_id(Relation relation) { return relation->rd_node; }
inline Oid file_number(Relation relation) { return relation->rd_node.relNode; }
inline bool names_a_file(const FileId& id) { return OidIsValid(id.relNode); }
inline bool same_file(const FileId& a, const FileId& b) { return RelFileNodeEquals(a, b); }
#endif

// A new block at the end of an index, zeroed, pinned and exclusively locked.
inline Buffer extend(Relation index) {
#if PG_VERSION_NUM >= 160000
  BufferManagerRelation relation{};
  relation.rel = index;
  uint32 flags = EB_LOCK_FIRST;
  if (RELATION_IS_LOCAL(index)) flags |= EB_SKIP_EXTENSION_LOCK;
  return ExtendBufferedRel(relation, MAIN_FORKNUM, nullptr, flags);
#else
  const bool need_lock = !RELATION_IS_LOCAL(index);
  if (need_lock) LockRelationForExtension(index, ExclusiveLock);
  const Buffer buffer = ReadBuffer(index, P_NEW);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  if (need_lock) UnlockRelationForExtension(index, ExclusiveLock);
  return buffer;
#endif
}

// Pins a block of an index, or returns InvalidBuffer where the server would raise an error because it finds the block damaged. What is
// not in the buffers is read beside them first. REQUIRES: the file has the block.
inline Buffer pin_quietly(Relation index, BlockNumber block) {
  const Buffer recent = PrefetchBuffer(index, MAIN_FORKNUM, block).recent_buffer;
  if (BufferIsValid(recent) && ReadRecentBuffer(file_id(index), MAIN_FORKNUM, block, recent)) return recent;
#if PG_VERSION_NUM >= 160000
  PGIOAlignedBlock page;
#else
  PGAlignedBlock page;
#endif
  smgrread(RelationGetSmgr(index), MAIN_FORKNUM, block, page.data);
#if PG_VERSION_NUM >= 180000
  bool failed;
  const bool sound = PageIsVerified(reinterpret_cast<PageData*>(page.data), block, 0, &failed);
#else
  const bool sound = PageIsVerifiedExtended(page.data, block, 0);
#endif
  return sound ? ReadBuffer(index, block) : InvalidBuffer;
}

// Memory for pages that are written past the shared buffers. From 16 on the server may do that with direct I/O,
// which demands an alignment.
inline PGAlignedBlock* allocate_pages(std::size_t count) {
#if PG_VERSION_NUM >= 160000
  return static_cast<PGAlignedBlock*>(palloc_aligned(count * sizeof(PGAlignedBlock), PG_IO_ALIGN_SIZE, 0));
#else
  return static_cast<PGAlignedBlock*>(palloc(count * sizeof(PGAlignedBlock)));
#endif
}

// Logs consecutive pages whole and sets their LSN; their hole, between lower and upper, is left out.
inline void log_pages(Relation index, ForkNumber fork, BlockNumber first, std::span<PGAlignedBlock> pages) {
  BlockNumber blocks[XLR_MAX_BLOCK_ID];
  Page images[XLR_MAX_BLOCK_ID];
  Assert(pages.size() <= XLR_MAX_BLOCK_ID);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    blocks[i] = first + static_cast<BlockNumber>(i);
    images[i] = pages[i].data;
  }
  FileId id = file_id(index);
  log_newpages(&id, fork, static_cast<int>(pages.size()), blocks, images, true);
}

// Sets the checksum of a page that is written past the shared buffers.
inline void set_checksum(Page page, BlockNumber block) {
#if PG_VERSION_NUM >= 190000
  PageSetChecksum(page, block);
#else
  PageSetChecksumInplace(page, block);
#endif
}

// ---- hints in shared pages --------------------------------------------------------------------------

// Whether bits that are not logged may be set in a page of which the caller has a share lock. From 19 on pages are
// checksummed and written where they are, not from a copy, so the lock has to become one that excludes this; false
// if others are in the way, and then the bits must not be set. The lock stays what it became until it is released.
inline bool begin_hints([[maybe_unused]] Buffer buffer) {
#if PG_VERSION_NUM >= 190000
  return BufferBeginSetHintBits(buffer);
#else
  return true;
#endif
}

// Ends what begin_hints() allowed; `changed`: bits were set.
inline void finish_hints(Buffer buffer, bool changed) {
#if PG_VERSION_NUM >= 190000
  BufferFinishSetHintBits(buffer, changed, true);
#else
  if (changed) MarkBufferDirtyHint(buffer, true);
#endif
}

// Whether ReadRecentBuffer raises the buffer's usage count, as every other pin does.
inline constexpr bool kRecentReadsCount = PG_VERSION_NUM >= 190000;

// A buffer's state has 32 bits, from 19 on 64.
inline uint32 read_atomic(pg_atomic_uint32* word) { return pg_atomic_read_u32(word); }
inline uint64 read_atomic(pg_atomic_uint64* word) { return pg_atomic_read_u64(word); }

// ---- builds -----------------------------------------------------------------------------------------

// How many parallel workers a build should ask for. From 17 on the server has found that out; before, it does so
// for nbtree only.
inline int build_workers(Relation heap, Relation index, [[maybe_unused]] const IndexInfo* index_info) {
  // Also what TRUNCATE builds.
  if (RelationGetNumberOfBlocks(heap) == 0) return 0;
#if PG_VERSION_NUM >= 170000
  (void)index;
  return index_info->ii_ParallelWorkers;
#else
  return plan_create_index_workers(RelationGetRelid(heap), RelationGetRelid(index));
#endif
}

// One participant's share of a parallel scan.
inline TableScanDesc begin_parallel_scan(Relation heap, ParallelTableScanDesc shared) {
#if PG_VERSION_NUM >= 190000
  return table_beginscan_parallel(heap, shared, SO_NONE);
#else
  return table_beginscan_parallel(heap, shared);
#endif
}

// ---- types ------------------------------------------------------------------------------------------

// Conversions as the types' families compare by; false: the result would be out of range.
#if PG_VERSION_NUM >= 190000
template <auto convert, class From>
bool convert_softly(From value, int64* result) {
  ErrorSaveContext error{};
  error.type = T_ErrorSaveContext;
  *result = convert(value, reinterpret_cast<Node*>(&error));
  return !error.error_occurred;
}
inline bool date_to_timestamp(DateADT date, Timestamp* result) {
  return convert_softly<date2timestamp_safe>(date, result);
}
inline bool date_to_timestamptz(DateADT date, TimestampTz* result) {
  return convert_softly<date2timestamptz_safe>(date, result);
}
inline bool timestamp_to_timestamptz(Timestamp timestamp, TimestampTz* result) {
  return convert_softly<timestamp2timestamptz_safe>(timestamp, result);
}
#else
template <auto convert, class From>
bool convert_softly(From value, int64* result) {
  int overflow = 0;
  *result = convert(value, &overflow);
  return overflow == 0;
}
inline bool date_to_timestamp(DateADT date, Timestamp* result) {
  return convert_softly<date2timestamp_opt_overflow>(date, result);
}
inline bool date_to_timestamptz(DateADT date, TimestampTz* result) {
  return convert_softly<date2timestamptz_opt_overflow>(date, result);
}
inline bool timestamp_to_timestamptz(Timestamp timestamp, TimestampTz* result) {
  return convert_softly<timestamp2timestamptz_opt_overflow>(timestamp, result);
}
#endif

// oid8, which 19 brings.
#if PG_VERSION_NUM >= 190000
inline bool is_oid8(Oid type) { return type == OID8OID; }
#else
inline bool is_oid8(Oid) { return false; }
#endif

// ---- catalogs and options ---------------------------------------------------------------------------

inline bool owns_relation(Oid relation, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(RelationRelationId, relation, role);
#else
  return pg_class_ownercheck(relation, role);
#endif
}

// Whether an order of paths goes downwards.
inline bool descends(const PathKey* key) {
#if PG_VERSION_NUM >= 180000
  return key->pk_cmptype == COMPARE_GT;
#else
  return key->pk_strategy == BTGreaterStrategyNumber;
#endif
}

// Raises ERRCODE_INSUFFICIENT_PRIVILEGE where the user may not execute a function.
inline void check_may_execute(Oid function, ObjectType type) {
#if PG_VERSION_NUM >= 160000
  const AclResult result = object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE);
#else
  const AclResult result = pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE);
#endif
  if (result != ACLCHECK_OK) aclcheck_error(result, type, get_func_name(function));
  InvokeFunctionExecuteHook(function);
}

// The same where it may not execute an aggregate that is one of a plan's columns, or what is called for its argument, as the server's node for
// aggregates does: the plan has these calls done otherwise.
inline void check_may_aggregate(const List* columns) {
  for (int i = 0; i < list_length(columns); i++) {
    const auto* column = static_cast<const TargetEntry*>(list_nth(columns, i));
    if (!IsA(column->expr, Aggref)) continue;
    const auto* aggregate = reinterpret_cast<const Aggref*>(column->expr);
    check_may_execute(aggregate->aggfnoid, OBJECT_AGGREGATE);
    for (int a = 0; a < list_length(aggregate->args); a++) {
      const auto* arg = static_cast<const TargetEntry*>(list_nth(aggregate->args, a))->expr;
      if (IsA(arg, FuncExpr))
        check_may_execute(reinterpret_cast<const FuncExpr*>(arg)->funcid, OBJECT_FUNCTION);
    }
  }
}

// Whether a role may maintain a table of which it is not the owner, as VACUUM and REINDEX do: from 17 on.
inline bool may_maintain([[maybe_unused]] Oid table, [[maybe_unused]] Oid role) {
#if PG_VERSION_NUM >= 170000
  return pg_class_aclcheck(table, role, ACL_MAINTAIN) == ACLCHECK_OK;
#else
  return false;
#endif
}

// From 17 on the functions of an index run with a search_path of pg_catalog and pg_temp wherever the server maintains
// it. REQUIRES: a nest level of settings was begun.
inline void restrict_search_path() {
#if PG_VERSION_NUM >= 170000
  RestrictSearchPath();
#endif
}

// Whether no row of a planned table has NULL in a column. From 18 on a column may be marked NOT NULL whose rows nobody has looked
// at (NOT VALID): the planner leaves that one out.
inline bool never_null(const RelOptInfo* rel, [[maybe_unused]] Oid table, AttrNumber attribute) {
#if PG_VERSION_NUM >= 170000
  return bms_is_member(attribute, rel->notnullattnums);
#else
  if (rel->rtekind != RTE_RELATION) return false;
  HeapTuple tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(table), Int16GetDatum(attribute));
  if (!HeapTupleIsValid(tuple)) return false;
  const bool result = reinterpret_cast<const FormData_pg_attribute*>(GETSTRUCT(tuple))->attnotnull;
  ReleaseSysCache(tuple);
  return result;
#endif
}

// An integer among the options of an index. 18 has a member more, which is to be 0.
constexpr relopt_parse_elt int_option(const char* name, int offset) {
  relopt_parse_elt option{};
  option.optname = name;
  option.opttype = RELOPT_TYPE_INT;
  option.offset = offset;
  return option;
}

// Raises "snapshot too old" if the page changed after VACUUM was allowed to remove what the snapshot sees
// (old_snapshot_threshold, which 17 no longer has).
inline void test_for_old_snapshot([[maybe_unused]] Snapshot snapshot, [[maybe_unused]] Relation index,
                                  [[maybe_unused]] Buffer buffer) {
#if PG_VERSION_NUM < 170000
  TestForOldSnapshot(snapshot, index, buffer_page(buffer));
#endif
}

// Whether indexes may be unique. Before 18, any INSERT ... ON CONFLICT into a table with a unique index that is not a
// btree fails with an internal error, and such an index can hide a btree from a foreign key.
inline constexpr bool kUniqueIndexes = PG_VERSION_NUM >= 180000;

// ---- VACUUM and scans -------------------------------------------------------------------------------

// Looks for interrupts, and sleeps if VACUUM is to be gentle.
inline void vacuum_delay() {
#if PG_VERSION_NUM >= 180000
  vacuum_delay_point(false);  // it is not an ANALYZE
#else
  vacuum_delay_point();
#endif
}

// Up to 16 nbtree looks at its keys at each start of a scan, also at one that follows the scan's end without a rescan;
// from 17 on, once after each rescan.
inline constexpr bool kKeysReadAgain = PG_VERSION_NUM < 170000;

// And up to 16 it counts whenever it looks: also if the keys contradict one another, for each value of a list wherever
// it is, and in each process of a parallel scan. From 17 on it counts when it searches the tree.
inline constexpr bool kCountsEveryLook = PG_VERSION_NUM < 170000;

// Whether what a snapshot sees stays the same while it is used: a query's, or that of logical decoding, which 19 no
// longer calls MVCC.
inline bool is_mvcc(Snapshot snapshot) {
#if PG_VERSION_NUM >= 190000
  return IsMVCCLikeSnapshot(snapshot);
#else
  return IsMVCCSnapshot(snapshot);
#endif
}

// Removes what nobody sees from a page of a table, if there is something and nobody else has it. REQUIRES: it is pinned, not locked.
inline void prune_page(Relation heap, Buffer buffer) {
#if PG_VERSION_NUM >= 190000
  Buffer map = InvalidBuffer;
  heap_page_prune_opt(heap, buffer, &map, false);
  if (BufferIsValid(map)) ReleaseBuffer(map);
#else
  heap_page_prune_opt(heap, buffer);
#endif
}

// What an abbreviation of a time zone, in lower case, is to utils/datetime.h, which has to be included where this is used.
#if PG_VERSION_NUM >= 160000
#define LEARNED_TYPE_OF_ABBREVIATION(name)                                                          \
  [](char* abbreviation) {                                                                          \
    int type = UNKNOWN_FIELD;                                                                       \
    int offset;                                                                                     \
    pg_tz* zone;                                                                                    \
    DateTimeErrorExtra extra;                                                                       \
    return DecodeTimezoneAbbrev(0, abbreviation, &type, &offset, &zone, &extra) < 0 ? DYNTZ : type; \
  }(name)
#else
#define LEARNED_TYPE_OF_ABBREVIATION(name)                        \
  [](char* abbreviation) {                                        \
    int offset;                                                   \
    pg_tz* zone;                                                  \
    return DecodeTimezoneAbbrev(0, abbreviation, &offset, &zone); \
  }(name)
#endif

// Begins to fetch rows of a table by their TIDs.
inline IndexFetchTableData* begin_index_fetch(Relation heap) {
#if PG_VERSION_NUM >= 190000
  return table_index_fetch_begin(heap, SO_NONE);
#else
  return table_index_fetch_begin(heap);
#endif
}

// One search, for pg_stat_*_indexes and, from 18 on, EXPLAIN ANALYZE.
inline void count_index_search(IndexScanDesc scan) {
  pgstat_count_index_scan(scan->indexRelation);
#if PG_VERSION_NUM >= 180000
  if (scan->instrument != nullptr) scan->instrument->nsearches++;
#endif
}

// The access method's own among what the processes of a parallel scan share.
template <class Shared>
Shared* shared_scan(IndexScanDesc scan) {
#if PG_VERSION_NUM >= 180000
  const Size offset = scan->parallel_scan->ps_offset_am;
#else
  const Size offset = scan->parallel_scan->ps_offset;
#endif
  return reinterpret_cast<Shared*>(reinterpret_cast<char*>(scan->parallel_scan) + offset);
}

// amestimateparallelscan, for something of fixed size.
template <Size size>
constexpr amestimateparallelscan_function fixed_parallel_scan_size() {
#if PG_VERSION_NUM >= 180000
  return [](Relation, int, int) { return size; };
#elif PG_VERSION_NUM >= 170000
  return [](int, int) { return size; };
#else
  return []() { return size; };
#endif
}

// ---- the planner ------------------------------------------------------------------------------------

// Will the planner look for the ends of a column in no index but a btree's? 18 looks in every ordered index that
// offers index-only scans, which ours does not in recovery.
inline bool planner_probes_btrees_only() {
#if PG_VERSION_NUM >= 180000
  return RecoveryInProgress();
#else
  return true;
#endif
}

// Is this the function by which the index's costs are estimated? Older servers declare the pointer without its
// parameters. Compared as addresses, for newer compilers warn of any cast from one type of function to another.
inline bool estimates_costs_of(amcostestimate_function function, const IndexOptInfo* index) {
  return reinterpret_cast<std::uintptr_t>(index->amcostestimate) ==
         reinterpret_cast<std::uintptr_t>(function);
}

// A hook that may add to what the planner knows of a table once it has looked at its indexes: `add` is called then, with
// whether the table's children are meant, too. install() must not be called twice.
template <void (*add)(PlannerInfo* root, RelOptInfo* rel, bool with_children)>
class TableInfoHook {
 public:
#if PG_VERSION_NUM >= 190000
  static void install() {
    previous_ = build_simple_rel_hook;
    build_simple_rel_hook = run;
  }

 private:
  static void run(PlannerInfo* root, RelOptInfo* rel, RangeTblEntry* rte) {
    if (previous_ != nullptr) previous_(root, rel, rte);
    // It is called for subqueries, functions and so on as well.
    if (rte->rtekind == RTE_RELATION) add(root, rel, rte->inh);
  }
  static inline build_simple_rel_hook_type previous_;
#else
  static void install() {
    previous_ = get_relation_info_hook;
    get_relation_info_hook = run;
  }

 private:
  static void run(PlannerInfo* root, Oid relation, bool with_children, RelOptInfo* rel) {
    if (previous_ != nullptr) previous_(root, relation, with_children, rel);
    add(root, rel, with_children);
  }
  static inline get_relation_info_hook_type previous_;
#endif
};

// What ExecutorRun takes beside the query and the direction.
#if PG_VERSION_NUM >= 180000
#define LEARNED_RUN_PARAMETERS uint64 count
#define LEARNED_RUN_ARGUMENTS count
#else
#define LEARNED_RUN_PARAMETERS uint64 count, bool execute_once
#define LEARNED_RUN_ARGUMENTS count, execute_once
#endif

// The btree family with the order of one of ours. Only asked for where indexes may be unique.
inline Oid btree_family([[maybe_unused]] Oid family, [[maybe_unused]] Oid type) {
#if PG_VERSION_NUM >= 180000
  const Oid less = get_opfamily_member_for_cmptype(family, type, type, COMPARE_LT);
  Oid found;
  Oid input;
  CompareType meaning;
  // (Of several families the one with the smallest OID: initdb's.)
  if (OidIsValid(less) && get_ordering_op_properties(less, &found, &input, &meaning)) return found;
#endif
  return InvalidOid;
}

// Whether a boolean column as a condition, `WHERE flag`, is matched with indexes of families that are not built in.
inline constexpr bool kBooleanConditionsOfAnyFamily = PG_VERSION_NUM >= 160000;

// Whether a setting forbids a path, which is there because nothing else is. (Up to 17 such a path costs a fortune.)
inline bool is_disabled([[maybe_unused]] const Path* path) {
#if PG_VERSION_NUM >= 180000
  return path->disabled_nodes > 0;
#else
  return false;
#endif
}

// Calls `walker` for what an expression is made of, until one call returns true. (Older servers declare the pointer without its parameters.)
using ExpressionWalker = bool (*)(Node* node, void* context);
inline bool walk_expression(Node* node, ExpressionWalker walker, void* context) {
#if PG_VERSION_NUM >= 160000
  return expression_tree_walker(node, walker, context);
#else
  return expression_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(walker)),
                                context);
#endif
}

// How many elements the planner expects of an array.
inline double array_length([[maybe_unused]] PlannerInfo* root, Node* array) {
#if PG_VERSION_NUM >= 170000
  return estimate_array_length(root, array);
#else
  return estimate_array_length(array);
#endif
}

// ---- the access method's routine --------------------------------------------------------------------

#if PG_VERSION_NUM >= 180000
// What a strategy means: as in a btree, except that equality is kept to ourselves (planner_doubles.cpp tells why). The
// planner asks with other families than ours, so this must not look at them.
inline CompareType strategy_meaning(StrategyNumber strategy, Oid family) {
  const CompareType meaning = bttranslatestrategy(strategy, family);
  return meaning == COMPARE_EQ ? COMPARE_INVALID : meaning;
}
#endif

// What versions after 15 want to know; `tree_height` is a callback that 18 has.
constexpr void complete_routine([[maybe_unused]] IndexAmRoutine* routine,
                                [[maybe_unused]] int (*tree_height)(Relation index)) {
#if PG_VERSION_NUM >= 160000
  routine->amsummarizing = false;  // one entry for each row
#endif
#if PG_VERSION_NUM >= 170000
  routine->amcanbuildparallel = true;  // up to 16, build_workers()
  routine->aminsertcleanup = nullptr;
#endif
#if PG_VERSION_NUM >= 180000
  routine->amcanhash = false;
  // The operators of a family agree across types on what is equal and on the order.
  routine->amconsistentequality = true;
  routine->amconsistentordering = true;
  routine->amgettreeheight = tree_height;
  routine->amtranslatestrategy = strategy_meaning;
  routine->amtranslatecmptype = bttranslatecmptype;
#endif
}

// The handler's result. The server keeps the pointer from 19 on, and takes the routine for its own before.
inline Datum handler_result(const IndexAmRoutine* routine) {
#if PG_VERSION_NUM >= 190000
  return PointerGetDatum(routine);
#else
  auto* copy = static_cast<IndexAmRoutine*>(palloc(sizeof(IndexAmRoutine)));
  *copy = *routine;
  return PointerGetDatum(copy);
#endif
}

}  // namespace learned::compat
