// What paths above index scans have to know of an index, its conditions and its columns.
#pragma once

#include "am/plan/index_info.hpp"

namespace learned {

// What a descent to a leaf costs the processor, in units of cpu_operator_cost, which stands for some 8 nanoseconds here (cost.cpp).
inline constexpr double kDescent = 30.0;

// How many rows the planner expects of the query at this stage, whatever gives them.
double rows_of_query(const RelOptInfo* output, double otherwise);
// Whether a query is of the rows of one table, and nothing stands between their scan and groups: no locks of rows, no sets, no sample.
bool is_of_one_table(PlannerInfo* root, RelOptInfo* input);
// Whether an operator is the equality of a column.
bool is_equality(const IndexOptInfo* index, int column, Oid operation);
// The number of the group, of expressions and their equalities, that is this column; -1: none is.
int group_of_column(const List* groups, const List* equalities, IndexOptInfo* index, int column);
// The operator by which min() or max() gives the first value; InvalidOid: the aggregate is neither.
Oid first_value_operator(const Aggref* aggregate);
// Whether an equality on the column is among conditions (IndexClauses).
bool has_equality(const List* conditions, const IndexOptInfo* index, int column);
bool is_float(Oid type);
// Whether keys that are equal have equal words in the first columns: not those of a float that is the last one.
bool equal_by_words(const IndexOptInfo* index, int columns);
// Whether what was stored in a column is known to the last bit: floats with key columns behind them are merged.
bool keeps_bits(const IndexOptInfo* index, int column, Oid type);
// Whether an expression that match_index_to_operand() finds in an index has that column's type: it looks through casts that keep the bits, as from oid to int4, which sums
// and quotients do not.
bool keeps_type(const Node* expr);
// Whether an index is one whose pages ascend, whatever its order (KeyColumns::plain()).
bool is_plain(const IndexOptInfo* index);
// Words of the first columns; 0: the type of one is not known.
unsigned words_of_columns(const IndexOptInfo* index, int columns);
// Whether no row has NULL in a column of the index.
bool never_null(const RelOptInfo* rel, const RangeTblEntry* rte, const IndexOptInfo* index, int column);
// Whether the index has all that the query wants of the table, as the planner decides it.
bool has_everything(const RelOptInfo* rel, const IndexOptInfo* index);
// Whether an index of ours has an order that the query may rely on, and all rows that it may want. (Without one is an index whose operator class lacks something.)
bool may_count(const IndexOptInfo* index);
// A path of the index that has all conditions of the query on its table as index conditions (IndexClauses), none of them lossy. *possible: whether there is one.
const List* all_conditions(PlannerInfo* root, IndexOptInfo* index, bool* possible);

}  // namespace learned
