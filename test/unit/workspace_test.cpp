// The scratch memory that the server allocates once.
#include "core/plan/workspace.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace learned {
namespace {

TEST(WorkspaceTest, StaysAFewMegabytesOfPlainMemory) {
  EXPECT_LT(workspace_bytes(), std::size_t{3} << 20);
  EXPECT_TRUE(std::is_trivially_destructible_v<Workspace>);
  EXPECT_LE(alignof(Workspace), 8u) << "palloc aligns to 8";
  void* memory = std::malloc(workspace_bytes());
  EXPECT_EQ(static_cast<void*>(workspace_init(memory)), memory);
  std::free(memory);
}

TEST(WorkspaceTest, HoldsAFullPageAndWhatIsMergedIntoIt) {
  EXPECT_GE(Workspace::kCapacity, kMaxEntries + kMaxDelta);
}

TEST(WorkspaceTest, ColumnsPointIntoIt) {
  void* memory = std::malloc(workspace_bytes());
  Workspace* ws = workspace_init(memory);
  EXPECT_EQ(workspace_columns(ws, 0).codes, ws->codes);
  EXPECT_EQ(workspace_columns(ws, 0).tids, ws->tids);
  EXPECT_EQ(workspace_columns(ws, 0).children, nullptr);
  EXPECT_EQ(workspace_columns(ws, 1).children, ws->children);
  std::free(memory);
}

}  // namespace
}  // namespace learned
