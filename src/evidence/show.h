/* Evidence in words, for people who look into it: what it says, not whether it is true. Private to src/evidence but for
 * evidence_show (evidence.h). */
#pragma once

#include "evidence/chain.h"
#include "evidence/snp_report.h"

/* One line each: the name, and the value in its column. */
void show_text(struct buf *out, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void show_hex(struct buf *out, const char *name, struct span bytes);
/* Each certificate's subject, issuer and the time in which it is valid. */
void show_chain(struct buf *out, const struct chain *chain);
/* Those in `bytes`, PEM or DER; or that there are none. */
void show_certificates(struct buf *out, struct span bytes);

/* Kinds of evidence. */
void show_quote(struct span raw, struct buf *out);
void show_snp(struct span raw, struct buf *out);
void show_sim(struct span raw, struct buf *out);
