// How many blocks ahead of a scan are asked for: none while the table's pages are in memory, more and more while they come from a device.
//
//   quiet     nothing was read lately: costs a comparison a row
//   watching  reads are timed, for a page that the operating system has takes microseconds, and asking for it early gains nothing
//   awake     a read took long. One block is asked for ahead, then twice as many each time that the scan still had to read, up to the most;
//             half as many when most of what is asked for turns out to be there; none for a while where blocks lie near one another
//
// Once awake nothing tells a device's read from a quick one, as what was asked for early comes quickly. So after some thousand blocks it goes back to
// watching; if what comes then, behind what was asked for, takes long again, it goes on with half of what it had.
#pragma once

#include <algorithm>
#include <cstdint>

namespace learned {

class PrefetchPace {
 public:
  // Nanoseconds from which a read came from a device. (A page that the operating system has takes 2 to 10 microseconds.)
  static constexpr std::uint64_t kSlow = 30'000;
  // Quick reads in a row after which so many reads are not timed.
  static constexpr unsigned kQuick = 32;
  static constexpr unsigned kDeaf = 1024;
  // Blocks in a row that lay near the one before, after which it is not worth while for so many reads.
  static constexpr unsigned kNearInRow = 256;
  static constexpr unsigned kDeafNear = 4096;
  // Rows in a row for which nothing was read, after which it is quiet.
  static constexpr unsigned kIdle = 1024;
  // Blocks asked for before it goes back to watching.
  static constexpr unsigned kStay = 4096;

  // A scan begins. `most`: blocks ahead at most; 0: never any. `eager`: every read is taken for a slow one.
  // (What is known of the table's pages stays: the inner side of a join is begun for each row of the outer one.)
  void start(unsigned most, bool eager) {
    most_ = most;
    eager_ = eager;
    distance_ = std::min(distance_, most);
    if (most == 0) watching_ = false;
  }

  bool awake() const { return distance_ > 0; }
  // Whether read() wants to know how long it took.
  bool watching() const { return watching_; }
  unsigned distance() const { return distance_; }

  // For a row nothing had to be read.
  void not_read() {
    if (++idle_ < kIdle) return;
    watching_ = false;
    distance_ = resume_ = 0;
    idle_ = 0;
  }
  // The scan had to read for a row; `nanoseconds` if watching().
  void read(std::uint64_t nanoseconds) {
    if (most_ == 0) return;
    idle_ = 0;
    if (awake()) {
      distance_ = std::min(most_, distance_ * 2);
      return;
    }
    if (deaf_ > 0) {
      deaf_--;
      return;
    }
    if (!watching_) {
      watching_ = true;
      quick_ = 0;
      return;
    }
    if (eager_ || nanoseconds >= kSlow) {
      watching_ = false;
      distance_ = std::clamp(resume_, 1u, most_);
      asked_ = there_ = near_ = 0;
    } else if (++quick_ >= kQuick) {
      watching_ = false;
      deaf_ = kDeaf;
      resume_ = 0;
    }
  }

  // A block was asked for ahead; it was in shared buffers, or is read now.
  void asked(bool was_there) {
    asked_++;
    near_ = 0;
    if (was_there) {
      if (++there_ < 2 * distance_ + kSomeThere) return;
      resume_ = distance_ /= 2;
      there_ = 0;
      return;
    }
    if (there_ > 0) there_--;
    if (asked_ < kStay) return;
    resume_ = distance_ / 2;
    distance_ = 0;
    watching_ = true;
    quick_ = 0;
  }
  // A block was not asked for, as it lies near the one before.
  void passed_near() {
    if (++near_ < kNearInRow) return;
    distance_ = resume_ = near_ = 0;
    deaf_ = kDeafNear;
  }

 private:
  static constexpr unsigned kSomeThere = 8;

  unsigned most_ = 0;
  unsigned distance_ = 0;
  unsigned resume_ = 0;
  unsigned asked_ = 0;  // since it is awake
  unsigned there_ = 0;  // of these so many more were there than not
  unsigned near_ = 0;   // blocks in a row that lay near
  unsigned idle_ = 0;
  unsigned quick_ = 0;  // while watching
  unsigned deaf_ = 0;   // reads that are not timed
  bool eager_ = false;
  bool watching_ = false;
};

}  // namespace learned
