/*
 * The run time that wasm2c's output of llhttp asks for (wasm-rt.h), under names of our own and with every memory access
 * checked in line: no signal handler, so a fault in here is never mistaken for one elsewhere. Included by the generated
 * llhttp_module.h (tools/http-parser-c.mjs) and by llhttp.c, which defines these functions.
 */
#pragma once

#define WASM_RT_MEMCHECK_SIGNAL_HANDLER 0
#define wasm_rt_call_stack_depth llhttp_rt_call_stack_depth
#define wasm_rt_is_initialized llhttp_rt_is_initialized
#define wasm_rt_trap llhttp_rt_trap
#define wasm_rt_register_func_type llhttp_rt_register_func_type
#define wasm_rt_allocate_memory llhttp_rt_allocate_memory
#define wasm_rt_grow_memory llhttp_rt_grow_memory
#define wasm_rt_free_memory llhttp_rt_free_memory
#define wasm_rt_allocate_funcref_table llhttp_rt_allocate_funcref_table
#define wasm_rt_free_funcref_table llhttp_rt_free_funcref_table

#include <wasm-rt.h>
