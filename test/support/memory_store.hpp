// A page store in memory: the whole index without a server, for unit tests, fuzzers and micro-benchmarks.
//
// It takes the part of the server's buffer manager and log strictly: a page may be changed only inside
// begin()/commit() and while "locked", each page is verified whenever it is to be, and it can be told to give stale or
// wrong predictions.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "core/tree/bulk_loader.hpp"
#include "core/page/meta.hpp"
#include "core/tree/tree.hpp"
#include "core/tree/vacuum.hpp"

namespace learned {

template <class K>
class BasicMemoryStore {
 public:
  using Key = K;
  using Entry = BasicEntry<K>;
  using Item = BasicItem<K>;
  using PageView = BasicPageView<K>;
  using Workspace = BasicWorkspace<K>;
  using Handle = Block;
  static constexpr Handle kNoHandle = kNoBlock;

  struct alignas(8) Page {
    std::uint8_t bytes[kPageSize];
  };

  BasicMemoryStore() : workspace_(new Workspace) { init_empty(); }

  // An index with two empty leaves.
  void init_empty() {
    pages_.clear();
    free_.clear();
    add_page();
    for (int t = 0; t < kTreeCount; t++) {
      const Block b = add_page();
      write_empty_page<K>(pages_[b]->bytes, {static_cast<TreeId>(t), 0, kRightmost, kNoBlock, kNoBlock,
                                             lowest_entry<K>(), lowest_entry<K>()});
    }
    write_meta_page<K>(pages_[0]->bytes, {{1, 2}, {0, 0}, 0});
  }

