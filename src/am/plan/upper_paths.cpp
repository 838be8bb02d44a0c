#include "am/plan/upper_paths.hpp"

#include "am/callbacks.hpp"
#include "am/count/aggregate_plan.hpp"
#include "am/scan/group_scan.hpp"
#include "am/scan/offset_scan.hpp"

namespace learned {

namespace {

create_upper_paths_hook_type previous_hook;

void add_paths(PlannerInfo* root, UpperRelationKind stage, RelOptInfo* input, RelOptInfo* output,
               void* extra) {
  if (stage == UPPERREL_FINAL) add_offset_paths(root, output, static_cast<const FinalPathExtraData*>(extra));
  add_aggregate_paths(root, stage, input, output);
  add_group_paths(root, stage, input, output);
  if (previous_hook != nullptr) previous_hook(root, stage, input, output, extra);
}

}  // namespace

void register_upper_paths() {
  register_group_scan();
  register_aggregate_scan();
  register_offset_scan();
  previous_hook = create_upper_paths_hook;
  create_upper_paths_hook = add_paths;
}

}  // namespace learned
