// Micro-benchmarks of the core alone, at the sizes that the original prototype reported (100,000 keys): lookups,
// ranges, inserts and bulk loads on pages in memory. No server, no locks, no log.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "support/memory_store.hpp"
#include "summary.hpp"

namespace {

using namespace learned;

enum Data { kSerial, kJitter, kRandom, kDistinct };
constexpr const char* kNames[] = {"serial", "timestamps with jitter", "random 62-bit",
                                  "1000 distinct values"};

std::vector<Entry> make_entries(int data, std::size_t n) {
  std::mt19937_64 random(42);
  std::vector<Entry> entries(n);
  for (std::size_t i = 0; i < n; i++) {
    const Code codes[] = {i, i * 10000 + random() % 9000, random() >> 2, random() % 1000};
    entries[i] = {codes[data],
                  make_tid(static_cast<std::uint32_t>(i / 150), static_cast<std::uint16_t>(1 + i % 150))};
  }
  return entries;
}

std::unique_ptr<MemoryStore> loaded(std::vector<Entry> entries) {
  std::sort(entries.begin(), entries.end());
  auto store = std::make_unique<MemoryStore>();
  store->remember_verified();
  BulkLoader<MemoryStore> loader(store.get(), store->workspace(), TreeId::keys, 90, 1);
  for (const Entry& e : entries) loader.add(e.code, e.tid);
  const TreeShape shape = loader.finish();
  const Block nulls = shape.next_block;
  alignas(8) std::uint8_t page[kPageSize] = {};
  write_empty_page(page, {TreeId::nulls, 0, kRightmost, kNoBlock, kNoBlock, {0, 0}, {0, 0}});
  store->write(nulls, page);
  std::uint8_t meta[kPageSize] = {};
  write_meta_page(meta, {{shape.root, nulls}, {shape.level, 0}, 20});
  store->write(kMetaBlock, meta);
  return store;
}

// How far a leaf's lines are from its entries, in entries: the mean distance between an entry's rank and the one that
// its line, half a residual's range added, would give it.
double model_error(const PageView& page) {
  double sum = 0;
  for (unsigned s = 0; s < page.segments(); s++) {
    SegmentRef ref;
    if (!load_segment(page, s, &ref) || ref.key.slope == 0) continue;
    const double step = std::ldexp(static_cast<double>(ref.key.slope), -ref.key.shift);
    const double middle = static_cast<double>(low_mask(ref.key.width)) / 2;
    for (unsigned i = 0; i < ref.count; i++) {
      const double rank = (static_cast<double>(ref.code_at(i) - ref.key.base) - middle) / step;
      sum += std::abs(rank - i);
    }
  }
  return sum;
}

// The same over all leaves, for each entry.
double mean_model_error(MemoryStore* store) {
  double sum = 0;
  unsigned entries = 0;
  for (Block b = 1; b < store->size(); b++) {
    const PageView page(store->page(b));
    if (check_header(page) != nullptr || page.level() > 0) continue;
    sum += model_error(page);
    entries += page.encoded();
  }
  return sum / entries;
}

void lookup(benchmark::State& state) {
  const std::vector<Entry> entries = make_entries(static_cast<int>(state.range(0)), 100000);
  const auto store = loaded(entries);
  Tree<MemoryStore> tree(store.get(), TreeId::keys);
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const Entry& e = entries[random() % entries.size()];
    const auto h = tree.locate({e.code, 0}, LockMode::share);
    unsigned rank = 0;
    if (!lower_bound(tree.view(h), e, &rank)) state.SkipWithError("page does not decode");
    benchmark::DoNotOptimize(rank);
    store->release(h);
  }
  state.SetLabel(kNames[state.range(0)]);
  state.counters["bytes/entry"] = static_cast<double>(store->size() * kPageSize) / 100000;
  state.counters["error"] = mean_model_error(store.get());
}
BENCHMARK(lookup)->DenseRange(kSerial, kDistinct)->Repetitions(9);

void range(benchmark::State& state) {
  const auto store = loaded(make_entries(static_cast<int>(state.range(0)), 100000));
  Tree<MemoryStore> tree(store.get(), TreeId::keys);
  const auto ws = std::make_unique<Workspace>();
  std::int64_t items = 0;
  for (auto _ : state) {
    auto h = tree.locate({0, 0}, LockMode::share);
    for (;;) {
      const PageView page = tree.view(h);
      if (!decode(page, 0, page.encoded(), ws->codes, ws->tids)) state.SkipWithError("page does not decode");
      benchmark::DoNotOptimize(ws->codes[0]);
      benchmark::ClobberMemory();
      items += page.encoded();
      if (page.rightmost()) break;
      const Block right = page.right();
      const Entry high = page.high();
      store->release(h);
      h = tree.step_right(right, high, LockMode::share);
    }
    store->release(h);
  }
  state.SetItemsProcessed(items);
  state.SetLabel(kNames[state.range(0)]);
}
BENCHMARK(range)->DenseRange(kSerial, kDistinct);

void insert(benchmark::State& state) {
  const std::vector<Entry> entries = make_entries(static_cast<int>(state.range(0)), 100000);
  for (auto _ : state) {
    MemoryStore store;
    store.remember_verified();
    Tree<MemoryStore> tree(&store, TreeId::keys);
    for (const Entry& e : entries) tree.insert({e.code, e.tid, kNoBlock});
    state.counters["bytes/entry"] = static_cast<double>(store.size() * kPageSize) / 100000;
  }
  state.SetItemsProcessed(state.iterations() * 100000);
  state.SetLabel(kNames[state.range(0)]);
}
BENCHMARK(insert)->DenseRange(kSerial, kDistinct)->Unit(benchmark::kMillisecond);

void bulk_load(benchmark::State& state) {
  std::vector<Entry> entries = make_entries(static_cast<int>(state.range(0)), 100000);
  std::sort(entries.begin(), entries.end());
  for (auto _ : state) {
    MemoryStore store;
    BulkLoader<MemoryStore> loader(&store, store.workspace(), TreeId::keys, 90, 1);
    for (const Entry& e : entries) loader.add(e.code, e.tid);
    benchmark::DoNotOptimize(loader.finish());
  }
  state.SetItemsProcessed(state.iterations() * 100000);
  state.SetLabel(kNames[state.range(0)]);
}
BENCHMARK(bulk_load)->DenseRange(kSerial, kDistinct)->Unit(benchmark::kMillisecond);

// Google Benchmark prints as ever; the medians of repeated runs are summed up at the end.
class Reporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<double> times;
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Iteration && !run.error_occurred) times.push_back(run.GetAdjustedCPUTime());
    }
    ConsoleReporter::ReportRuns(runs);
    if (times.size() < 3) return;
    const bench::Median m = bench::median_of(times);
    GetOutputStream() << "  median " << m.value << " (95 %: " << m.low << " to " << m.high << ")\n";
  }
};

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  Reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return 0;
}
