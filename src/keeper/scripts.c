#include "keeper/scripts.h"

#include "base/digest.h"
#include "base/text.h"
#include "keeper/documents.h"
#include "keeper/manifest.h"

#define SCRIPT_MAX 102400u /* bytes */
#define PATH_MAX_BYTES 1024u
#define DETAIL_MAX 512u

/* One question: first its app's manifest is waited for, then the file. */
struct ask {
  struct scripts *owner;
  struct ask *next;
  uint64_t ticket;
  struct buf app, name;
  struct manifest_script script;
  struct document_wait *wait; /* NULL: refused, and due */
  enum result refusal;
  scripts_answer *answer;
  void *context;
};

struct scripts {
  struct documents *documents; /* NULL: no base URL */
  struct ask *asks;
  uint64_t ticket;
  struct event *refuse;
};

static void free_ask(struct ask *a) {
  buf_free(&a->app);
  buf_free(&a->name);
  manifest_script_free(&a->script);
  free(a);
}

static void take_ask(struct ask *a) {
  struct ask **at = &a->owner->asks;
  while (*at != a) at = &(*at)->next;
  *at = a->next;
}

/* ---- ends ---- */

static void end(struct ask *a, enum result result, struct span detail, struct span script) {
  take_ask(a);
  a->answer(a->context, result, detail, script, result == RESULT_OK ? buf_span(&a->script.entry) : span_of(NULL, 0));
  free_ask(a);
}

/* "app/name: what is wrong"; names that are none are not repeated. */
static void fail(struct ask *a, enum result result, const char *why) {
  uint8_t memory[DETAIL_MAX];
  struct buf detail = buf_fixed(memory, sizeof memory);
  if (a->app.len > 0 && a->name.len > 0)
    buf_printf(&detail, "%.*s/%.*s: ", (int)a->app.len, (const char *)a->app.data, (int)a->name.len,
               (const char *)a->name.data);
  buf_put_text(&detail, why == NULL ? result_sentence(result) : why);
  end(a, result, buf_span(&detail), span_of(NULL, 0));
}

static void on_refuse(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct scripts *s = context;
  struct ask *a = s->asks;
  while (a != NULL && a->wait != NULL) a = a->next;
  if (a == NULL) return;
  event_active(s->refuse, EV_TIMEOUT, 1);
  fail(a, a->refusal, NULL);
}

/* ---- the file, then ---- */

static void on_file(void *context, enum result result, struct span body) {
  struct ask *a = context;
  uint8_t hash[DIGEST_SIZE];
  a->wait = NULL;
  if (result == RESULT_OK && body.len > SCRIPT_MAX) result = RESULT_SCRIPT_TOO_LARGE; /* the manifest itself, say */
  if (result == RESULT_OK && !text_utf8_valid(body)) result = RESULT_SCRIPT_INVALID;
  if (result == RESULT_OK && a->script.pinned) {
    digest_sha256(body, hash);
    if (memcmp(hash, a->script.sha256, sizeof hash) != 0) result = RESULT_SCRIPT_CHANGED;
  }
  if (result == RESULT_OK)
    end(a, RESULT_OK, span_of(NULL, 0), body);
  else
    fail(a, result, result == RESULT_SCRIPT_STORE_INVALID ? "its file is an HTML page" : NULL);
}

static enum result want(struct ask *a, struct span file, uint32_t max, documents_answer *answer) {
  uint8_t memory[PATH_MAX_BYTES];
  struct buf path = buf_fixed(memory, sizeof memory);
  buf_put_text(&path, "/apps/");
  buf_put_span(&path, buf_span(&a->app));
  buf_put_u8(&path, '/');
  buf_put_span(&path, file);
  if (path.bad) return RESULT_SCRIPT_NOT_FOUND;
  return documents_want(a->owner->documents, buf_span(&path), max, answer, a, &a->wait);
}

/* ---- the manifest, first ---- */

static void on_manifest(void *context, enum result result, struct span body) {
  struct ask *a = context;
  char why[DETAIL_MAX] = "";
  struct buf problem = buf_fixed(why, sizeof why - 1);
  a->wait = NULL;
  if (result == RESULT_SCRIPT_TOO_LARGE) {
    result = RESULT_SCRIPT_STORE_INVALID;
    buf_put_text(&problem, "the manifest is too large");
  } else if (result == RESULT_SCRIPT_STORE_INVALID) {
    buf_put_text(&problem, "in place of a manifest there is an HTML page");
  }
  if (result == RESULT_OK) result = manifest_find(body, buf_span(&a->name), &a->script, &problem);
  if (result == RESULT_OK) result = want(a, buf_span(&a->script.file), SCRIPT_MAX, on_file);
  if (result != RESULT_OK) fail(a, result, problem.len > 0 ? why : NULL);
}

/* ---- what is asked ---- */

static enum result begin(struct ask *a) {
  if (!manifest_name(buf_span(&a->app)) || !manifest_name(buf_span(&a->name))) return RESULT_SCRIPT_NOT_FOUND;
  if (a->owner->documents == NULL) return RESULT_SCRIPT_STORE_UNAVAILABLE;
  return want(a, span_text("manifest.json"), MANIFEST_MAX, on_manifest);
}

/* Stays empty, which is no name, if it is none. */
static void keep_name(struct buf *b, struct span name) {
  *b = buf_new(128);
  if (manifest_name(name)) buf_put_span(b, name);
}

enum result scripts_ask(struct scripts *s, struct span app, struct span name, scripts_answer *answer, void *context,
                        uint64_t *ticket) {
  struct ask *a = calloc(1, sizeof *a);
  if (a == NULL) return RESULT_NO_MEMORY;
  *a = (struct ask){.owner = s, .next = s->asks, .ticket = ++s->ticket, .answer = answer, .context = context};
  a->script = manifest_script_new();
  keep_name(&a->app, app);
  keep_name(&a->name, name);
  s->asks = a;
  *ticket = a->ticket;
  a->refusal = begin(a);
  if (a->refusal != RESULT_OK) event_active(s->refuse, EV_TIMEOUT, 1);
  return RESULT_OK;
}

void scripts_forget(struct scripts *s, uint64_t ticket) {
  struct ask *a = s->asks;
  while (a != NULL && a->ticket != ticket) a = a->next;
  if (a == NULL) return;
  take_ask(a);
  if (a->wait != NULL) documents_cancel(a->wait);
  free_ask(a);
}

/* ---- the whole ---- */

enum result scripts_new(struct event_base *base, struct outlet *outlet, const char *base_url, struct scripts **out) {
  struct scripts *s = calloc(1, sizeof *s);
  if (s == NULL) return RESULT_NO_MEMORY;
  s->refuse = event_new(base, -1, 0, on_refuse, s);
  enum result r = s->refuse == NULL ? RESULT_NO_MEMORY : RESULT_OK;
  if (r == RESULT_OK && base_url[0] != 0) r = documents_new(base, outlet, base_url, &s->documents);
  if (r == RESULT_OK) {
    *out = s;
    s = NULL;
  }
  scripts_free(s);
  return r;
}

void scripts_free(struct scripts *s) {
  if (s == NULL) return;
  documents_free(s->documents);
  for (struct ask *a = s->asks, *next; a != NULL; a = next) {
    next = a->next;
    free_ask(a);
  }
  if (s->refuse != NULL) event_free(s->refuse);
  free(s);
}