  // --- the store interface of tree.hpp ---
  Handle read(Block block, LockMode mode) {
    work_of_others();
    if (block >= pages_.size()) corrupt(block, "link leads beyond the end of the index");
    if (locked_.size() <= block) locked_.resize(pages_.size(), 0);
    if (locked_[block] != 0) fail("page is locked already");
    locked_[block] = mode == LockMode::share ? 1 : 2;
    reads_++;
    return block;
  }
  bool try_read(Block block, Handle* h) {
    if (block < locked_.size() && locked_[block] != 0) return false;
    *h = read(block, LockMode::exclusive);
    return true;
  }
  bool try_read_for_cleanup(Block block, Handle* h) { return try_read(block, h); }
  void release(Handle h) {
    if (locked_[h] == 0) fail("released page was not locked");
    locked_[h] = 0;
  }
  const std::uint8_t* bytes(Handle h) { return pages_[h]->bytes; }
  Block block(Handle h) const { return h; }
  Handle allocate() {
    while (!free_.empty()) {
      const Block b = free_.back();
      free_.pop_back();
      if (b < pages_.size() && locked_[b] == 0 && is_free_page<K>(pages_[b]->bytes))
        return read(b, LockMode::exclusive);
    }
    return read(add_page(), LockMode::exclusive);
  }
  void begin() {
    if (!edits_.empty()) fail("nested change");
  }
  std::uint8_t* edit(Handle h, bool fresh) {
    if (locked_[h] != 2) fail("changed page is not locked exclusively");
    if (edits_.size() == 4) fail("more than four pages in one record");
    if (!fresh) verify_strictly(h);
    edits_.emplace_back(h, std::make_unique<Page>(*pages_[h]));
    clear_hole<K>(edits_.back().second->bytes);
    if (fresh) std::memset(edits_.back().second->bytes, 0, kPageSize);
    return edits_.back().second->bytes;
  }
  void commit() {
    // Whole, as generic WAL does for an unlogged index: for a logged one it zeroes the hole.
    for (auto& [h, page] : edits_) {
      if (!image_due(h)) rewrites_++;
      imaged_.insert(h);
      *pages_[h] = *page;
    }
    edits_.clear();
  }
  void insert_deltas(Handle h, std::span<const Item> items) {
    if (locked_[h] != 2) fail("changed page is not locked exclusively");
    if (delta_room(PageView(pages_[h]->bytes)) < items.size()) fail("no room for delta entries");
    imaged_.insert(h);
    for (const Item& item : items) add_delta(pages_[h]->bytes, item);
  }
  void extend(Handle h, unsigned n) {
    if (locked_[h] != 2) fail("changed page is not locked exclusively");
    imaged_.insert(h);
    bool sound = false;
    const std::uint32_t checksum = extended_checksum<K>(pages_[h]->bytes, &sound, n);
    if (!sound) corrupt(h, "page checksum does not match");
    extend_exactly<K>(pages_[h]->bytes, checksum, n);
  }
  std::uint8_t* hints(Handle h) {
    if (locked_[h] == 0) fail("marked page is not locked");
    return pages_[h]->bytes;
  }
  bool peek(Block block, Handle* h) {
    if (block >= pages_.size()) return false;
    *h = read(block, LockMode::share);
    return true;
  }
  Fault find_fault(Handle h) {
    const std::uint8_t* page = pages_[h]->bytes;
    return h == kMetaBlock ? verify_meta_page<K>(page) : verify_page<K>(page);
  }
  void verify(Handle h) {
    if (!remembers_verified_) return verify_strictly(h);
    const PageView page(pages_[h]->bytes);
    const Verified now{page.trailer().check, page.upper()};
    if (verified_.size() <= h) verified_.resize(pages_.size());
    Verified* seen = &verified_[h];
    if (seen->check != now.check || seen->upper < now.upper) {
      verify_strictly(h);
    } else if (const Fault fault = verify_delta(
                   page, static_cast<unsigned>((page.dir() - seen->upper) / delta_size<K>(page.level())));
               fault != nullptr) {
      corrupt(h, fault);
    }
    *seen = now;
  }
  bool image_due(Handle h) const { return checkpoints_ && !imaged_.contains(h); }
  Workspace* workspace() { return workspace_.get(); }
  void interrupt() {
    if (on_interrupt_ != nullptr) on_interrupt_(this);
  }
  [[noreturn]] void corrupt(Block block, Fault fault) {
    if (on_corrupt_ != nullptr) on_corrupt_(block, fault);
    std::fprintf(stderr, "block %u: %s\n", block, fault.text());
    std::abort();
  }
  // Predictions: whatever the test asks for. The low fence is what it was when they were learned, or what it is.
  Block predict(TreeId tree, const Entry&, Entry* low) {
    if (!wrong_predictions_) return kNoBlock;
    predictions_++;
    const auto block = static_cast<Block>(predictions_ * 7919 % pages_.size());
    const PageView page(block < learned_.size() ? learned_[block].bytes : pages_[block]->bytes);
    *low = page.low();
    const bool was_leaf =
        check_header(page) == nullptr && !page.deleted() && page.level() == 0 && page.tree() == tree;
    return learned_.empty() || was_leaf ? block : kNoBlock;
  }
  void mispredicted(TreeId, const Entry&) {}
  void offer(const PageView&, Block) {}
  // Predicate locks of one reader.
  void inserting(Handle h, const Entry&) {
    if (locked_[h] != 2) fail("page to insert into is not locked exclusively");
    conflict_ = predicate_locks_.contains(h);
  }
  void divided(Block left, Block right) { inherit_predicate_lock(left, right); }
  void joined(Block gone, Block into) { inherit_predicate_lock(gone, into); }
  void recycle(Block b) { free_.push_back(b); }

