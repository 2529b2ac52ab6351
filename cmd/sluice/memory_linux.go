//go:build linux && cgo

package main

/*
#include <features.h>
#ifdef __GLIBC__
#include <malloc.h>

// All threads take the storage's memory, its cache and tables, from one place. By default the GNU C library keeps what a thread
// has freed for that thread and a few others, which under load is as much again as is in use. It has to be said before there are
// threads.
__attribute__((constructor)) static void sluice_one_arena(void) {
	mallopt(M_ARENA_MAX, 1);
}
#endif
*/
import "C"
