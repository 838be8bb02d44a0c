#include "core/column/key_column.hpp"

namespace learned {

namespace {

// Fewer entries may agree in a few bits by chance.
constexpr std::size_t kFewestForGap = 16;

// The longest run of bits below the highest of `differ` in which no words differ.
void find_gap(Code differ, WordModel* model) {
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
  if (model.line.slope == 0 || (facts.differ & low_mask(model.gap_bits) << model.gap_at) != 0) return false;
  const std::uint64_t widest = low_mask(model.line.width);
  for (std::size_t i = middle; i < words.n; i++) {
    if (model.squeeze(words[i]) - model.line.predict(i) > widest) return false;
  }
  return true;
}

WordModel fit_word(const WordColumn& words, const WordFacts& s) {
  WordModel model{};
  model.line = fit_within(words.n, s.span, s.ascending, [&](std::size_t i) { return words[i]; });
  if (model.line.width == 0 || words.n < kFewestForGap) return model;
  WordModel gapped{};
  find_gap(s.differ, &gapped);
  if (gapped.gap_bits == 0) return model;
  gapped.gap = words[0] & (low_mask(gapped.gap_bits) << gapped.gap_at);
  gapped.line = fit_within(words.n, {gapped.squeeze(s.span.lo), gapped.squeeze(s.span.hi)}, s.ascending,
                           [&](std::size_t i) { return gapped.squeeze(words[i]); });
  return gapped.line.width < model.line.width ? gapped : model;
}

void decode_word(const WordModel& model, const std::uint8_t* bits, unsigned begin, unsigned n,
                 WordColumn out) {
  constexpr unsigned kBatch = 256;
  std::uint64_t values[kBatch];
  auto* to = const_cast<std::uint8_t*>(out.at);
  if (model.constant()) {
    const Code word = model.predict(begin);
    for (unsigned i = 0; i < n; i++, to += out.stride) store(to, word);
    return;
  }
  while (n > 0) {
    const unsigned some = n < kBatch ? n : kBatch;
    LineCodec::decode(model.line, bits, begin, some, values);
    if (model.gap_bits == 0) {
      for (unsigned i = 0; i < some; i++, to += out.stride) store(to, values[i]);
    } else {
      for (unsigned i = 0; i < some; i++, to += out.stride) store(to, model.restore(values[i]));
    }
    begin += some;
    n -= some;
  }
}

}  // namespace learned
