// Fitting a page anew.
#pragma once

#include "core/plan/workspace.hpp"

namespace learned {

// Rewrites a page from its live entries alone when that is smaller than what it is now; the image goes to
// ws->page. *better tells whether it is. False: corrupt.
bool plan_retrain(const PageView& page, Workspace* ws, bool* better);

}  // namespace learned
