#include "am/scan/parallel_scan.hpp"

#include "am/callbacks.hpp"
#include "am/server/compat.hpp"

namespace learned {

namespace {

void set(SharedScan* shared, SharedScan::State state, const ScanPlace& place) {
  SpinLockAcquire(&shared->mutex);
  shared->state = state;
  shared->place = place;
  SpinLockRelease(&shared->mutex);
}

}  // namespace

bool take_place(SharedScan* shared, ScanPlace* place, bool* fresh) {
  SharedScan::State found;
  for (;;) {
    SpinLockAcquire(&shared->mutex);
    found = shared->state;
    if (found == SharedScan::State::fresh || found == SharedScan::State::free) {
      *place = shared->place;
      shared->state = SharedScan::State::taken;
    }
    SpinLockRelease(&shared->mutex);
    if (found != SharedScan::State::taken) break;
    // If the process that has the place fails, its error reaches us here.
    ConditionVariableSleep(&shared->moved, PG_WAIT_EXTENSION);
  }
  ConditionVariableCancelSleep();
  *fresh = found == SharedScan::State::fresh;
  return found != SharedScan::State::over;
}

void put_place(SharedScan* shared, const ScanPlace& place) {
  set(shared, SharedScan::State::free, place);
  ConditionVariableSignal(&shared->moved);
}

void end_place(SharedScan* shared) {
  set(shared, SharedScan::State::over, {});
  ConditionVariableBroadcast(&shared->moved);
}

void learned_init_parallel_scan(void* target) {
  auto* shared = static_cast<SharedScan*>(target);
  SpinLockInit(&shared->mutex);
  shared->state = SharedScan::State::fresh;
  shared->place = {};
  ConditionVariableInit(&shared->moved);
}

// Before the participants of the next scan start, when those of the last are done.
void learned_parallel_rescan(IndexScanDesc scan) {
  set(compat::shared_scan<SharedScan>(scan), SharedScan::State::fresh, {});
}

}  // namespace learned
