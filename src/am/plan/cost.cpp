// What a scan costs, for the planner.
#include "am/store/buffer_store.hpp"
#include "am/callbacks.hpp"
#include "am/key/key_columns.hpp"
#include "am/plan/path_parts.hpp"
#include "am/plan/index_info.hpp"
#include "am/server/compat.hpp"

namespace learned {

namespace {

// Of one descent, in units of cpu_operator_cost. A btree is charged 50 for every page on its way down, the
// leaf included, and one for each of log2(entries) comparisons. A learned index reads one page and decodes a
// handful of entries around the predicted place.
constexpr double kPageCharge = 25.0;
constexpr double kComparisons = 4.0;

// Entries of a btree's leaf: 20 bytes each, at its fill factor of 90.
constexpr double kBtreeLeafEntries = 366.0;

// How the conditions on one column cut the index into stretches.
struct ColumnUse {
  bool limited = false;  // there is a condition
  bool points = false;   // an equality is among them: what follows them is still a bound
  double values = 1.0;   // so many of the column's values are stepped through
};

// The conditions on a column go to *conditions.
ColumnUse use_of_column(PlannerInfo* root, const IndexPath* path, int column, List** conditions) {
  const IndexOptInfo* index = path->indexinfo;
  ColumnUse use;
  bool point = false;
  *conditions = NIL;
  for (int i = 0; i < list_length(path->indexclauses); i++) {
    const auto* condition = static_cast<const IndexClause*>(list_nth(path->indexclauses, i));
    if (condition->indexcol != column) continue;
    for (int k = 0; k < list_length(condition->indexquals); k++) {
      const auto* key = static_cast<const RestrictInfo*>(list_nth(condition->indexquals, k));
      const auto* clause = reinterpret_cast<const Node*>(key->clause);
      use.limited = true;
      *conditions = lappend(*conditions, const_cast<RestrictInfo*>(key));
      if (IsA(clause, OpExpr)) {
        point = point || is_equality(index, column, reinterpret_cast<const OpExpr*>(clause)->opno);
      } else if (IsA(clause, ScalarArrayOpExpr)) {
        const auto* any = reinterpret_cast<const ScalarArrayOpExpr*>(clause);
        if (!is_equality(index, column, any->opno)) continue;
        point = true;
        use.values *= std::max(1.0, compat::array_length(root, static_cast<Node*>(list_nth(any->args, 1))));
      } else if (IsA(clause, NullTest)) {
        point = point || reinterpret_cast<const NullTest*>(clause)->nulltesttype == IS_NULL;
      }
    }
  }
  use.points = point;
  return use;
}

// How many of a column's values satisfy conditions that are no equalities.
double values_of_column(PlannerInfo* root, const IndexOptInfo* index, int column, List* conditions) {
  VariableStatData variable;
  bool by_default;
  examine_variable(
      root, reinterpret_cast<Node*>(static_cast<TargetEntry*>(list_nth(index->indextlist, column))->expr), 0,
      &variable);
  double values = get_variable_numdistinct(&variable, &by_default);
  ReleaseVariableStats(variable);
  if (conditions != NIL) {
    values *=
        clauselist_selectivity(root, conditions, static_cast<int>(index->rel->relid), JOIN_INNER, nullptr);
  }
  return std::max(values, 1.0);
}

}  // namespace

double skipped_stretches(PlannerInfo* root, const IndexPath* path) {
  const int columns = path->indexinfo->nkeycolumns;
  if (columns < 2) return 0.0;
  ColumnUse use[INDEX_MAX_KEYS];
  List* conditions[INDEX_MAX_KEYS];
  int gap = 0;  // the last column whose conditions are no bound any more
  bool bounded = true;
  for (int c = 0; c < columns; c++) {
    use[c] = use_of_column(root, path, c, &conditions[c]);
    if (use[c].limited && !bounded) gap = c;
    bounded = bounded && use[c].points;
  }
  if (gap == 0) return 0.0;
  double stretches = 1.0;
  for (int c = 0; c < gap; c++) {
    stretches *= use[c].points ? use[c].values : values_of_column(root, path->indexinfo, c, conditions[c]);
  }
  return stretches;
}

void learned_cost_estimate(struct PlannerInfo* root, struct IndexPath* path, double loop_count,
                           Cost* startup_cost, Cost* total_cost, Selectivity* selectivity,
                           double* correlation, double* pages) {
  // Selectivity, pages in proportion to the index's (small) size, correlation: all as for a btree, whose
  // strategy numbers we share. It leaves out the charge for inner pages while it does not know our height
  // (before version 18 core never does)...
  IndexOptInfo* index = path->indexinfo;
  const int height = index->tree_height;
  index->tree_height = -1;
  btcostestimate(root, path, loop_count, startup_cost, total_cost, selectivity, correlation, pages);
  index->tree_height = height;

  // The number of pages says how many processes a parallel scan is worth, by comparison with
  // min_parallel_index_scan_size. What they share is the work on entries, of which a page has up to fifty times as many
  // as a btree's. So it is the number of pages that a btree would have to read.
  const double visited = std::clamp(*selectivity * index->rel->tuples, 1.0, std::max(index->tuples, 1.0));
  *pages = std::max(*pages, std::ceil(visited / kBtreeLeafEntries));

  // Where a column in front is left free or has a range, a btree up to 17 reads all of what lies between; we step over it. (From
  // 18 on a btree steps over it too, and what costs less counts.)
  if (const double stretches = skipped_stretches(root, path); stretches > 0.0) {
    const double rows = *selectivity * index->rel->tuples;
    const double density = index->tuples / std::max<double>(index->pages, 1.0);
    double read = std::min<double>(index->pages, stretches + rows / std::max(density, 1.0));
    if (loop_count > 1.0) {
      read = index_pages_fetched(read * loop_count, index->pages, index->pages, root) / loop_count;
    }
    double page_cost;
    get_tablespace_page_costs(index->reltablespace, &page_cost, nullptr);
    const Cost stepping = read * page_cost + stretches * (kPageCharge + kComparisons) * cpu_operator_cost +
                          rows * (cpu_index_tuple_cost + list_length(path->indexclauses) * cpu_operator_cost);
    *total_cost = std::min(*total_cost, *startup_cost + stepping);
  }

  // ... but charges the comparisons of a binary search over all entries: put our own in their place. With an
  // array condition it charges them once per element; elements that share a page share our descent, so
  // correct only the first.
  const double entries = index->tuples;
  const double btree_comparisons = entries > 1.0 ? std::ceil(std::log2(entries)) : 0.0;
  const double saved = std::max(btree_comparisons - kComparisons, 0.0);
  const Cost adjustment = (kPageCharge - saved) * cpu_operator_cost;
  *startup_cost = std::max(*startup_cost + adjustment, 0.0);
  *total_cost = std::max(*total_cost + adjustment, *startup_cost);
}

int learned_tree_height(Relation index) {
  return with_key(key_words_of(index), [index]<class K>() {
    BasicBufferStore<K> store(index);
    return static_cast<int>(store.height(TreeId::keys));
  });
}

}  // namespace learned
