/* Rows from a hostile store. Nothing opens but the one genuine record, in its place. */
#include "crypto/crypto.h"
#include "keeper/secret_record.h"
#include "keeper/secret_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* secret_record_test.c says where it is from. */
#define TEXT "nc1.AAECAwQFBgcICQoLWIUmLLeVkx9cKmulSprBrO781vtydaK15qqRNMapxjTH3fOLO83DWg=="
#define USES "nc1.AAECAwQFBgcICQoLUIUmLMy35mxWiNBEJjBYk+6JhZMJVQr7"

static const uint8_t key[AEAD_KEY] = {0x13, 0xb4, 0x08, 0xc4, 0xd6, 0xb1, 0x68, 0xfd, 0x92, 0x9c, 0x12,
                                      0xd6, 0x98, 0x9b, 0xcd, 0xf8, 0x23, 0x56, 0x1a, 0xcb, 0x87, 0x72,
                                      0x42, 0x83, 0x7c, 0x62, 0x61, 0xb6, 0xce, 0xb4, 0xdb, 0x69};
static const uint8_t user[32] = {0x2b, 0xd8, 0x06, 0xc9, 0x7f, 0x0e, 0x00, 0xaf, 0x1a, 0x1f, 0xc3,
                                 0x32, 0x8f, 0xa7, 0x63, 0xa9, 0x26, 0x97, 0x23, 0xc8, 0xdb, 0x8f,
                                 0xac, 0x4f, 0x93, 0xaf, 0x71, 0xdb, 0x18, 0x6d, 0x6e, 0x90};

static void open_row(const struct secret_row *row) {
  const struct span name = row->statement == STATEMENT_ALL ? row->name : span_text("api_key");
  const struct secret_place place = {.user = user, .name = name, .version = row->version};
  struct buf plain = buf_new(SECRET_TEXT_MAX);
  struct span policy, value;
  uint64_t uses;
  const bool here = span_is(name, "api_key") && row->version == 7;
  enum result r = name.len == 0 || name.len > SECRET_NAME_MAX
                      ? RESULT_SECRET_UNDECRYPTABLE
                      : secret_record_open(key, &place, row->value, &plain, &policy, &value);
  if ((r == RESULT_OK) != (here && span_is(row->value, TEXT))) abort();
  if (r == RESULT_OK && !span_is(value, "s3cret")) abort();
  if (name.len > 0 && name.len <= SECRET_NAME_MAX &&
      (secret_record_open_uses(key, &place, row->uses, &uses) == RESULT_OK) != (here && span_is(row->uses, USES)))
    abort();
  (void)!secret_record_open_reference(key, row->value, &plain, &value);
  buf_free(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct wire_statement asked[] = {{.statement = STATEMENT_FIND},     {.statement = STATEMENT_ALL},
                                                {.statement = STATEMENT_REMOVE},   {.statement = STATEMENT_AUDITS},
                                                {.statement = STATEMENT_POLICIES}, {.statement = STATEMENT_AUDIT}};
  struct wire_rows m;
  struct cursor rest;
  struct secret_row row;
  if (crypto_init() != RESULT_OK) abort();
  if (!wire_get_rows(span_of(data, size), &m, &rest)) return 0;
  for (uint32_t i = 0; i < m.count; i++) {
    if (!secret_row_read(&rest, asked, sizeof asked / sizeof asked[0], &row)) return 0;
    if (row.version > SECRET_VERSION_MAX || row.id > SECRET_AUDIT_ID_MAX || row.updated > UINT64_MAX / 1000000000)
      abort();
    if (row.statement == STATEMENT_FIND || row.statement == STATEMENT_ALL) open_row(&row);
  }
  return 0;
}
