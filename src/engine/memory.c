/* Linear memory, traps and the way in and out of guest code: what wasm2c's generated code expects of its run time
 * (wasm-rt.h). */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "engine/guest.h"
#include "engine/snapshot.h"

PER_ENGINE Z_guest_instance_t guest_instance;
PER_ENGINE struct guest_meter guest_meter;
PER_ENGINE struct guest_state guest_state;

/* ---- in and out ---- */

enum guest_exit guest_enter(void (*work)(void *arg), void *arg) {
  /* The signal mask is not saved: it would cost a system call, and the handlers do not change it (SA_NODEFER). */
  int why = sigsetjmp(guest_state.unwind, 0);
  if (why == GUEST_RETURNED) {
    guest_state.inside = 1;
    work(arg);
  }
  guest_state.inside = 0;
  guest_state.in_host = 0;
  return (enum guest_exit)why;
}

void guest_unwind(enum guest_exit why) {
  if (!guest_state.inside) abort(); /* a fault with nobody to catch it: our own bug */
  siglongjmp(guest_state.unwind, (int)why);
}

void wasm_rt_trap(wasm_rt_trap_t trap) {
  guest_state.trap = (int)trap;
  guest_unwind(GUEST_TRAPPED);
}

uint8_t *guest_bytes(u32 address, u32 len) {
  if ((u64)address + len > guest.w2c_memory.size) wasm_rt_trap(WASM_RT_TRAP_OOB);
  return guest.w2c_memory.data + address;
}

u32 guest_u32(u32 address) {
  u32 v;
  memcpy(&v, guest_bytes(address, 4), 4);
  return v;
}

u64 guest_u64(u32 address) {
  u64 v;
  memcpy(&v, guest_bytes(address, 8), 8);
  return v;
}

/* ---- faults ---- */

/* The fault of an access to reserved, unmapped linear memory. */
static bool in_linear_memory(uintptr_t address) {
  return !ENGINE_BOUNDS_EXPLICIT && address >= GUEST_BASE && address < GUEST_BASE + GUEST_RESERVE;
}

/* The fault of a push or call past the end of the native stack: at, or a large frame below, the stack pointer. */
static bool in_stack_guard(uintptr_t address, const ucontext_t *context) {
#if defined(__x86_64__)
  uintptr_t sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#else
  uintptr_t sp = (uintptr_t)context->uc_mcontext.sp;
#endif
  return address + (1u << 20) > sp && address < sp + 4096;
}

static void on_fault(int signal, siginfo_t *info, void *context) {
  uintptr_t address = (uintptr_t)info->si_addr;
  if (signal == SIGSEGV && snapshot_note_write(address)) return;
#if defined(__x86_64__)
  /* The meter was in its register; no host code was running (in_host), so that it still is. */
  if (guest_state.inside && !guest_state.in_host) {
    guest_meter.left = (int64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_R15];
  }
#endif
  if (guest_state.inside && in_linear_memory(address)) wasm_rt_trap(WASM_RT_TRAP_OOB);
  if (guest_state.inside && in_stack_guard(address, context)) wasm_rt_trap(WASM_RT_TRAP_EXHAUSTION);
  /* Our own bug: die of it, as if there were no handler. */
  struct sigaction fatal = {.sa_handler = SIG_DFL};
  sigaction(signal, &fatal, NULL);
}

#define HANDLER_STACK (64u << 10)
#define HANDLERS_USE (16u << 10) /* of it, at its end: the kernel's frame is the most */
static PER_ENGINE uint8_t *handler_stack;

void guest_forget_faults(void) {
  wipe(handler_stack + HANDLER_STACK - HANDLERS_USE, HANDLERS_USE);
}

void guest_leave_faults(void) {
  const stack_t none = {.ss_flags = SS_DISABLE};
  if (handler_stack == NULL || sigaltstack(&none, NULL) != 0) return;
  guest_forget_faults();
  munmap(handler_stack, HANDLER_STACK);
  handler_stack = NULL;
}

enum result guest_handle_faults(void) {
  void *memory = mmap(NULL, HANDLER_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return RESULT_ENGINE_START;
  handler_stack = memory;
  stack_t stack = {.ss_sp = memory, .ss_size = HANDLER_STACK};
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  if (sigaltstack(&stack, NULL) != 0) return RESULT_ENGINE_START;
  if (sigaction(SIGSEGV, &action, NULL) != 0 || sigaction(SIGBUS, &action, NULL) != 0) return RESULT_ENGINE_START;
  return RESULT_OK;
}

/* ---- linear memory ---- */

/* Where what is reserved is taken from an enclave's size, a build can have less; no script gets more then. */
#define RESERVED (ENGINE_BOUNDS_EXPLICIT ? (size_t)ENGINE_RESERVE << 20 : (size_t)GUEST_RESERVE)
_Static_assert(ENGINE_RESERVE >= 16 && ENGINE_RESERVE <= GUEST_MEMORY_MAX >> 20, "ENGINE_RESERVE: 16 to 1024 MiB");

/* guest_instantiate has reserved it already: a failure there can be reported, one here could not. */
void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint32_t initial_pages, uint32_t max_pages) {
  (void)memory, (void)initial_pages, (void)max_pages;
}

