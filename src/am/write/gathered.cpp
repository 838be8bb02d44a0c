#include "am/write/gathered.hpp"

#include <algorithm>

#include "am/key/key_columns.hpp"
#include "am/server/compat.hpp"
#include "am/store/buffer_store.hpp"
#include "core/tree/tree.hpp"

namespace learned {
namespace {

// One tree of an index. Items are those of the type of key that the index has.
struct List {
  Relation index;  // with a reference and a lock of its own
  TreeId tree;
  unsigned words;
  Size capacity;
  Size count;
  Size done;  // of these, inserted already: an error came between
  bool sorted;
  void* items;
};

// More lists than this (of partitions, say) are not kept, nor more items than work_mem takes, or than are sorted (which cannot be cancelled) in a fraction of a
// second.
constexpr int kMostLists = 16;
constexpr Size kFirstCapacity = 64;

// As the server locks an index for inserting.
constexpr LOCKMODE kListLock = RowExclusiveLock;

// What belongs to one call of ExecutorRun, or to one COPY.
struct Gathering {
  PlanState* plan;           // the query's uppermost node; of a COPY null, as what follows
  ExecProcNodeMtd next_row;  // what it does
  MemoryContext context;
  ResourceOwner owner;
  SubTransactionId subtransaction;
  Size bytes;  // of all items
  int lists;
  List list[kMostLists];
};

// That of the query, or the COPY, that runs now, if it gathers.
Gathering* current = nullptr;
ExecutorRun_hook_type previous_run = nullptr;
ProcessUtility_hook_type previous_utility = nullptr;

Size most_bytes() { return Size{1024} * static_cast<Size>(std::min(work_mem, 64 * 1024)); }

template <class K>
void insert_list(List* list) {
  using Item = BasicItem<K>;
  auto* items = static_cast<Item*>(list->items);
  if (!list->sorted) {
    std::sort(items, items + list->count, [](const Item& a, const Item& b) { return a.entry() < b.entry(); });
    list->sorted = true;
  }
  BasicBufferStore<K> store(list->index);
  Tree<BasicBufferStore<K>>(&store, list->tree).insert_ascending({items, list->count}, &list->done);
  list->count = list->done = 0;
}

void insert_all(Gathering* gathering) {
  for (int i = 0; i < gathering->lists; i++) {
    List* list = &gathering->list[i];
    if (list->count == 0) continue;
    with_key(list->words, [&]<class K>() { insert_list<K>(list); });
  }
}

// Whether rows come from one query alone, more than one perhaps, and each of them stays if the statement does: not where a conflict takes back
// a row that was inserted, so that its TID may be another's before the statement is at its end.
bool may_gather(const QueryDesc* query) {
  if (query->operation != CMD_INSERT || query->plannedstmt->hasModifyingCTE) return false;
  const Plan* plan = query->plannedstmt->planTree;
  if (!IsA(plan, ModifyTable)) return false;
  const auto* change = reinterpret_cast<const ModifyTable*>(plan);
  if (change->operation != CMD_INSERT || change->onConflictAction != ONCONFLICT_NONE) return false;
  const Plan* rows = outerPlan(plan);
  return rows != nullptr && !(IsA(rows, Result) && outerPlan(rows) == nullptr);
}

// In place of what the uppermost node does: behind its last row, its entries are inserted as a part of its work, which EXPLAIN and statistics of queries
// measure.
TupleTableSlot* next_row(PlanState* plan) {
  TupleTableSlot* row = current->next_row(plan);
  if (TupIsNull(row)) insert_gathered();
  return row;
}

// For what makes its IndexInfo in that memory.
Gathering* begin_gathering(MemoryContext context) {
  auto* gathering = static_cast<Gathering*>(MemoryContextAllocZero(context, sizeof(Gathering)));
  gathering->context = context;
  gathering->owner = CurrentResourceOwner;
  gathering->subtransaction = GetCurrentSubTransactionId();
  return gathering;
}

void watch(Gathering* gathering, PlanState* plan) {
  gathering->plan = plan;
  gathering->next_row = plan->ExecProcNodeReal;
  plan->ExecProcNodeReal = next_row;
}

void watch_no_more(const Gathering* gathering) {
  PlanState* plan = gathering->plan;
  if (plan->ExecProcNode == next_row) plan->ExecProcNode = gathering->next_row;
  plan->ExecProcNodeReal = gathering->next_row;
}

void end_gathering(Gathering* gathering) {
  for (int i = 0; i < gathering->lists; i++) {
    const List* list = &gathering->list[i];
    index_close(list->index, kListLock);
    // Triggers that come now may want the memory.
    if (list->items != nullptr) pfree(list->items);
  }
  pfree(gathering);
}

// Runs a statement with `own` as the current one, null if it does not gather. (Apart from what calls it: what stands in registers there is nobody's at a jump.)
template <class Statement>
[[gnu::noinline]] void run_with(Gathering* own, const Statement& statement) {
  Gathering* const outer = current;
  current = own;
  PG_TRY();
  {
    statement();
    insert_gathered();
  }
  PG_CATCH();
  {
    // The rows are no more; nor is, in a moment, what holds memory and references.
    current = outer;
    PG_RE_THROW();
  }
  PG_END_TRY();
  current = outer;
}

void run(QueryDesc* query, ScanDirection direction, LEARNED_RUN_PARAMETERS) {
  const auto go_on = [&] {
    if (previous_run != nullptr) {
      previous_run(query, direction, LEARNED_RUN_ARGUMENTS);
    } else {
      standard_ExecutorRun(query, direction, LEARNED_RUN_ARGUMENTS);
    }
  };
  // Another hook may run a query again that is being run.
  if (current != nullptr && current->plan == query->planstate) {
    go_on();
    return;
  }
  insert_gathered();
  if (may_gather(query)) {
    Gathering* own = begin_gathering(query->estate->es_query_cxt);
    watch(own, query->planstate);
    run_with(own, go_on);
    watch_no_more(own);
    end_gathering(own);
  } else if (current != nullptr) {
    run_with(nullptr, go_on);
  } else {
    go_on();
  }
}

// A COPY opens indexes in the memory in which it is called.
void run_utility(PlannedStmt* statement, const char* text, bool read_only, ProcessUtilityContext context,
                 ParamListInfo parameters, QueryEnvironment* environment, DestReceiver* receiver,
                 QueryCompletion* completion) {
  const auto go_on = [&] {
    (previous_utility != nullptr ? previous_utility : standard_ProcessUtility)(
        statement, text, read_only, context, parameters, environment, receiver, completion);
  };
  insert_gathered();
  const auto* copy = reinterpret_cast<const CopyStmt*>(statement->utilityStmt);
  if (IsA(copy, CopyStmt) && copy->is_from) {
    Gathering* own = begin_gathering(CurrentMemoryContext);
    run_with(own, go_on);
    end_gathering(own);
  } else {
    go_on();
  }
}

template <class K>
List* list_of(Gathering* gathering, Relation index, TreeId tree) {
  for (int i = 0; i < gathering->lists; i++) {
    List* list = &gathering->list[i];
    if (list->index == index && list->tree == tree) return list;
  }
  if (gathering->lists == kMostLists) return nullptr;
  // A COPY has closed its indexes, and unlocked them, when its last entries are inserted: meanwhile ALTER INDEX ... SET TABLESPACE, which does not lock the
  // table, would take the index to another file.
  LockRelation(index, kListLock);
  RelationIncrementReferenceCount(index);
  List* list = &gathering->list[gathering->lists++];
  *list = {index, tree, KeyTraits<K>::kWords, 0, 0, 0, true, nullptr};
  return list;
}

// False: there would be too many.
template <class K>
bool enlarge(Gathering* gathering, List* list) {
  const Size capacity = list->capacity == 0 ? kFirstCapacity : 2 * list->capacity;
  const Size more = (capacity - list->capacity) * sizeof(BasicItem<K>);
  if (gathering->bytes + more > most_bytes()) return false;
  const Size bytes = capacity * sizeof(BasicItem<K>);
  list->items = list->items == nullptr ? MemoryContextAllocHuge(gathering->context, bytes)
                                       : repalloc_huge(list->items, bytes);
  list->capacity = capacity;
  gathering->bytes += more;
  return true;
}

}  // namespace

template <class K>
bool gather(Relation index, TreeId tree, const BasicItem<K>& item, MemoryContext statement) {
  Gathering* gathering = current;
  // Whoever else inserts meanwhile without being a query that runs, or a COPY (a WITH that is carried out at the end of a query that did not ask for its
  // rows, and may take some back) has its own time, and lets go of the index at its own.
  if (gathering == nullptr || gathering->context != statement || gathering->owner != CurrentResourceOwner ||
      gathering->subtransaction != GetCurrentSubTransactionId())
    return false;
  // Other sessions look for entries of keys that exclude theirs, whoever sees them.
  if (index->rd_index->indisunique || index->rd_index->indisexclusion) return false;
  List* list = list_of<K>(gathering, index, tree);
  if (list == nullptr) return false;
  // What an error has left half done is finished first.
  if (list->done > 0) insert_list<K>(list);
  if (list->count == list->capacity && !enlarge<K>(gathering, list)) {
    insert_all(gathering);
    if (list->capacity == 0) return false;
  }
  auto* items = static_cast<BasicItem<K>*>(list->items);
  list->sorted = list->sorted && (list->count == 0 || items[list->count - 1].entry() < item.entry());
  items[list->count++] = item;
  return true;
}

void insert_gathered() {
  if (current != nullptr) insert_all(current);
}

void register_gathering() {
  previous_run = ExecutorRun_hook;
  ExecutorRun_hook = run;
  previous_utility = ProcessUtility_hook;
  ProcessUtility_hook = run_utility;
}

#define LEARNED_GATHER(K) template bool gather(Relation, TreeId, const BasicItem<K>&, MemoryContext);
LEARNED_FOR_EVERY_KEY(LEARNED_GATHER)
#undef LEARNED_GATHER

}  // namespace learned
