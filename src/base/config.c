#include "base/config.h"

#include <errno.h>
#include <ini.h>

#include "base/text.h"

static const struct setting {
  const char *name, *environment, *fallback, *help;
} settings[CONFIG_COUNT] = {
#define CONFIG_ROW(id, name, environment, fallback, help) {name, environment, fallback, help},
    CONFIG_SETTINGS(CONFIG_ROW)
#undef CONFIG_ROW
};

struct config {
  char *text[CONFIG_COUNT]; /* NULL: nothing was said */
};

enum result config_new(struct config **out) {
  *out = calloc(1, sizeof **out);
  return *out == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

void config_free(struct config *c) {
  if (c == NULL) return;
  for (size_t i = 0; i < CONFIG_COUNT; i++) free(c->text[i]);
  free(c);
}

/* ---- one setting ---- */

const char *config_name(enum config_id id) {
  return settings[id].name;
}

const char *config_environment_name(enum config_id id) {
  return settings[id].environment;
}

const char *config_default(enum config_id id) {
  return settings[id].fallback;
}

const char *config_help(enum config_id id) {
  return settings[id].help;
}

enum result config_set(struct config *c, enum config_id id, const char *value) {
  char *copy = strdup(value);
  if (copy == NULL) return RESULT_NO_MEMORY;
  free(c->text[id]);
  c->text[id] = copy;
  return RESULT_OK;
}

const char *config_text(const struct config *c, enum config_id id) {
  return c->text[id] != NULL ? c->text[id] : settings[id].fallback;
}

enum result config_number(const struct config *c, enum config_id id, uint64_t min, uint64_t max, uint64_t *out) {
  enum result r = text_u64(span_text(config_text(c, id)), min, max, out);
  return r == RESULT_OK ? RESULT_OK : RESULT_CONFIG_INVALID;
}

enum result config_duration_ms(const struct config *c, enum config_id id, uint64_t *out) {
  uint64_t ns;
  if (text_go_duration(span_text(config_text(c, id)), &ns) != RESULT_OK) return RESULT_CONFIG_INVALID;
  *out = (ns + 999999) / 1000000;
  return RESULT_OK;
}

/* ---- the file ---- */

struct reading {
  struct config *config;
  FILE *file;
  unsigned line;     /* the last one read */
  unsigned bad_line; /* 0: none */
  const char *reason;
  bool seen[CONFIG_COUNT];
};

static void complain(struct reading *r, const char *reason) {
  if (r->bad_line != 0) return;
  r->bad_line = r->line;
  r->reason = reason;
}

/* ini_reader. libinih would take the rest of a line that is too long for a line of its own, and knows nothing of NUL
 * bytes: neither gets to it. */
static char *read_line(char *out, int size, void *context) {
  struct reading *r = context;
  r->line++;
  if (fgets(out, size, r->file) == NULL) return NULL;
  size_t len = strlen(out);
  if (len > 0 && (out[len - 1] == '\n' || feof(r->file))) return out;
  complain(r, "the line is too long, or has a NUL byte");
  return NULL;
}

static enum config_id find_setting(const char *section, const char *name) {
  size_t len = strlen(section);
  unsigned id = 0;
  for (; id < CONFIG_COUNT; id++) {
    const char *full = settings[id].name;
    if (strncmp(full, section, len) == 0 && full[len] == '.' && strcmp(full + len + 1, name) == 0) break;
  }
  return (enum config_id)id;
}

/* ini_handler. A continued line comes as the same name once more, so it is refused, too. */
static int take_setting(void *context, const char *section, const char *name, const char *value) {
  struct reading *r = context;
  enum config_id id = find_setting(section, name);
  if (id == CONFIG_COUNT)
    complain(r, "no such setting");
  else if (r->seen[id])
    complain(r, "the setting stands here twice");
  else if (config_set(r->config, id, value) != RESULT_OK)
    complain(r, result_sentence(RESULT_NO_MEMORY));
  else
    r->seen[id] = true;
  return r->bad_line == 0;
}

static enum result read_all(struct reading *r) {
  int first = ini_parse_stream(read_line, r, take_setting, r);
  if (ferror(r->file)) return RESULT_IO;
  if (first < 0) return RESULT_NO_MEMORY;
  if (first > 0 && (r->bad_line == 0 || (unsigned)first < r->bad_line)) {
    r->bad_line = (unsigned)first;
    r->reason = "neither [section] nor name = value";
  }
  return r->bad_line == 0 ? RESULT_OK : RESULT_CONFIG_INVALID;
}

enum result config_read_file(struct config *c, const char *path, char *problem, size_t problem_size) {
  struct reading reading = {.config = c, .file = fopen(path, "re")};
  if (reading.file == NULL) return RESULT_IO;
  enum result r = read_all(&reading);
  int saved = errno;
  (void)fclose(reading.file); /* it was only read */
  errno = saved;
  if (r == RESULT_CONFIG_INVALID) snprintf(problem, problem_size, "%s:%u: %s", path, reading.bad_line, reading.reason);
  return r;
}

/* ---- the environment ---- */

/* What follows "name=", or NULL. */
static const char *value_of(char *const *environment, const char *name) {
  size_t len = strlen(name);
  for (; *environment != NULL; environment++)
    if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=') return *environment + len + 1;
  return NULL;
}

static enum result set_port(struct config *c, const char *port) {
  uint64_t number;
  const char *listen = config_text(c, CONFIG_LISTEN), *colon = strrchr(listen, ':');
  if (colon == NULL || text_u64(span_text(port), 0, 65535, &number) != RESULT_OK) return RESULT_CONFIG_INVALID;
  struct buf b = buf_new(4096);
  buf_put(&b, listen, (size_t)(colon - listen));
  buf_printf(&b, ":%u", (unsigned)number);
  buf_put_u8(&b, '\0');
  enum result r = b.bad ? RESULT_NO_MEMORY : config_set(c, CONFIG_LISTEN, (const char *)b.data);
  buf_free(&b);
  return r;
}

enum result config_read_environment(struct config *c, char *const *environment) {
  for (unsigned id = 0; id < CONFIG_COUNT; id++) {
    const char *value = value_of(environment, settings[id].environment);
    enum result r = value == NULL ? RESULT_OK : config_set(c, (enum config_id)id, value);
    if (r != RESULT_OK) return r;
  }
  const char *port = value_of(environment, "PORT");
  return port == NULL ? RESULT_OK : set_port(c, port);
}

/* ---- on the wire ---- */

void config_put(struct buf *b, const struct config *c) {
  for (unsigned id = 0; id < CONFIG_COUNT; id++) buf_put_block(b, span_text(config_text(c, (enum config_id)id)));
}

static enum result set_span(struct config *c, enum config_id id, struct span value) {
  if (value.len > 0 && memchr(value.data, '\0', value.len) != NULL) return RESULT_CONFIG_INVALID;
  char *text = strndup(value.len > 0 ? (const char *)value.data : "", value.len);
  if (text == NULL) return RESULT_NO_MEMORY;
  free(c->text[id]);
  c->text[id] = text;
  return RESULT_OK;
}

enum result config_get(struct span bytes, struct config *c) {
  struct cursor cursor = cursor_of(bytes);
  for (unsigned id = 0; id < CONFIG_COUNT; id++) {
    enum result r = set_span(c, (enum config_id)id, cursor_block(&cursor));
    if (r != RESULT_OK) return r;
  }
  return cursor_end(&cursor) ? RESULT_OK : RESULT_CONFIG_INVALID;
}
