// What the unit tests of the core share: key and TID patterns, a decoder that shares no code with the real
// one, whole trees in memory beside a std::set, and a walk over every page of a tree.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/tree/bulk_loader.hpp"
#include "support/memory_store.hpp"
#include "core/page/checksum.hpp"
#include "core/page/kill_marks.hpp"
#include "core/page/search.hpp"
#include "core/plan/merge.hpp"
#include "core/plan/planned_page.hpp"
#include "core/plan/retrain.hpp"
#include "core/plan/slice.hpp"
#include "core/plan/split.hpp"
#include "core/tree/tree.hpp"

namespace learned::testing {

using Random = std::mt19937_64;
using Entries = std::vector<Entry>;
using Items = std::vector<Item>;

struct alignas(8) PageBytes {
  std::uint8_t bytes[kPageSize] = {};
  operator std::uint8_t*() { return bytes; }
  operator const std::uint8_t*() const { return bytes; }
};

// --- data ---

// Shapes of key columns: what tables have, and what breaks arithmetic.
enum class Keys {
  serial,
  stride,
  jitter,
  random62,
  random64,
  clustered,
  pairs,
  few_values,
  one_value,
  extremes,
  jumps,
  doubling,
  squares,
  thirds,
  top_serial,
  stairs,
};
inline constexpr Keys kAllKeys[] = {Keys::serial,    Keys::stride,    Keys::jitter,     Keys::random62,
                                    Keys::random64,  Keys::clustered, Keys::pairs,      Keys::few_values,
                                    Keys::one_value, Keys::extremes,  Keys::jumps,      Keys::doubling,
                                    Keys::squares,   Keys::thirds,    Keys::top_serial, Keys::stairs};

// Shapes of TID columns.
enum class Tids { append, varied_rows, random, descending, extremes, one_row_pages, stragglers };
inline constexpr Tids kAllTids[] = {Tids::append,   Tids::varied_rows,   Tids::random,    Tids::descending,
                                    Tids::extremes, Tids::one_row_pages, Tids::stragglers};

std::string name_of(Keys keys);
std::string name_of(Tids tids);

// `n` codes in ascending order; `n` distinct TIDs as a heap yields them for that shape.
std::vector<Code> make_codes(Keys keys, std::size_t n, Random& random);
std::vector<Tid> make_tids(Tids tids, std::size_t n, Random& random);
// Up to `n` sorted entries without duplicates.
Entries make_entries(Keys keys, Tids tids, std::size_t n, Random& random);
// The same with children that are as a build or as years of splits leave them, the first one at the left end.
Items make_items(const Entries& entries, bool random_children, Random& random);

// --- pages ---

PageIdentity leaf_identity(unsigned level = 0);

// Writes a page of exactly these entries; false when they do not fit.
bool write_items(std::uint8_t* page, const PageIdentity& id, const Items& items, Workspace* ws);
bool write_entries(std::uint8_t* page, const PageIdentity& id, const Entries& entries, Workspace* ws);
// Writes as many of the entries as a full page takes; returns their number.
std::size_t fill_page(std::uint8_t* page, const PageIdentity& id, const Items& items, Workspace* ws);
Items as_items(const Entries& entries);
// Whether the last line of a leaf predicts this very entry.
inline bool continues_exactly(const PageView& page, const Item& item) {
  return continued_exactly(page, {&item, 1}) == 1;
}

// What a page holds, read bit by bit, straight from the layout in core/page/format.hpp.
struct Decoded {
  Items encoded;
  std::vector<bool> dead;
  Items delta;  // in order of arrival

  Items live() const;  // in order
};
Decoded naive_decode(const std::uint8_t* page);
// The same by means of the library's own functions (much faster); fails the test on damage.
Items live_items(const PageView& page);

bool same_items(const Items& a, const Items& b, bool with_children);

// Holds for every page at any time; returns what does not, or an empty string.
std::string page_fault(const std::uint8_t* page);

std::unique_ptr<Workspace> new_workspace();

// --- trees ---

// Walks all levels of a tree and returns what is wrong, or an empty string; *entries gets the leaves' content.
std::string tree_fault(MemoryStore& store, TreeId tree, Entries* entries);

// Builds a tree of sorted entries behind the pages that are there, and makes it the root.
TreeShape bulk_load(MemoryStore& store, const Entries& entries, int fillfactor = 90,
                    TreeId tree = TreeId::keys);

// An index in memory and what it should hold.
// What store().on_interrupt() may throw while entries are inserted in ascending order: they are gone on with.
struct Interrupted {};

class ModelledTree {
 public:
  explicit ModelledTree(TreeId id = TreeId::keys) : id_(id), tree_(&store_, id) {}

  void load(const Entries& sorted, int fillfactor = 90);
  void insert(const Entry& e);  // ignored if present
  // The same, in ascending order, a leaf's under one lock.
  void insert_ascending(const Entries& entries);
  // Compares everything: structure, forward walk, backward walk.
  void expect_sound();

  MemoryStore& store() { return store_; }
  Tree<MemoryStore>& tree() { return tree_; }
  std::set<Entry>& expected() { return expected_; }
  TreeId id() const { return id_; }
  // Bytes of the file per entry.
  double bytes_per_entry() const {
    return static_cast<double>((store_.size() - unused_pages_) * kPageSize) /
           static_cast<double>(expected_.size());
  }

 private:
  TreeId id_;
  MemoryStore store_;
  Tree<MemoryStore> tree_;
  std::set<Entry> expected_;
  std::size_t unused_pages_ = 0;  // the empty leaf that a load leaves behind
};

}  // namespace learned::testing
