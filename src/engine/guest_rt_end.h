/* Included at the very end of wasm2c's output: what must be compiled with the guest's register conventions. */

/* The one C function behind every host function a script sees: QuickJS calls it through the function table with the
 * `magic` number that the function was made with. */
static u64 guest_host_call(void *instance, u32 ctx, u64 this_value, u32 argc, u32 argv, u32 magic) {
  (void)instance;
  return LEAVE_GUEST(host_dispatch(ctx, this_value, argc, argv, magic));
}

const wasm_rt_function_ptr_t guest_host_call_pointer = (wasm_rt_function_ptr_t)guest_host_call;
