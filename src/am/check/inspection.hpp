// What the functions on indexes share: opening one that a user named; and what learned_index_check() and
// learned_index_stats() do, reading its pages one by one.
#pragma once

#include "am/server/server.hpp"
#include "core/page/view.hpp"

namespace learned {

struct InspectedIndex {
  Relation table;
  Relation index;
  LOCKMODE mode;  // held on both
};

// What an inspection tells.
enum class Tells : std::uint8_t {
  structure,  // how the index is made, and whether that is sound
  rows,       // keys, or which rows there are
};

// Opens the index that a user named: locks the table, then the index, as every other place does. Raises an error unless
// it is a valid index of this access method that this session can read, and the current user may. All functions
// refuse the same, in the same order and words, because this is the one place that does.
//
// Who may learn about the structure: the owner of the index and, from 17 on, who may maintain its table: they can do something about what comes
// to light. With AccessShareLock also who has the privileges of pg_stat_scan_tables, the server's role for functions that
// hold such a lock for long. Reading the table is not enough: an index without its table is nobody's business.
//
// About rows: who may select from the table, or from each of the index's columns, if these are all that it depends on; and nobody
// from whom row security hides some, as in pg_stats.
InspectedIndex open_inspected_index(Oid oid, LOCKMODE mode, Tells tells = Tells::structure);
// The same as answers: whether the current user may learn about the structure, and about rows.
bool may_examine_index(Oid index, Oid table, LOCKMODE mode);
bool may_see_rows(Oid index, Oid table);
// Gives the locks back: nothing was changed that others must not see before the transaction ends.
void close_inspected_index(const InspectedIndex& opened);

// Copies pages into private memory, so that they can be looked at for as long as it takes. Reads through a ring of
// buffers: an inspection must not push what others use out of the shared buffers.
class PageReader {
 public:
  explicit PageReader(Relation index)
      : index_(index),
        strategy_(GetAccessStrategy(BAS_BULKREAD)),
        blocks_(RelationGetNumberOfBlocks(index)) {}

  // Size of the file when the inspection began.
  Block blocks() const { return blocks_; }

  // REQUIRES: block < blocks(). `page` is kPageSize bytes, 8-aligned. Checks for interrupts.
  void copy(Block block, std::uint8_t* page);

 private:
  Relation index_;
  BufferAccessStrategy strategy_;
  Block blocks_;
};
static_assert(std::is_trivially_destructible_v<PageReader>);

// An extension of the file whose first use never happened: the server zeroed the page, nobody wrote it.
bool is_new_page(const std::uint8_t* page);

}  // namespace learned
