// What counting by an index costs, for the planner, and how many groups there will be.
#pragma once

#include "am/plan/monotone.hpp"

namespace learned {

// What a query wants.
struct Question {
  List* groups;  // expressions; the last one is what aggregates with DISTINCT are of, if there are any
  List* group_operators;  // their equalities
  List* aggregates;       // Aggrefs, each once
  PathTarget* target;     // what is made of them
  List* having;           // conditions on them
  bool distinct;          // there are aggregates with DISTINCT: groups are finer than the query's
  bool percentiles;       // there are some among the aggregates
  bool several_tables;    // it is of one of these
};

// How many of the groups are the query's.
inline int groups_of_query(const Question& question) {
  return list_length(question.groups) - (question.distinct ? 1 : 0);
}

// How an index answers it.
struct Answer {
  IndexOptInfo* index;
  List* groups;                   // columns, in the order of the question's groups
  int columns;                    // that are groups or fixed, in front
  int bucket;                     // the column that the bucket is of; -1: there is none
  int bucket_group;               // the number of its expression among the groups
  MonotoneExpression expression;  // that, taken apart
  int percentile;                 // the column that percentiles are of; -1: there are none
  List* measures;                 // four numbers each
  List* measured;                 // the columns of those that have one, as expressions
};

struct CountCost {
  Cost startup;
  Cost total;
  Cost open_leaf;  // of a leaf's rows on open blocks, if they are gone over twice
};

// How many rows of groups the query gives, of so many of the table that fulfil its conditions: as the planner expects, but that columns have only so many values as the conditions
// leave (values_left.hpp), one where they are fixed.
double rows_of_groups(PlannerInfo* root, const Question& question, const RelOptInfo* table, double rows,
                      const RelOptInfo* output);
// How many groups there are to be counted: finer ones where aggregates have DISTINCT.
double expected_groups(PlannerInfo* root, const Question& question, const RelOptInfo* table, double rows,
                       const RelOptInfo* output);
// The same of an index. By a monotone expression the planner has no idea, and takes as many as its operand has values.
double estimate_groups(PlannerInfo* root, const Question& question, const Answer& answer, const Path* child,
                       const RelOptInfo* output);
// Of each group, in units of cpu_operator_cost.
double cost_of_border(const Answer& answer);
// Of finding what percentiles ask for in each of several tables that have so many groups of so many rows in all, beside reading leaves.
Cost cost_of_halving(PlannerInfo* root, const Question& question, double groups, double rows);
// What no count by an index can cost less than: a look at one leaf.
Cost least_cost(const IndexOptInfo* index);
// How often entries are gone over: once where they are counted, and where percentiles are looked for once more; in several tables, by halving, some three times more.
inline double passes_of(const Question& question) {
  return !question.percentiles ? 1.0 : question.several_tables ? 4.0 : 2.0;
}
// Of all, with so many groups of which each costs `border`. What is read again is in memory.
CountCost cost_of(PlannerInfo* root, IndexPath* child, double groups, double border, double passes = 1.0);

}  // namespace learned
