/* What whoever answers as Coordinator may send: the lines of headers and trailers, and a body. What of it is accepted
 * keeps the rules. The input is lines, an empty one, then the body. */
#include "marble/files.h"
#include "marble/grpc.h"
#include "marble/process.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const directories[] = {"/secrets", NULL}, *const extra[] = {NULL};

static struct span take_lines(struct grpc_answer *a, struct span rest) {
  for (const uint8_t *end; (end = rest.len == 0 ? NULL : memchr(rest.data, '\n', rest.len)) != NULL;) {
    const struct span line = span_of(rest.data, (size_t)(end - rest.data));
    rest = span_of(end + 1, rest.len - line.len - 1);
    if (line.len == 0) break;
    grpc_take_line(a, line);
    if (strlen(a->message) > GRPC_MESSAGE_MAX) abort();
  }
  return rest;
}

static void check_block(const struct process_block *block) {
  for (size_t i = 0; i < block->count; i++)
    if (block->strings[i] == NULL) abort();
  if (block->strings != NULL && block->strings[block->count] != NULL) abort();
}

static void use(const parameters *p) {
  char *const given[] = {"PATH=/bin", "MARBLE_X=1", NULL};
  struct buf problem = buf_new(1024);
  struct process_block block;
  if (process_environment(&block, given, p, extra, &problem) == RESULT_OK && block.count < p->n_env) abort();
  check_block(&block);
  process_free(&block);
  if (process_arguments(&block, given, p, &problem) == RESULT_OK && block.count == 0) abort();
  check_block(&block);
  process_free(&block);
  for (size_t i = 0; i < p->n_files; i++) {
    const struct span path = message_bytes(p->files[i]->name);
    if (files_may_be(directories, path) &&
        (memmem(path.data, path.len, "/../", 4) != NULL || memcmp(path.data, "/secrets/", 9) != 0))
      abort();
  }
  buf_free(&problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct grpc_answer a = {0};
  struct span message;
  Activation__Response *response = NULL;
  const struct span body = take_lines(&a, span_of(data, size));
  if (grpc_outcome(&a) >= GRPC_CODE_COUNT) abort();
  if (grpc_get_frame(body, &message) == RESULT_OK && message_get_response(message, &response) == RESULT_OK)
    use(response->parameters);
  message_free(response);
  return 0;
}
