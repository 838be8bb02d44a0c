// Statistics that a table has outgrown.
//
// A histogram is as old as the last ANALYZE. On a table that grows at an end, what has come since lies beyond its last border. The planner
// looks for the column's actual end (planner_doubles.cpp), and then takes all that lies up to there for one bin: one per cent of the
// rows, be they half of the table. The index knows how many there are, and where (growth.hpp). So get_relation_stats_hook gives the planner
// the column's statistics with a histogram that goes on to the end (grown_histogram.hpp).
//
// The hook is asked for each condition on each column. What it costs: where no index of ours begins with the column, or the query has but
// equalities, a look at the list of indexes. Else what was found the last time is taken, if it holds still: both ends of the index
// are on the leaves where they were, with about as many entries; the rows that the histogram was extended to still live; the planner takes the table
// for about as large; and nobody has told of other statistics or another index. Leaves and rows are looked at once for each statement, and the whole is
// measured again only if they changed.
//
// Nothing of it raises an error because of the index: a page that is damaged leaves statistics as they are.
#include "am/callbacks.hpp"
#include "am/plan/grown_histogram.hpp"
#include "am/plan/index_info.hpp"
#include "am/plan/living_rows.hpp"
#include "am/server/compat.hpp"

namespace learned {

namespace {

get_relation_stats_hook_type previous_hook;

// ---- what was found

// While it lasts, leaves are not looked at again: a statement of a client, as long as nothing is written, committed or rolled back in it. (A
// procedure may do that for hours.)
struct Moment {
  TimestampTz statement;
  TimestampTz transaction;
  SubTransactionId part;
  CommandId command;

