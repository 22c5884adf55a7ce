/* This program's memory: wiped as it is freed (see memory.c), and little of it while nothing is asked. */
#pragma once

/* Drops the pages of programs and libraries that the start has touched: they are the file's, and come back when they
 * are used. */
void memory_settle(void);
