// What the tree demands of whoever keeps its pages. There are two stores: the server's (src/am/store/buffer_store.hpp)
// and one in memory (test/support/memory_store.hpp).
//
// Any method may raise an error of the server's, which is a jump: so nothing in core owns a resource in a destructor.
#pragma once

#include <concepts>

#include "core/page/view.hpp"
#include "core/plan/workspace.hpp"

namespace learned {

enum class LockMode { share, exclusive };

// The keys of a store's pages: S::Key, codes if there is none.
template <class S>
struct StoreKeyOf {
  using type = Code;
};
template <class S>
requires requires { typename S::Key; }
struct StoreKeyOf<S> {
  using type = typename S::Key;
};
template <class S>
using StoreKey = typename StoreKeyOf<S>::type;

// Reading.
template <class S>
concept ReadsPages = requires(S store, typename S::Handle h, Block block, LockMode mode, Fault fault) {
  // The page, locked; waits for the lock.
  { store.read(block, mode) } -> std::same_as<typename S::Handle>;
  // Unlocks it.
  { store.release(h) } -> std::same_as<void>;
  // Its bytes, valid while it is locked.
  { store.bytes(h) } -> std::same_as<const std::uint8_t*>;
  { store.block(h) } -> std::same_as<Block>;
  // Raises an error unless verify_page() finds the page sound, now or lately. Whoever takes an answer from a page calls it.
  { store.verify(h) } -> std::same_as<void>;
  // Raises the error; does not return.
  { store.corrupt(block, fault) } -> std::same_as<void>;
  // Lets the server cancel; called without locks.
  { store.interrupt() } -> std::same_as<void>;
};

// Changing pages that are locked exclusively.
template <class S>
concept ChangesPages = requires(S store, typename S::Handle h, bool fresh,
                                std::span<const BasicItem<StoreKey<S>>> items, unsigned n) {
  // A new or recycled page (is_free_page()), locked exclusively.
  { store.allocate() } -> std::same_as<typename S::Handle>;
  // One atomic change of at most four pages: begin(), edit() for each, commit().
  { store.begin() } -> std::same_as<void>;
  // A copy to change. Fresh: zeroed, and logged in full. Otherwise the page is verified now (verify_page(), the metapage by
  // verify_meta_page()), whatever was known of it: its checksum is about to be made anew. An error leaves all pages as
  // they are.
  { store.edit(h, fresh) } -> std::same_as<std::uint8_t*>;
  // Logs the copies and puts them in place.
  { store.commit() } -> std::same_as<void>;
  // A logged change of its own: add_delta() of each. REQUIRES: verify() was called; there is room for them.
  { store.insert_deltas(h, items) } -> std::same_as<void>;
  // Another: extend_exactly() by n, the page verified as by edit().
  { store.extend(h, n) } -> std::same_as<void>;
  // Whether the next change of the page logs all of it: the first after a checkpoint.
  { store.image_due(h) } -> std::same_as<bool>;
  // The page itself, to set kill marks in; nothing of that is logged. (A share lock is enough.)
  { store.hints(h) } -> std::same_as<std::uint8_t*>;
  // Scratch memory, one per process: no two operations use it at a time.
  { store.workspace() } -> std::same_as<BasicWorkspace<StoreKey<S>>*>;
};

// Guesses where entries are, and what must know that they move.
template <class S>
concept PredictsLeaves = requires(S store, typename S::Handle h, TreeId tree, BasicEntry<StoreKey<S>> key,
                                  BasicEntry<StoreKey<S>>* low, BasicPageView<StoreKey<S>> page,
                                  Block block) {
  // The leaf that probably holds an entry, kNoBlock if there is no guess; and the low fence that it had, which a leaf keeps as
  // long as it lives.
  { store.predict(tree, key, low) } -> std::same_as<Block>;
  // That guess was not right.
  { store.mispredicted(tree, key) } -> std::same_as<void>;
  // An inner page that was just read, to learn from.
  { store.offer(page, block) } -> std::same_as<void>;
  // An entry is about to go into this leaf, locked exclusively (predicate locks).
  { store.inserting(h, key) } -> std::same_as<void>;
  // The second leaf has taken entries and gap from the first; both still locked.
  { store.divided(block, block) } -> std::same_as<void>;
};

// (Removing pages takes a little more: VacuumStore in vacuum.hpp.)
template <class S>
concept PageStore = ReadsPages<S> && ChangesPages<S> && PredictsLeaves<S>;

}  // namespace learned