static enum result reserve(wasm_rt_memory_t *memory) {
  void *wanted = ENGINE_BOUNDS_EXPLICIT ? NULL : (void *)(uintptr_t)GUEST_BASE;
  int fixed = ENGINE_BOUNDS_EXPLICIT ? 0 : MAP_FIXED_NOREPLACE;
  void *base = mmap(wanted, RESERVED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1, 0);
  if (base == MAP_FAILED) return RESULT_ENGINE_START;
  u32 size = GUEST_INITIAL_PAGES * GUEST_PAGE;
  if (mprotect(base, size, PROT_READ | PROT_WRITE) != 0) {
    munmap(base, RESERVED);
    return RESULT_ENGINE_START;
  }
  *memory = (wasm_rt_memory_t){
      .data = base, .pages = GUEST_INITIAL_PAGES, .max_pages = GUEST_MEMORY_MAX / GUEST_PAGE, .size = size};
  return RESULT_OK;
}

uint32_t wasm_rt_grow_memory(wasm_rt_memory_t *memory, uint32_t pages) {
  u64 size = (u64)memory->size + (u64)pages * GUEST_PAGE;
  if (pages == 0) return memory->pages;
  if (size > guest_state.memory_limit || size > GUEST_MEMORY_MAX || size > RESERVED ||
      mprotect(memory->data + memory->size, (size_t)pages * GUEST_PAGE, PROT_READ | PROT_WRITE) != 0) {
    guest_state.growth_refused = true;
    return UINT32_MAX;
  }
  u32 before = memory->pages;
  memory->pages += pages;
  memory->size = (u32)size;
  return before;
}

void guest_shrink(u32 size) {
  wasm_rt_memory_t *memory = &guest.w2c_memory;
  if (memory->size <= size) return;
  madvise(memory->data + size, memory->size - size, MADV_DONTNEED);
  /* In the explicit build the size is the fence; the mapping may stay. */
  mprotect(memory->data + size, memory->size - size, PROT_NONE);
  memory->size = size;
  memory->pages = size / GUEST_PAGE;
}

void wasm_rt_free_memory(wasm_rt_memory_t *memory) {
  if (memory->data != NULL) munmap(memory->data, RESERVED);
  *memory = (wasm_rt_memory_t){0};
}

/* Of types there is one list for all engines; it never changes again. */
static pthread_once_t types_registered = PTHREAD_ONCE_INIT;

static void instantiate(void *unused) {
  (void)unused;
  Z_guest_instantiate(&guest, NULL, NULL);
}

enum result guest_instantiate(void) {
  enum result r = reserve(&guest.w2c_memory);
  if (r != RESULT_OK) return r;
  guest_state.memory_limit = GUEST_MEMORY_MAX;
  guest_meter.left = INT64_MAX;
  pthread_once(&types_registered, Z_guest_init_module);
  return guest_enter(instantiate, NULL) == GUEST_RETURNED ? RESULT_OK : RESULT_ENGINE_START;
}

/* ---- the function table ---- */

bool wasm_rt_is_initialized(void) {
  return true;
}

struct signature {
  uint32_t params, results;
  uint8_t types[32];
};

static uint32_t number_of(const struct signature *wanted) {
  static struct signature known[256];
  static uint32_t count;
  for (uint32_t i = 0; i < count; i++) {
    if (memcmp(&known[i], wanted, sizeof *wanted) == 0) return i + 1;
  }
  if (count == sizeof known / sizeof known[0]) abort();
  known[count++] = *wanted;
  return count;
}

/* Function types by number, equal signatures by equal numbers, the same for all engines. The module has about a
 * hundred. */
uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  struct signature wanted = {params, results, {0}};
  if (params + results > sizeof wanted.types) abort(); /* at start, for a module this code does not know */
  va_list types;
  va_start(types, results);
  for (uint32_t i = 0; i < params + results; i++) wanted.types[i] = (uint8_t)va_arg(types, int);
  va_end(types);
  pthread_mutex_lock(&lock);
  uint32_t number = number_of(&wanted);
  pthread_mutex_unlock(&lock);
  return number;
}

/* One slot more than the module asks for: host.c puts the host functions' entry there. */
void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t elements, uint32_t max_elements) {
  (void)max_elements;
  static PER_ENGINE wasm_rt_funcref_t slots[1024];
  uint32_t size = elements + 1;
  if (size > sizeof slots / sizeof slots[0]) abort();
  *table = (wasm_rt_funcref_table_t){.data = slots, .max_size = size, .size = size};
}

void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t *table) {
  (void)table;
}
