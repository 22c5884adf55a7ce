#include "marble/message.h"

/* ---- memory: bounded, because few bytes can stand for many entries, and wiped, because it holds keys ---- */

static size_t memory_left;

static void *take(void *context, size_t size) {
  (void)context;
  if (size > memory_left) return NULL;
  memory_left -= size;
  return malloc(size);
}

static void give_back(void *context, void *memory) {
  (void)context;
  wipe_and_free(memory);
}

static ProtobufCAllocator allocator = {take, give_back, NULL};

/* ---- messages ---- */

static ProtobufCBinaryData borrowed(struct span s) {
  return (ProtobufCBinaryData){s.len, (uint8_t *)(uintptr_t)s.data};
}

void message_put_request(struct buf *b, const struct message_request *request) {
  Activation__Request message = ACTIVATION__REQUEST__INIT;
  message.quote = borrowed(request->quote);
  message.csr = borrowed(request->csr);
  message.type = (char *)(uintptr_t)request->type;
  message.uuid = (char *)(uintptr_t)request->uuid;
  uint8_t *room = buf_extend(b, activation__request__get_packed_size(&message));
  if (room != NULL) activation__request__pack(&message, room);
}

enum result message_get_response(struct span bytes, Activation__Response **out) {
  if (bytes.len > MESSAGE_MAX) return RESULT_INPUT_INVALID;
  memory_left = MESSAGE_MEMORY_MAX;
  Activation__Response *response = activation__response__unpack(&allocator, bytes.len, bytes.data);
  if (response != NULL && response->parameters != NULL) {
    *out = response;
    return RESULT_OK;
  }
  message_free(response);
  return RESULT_INPUT_INVALID;
}

void message_free(Activation__Response *response) {
  activation__response__free_unpacked(response, &allocator);
}
