/*
 * For tests/postgres.test.mjs: the secret store's statements on a PostgreSQL server. `postgres_main CONNECTION` reads
 * lines: STATEMENT TAB VALUE TAB VALUE …; an empty line sends what came before it as one query and waits for its rows:
 * for each a line INDEX TAB COLUMN …, then "= " and the result's name. A line "timeout MS" is for the queries behind
 * it.
 */
#include <stdio.h>

#include "base/text.h"
#include "egress/postgres.h"

#define LINE_MAX_BYTES 400000

static struct event_base *base;
static uint32_t timeout_ms = 3000;

static void print_statement(const struct wire_statement *s) {
  printf("%u", s->statement);
  for (uint32_t i = 0; i < s->count; i++) printf("\t%.*s", (int)s->values[i].len, (const char *)s->values[i].data);
  putchar('\n');
}

static void tell(void *context, struct buf *message) {
  struct wire_rows m;
  struct cursor rest;
  struct wire_statement s;
  (void)context;
  if (!wire_get_rows(span_of(message->data + MSG_HEADER, message->len - MSG_HEADER), &m, &rest)) abort();
  for (uint32_t i = 0; i < m.count; i++) {
    if (!wire_get_statement(&rest, &s)) abort();
    print_statement(&s);
  }
  printf("= %s\n", result_name((enum result)m.result));
  fflush(stdout);
  event_base_loopbreak(base);
}

static void trouble(void *context, struct span why) {
  (void)context;
  fprintf(stderr, "%.*s\n", (int)why.len, (const char *)why.data);
}

/* Spans point into `kept`, which does not move. */
static struct wire_statement parse(char *line, struct buf *kept) {
  struct wire_statement s = {0};
  char *at = strchr(line, '\t');
  s.statement = (uint32_t)strtoul(line, NULL, 10);
  while (at != NULL && s.count < WIRE_VALUES_MAX) {
    char *end = strchr(at + 1, '\t');
    const size_t before = kept->len, len = end == NULL ? strlen(at + 1) : (size_t)(end - at - 1);
    buf_put(kept, at + 1, len);
    s.values[s.count++] = buf_since(kept, before);
    at = end;
  }
  return s;
}

static void run(struct postgres *p, const struct wire_statement *statements, uint32_t count) {
  static uint64_t ticket;
  struct buf b = buf_new(8u << 20);
  wire_put_query(&b, WIRE_SERVER_QUERY, &(struct wire_query){++ticket, timeout_ms, count, statements, 0});
  if (b.bad || postgres_query(p, span_of(b.data + MSG_HEADER, b.len - MSG_HEADER)) != RESULT_OK) {
    puts("= refused");
    fflush(stdout);
  } else {
    event_base_dispatch(base); /* what was answered at once has stopped the loop before it began */
  }
  buf_free(&b);
}

int main(int argc, char **argv) {
  static char line[LINE_MAX_BYTES];
  static struct wire_statement statements[WIRE_STATEMENTS_MAX];
  uint32_t count = 0;
  struct buf kept = buf_new(8u << 20);
  struct postgres *p = NULL;
  base = event_base_new();
  if (argc != 2 || base == NULL || buf_extend(&kept, 4u << 20) == NULL) return 2;
  kept.len = 0;
  const struct postgres_setup setup = {
      .base = base, .connection = span_text(argv[1]), .tell = tell, .trouble = trouble};
  if (postgres_new(&setup, &p) != RESULT_OK) return 1;
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, "timeout ", 8) == 0) {
      timeout_ms = (uint32_t)strtoul(line + 8, NULL, 10);
    } else if (line[0] != 0 && count < WIRE_STATEMENTS_MAX) {
      statements[count++] = parse(line, &kept);
    } else {
      run(p, statements, count);
      count = 0;
      kept.len = 0;
    }
  }
  postgres_free(p);
  event_base_free(base);
  buf_free(&kept);
  return 0;
}
