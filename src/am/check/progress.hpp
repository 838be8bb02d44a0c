// How far a check has come, for who waits for it: INFO lines as those of VACUUM (VERBOSE), when a part begins and every few seconds.
//
// (Not a view like pg_stat_progress_vacuum: which commands these know is the server's own list.)
#pragma once

#include "am/server/server.hpp"

namespace learned {

// When the next line is due.
class ProgressLines {
 public:
  void begin() { last_ = GetCurrentTimestamp(); }
  // Whether it is now; the one after it is then as far away again.
  bool due() {
    constexpr int kMillisecondsBetween = 5000;
    const TimestampTz now = GetCurrentTimestamp();
    if (!TimestampDifferenceExceeds(last_, now, kMillisecondsBetween)) return false;
    last_ = now;
    return true;
  }

 private:
  TimestampTz last_ = 0;
};

class CheckProgress {
 public:
  CheckProgress(Relation index, bool verbose) : index_(index), verbose_(verbose) {}

  // A part of the check begins, on so many of its units. (0: nobody knows.)
  void begin(const char* part, const char* units, uint64 total);
  // One of them is done. Some may be looked at again, so that there are more of these than units.
  void step() {
    if (verbose_ && ++done_ % kStepsBetweenLooks == 0) look();
  }
  // Nothing was found.
  void end() const;

 private:
  static constexpr uint64 kStepsBetweenLooks = 64;

  void look();

  Relation index_;
  bool verbose_;
  const char* units_ = nullptr;
  uint64 total_ = 0;
  uint64 done_ = 0;
  ProgressLines lines_;
};
static_assert(std::is_trivially_destructible_v<CheckProgress>);

}  // namespace learned
