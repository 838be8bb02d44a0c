#include "am/scan/heap_prefetch.hpp"

namespace learned {

Buffer HeapPrefetch::buffers[kSlots];

}  // namespace learned
