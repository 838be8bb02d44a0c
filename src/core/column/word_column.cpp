#include "core/column/word_column.hpp"

namespace learned {

namespace {

// Fewer entries may agree in a few bits by chance.
constexpr std::size_t kFewestForGap = 16;
// A search goes through the bitmap from its beginning; so many bits are read in the time that a bisection under a line takes, more or less. (A leaf
// of random words has a quarter of them.)
constexpr std::size_t kMaxBitmap = 4096;

// The longest run of bits below the highest of `differ` in which no words differ, and these bits.
void find_gap(const WordFacts& facts, WordModel* model) {
  const Code differ = facts.differ;
  for (unsigned at = 0; differ >> at != 0;) {
    const auto run = static_cast<unsigned>(std::countr_zero(differ >> at));
    if (run > model->gap_bits) {
      model->gap_at = static_cast<std::uint8_t>(at);
      model->gap_bits = static_cast<std::uint8_t>(run);
    }
    at += run;
    while (at < 64 && (differ >> at & 1) != 0) at++;
    if (at == 64) break;
  }
  model->gap = facts.span.lo & (low_mask(model->gap_bits) << model->gap_at);
}

WordModel fit_line(const WordColumn& words, const WordFacts& s) {
  WordModel model{};
  model.line = fit_within(words.n, s.span, s.ascending, [&](std::size_t i) { return words[i]; });
  if (model.line.width == 0 || words.n < kFewestForGap) return model;
  WordModel gapped{};
  find_gap(s, &gapped);
  if (gapped.gap_bits == 0) return model;
  gapped.line = fit_within(words.n, {gapped.squeeze(s.span.lo), gapped.squeeze(s.span.hi)}, s.ascending,
                           [&](std::size_t i) { return gapped.squeeze(words[i]); });
  return gapped.line.width < model.line.width ? gapped : model;
}

// Of n words. False: they do not ascend, are all the same, or have too long a bitmap.
bool fit_elias_fano(std::size_t n, const WordFacts& s, WordModel* model) {
  if (!s.ascending || s.differ == 0) return false;
  *model = {};
  if (n >= kFewestForGap) find_gap(s, model);
  const Code first = model->squeeze(s.span.lo);
  const EliasShape shape = EliasShape::best(n, model->squeeze(s.span.hi) - first);
  model->line = {first, shape.span, WordModel::kEliasFano, static_cast<std::uint8_t>(shape.low)};
  return shape.bits(n) <= kMaxBitmap;
}

// A word that Elias-Fano stores, less its gap, of rank i, its bit in the bitmap being known.
Code elias_word(const WordModel& model, const WordBits& data, std::uint32_t bit, unsigned i) {
  const unsigned width = model.line.width;
  return model.line.base + ((std::uint64_t{bit} - i) << width) + read_bits(data.bits, i, width);
}

}  // namespace

WordFacts survey_word(const WordColumn& words) {
  const Code first = words[0];
  WordFacts s{{first, first}, 0, true};
  Code before = first;
  for (std::size_t i = 1; i < words.n; i++) {
    const Code word = words[i];
    s.span.lo = word < s.span.lo ? word : s.span.lo;
    s.span.hi = word > s.span.hi ? word : s.span.hi;
    s.differ |= word ^ first;
    s.ascending = s.ascending && word >= before;
    before = word;
  }
  return s;
}

bool extends_line(const WordModel& model, const WordColumn& words, std::size_t middle,
                  const WordFacts& facts) {
  if (model.elias_fano() || model.line.slope == 0 ||
      (facts.differ & low_mask(model.gap_bits) << model.gap_at) != 0) {
    return false;
  }
  const std::uint64_t widest = low_mask(model.line.width);
  for (std::size_t i = middle; i < words.n; i++) {
    if (model.squeeze(words[i]) - model.line.predict(i) > widest) return false;
  }
  return true;
}

WordModel fit_word(const WordColumn& words, const WordFacts& s, WordChoice choice) {
  WordModel spread;
  const bool can = choice != WordChoice::line && fit_elias_fano(words.n, s, &spread);
  if (can && choice == WordChoice::elias_fano) return spread;
  const WordModel lined = fit_line(words, s);
  return can && word_bytes(spread, words.n) < word_bytes(lined, words.n) ? spread : lined;
}

std::uint8_t* encode_word(std::uint8_t* out, const WordModel& model, const WordColumn& words) {
  const WordModel word = model;  // a copy of its own: no byte written below may be one of it
  if (word.elias_fano()) {
    return word.shape().encode(out, words.n,
                               [&](std::size_t i) { return word.squeeze(words[i]) - word.line.base; });
  }
  return LineCodec::encode(out, word.line, words.n, [&](std::size_t i) { return word.squeeze(words[i]); });
}

bool load_elias(Extent* bytes, const EliasShape& shape, std::size_t n, WordBits* data) {
  data->high.bits = static_cast<std::uint32_t>(shape.bits(n));
  return bytes->take(shape.low_bytes(n), &data->bits) && bytes->take(shape.high_bytes(n), &data->high.map);
}

Code elias_at(const WordModel& model, const WordBits& data, unsigned i) {
  return elias_word(model, data, data.high.find_set(i), i);
}

Fault check_word(const WordModel& model, const WordBits& data, std::size_t n) {
  return model.elias_fano() && !model.shape().sound(data.high.map, n)
             ? "bitmap of ascending words has a wrong number of bits"
             : nullptr;
}

void decode_word(const WordModel& model, const WordBits& data, unsigned begin, const WordColumn& out) {
  auto* to = const_cast<std::uint8_t*>(out.at);
  if (model.elias_fano()) {
    SetBits set(data.high.map, data.high.bytes(), data.high.find_set(begin));
    for (unsigned i = begin; i < begin + out.n; i++, to += out.stride) {
      store(to, model.restore(elias_word(model, data, set.next(), i)));
    }
    return;
  }
  if (model.constant()) {
    const Code word = model.predict(begin);
    for (std::size_t i = 0; i < out.n; i++, to += out.stride) store(to, word);
    return;
  }
  constexpr unsigned kBatch = 256;
  std::uint64_t values[kBatch];
  for (auto n = static_cast<unsigned>(out.n); n > 0;) {
    const unsigned some = n < kBatch ? n : kBatch;
    LineCodec::decode(model.line, data.bits, begin, some, values);
    if (model.gap_bits == 0) {
      for (unsigned i = 0; i < some; i++, to += out.stride) store(to, values[i]);
    } else {
      for (unsigned i = 0; i < some; i++, to += out.stride) store(to, model.restore(values[i]));
    }
    begin += some;
    n -= some;
  }
}

WordModel slice_word(const WordModel& model, bool front, const WordColumn& words) {
  WordModel part = model;
  if (!model.elias_fano()) {
    // (A base is what the first residual makes it, also where the line is level.)
    part.line =
        LineCodec::slice(model.line, front, words.n, [&](std::size_t i) { return model.squeeze(words[i]); });
    return part;
  }
  part.line.base = model.squeeze(words[0]);
  part.line.slope = model.shape().part(part.line.base, model.squeeze(words[words.n - 1])).span;
  // All the same: a constant.
  if (part.line.slope == 0) part.line.shift = part.line.width = 0;
  return part;
}

}  // namespace learned
