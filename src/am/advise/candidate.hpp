// A btree index that might be a learned one: whether it can be, what would be lost, and how it is done.
#pragma once

#include "am/key/key_columns.hpp"
#include "am/server/grown_array.hpp"
#include "am/server/server.hpp"

namespace learned {

struct Candidate {
  Relation table;
  Relation index;
  Oid learned;  // the access method
};

// What an index would be that is made anew as a learned one.
struct LearnedForm {
  const char* obstacle;     // why it cannot be; nullptr: it can, and the rest is set
  Oid families[kMaxWords];  // of the key columns
  int fillfactor;
};
LearnedForm learned_form(const Candidate& candidate);

// What goes with the btree, or has to be set anew: constraints, keys of other tables, and the like. nullptr: nothing.
const char* what_is_lost(const Candidate& candidate);

// What one has to know beside: that the index is part of a partitioned one, or that there is a learned one of its columns. nullptr: nothing.
const char* what_to_note(const Candidate& candidate);

// What the learned index beside the btree is to be called: as no relation of the schema is, nor another that was named here.
struct GivenName {
  Oid schema;
  NameData name;
};
GivenName learned_name(const Candidate& candidate, GrownArray<GivenName>* given);

// The statement that makes it.
const char* create_statement(const Candidate& candidate, const GivenName& name);
// The one that drops the btree; nullptr: it cannot be dropped by itself.
const char* drop_statement(const Candidate& candidate);

}  // namespace learned
