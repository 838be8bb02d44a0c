// Bytes as operations on an index in memory, against std::set: inserts in patterns, removals, joins, divisions of inner pages, walks, look-ups
// with wrong predictions, kill marks. Each page is checked at the end. The first byte chooses the type of keys; those of several
// words are made from the numbers that are keys of one.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <set>
#include <vector>

#include "support/memory_store.hpp"
#include "core/page/check.hpp"
#include "core/tree/vacuum.hpp"

using namespace learned;

namespace {

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "tree_fuzz: %s\n", what);
  std::abort();
}
void require(bool holds, const char* what) {
  if (!holds) fail(what);
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ >= size_; }
  std::uint64_t number(int bytes) {
    std::uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | (empty() ? 0 : data_[at_++]);
    return v;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

// A key of type K for a number, in the same order: the number is cut in parts, the last one the lowest bits, so that words in front
// repeat; some of them are NULLs.
template <class K>
K key_of(Code code) {
  if constexpr (KeyTraits<K>::kWords == 1) {
    return code;
  } else {
    K key{};
    constexpr unsigned kLast = KeyTraits<K>::kWords - 1;
    for (unsigned w = kLast; w > 0; w--) {
      key.word[w] = code % 1024;
      code /= 1024;
      // NULLs are at the low end of odd words, at the high end of even ones.
      const bool null = w % 2 == 1 ? key.word[w] == 0 : key.word[w] == 1023;
      if (null) key.word[w] = 0;
      if (null == (w % 2 == 0)) key.flags |= static_cast<std::uint8_t>(1u << w);
    }
    key.word[0] = code;
    return key;
  }
}

template <class K>
class Fuzzer {
  using Entry = BasicEntry<K>;
  using PageView = BasicPageView<K>;
  using PageIdentity = BasicPageIdentity<K>;
  using MemoryStore = BasicMemoryStore<K>;
  using Workspace = BasicWorkspace<K>;

 public:
  Fuzzer() : tree_(&store_, TreeId::keys) {}

  void run(Input in) {
    while (!in.empty()) {
      switch (in.number(1) % 15) {
        case 0:
        case 1:
          insert_run(in, 1);
          break;
        case 2:
          insert_run(in, in.number(1) * 4 + 1);
          break;
        case 3:
          insert_run(in, in.number(1) * 16 + 1);
          break;
        case 4:
          insert_scattered(in);
          break;
        case 5:
          insert_near(in);
          break;
        case 6:
          vacuum(in.number(1));
          break;
        case 7: {
          const K key = key_of<K>(in.number(8));
          look_up({key, in.number(6)});
        } break;
        case 8:
          look_up({key_of<K>(code_), tid_});
          break;
        case 9:
          store_.set_wrong_predictions(in.number(1) % 2 == 1);
          break;
        case 10:
          reload(static_cast<int>(50 + in.number(1) % 51));
          break;
        case 11:
          check_walks();
          break;
        case 12:
        case 13:
          kill(in.number(1));
          break;
        case 14:
          divide_inner(in);
          break;
      }
      if (expected_.size() > kMostEntries) break;
    }
    check_walks();
    check_marks();
    check_pages();
  }

 private:
  static constexpr std::size_t kMostEntries = 20000;

  Tid next_tid(std::uint64_t step) {
    tid_ += step;
    if (tid_offset(tid_) == 0 || tid_offset(tid_) > 200) tid_ = make_tid(tid_block(tid_) + 1, 1);
    if (tid_block(tid_) > 0xFFFFFF00u) tid_ = 1;
    return tid_;
  }
  void insert(const Entry& e) {
    if (!expected_.insert(e).second) return;
    tree_.insert({e.code, e.tid, kNoBlock});
  }
  // As an appending table: a start, a step and noise.
  void insert_run(Input& in, std::uint64_t count) {
    const std::uint64_t mode = in.number(1);
    if (mode % 4 == 0) code_ = in.number(8);
    const std::uint64_t step = (mode / 4) % 4 == 0 ? 0 : in.number(1 + static_cast<int>(mode / 4 % 4));
    const std::uint64_t noise = mode >= 128 ? in.number(2) + 1 : 1;
    for (std::uint64_t i = 0; i < count; i++) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      const Code code = code_ + (state_ >> 40) % noise;
      insert({key_of<K>(code), next_tid(1)});
      code_ = mode % 8 == 7 ? code_ - step : code_ + step;
    }
  }
  void insert_scattered(Input& in) {
    const unsigned shift = static_cast<unsigned>(in.number(1) % 64);
    for (std::uint64_t n = in.number(1) * 8; n > 0; n--) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      const Code code = (state_ ^ state_ >> 29) >> shift;
      insert({key_of<K>(code), next_tid(1 + state_ % 3)});
    }
  }
  void insert_near(Input& in) {
    auto it = expected_.lower_bound({key_of<K>(in.number(8)), 0});
    if (it == expected_.end()) return;
    const K code = it->code;
    const K next = code == KeyTraits<K>::highest() ? code : KeyTraits<K>::after(code);
    for (std::uint64_t n = in.number(1); n > 0; n--) insert({n % 2 == 0 ? code : next, next_tid(3)});
  }

  void look_up(const Entry& key) {
    const auto h = tree_.locate(key, LockMode::share);
    const PageView page = tree_.view(h);
    require(page.covers(key), "located page does not hold the key");
    // The first live entry at or behind the key on this page, or none.
    const auto it = expected_.lower_bound(key);
    const bool here = it != expected_.end() && page.covers(*it);
    unsigned rank = 0;
    require(lower_bound(page, key, &rank), "search fails");
    Entry found{KeyTraits<K>::highest(), kMaxTid};
    bool have = false;
    const auto offer = [&](const Entry& e) {
      if (e < key || (have && found < e)) return;
      found = e;
      have = true;
    };
    for (; rank < page.encoded(); rank++) {
      if (page.is_dead(rank)) continue;
      Entry e{};
      require(decode(page, rank, rank + 1, &e.code, &e.tid), "entry does not decode");
      offer(e);
      break;
    }
    for (unsigned j = 0; j < page.deltas(); j++) offer(page.delta_item(j).entry());
    require(have == here, "look-up finds what is not there, or misses what is");
    require(!have || found == *it, "look-up finds another entry");
    store_.release(h);
  }

  // Inner pages of few children, and more levels, as else only many more entries make them.
  void divide_inner(Input& in) {
    const unsigned root_level = tree_.read_meta().level[static_cast<int>(TreeId::keys)];
    if (root_level == 0 || root_level > 5) return;
    const auto level = static_cast<unsigned>(1 + in.number(1) % root_level);
    const auto it = expected_.lower_bound({key_of<K>(in.number(8)), 0});
    const Entry at = it == expected_.end() ? lowest_entry<K>() : *it;
    for (std::uint64_t n = in.number(1) % 8 + 1; n > 0; n--) {
      const auto h = tree_.locate(at, LockMode::exclusive, level);
      const unsigned children = tree_.view(h).live();
      if (children < 2) {
        store_.release(h);
        return;
      }
      Entry border{};
      tree_.divide(h, static_cast<std::uint32_t>(1 + in.number(1) % (children - 1)), &border);
    }
    require(store_.all_released(), "a division keeps a lock");
  }

  // Removes what hashes to `seed`, or a range, merges and packs, as VACUUM does, and joins inner pages.
  void vacuum(std::uint64_t seed) {
    const Entry lo = expected_.empty()
                         ? lowest_entry<K>()
                         : *std::next(expected_.begin(), static_cast<long>(expected_.size() / 3));
    const auto doomed = [&](const Entry& e) {
      return seed % 4 == 0 ? e >= lo : delta_check(e.code, e.tid, 0) % (2 + seed % 16) == 0;
    };
    LeafPacker packer(&store_, TreeId::keys, scratch_);
    auto h = tree_.locate(lowest_entry<K>(), LockMode::exclusive);
    for (;;) {
      const unsigned removed = remove(h, doomed);
      const PageView page = tree_.view(h);
      const VisitedPage<K> here(store_.block(h), page, removed);
      const Block right = page.right();
      store_.release(h);
      packer.add(here, [this](Block block) { store_.recycle(block); });
      if (here.rightmost) break;
      h = tree_.step_right(right, here.high, LockMode::exclusive);
    }
    for (auto it = expected_.begin(); it != expected_.end();)
      it = doomed(*it) ? expected_.erase(it) : std::next(it);
    for (auto it = killed_.begin(); it != killed_.end();)
      it = doomed(*it) ? killed_.erase(it) : std::next(it);
    join_inner_pages(
        &store_, TreeId::keys, scratch_, [] {}, [this](Block block) { store_.recycle(block); });
    require(store_.all_released(), "a join keeps a lock");
  }
  // Returns how many.
  template <class Doomed>
  unsigned remove(Block h, const Doomed& doomed) {
    const PageView page = tree_.view(h);
    const unsigned before = page.live();
    std::vector<K> codes(page.encoded());
    std::vector<Tid> tids(page.encoded());
    require(decode(page, 0, page.encoded(), codes.data(), tids.data()), "page does not decode");
    std::vector<std::uint8_t> encoded(page.encoded() / 8 + 1);
    std::uint8_t deltas[kMaxDelta / 8] = {};
    bool any = false;
    for (unsigned i = 0; i < page.encoded(); i++) {
      if (!page.is_dead(i) && doomed(Entry{codes[i], tids[i]})) {
        set_bit(encoded.data(), i);
        any = true;
      }
    }
    for (unsigned j = 0; j < page.deltas(); j++) {
      if (doomed(page.delta_item(j).entry())) {
        set_bit(deltas, j);
        any = true;
      }
    }
    if (any) {
      remove_entries(&store_, h, encoded.data(), deltas, scratch_);
    } else {
      merge_long_delta(&store_, h);
    }
    return before - tree_.view(h).live();
  }

  // Marks what hashes to `seed`, or all up to somewhere, in every leaf.
  void kill(std::uint64_t seed) {
    const Entry hi = expected_.empty() ? lowest_entry<K>()
                                       : *std::next(expected_.begin(),
                                                    static_cast<long>(expected_.size() * (seed / 4) / 64));
    for_each_leaf([&](Block block) {
      std::uint8_t* bytes = store_.page(block);
      const PageView page(bytes);
      std::vector<K> codes(page.encoded());
      std::vector<Tid> tids(page.encoded());
      require(decode(page, 0, page.encoded(), codes.data(), tids.data()), "page does not decode");
      const auto gone = [&](const Entry& e) {
        return seed % 2 == 0 ? e < hi : delta_check(e.code, e.tid, 1) % (2 + seed % 16) == 0;
      };
      BasicKillMarker<K> marker(bytes);
      for (unsigned r = 0; r < page.encoded(); r++) {
        const Entry e{codes[r], tids[r]};
        if (page.is_dead(r) || !gone(e)) continue;
        marker.add(r, r + 1);
        killed_.insert(e);
      }
      for (unsigned j = 0; j < page.deltas(); j++) {
        const Entry e = page.delta_item(j).entry();
        if (!gone(e)) continue;
        marker.add_delta(j);
        killed_.insert(e);
      }
      marker.finish();
    });
    check_marks();
  }
  // Nothing is marked that was not killed.
  void check_marks() {
    for_each_leaf([&](Block block) {
      const PageView page(store_.page(block));
      const KillMarks marks(page);
      unsigned next = marks.next(0, page.encoded(), true);
      for (unsigned r = 0; r < page.encoded(); r++) {
        require(marks.killed(r) == (r == next), "two ways to read a kill mark differ");
        if (r != next) continue;
        next = marks.next(r + 1, page.encoded(), true);
        Entry e{};
        require(decode(page, r, r + 1, &e.code, &e.tid), "entry does not decode");
        require(page.is_dead(r) || killed_.contains(e), "entry is marked though nobody killed it");
      }
      for (unsigned j = 0; j < page.deltas(); j++) {
        require(!marks.delta_killed(j) || killed_.contains(page.delta_item(j).entry()),
                "delta entry is marked though nobody killed it");
      }
    });
  }
  template <class Visit>
  void for_each_leaf(const Visit& visit) {
    auto h = tree_.locate(lowest_entry<K>(), LockMode::share);
    for (;;) {
      const PageView page = tree_.view(h);
      const bool last = page.rightmost();
      const Block right = page.right();
      const Entry high = page.high();
      visit(store_.block(h));
      store_.release(h);
      if (last) return;
      h = tree_.step_right(right, high, LockMode::share);
    }
  }

  // REINDEX: the same content, built in bulk.
  void reload(int fillfactor) {
    const bool wrong = false;
    store_.init_empty();
    store_.set_wrong_predictions(wrong);
    BulkLoader<MemoryStore, K> loader(&store_, store_.workspace(), TreeId::keys, fillfactor, 3);
    for (const Entry& e : expected_) loader.add(e.code, e.tid);
    const TreeShape shape = loader.finish();
    require(shape.entries == expected_.size(), "the loader miscounts");
    MetaInfo meta = tree_.read_meta();
    PageIdentity tombstone = identity_of(PageView(store_.page(1)));
    tombstone.flags |= kDeleted;
    write_empty_page<K>(store_.page(1), tombstone);
    meta.root[0] = shape.root;
    meta.level[0] = shape.level;
    write_meta_page<K>(store_.page(kMetaBlock), meta);
  }

  std::vector<Entry> live(const PageView& page) {
    std::uint32_t n = 0;
    Workspace* ws = store_.workspace();
    require(decode_live(page, ws, &n), "page does not decode");
    std::vector<Entry> entries;
    for (std::uint32_t i = 0; i < n; i++) entries.push_back({ws->codes[i], ws->tids[i]});
    return entries;
  }
  void check_walks() {
    std::vector<Entry> found;
    auto h = tree_.locate(lowest_entry<K>(), LockMode::share);
    for (;;) {
      const PageView page = tree_.view(h);
      const std::vector<Entry> entries = live(page);
      found.insert(found.end(), entries.begin(), entries.end());
      const bool last = page.rightmost();
      const Block right = page.right();
      const Entry low = page.low();
      const Entry high = page.high();
      store_.release(h);
      const auto by_descent = tree_.locate(low, LockMode::share);
      require(by_descent == h, "downlinks lead to another leaf than links");
      store_.release(by_descent);
      if (last) break;
      h = tree_.step_right(right, high, LockMode::share);
    }
    require(std::equal(found.begin(), found.end(), expected_.begin(), expected_.end()),
            "forward walk differs");
    found.clear();
    h = tree_.locate({KeyTraits<K>::highest(), kMaxTid}, LockMode::share);
    for (;;) {
      const PageView page = tree_.view(h);
      const std::vector<Entry> entries = live(page);
      found.insert(found.end(), entries.rbegin(), entries.rend());
      const Entry low = page.low();
      const Block left = page.left();
      store_.release(h);
      if (low == lowest_entry<K>()) break;
      h = tree_.step_left(left, low, LockMode::share);
    }
    require(std::equal(found.begin(), found.end(), expected_.rbegin(), expected_.rend()),
            "backward walk differs");
    require(store_.all_released(), "a walk keeps a lock");
  }
  void check_pages() {
    for (Block b = 1; b < store_.size(); b++) {
      const Fault fault = check_page(store_.page(b), store_.workspace());
      if (fault) fail(fault.text());
    }
  }

  MemoryStore store_;
  Tree<MemoryStore> tree_;
  std::set<Entry> expected_;
  std::set<Entry> killed_;  // may be marked
  alignas(8) std::uint8_t scratch_[kPageSize];
  Code code_ = 0;
  Tid tid_ = 1;
  std::uint64_t state_ = 1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Input in(data + 1, size - 1);
  // Half of the inputs are for format 1.
  switch (data[0] % 6) {
    case 0:
      std::make_unique<Fuzzer<Words<2>>>()->run(in);
      break;
    case 1:
      std::make_unique<Fuzzer<Words<3>>>()->run(in);
      break;
    case 2:
      std::make_unique<Fuzzer<Words<4>>>()->run(in);
      break;
    default:
      std::make_unique<Fuzzer<Code>>()->run(in);
  }
  return 0;
}
