// Scratch memory for one page operation: columns of entries and the planner's segments. About 1.9 MB (3.5 MB for keys of four words),
// provided once per process by the caller; only the parts in use are ever touched.
#pragma once

#include "core/page/check.hpp"
#include "core/plan/segment_planner.hpp"

namespace learned {

template <class K>
struct BasicWorkspace {
  using Item = BasicItem<K>;
  using PlannedSegment = BasicPlannedSegment<K>;

  // Entries of one page and of what is merged into it.
  static constexpr std::size_t kCapacity = kMaxEntries + 2 * kMaxDelta + 64;

  K codes[kCapacity];
  Tid tids[kCapacity];
  Block children[kCapacity];
  std::uint32_t runs[kCapacity];
  Item delta[kMaxDelta + 1];
  PlannedSegment segments[kMaxPlanned];
  PlannedSegment saved[kMaxPlanned];
  std::uint8_t dead_map[(kCapacity + 7) / 8];
  // Kill marks on their way from a page to those it becomes: ranks of what plan_merge(), plan_split() or
  // plan_retrain() planned, the right page's behind the left one's. Meaningful if `killed`.
  std::uint8_t killed_map[(kCapacity + 7) / 8];
  bool killed;
  alignas(8) std::uint8_t page[kPageSize];
  alignas(8) std::uint8_t page2[kPageSize];
};
using Workspace = BasicWorkspace<Code>;

// The workspace's columns, as a page of this level uses them.
template <class K>
inline BasicColumns<K> workspace_columns(BasicWorkspace<K>* ws, unsigned level) {
  return {ws->codes, ws->tids, level > 0 ? ws->children : nullptr, ws->runs};
}

// check_page() (core/page/check.hpp), which leaves the page's content in the workspace.
template <class K>
inline Fault check_page(const std::uint8_t* page, BasicWorkspace<K>* ws) {
  return check_page(page, BasicCheckedEntries<K>{ws->codes, ws->tids, ws->children, ws->delta});
}

template <class K = Code>
constexpr std::size_t workspace_bytes() {
  return sizeof(BasicWorkspace<K>);
}
// `memory` is 8-aligned and workspace_bytes() long; its content does not matter.
template <class K = Code>
inline BasicWorkspace<K>* workspace_init(void* memory) {
  return static_cast<BasicWorkspace<K>*>(memory);
}

}  // namespace learned
