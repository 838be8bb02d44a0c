#include "am/key/key_texts.hpp"

namespace learned {

KeyTexts::KeyTexts(Relation index, const KeyColumns& columns) : columns_(columns) {
  for (unsigned c = 0; c < columns.count; c++) {
    Oid output;
    bool varlena;
    getTypeOutputInfo(TupleDescAttr(RelationGetDescr(index), static_cast<int>(c))->atttypid, &output,
                      &varlena);
    fmgr_info(output, &output_[c]);
  }
}

template <class K>
Datum KeyTexts::array(const RowKey<K>& key, unsigned first, unsigned end) {
  KeyColumns front = columns_;
  front.count = end;
  Datum values[kMaxWords];
  bool nulls[kMaxWords];
  RowStorage storage;
  if (end > 0) row_of_key<K>(front, key, values, nulls, &storage);
  Datum texts[kMaxWords];
  for (unsigned c = first; c < end; c++) {
    texts[c] = nulls[c] ? Datum{0} : CStringGetTextDatum(OutputFunctionCall(&output_[c], values[c]));
  }
  int dimension = static_cast<int>(end - first);
  int lower_bound = 1;
  return PointerGetDatum(construct_md_array(texts + first, nulls + first, 1, &dimension, &lower_bound,
                                            TEXTOID, -1, false, TYPALIGN_INT));
}

#define LEARNED_KEY_TEXTS(K) template Datum KeyTexts::array<K>(const RowKey<K>&, unsigned, unsigned);
LEARNED_FOR_EVERY_KEY(LEARNED_KEY_TEXTS)
#undef LEARNED_KEY_TEXTS

}  // namespace learned