  static Moment now() {
    return {GetCurrentStatementStartTimestamp(), GetCurrentTransactionStartTimestamp(),
            GetCurrentSubTransactionId(), GetCurrentCommandId(false)};
  }
  bool operator==(const Moment&) const = default;
};

struct Found {
  Oid index;          // the key
  uint32 statistics;  // of the statistics' place in the server's cache
  double rows;        // of the table, as the planner took it
  double tolerance;   // so many more or less make no difference
  EndLeaf leaf[kSides];
  Tid outermost[kSides];
  HeapTuple tuple;  // null: the old statistics will do
  Moment seen;      // when the leaves were last looked at
};

constexpr Size kMostBytes = 1024 * 1024;

MemoryContext memory;
HTAB* all_found;
// Counts what was told of indexes and statistics.
uint64 news;

void forget_all() {
  if (memory != nullptr) MemoryContextReset(memory);
  all_found = nullptr;
}

void forget(Found* found) {
  if (found->tuple != nullptr) heap_freetuple(found->tuple);
  hash_search(all_found, &found->index, HASH_REMOVE, nullptr);
}

void index_changed(Datum, Oid index) {
  news++;
  if (all_found == nullptr) return;
  if (!OidIsValid(index)) {
    forget_all();
  } else if (auto* found = static_cast<Found*>(hash_search(all_found, &index, HASH_FIND, nullptr));
             found != nullptr) {
    forget(found);
  }
}

void statistics_changed(uint32 place) {
  news++;
  if (all_found == nullptr) return;
  if (place == 0) return forget_all();
  HASH_SEQ_STATUS each;
  hash_seq_init(&each, all_found);
  while (auto* found = static_cast<Found*>(hash_seq_search(&each))) {
    if (found->statistics == place) forget(found);
  }
}

void keep(const Found& found) {
  if (memory == nullptr)
    memory = AllocSetContextCreate(TopMemoryContext, "learned statistics", ALLOCSET_DEFAULT_SIZES);
  if (MemoryContextMemAllocated(memory, true) > kMostBytes) forget_all();
  if (all_found == nullptr) {
    HASHCTL control{};
    control.keysize = sizeof(Oid);
    control.entrysize = sizeof(Found);
    control.hcxt = memory;
    all_found = hash_create("learned statistics", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
  }
  // (First what may fail. Of null heap_copytuple() makes null.)
  MemoryContext old = MemoryContextSwitchTo(memory);
  HeapTuple copy = heap_copytuple(found.tuple);
  MemoryContextSwitchTo(old);
  bool known;
  auto* kept = static_cast<Found*>(hash_search(all_found, &found.index, HASH_ENTER, &known));
  if (known && kept->tuple != nullptr) heap_freetuple(kept->tuple);
  *kept = found;
  kept->tuple = copy;
}

// ---- the question

// What the planner knows of the table that is asked about; null: nothing. A query that asks about the result of one below it (then `asked` is
// that result) comes to the tables of that one.
// (Only compared: brincostestimate() asks with a variable that nobody has filled in.)
RelOptInfo* table_of(const PlannerInfo* root, const RangeTblEntry* rte, const RelOptInfo* asked) {
  // Of thousands of partitions one is asked about after the other.
  static int last = 1;
  const int size = root->simple_rel_array_size;
  RelOptInfo* table = nullptr;
  for (int n = 1, i = last; n < size; n++, i++) {
    if (i >= size) i = 1;
    RelOptInfo* relation = root->simple_rel_array[i];
    if (root->simple_rte_array[i] == rte) {
      last = i;
      table = relation;
      if (relation == asked) break;
    } else if (relation == asked) {
      return nullptr;
    }
  }
  return table;
}

// The index that knows all values of a column, in order; null: there is none.
IndexOptInfo* index_on(const RelOptInfo* table, AttrNumber column) {
  for (int i = 0; i < list_length(table->indexlist); i++) {
    auto* index = static_cast<IndexOptInfo*>(list_nth(table->indexlist, i));
    if (index->indexkeys[0] == column && index->indpred == NIL && !index->hypothetical &&
        index->sortopfamily != nullptr && is_learned(index)) {
      return index;
    }
  }
  return nullptr;
}

// A question of ours is on its way: for the statistics as they are, and whether the user may see them.
bool asking;

void ask_server(PlannerInfo* root, const IndexOptInfo* index, VariableStatData* answer) {
  auto* column =
      static_cast<Node*>(copyObjectImpl(static_cast<const TargetEntry*>(linitial(index->indextlist))->expr));
  asking = true;
  PG_TRY();
  { examine_variable(root, column, 0, answer); }
  PG_FINALLY();
  { asking = false; }
  PG_END_TRY();
}

// ---- the answer

bool still_live(const GrowingTable& of, const Tid (&tids)[kSides]) {
  LivingRows rows(of.table, of.table_blocks);
  bool all = true;
  for (const Tid tid : tids) all = all && (tid == 0 || rows.has(tid));
  rows.release();
  return all;
}

// What was found before for such a number of rows; null: nothing. Valid until the next look at the catalogs, as an invalidation may come then.
Found* find(const IndexOptInfo* info) {
  if (all_found == nullptr) return nullptr;
  auto* found = static_cast<Found*>(hash_search(all_found, &info->indexoid, HASH_FIND, nullptr));
  if (found == nullptr || std::fabs(found->rows - info->rel->tuples) > found->tolerance) return nullptr;
  return found;
}

bool holds(const GrowingTable& of, const Found& found) {
  const auto tolerance = static_cast<unsigned>(std::min(found.tolerance, 1e9));
  return still_ends(of, found.leaf, tolerance) && still_live(of, found.outermost);
}

// What was found before, if it holds still. *tuple: a copy of it.
bool take_found(const GrowingTable& of, const IndexOptInfo* info, HeapTuple* tuple) {
  Found* found = find(info);
  if (found == nullptr) return false;
  // (It may be gone when a table has been asked for its rows: its access method may look at the catalogs.)
  const Found before = *found;
  HeapTuple copy = heap_copytuple(found->tuple);
  if (!holds(of, before)) return false;
  found = find(info);
  if (found != nullptr) found->seen = Moment::now();
  *tuple = copy;
  return true;
}

// Measures it. The tuple is in the current context.
HeapTuple measure(const GrowingTable& of, const IndexOptInfo* info, HeapTuple statistics) {
  const uint64 before = news;
  GrownHistogram grown;
  if (!extend_histogram(statistics, of, info, &grown)) return nullptr;
  Found found{};
  found.index = info->indexoid;
  found.statistics = GetSysCacheHashValue3(STATRELATTINH, ObjectIdGetDatum(RelationGetRelid(of.table)),
                                           Int16GetDatum(info->indexkeys[0]), BoolGetDatum(false));
  found.rows = info->rel->tuples;
  // Half of a bin.
  found.tolerance = found.rows / (2.0 * std::max(grown.bins, 1));
  for (int side = 0; side < kSides; side++) {
    found.leaf[side] = grown.leaf[side];
    found.outermost[side] = grown.outermost[side];
  }
  found.tuple = grown.tuple;
  found.seen = Moment::now();
  if (before == news) keep(found);
  return grown.tuple;
}

// Looks at the index: whether what was found holds still, or else anew. A copy of the tuple, if there is one.
HeapTuple look(const GrowingTable& of, PlannerInfo* root, const IndexOptInfo* info) {
  HeapTuple tuple = nullptr;
  if (!take_found(of, info, &tuple) && !RELATION_IS_OTHER_TEMP(of.index) && growth_known_for(of.index)) {
    VariableStatData old;
    ask_server(root, info, &old);
    if (HeapTupleIsValid(old.statsTuple)) tuple = measure(of, info, old.statsTuple);
    ReleaseVariableStats(old);
  }
  return tuple;
}

HeapTuple look(PlannerInfo* root, const RangeTblEntry* rte, const IndexOptInfo* info) {
  const GrowingTable of{table_open(rte->relid, NoLock), index_open(info->indexoid, NoLock), info->rel->pages,
                        info->pages};
  HeapTuple tuple = look(of, root, info);
  index_close(of.index, NoLock);
  table_close(of.table, NoLock);
  return tuple;
}

// Gives the statistics of a column, if they have to be other than what the server has.
bool give_statistics(PlannerInfo* root, const RangeTblEntry* rte, const IndexOptInfo* info,
                     VariableStatData* variable) {
  const Found* found = find(info);
  const bool known = found != nullptr && found->seen == Moment::now();
  // (Of null heap_copytuple() makes null.)
  HeapTuple tuple = known ? heap_copytuple(found->tuple) : look(root, rte, info);
  if (tuple == nullptr) return false;
  VariableStatData old;
  ask_server(root, info, &old);
  variable->statsTuple = tuple;
  variable->freefunc = heap_freetuple;
  variable->acl_ok = old.acl_ok;
  ReleaseVariableStats(old);
  return true;
}

bool give_outgrown_statistics(PlannerInfo* root, RangeTblEntry* rte, AttrNumber column,
                              VariableStatData* variable) {
  if (asking) return false;
  if (previous_hook != nullptr && previous_hook(root, rte, column, variable)) return true;
  // (Nobody's variable: an index is asked for its correlation.)
  if (rte->rtekind != RTE_RELATION || rte->inh || column <= 0 || variable->rel == nullptr) return false;
  const RelOptInfo* table = table_of(root, rte, variable->rel);
  if (table == nullptr || table->tuples < 1.0) return false;
  const IndexOptInfo* index = index_on(table, column);
  if (index == nullptr || (table == variable->rel && only_equalities(root->parse))) return false;
  return give_statistics(root, rte, index, variable);
}

}  // namespace

void register_outgrown_statistics() {
  CacheRegisterRelcacheCallback(index_changed, 0);
  CacheRegisterSyscacheCallback(
      STATRELATTINH, [](Datum, auto, uint32 place) { statistics_changed(place); }, 0);
  previous_hook = get_relation_stats_hook;
  get_relation_stats_hook = give_outgrown_statistics;
}

}  // namespace learned
