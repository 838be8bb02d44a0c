#include "am/options.hpp"

#include "am/callbacks.hpp"
#include "am/server/compat.hpp"

namespace learned {

int model_cache_kilobytes = 8192;
bool groups_enabled = true;
bool aggregates_enabled = true;

namespace {

int generic_wal = static_cast<int>(Switch::automatic);
int read_ahead = static_cast<int>(Switch::automatic);
int newest_tested = compat::kNewestTested;

// The words of a Boolean setting are understood as well.
const config_enum_entry kSwitchWords[] = {
    {"auto", static_cast<int>(Switch::automatic), false}, {"on", static_cast<int>(Switch::on), false},
    {"off", static_cast<int>(Switch::off), false},        {"true", static_cast<int>(Switch::on), true},
    {"false", static_cast<int>(Switch::off), true},       {"yes", static_cast<int>(Switch::on), true},
    {"no", static_cast<int>(Switch::off), true},          {"1", static_cast<int>(Switch::on), true},
    {"0", static_cast<int>(Switch::off), true},           {nullptr, 0, false},
};

// What the relation cache keeps in rd_options.
struct IndexOptions {
  int32 vl_len_;  // varlena header; do not touch
  int fillfactor;
};

relopt_kind index_option_kind;

void register_index_options() {
  index_option_kind = add_reloption_kind();
  // Like a btree's: a new value changes nothing that runs, so it needs no stronger lock.
  add_int_reloption(index_option_kind, "fillfactor",
                    "Packs pages of a learned index only to this percentage when it is built",
                    kDefaultFillfactor, kMinFillfactor, 100, ShareUpdateExclusiveLock);
}

void register_settings() {
  DefineCustomIntVariable("learned_index.model_cache",
                          "Sets the memory that a session may use to keep directories of learned indexes.",
                          "With 0, every look-up descends from the root through the shared buffers.",
                          &model_cache_kilobytes, 8192, 0, 1024 * 1024, PGC_USERSET, GUC_UNIT_KB, nullptr,
                          nullptr, nullptr);
  DefineCustomBoolVariable(
      "learned_index.enable_groups",
      "Enables the planner's use of learned indexes to find the first row of each group.",
      "That serves SELECT DISTINCT, and min() or max() by groups.", &groups_enabled, true, PGC_USERSET,
      GUC_EXPLAIN, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable(
      "learned_index.enable_aggregates",
      "Enables the planner's use of learned indexes to count rows without reading them.",
      "That serves count(), min(), max(), sum(), avg() and percentiles over ranges of keys, also by groups, "
      "aggregates with DISTINCT, SELECT DISTINCT, and OFFSET.",
      &aggregates_enabled, true, PGC_USERSET, GUC_EXPLAIN, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable(
      "learned_index.read_ahead", "Asks for blocks of the table ahead in index scans on learned indexes.",
      "At most \"effective_io_concurrency\" blocks. \"auto\" does so while reading takes long, \"on\" "
      "whenever something has to be read.",
      &read_ahead, read_ahead, kSwitchWords, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable(
      "learned_index.generic_wal",
      "Logs insertions into learned indexes through the server's generic WAL interface.",
      "Slower; the records that are written otherwise have the same format. \"auto\" does so "
      "in servers newer than the newest that learned_index was tested with.",
      &generic_wal, generic_wal, kSwitchWords, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  // For tests, to which every server would else be an old one.
  DefineCustomIntVariable(
      "learned_index.debug_newest_tested",
      "Sets the major version beyond which \"learned_index.generic_wal\" is on by itself.", nullptr,
      &newest_tested, newest_tested, 0, INT_MAX, PGC_SUSET, GUC_NOT_IN_SAMPLE | GUC_NO_SHOW_ALL, nullptr,
      nullptr, nullptr);
  MarkGUCPrefixReserved("learned_index");
}

}  // namespace

void register_options() {
  // The server calls _PG_init again if an earlier call has failed midway; none of this may run twice.
  static bool index_options_done = false;
  static bool settings_done = false;
  if (!index_options_done) {
    register_index_options();
    index_options_done = true;
  }
  if (!settings_done) {
    settings_done = true;
    register_settings();
  }
}

Switch read_ahead_switch() { return static_cast<Switch>(read_ahead); }

bool use_generic_wal() {
  static bool told = false;
  if (generic_wal != static_cast<int>(Switch::automatic)) return generic_wal == static_cast<int>(Switch::on);
  if (compat::kServer <= newest_tested) return false;
  if (!told) {
    told = true;
    ereport(
        LOG,
        (errmsg("logging insertions into learned indexes through the generic WAL interface"),
         errdetail(
             "This server is PostgreSQL %d; the newest that this version of learned_index was tested with "
             "is %d.",
             compat::kServer, newest_tested),
         errhint("Insertions are slower so. Install a newer version of learned_index, or set "
                 "\"learned_index.generic_wal\" to \"on\" to do without this message.")));
  }
  return true;
}

int index_fillfactor(Relation index) {
  const auto* options = reinterpret_cast<const IndexOptions*>(index->rd_options);
  return options != nullptr ? options->fillfactor : kDefaultFillfactor;
}

bytea* learned_options(Datum reloptions, bool validate) {
  static const relopt_parse_elt kTable[] = {
      compat::int_option("fillfactor", offsetof(IndexOptions, fillfactor)),
  };
  return static_cast<bytea*>(build_reloptions(reloptions, validate, index_option_kind, sizeof(IndexOptions),
                                              kTable, static_cast<int>(std::size(kTable))));
}

}  // namespace learned
