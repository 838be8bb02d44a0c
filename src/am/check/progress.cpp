#include "am/check/progress.hpp"

namespace learned {

void CheckProgress::begin(const char* part, const char* units, uint64 total) {
  units_ = units;
  total_ = total;
  done_ = 0;
  if (!verbose_) return;
  lines_.begin();
  const char* name = RelationGetRelationName(index_);
  if (total > 0) {
    ereport(INFO, (errmsg("checking index \"%s\": %s, %llu %s", name, part,
                          static_cast<unsigned long long>(total), units)));
  } else {
    ereport(INFO, (errmsg("checking index \"%s\": %s", name, part)));
  }
}

void CheckProgress::look() {
  if (!lines_.due()) return;
  const char* name = RelationGetRelationName(index_);
  if (total_ > 0) {
    ereport(INFO, (errmsg("checking index \"%s\": %llu of %llu %s", name,
                          static_cast<unsigned long long>(std::min(done_, total_)),
                          static_cast<unsigned long long>(total_), units_)));
  } else {
    ereport(INFO,
            (errmsg("checking index \"%s\": %llu %s", name, static_cast<unsigned long long>(done_), units_)));
  }
}

void CheckProgress::end() const {
  if (verbose_)
    ereport(INFO, (errmsg("checking index \"%s\": no fault found", RelationGetRelationName(index_))));
}

}  // namespace learned
