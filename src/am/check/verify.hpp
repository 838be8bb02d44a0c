// What the ways of checking an index share: a page by itself, and what each of them is called.
//
//   verify.cpp         learned_index_check() itself, and what the two modes promise
//   verify_strict.cpp  structure, while nobody changes the index
//   verify_live.cpp    structure, beside writers, VACUUM or replay
//   verify_rows.cpp    every visible row has its entry
//
// The functions that show a page (am/see) read it as these do.
#pragma once

#include "am/store/buffer_store.hpp"
#include "am/check/inspection.hpp"
#include "am/check/progress.hpp"
#include "am/key/key_columns.hpp"
#include "core/page/check.hpp"
#include "core/tree/tree.hpp"

namespace learned {

template <class K>
void check_structure_strictly(Relation index, CheckProgress* progress);
template <class K>
void check_structure_live(Relation index, CheckProgress* progress);
// REQUIRES: structure was checked before, or a damaged page may be reported as a missing row.
template <class K>
void check_rows(Relation table, Relation index, CheckProgress* progress);

// Looks at copies of pages, one at a time: the one in page_.
template <class K>
class PageChecker {
 protected:
  using Entry = BasicEntry<K>;
  using Item = BasicItem<K>;
  using PageView = BasicPageView<K>;
  using PageTrailer = BasicPageTrailer<K>;
  using Workspace = BasicWorkspace<K>;
  using BufferStore = BasicBufferStore<K>;

  // `progress` may be null.
  explicit PageChecker(Relation index, CheckProgress* progress = nullptr)
      : index_(index),
        progress_(progress),
        store_(index),
        reader_(index),
        workspace_(store_.workspace()),
        page_(static_cast<std::uint8_t*>(palloc(kPageSize))),
        items_(static_cast<Item*>(palloc(Workspace::kCapacity * sizeof(Item)))),
        columns_(key_columns_of(index)) {}

  [[noreturn]] void fault(Block block, Fault what) { store_.corrupt(block, what); }

  // Reads the metapage.
  MetaInfo check_meta();
  // The page in page_, by itself. Leaves its content in the workspace, as check_page() does.
  void check_content(Block block);
  // What support function 7 says of the keys in the workspace.
  void check_mappings();
  // The downlinks of the inner page in page_, to items_; returns their number, which is not 0.
  std::uint32_t take_downlinks(Block block);

  Relation index_;
  CheckProgress* progress_;
  BufferStore store_;
  PageReader reader_;
  Workspace* workspace_;
  std::uint8_t* page_;
  Item* items_;
  KeyColumns columns_;
};

}  // namespace learned
