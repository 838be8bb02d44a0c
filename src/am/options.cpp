#include "am/options.hpp"

#include "am/callbacks.hpp"
#include "am/compat.hpp"

namespace learned {

int model_cache_kilobytes = 8192;
bool use_generic_wal = false;

namespace {

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
  DefineCustomBoolVariable("learned_index.generic_wal",
                           "Logs insertions into learned indexes through the server's generic WAL interface.",
                           "Slower; the records that are written otherwise have the same format.",
                           &use_generic_wal, false, PGC_SUSET, 0, nullptr, nullptr, nullptr);
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
