// What a user can set: the index option fillfactor and the settings learned_index.*.
#pragma once

#include "am/server/server.hpp"

namespace learned {

inline constexpr int kMinFillfactor = 50;
inline constexpr int kDefaultFillfactor = 91;

// A setting that may leave it to us.
enum class Switch { automatic, on, off };

// learned_index.model_cache, in kilobytes: what a backend may spend on private copies of directories; 0 =
// none.
extern int model_cache_kilobytes;

// learned_index.enable_groups: whether the planner may use LearnedGroups (am/plan/group_paths.cpp).
extern bool groups_enabled;

// learned_index.enable_aggregates: whether the planner may use LearnedAggregate (am/plan/aggregate_paths.cpp).
extern bool aggregates_enabled;

// learned_index.read_ahead: whether scans ask for blocks of the table ahead (am/scan/read_ahead.hpp).
Switch read_ahead_switch();

// Whether hot inserts are logged with GenericXLog instead of the hand-made record: learned_index.generic_wal, if it is on
// or off; by itself in a server newer than the newest whose replay is known to read such records, which is told to the
// server's log once in each process.
bool use_generic_wal();

// Registers the index options and the settings. Called once, when the library is loaded.
void register_options();

// The fillfactor of an index, in percent.
int index_fillfactor(Relation index);

}  // namespace learned
