#include "marble/process.h"

#define VARIABLES_MAX 1024u
#define STRING_MAX (128u << 10) /* of an argument or "name=value": Linux takes no longer one (MAX_ARG_STRLEN) */

/* ---- names ---- */

static const char *const names[] = {"COMPUTE_MASTER_KEY", "SECRETS_MASTER_KEY", "COORDINATOR_ROOT_CA", "PORT"};
static const char *const prefixes[] = {"MARBLE_", "NEOCOMPUTE_", "SUPABASE_"};
static const char *const never[] = {"NEOCOMPUTE_WORKER"}; /* a program */

static bool is_name(struct span s) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  for (size_t i = 0; i < s.len; i++)
    if (s.data[i] == 0 || strchr(alphabet, s.data[i]) == NULL) return false;
  return s.len > 0;
}

static bool is_one_of(struct span name, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (span_is(name, list[i])) return true;
  return false;
}

static bool has_prefix(struct span name) {
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
    const size_t len = strlen(prefixes[i]);
    if (name.len > len && memcmp(name.data, prefixes[i], len) == 0) return true;
  }
  return false;
}

bool process_may_set(const char *const *extra, struct span name) {
  if (!is_name(name) || is_one_of(name, never, sizeof never / sizeof never[0])) return false;
  for (; *extra != NULL; extra++)
    if (span_is(name, *extra)) return true;
  return is_one_of(name, names, sizeof names / sizeof names[0]) || has_prefix(name);
}

/* ---- blocks ---- */

static enum result block_new(struct process_block *block, size_t room) {
  *block = (struct process_block){calloc(room + 1, sizeof(char *)), 0};
  return block->strings == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

void process_free(struct process_block *block) {
  for (size_t i = 0; i < block->count; i++) wipe_and_free(block->strings[i]);
  free(block->strings);
  *block = (struct process_block){NULL, 0};
}

/* Adds `first`, `middle` and `last` as one string. */
static enum result add(struct process_block *block, struct span first, const char *middle, struct span last) {
  const size_t len = first.len + strlen(middle) + last.len;
  char *string = len < STRING_MAX ? malloc(len + 1) : NULL;
  if (string == NULL) return RESULT_NO_MEMORY;
  struct buf b = buf_fixed(string, len + 1);
  buf_put_span(&b, first);
  buf_put_text(&b, middle);
  buf_put_span(&b, last);
  buf_put_u8(&b, 0);
  block->strings[block->count++] = string;
  return RESULT_OK;
}

static bool has_nul(struct span s) {
  return s.len > 0 && memchr(s.data, 0, s.len) != NULL;
}

/* ---- the environment ---- */

/* How many times the Coordinator sets it. */
static unsigned times_set(const parameters *p, struct span name) {
  unsigned times = 0;
  for (size_t i = 0; i < p->n_env; i++) times += span_equal(message_bytes(p->env[i]->name), name);
  return times;
}

static const char *against(const parameters *p, size_t i, const char *const *extra) {
  const struct span name = message_bytes(p->env[i]->name), value = message_bytes(p->env[i]->value);
  if (!process_may_set(extra, name)) return "which is not the Coordinator's to set (--env)";
  if (times_set(p, name) > 1) return "twice";
  if (has_nul(value)) return "to a value with a NUL in it";
  return name.len + value.len + 2 > STRING_MAX ? "to a value that is too long" : NULL;
}

static enum result check(const parameters *p, const char *const *extra, struct buf *problem) {
  if (p->n_env > VARIABLES_MAX) {
    buf_printf(problem, "the manifest sets more than %u variables", VARIABLES_MAX);
    return RESULT_CONFIG_INVALID;
  }
  for (size_t i = 0; i < p->n_env; i++) {
    const char *why = against(p, i, extra);
    if (why == NULL) continue;
    const struct span name = message_bytes(p->env[i]->name);
    buf_printf(problem, "the manifest sets %.*s, %s", (int)(name.len < 100 ? name.len : 100),
               name.len == 0 ? "" : (const char *)name.data, why);
    return RESULT_CONFIG_INVALID;
  }
  return RESULT_OK;
}

enum result process_environment(struct process_block *out, char *const *given, const parameters *p,
                                const char *const *extra, struct buf *problem) {
  size_t count = 0;
  *out = (struct process_block){NULL, 0};
  enum result r = check(p, extra, problem);
  if (r != RESULT_OK) return r;
  while (given[count] != NULL) count++;
  r = block_new(out, count + p->n_env);
  for (size_t i = 0; r == RESULT_OK && i < count; i++) {
    const struct span name = span_of(given[i], strcspn(given[i], "="));
    if (times_set(p, name) == 0) r = add(out, span_text(given[i]), "", span_of(NULL, 0));
  }
  for (size_t i = 0; r == RESULT_OK && i < p->n_env; i++)
    r = add(out, message_bytes(p->env[i]->name), "=", message_bytes(p->env[i]->value));
  return r;
}

/* ---- the arguments ---- */

static enum result send_arguments(struct process_block *out, const parameters *p, struct buf *problem) {
  enum result r = RESULT_OK;
  for (size_t i = 0; r == RESULT_OK && i < p->n_argv; i++) {
    const struct span argument = message_bytes(p->argv[i]);
    if (has_nul(argument) || argument.len >= STRING_MAX) {
      buf_put_text(problem, "the manifest has an argument that is none");
      return RESULT_CONFIG_INVALID;
    }
    r = add(out, argument, "", span_of(NULL, 0));
  }
  return r;
}

enum result process_arguments(struct process_block *out, char *const *given, const parameters *p, struct buf *problem) {
  size_t count = 0;
  while (given[count] != NULL) count++;
  enum result r = block_new(out, p->n_argv > 0 ? p->n_argv : count);
  if (r != RESULT_OK || p->n_argv > 0) return r == RESULT_OK ? send_arguments(out, p, problem) : r;
  for (size_t i = 0; r == RESULT_OK && i < count; i++) r = add(out, span_text(given[i]), "", span_of(NULL, 0));
  return r;
}
