// Fitting a page anew.
#pragma once

#include "core/plan/workspace.hpp"

namespace learned {

// Rewrites a page from its live entries alone when that is smaller than what it is now; the image goes to
// ws->page. *better tells whether it is; to be rid of delta entries it may take `allowance` bytes more, if two dozen still
// have room then. False: corrupt.
template <class K>
bool plan_retrain(const BasicPageView<K>& page, BasicWorkspace<K>* ws, bool* better,
                  std::size_t allowance = 0);

}  // namespace learned