  // --- for tests ---
  // What corrupt() calls first: it may throw, as the server's errors leave the core by a jump.
  void on_corrupt(void (*raise)(Block, Fault)) { on_corrupt_ = raise; }
  // What a cancelled statement does.
  void on_interrupt(void (*raise)(BasicMemoryStore*)) { on_interrupt_ = raise; }
  // What another process does before each read of this one's, with a workspace of its own. Nobody waits here: it must not ask for what is
  // locked. Nothing: no other process.
  void before_reads(std::function<void()> work) { others_ = std::move(work); }
  bool locked(Block b) const { return b < locked_.size() && locked_[b] != 0; }
  // What the server does after an error: locks are released, what was not committed is forgotten.
  void abort_change() {
    locked_.assign(locked_.size(), 0);
    edits_.clear();
  }
  // verify() believes that a version of a page that was found sound is so still, as the server's store does: for benchmarks.
  void remember_verified() { remembers_verified_ = true; }
  // From now on predictions are of leaves as they are now, however they change.
  void learn_predictions() { learned_ = image().pages; }
  // The file, and what the free space map says about it.
  struct Image {
    std::vector<Page> pages;
    std::vector<Block> free;
  };
  Image image() const {
    Image copy;
    for (const auto& page : pages_) copy.pages.push_back(*page);
    copy.free = free_;
    return copy;
  }
  void set_image(const Image& image) {
    abort_change();
    pages_.clear();
    for (const Page& page : image.pages) pages_.push_back(std::make_unique<Page>(page));
    locked_.assign(pages_.size(), 0);
    free_ = image.free;
    imaged_.clear();
    predicate_locks_.clear();
    reads_ = 0;
  }
  void set_wrong_predictions(bool on) { wrong_predictions_ = on; }
  std::size_t size() const { return pages_.size(); }
  std::uint8_t* page(Block b) { return pages_[b]->bytes; }
  std::size_t reads() const { return reads_; }
  // From now on the first change of each page logs all of it.
  void checkpoint() {
    checkpoints_ = true;
    imaged_.clear();
    rewrites_ = 0;
  }
  // Pages edited since then (once per record) whose image was not due.
  std::size_t rewrites() const { return rewrites_; }
  Block locate_leaf(const Entry& key) {
    const Handle h = Tree<BasicMemoryStore>(this, TreeId::keys).locate(key, LockMode::share);
    release(h);
    return h;
  }
  void predicate_lock(Block b) { predicate_locks_.insert(b); }
  void release_predicate_locks() { predicate_locks_.clear(); }
  std::size_t predicate_locks() const { return predicate_locks_.size(); }
  // Whether the last entry went into a page that the reader has locked.
  bool insert_conflicted() const { return conflict_; }
  bool all_released() const {
    for (int l : locked_) {
      if (l != 0) return false;
    }
    return true;
  }
  // Sink of BulkLoader.
  void write(Block b, const std::uint8_t* bytes) {
    while (pages_.size() <= b) add_page();
    std::memcpy(pages_[b]->bytes, bytes, kPageSize);
  }
  Item* separators(std::size_t count) {
    if (separators_.size() < count) separators_.resize(count * 2);
    return separators_.data();
  }

 private:
  void work_of_others() {
    if (others_ == nullptr) return;
    const std::function<void()> work = std::exchange(others_, nullptr);
    if (workspace_of_others_ == nullptr) workspace_of_others_.reset(new Workspace);
    std::swap(workspace_, workspace_of_others_);
    work();
    std::swap(workspace_, workspace_of_others_);
    if (others_ == nullptr) others_ = work;
  }
  void verify_strictly(Block b) {
    if (const Fault fault = find_fault(b)) corrupt(b, fault);
  }
  void inherit_predicate_lock(Block from, Block to) {
    if (locked_[from] != 2 || locked_[to] != 2) fail("pages are not locked exclusively");
    if (predicate_locks_.contains(from)) predicate_locks_.insert(to);
  }
  Block add_page() {
    pages_.push_back(std::make_unique<Page>());
    locked_.resize(pages_.size(), 0);
    return static_cast<Block>(pages_.size() - 1);
  }
  [[noreturn]] static void fail(const char* what) {
    std::fprintf(stderr, "memory store: %s\n", what);
    std::abort();
  }

  std::vector<std::unique_ptr<Page>> pages_;
  std::vector<int> locked_;
  std::vector<std::pair<Handle, std::unique_ptr<Page>>> edits_;
  std::vector<Block> free_;
  std::vector<Item> separators_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<Workspace> workspace_of_others_;
  std::function<void()> others_;
  void (*on_corrupt_)(Block, Fault) = nullptr;
  void (*on_interrupt_)(BasicMemoryStore*) = nullptr;
  std::size_t reads_ = 0;
  std::size_t predictions_ = 0;
  bool wrong_predictions_ = false;
  bool remembers_verified_ = false;
  struct Verified {
    std::uint32_t check = 0;
    unsigned upper = 0;
  };
  std::vector<Verified> verified_;
  std::vector<Page> learned_;
  std::set<Block> predicate_locks_;
  bool conflict_ = false;
  bool checkpoints_ = false;
  std::set<Block> imaged_;  // changed since the last checkpoint
  std::size_t rewrites_ = 0;
};

using MemoryStore = BasicMemoryStore<Code>;
static_assert(VacuumStore<MemoryStore> && VacuumStore<BasicMemoryStore<Words<2>>>);

// Joins a leaf with the one left of it, as VACUUM does with a pair. `scratch` is a page of the caller's.
inline bool join_leaves(MemoryStore* store, TreeId tree, Block left, Block block, std::uint8_t* scratch) {
  return PageJoiner<MemoryStore>(store, tree, scratch).join(0, {left, block});
}

}  // namespace learned
