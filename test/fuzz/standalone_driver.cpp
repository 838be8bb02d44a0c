// Runs a fuzzer (LLVMFuzzerTestOneInput) without libFuzzer: inputs are made from a seed and a number, so
// that a failure is repeated by naming the two. Takes libFuzzer's own arguments:
//
//   -max_total_time=SECONDS (10)  -runs=N (no limit)  -max_len=BYTES (4096)  -seed=N (1)
//   -first=N (0)                  the number of the first input, to repeat a failure
//   FILE...                       run these inputs and nothing else
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) __attribute__((weak));
// The sanitizers' way of telling that they are about to end the process; absent in plain builds.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

// SplitMix64: good enough to be unpredictable, small enough to be the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(next() % limit); }

 private:
  std::uint64_t state_;
};

struct Options {
  double max_total_time = 10;
  std::uint64_t runs = ~std::uint64_t{0};
  std::size_t max_len = 4096;
  std::uint64_t seed = 1;
  std::uint64_t first = 0;
  std::vector<const char*> files;
};

// What to say when the process dies.
std::uint64_t current_seed;
std::uint64_t current_number;

void say_which_input() {
  std::fprintf(stderr, "\nfailed on input %llu; repeat with -seed=%llu -first=%llu -runs=1\n",
               static_cast<unsigned long long>(current_number), static_cast<unsigned long long>(current_seed),
               static_cast<unsigned long long>(current_number));
}

void die(int signal_number) {
  say_which_input();
  std::signal(signal_number, SIG_DFL);
  std::raise(signal_number);
}

// Length: mostly short, now and then up to the limit. Content: a mixture of plain noise, small numbers, runs
// of one byte, ascending bytes and repeats of what came before, because fuzzers read commands and keys from it.
std::vector<std::uint8_t> make_input(const Options& options, std::uint64_t number) {
  Random random(options.seed * 0x2545F4914F6CDD1Du + number);
  random.next();
  const std::size_t scale = std::size_t{1} << random.below(13);
  const std::size_t size = random.below(std::min(options.max_len, 2 * scale) + 1);
  std::vector<std::uint8_t> input;
  input.reserve(size);
  while (input.size() < size) {
    const std::size_t length = std::min(size - input.size(), 1 + random.below(64));
    const auto start = static_cast<std::uint8_t>(random.next());
    const std::size_t kind = random.below(5);
    const std::size_t copy_from = input.empty() ? 0 : random.below(input.size());
    for (std::size_t i = 0; i < length; i++) {
      std::uint8_t byte = start;
      switch (kind) {
        case 0:
          byte = static_cast<std::uint8_t>(random.next());
          break;
        case 1:
          byte = static_cast<std::uint8_t>(random.below(8));
          break;
        case 2:
          byte = static_cast<std::uint8_t>(start + i);
          break;
        case 3:
          if (!input.empty()) byte = input[copy_from + i % (input.size() - copy_from)];
          break;
        default:
          break;
      }
      input.push_back(byte);
    }
  }
  return input;
}

bool read_number(const char* argument, const char* name, std::uint64_t* value) {
  const std::size_t length = std::strlen(name);
  if (std::strncmp(argument, name, length) != 0) return false;
  *value = std::strtoull(argument + length, nullptr, 10);
  return true;
}

bool parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; i++) {
    std::uint64_t value = 0;
    if (read_number(argv[i], "-max_total_time=", &value)) {
      options->max_total_time = static_cast<double>(value);
    } else if (read_number(argv[i], "-runs=", &value)) {
      options->runs = value;
    } else if (read_number(argv[i], "-max_len=", &value)) {
      options->max_len = static_cast<std::size_t>(value);
    } else if (read_number(argv[i], "-seed=", &value)) {
      options->seed = value;
    } else if (read_number(argv[i], "-first=", &value)) {
      options->first = value;
    } else if (argv[i][0] == '-') {
      std::fprintf(stderr, "unknown option: %s\n", argv[i]);
      return false;
    } else {
      options->files.push_back(argv[i]);
    }
  }
  return true;
}

bool run_file(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) {
    std::perror(path);
    return false;
  }
  std::vector<std::uint8_t> input;
  std::uint8_t buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof(buffer), file)) > 0;) {
    input.insert(input.end(), buffer, buffer + n);
  }
  std::fclose(file);
  LLVMFuzzerTestOneInput(input.data(), input.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (LLVMFuzzerInitialize != nullptr) LLVMFuzzerInitialize(&argc, &argv);
  Options options;
  if (!parse(argc, argv, &options)) return 2;
  if (!options.files.empty()) {
    for (const char* path : options.files) {
      if (!run_file(path)) return 2;
    }
    return 0;
  }

  current_seed = options.seed;
  if (__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback(say_which_input);
  } else {
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(number, die);
  }
  std::signal(SIGABRT, die);

  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  std::uint64_t done = 0;
  while (done < options.runs) {
    const std::chrono::duration<double> elapsed = Clock::now() - start;
    if (elapsed.count() >= options.max_total_time) break;
    current_number = options.first + done;
    const std::vector<std::uint8_t> input = make_input(options, current_number);
    LLVMFuzzerTestOneInput(input.data(), input.size());
    done++;
  }
  std::printf("Done %llu runs in %.1f second(s), seed %llu\n", static_cast<unsigned long long>(done),
              std::chrono::duration<double>(Clock::now() - start).count(),
              static_cast<unsigned long long>(options.seed));
  return 0;
}
