#!/bin/bash
# SPDX-License-Identifier: MIT
# check_syscalls.sh: each kind of call is refused in a module where it is not
# for, under each name that a build may give it, and taken where it is.
source "$(dirname "$0")/lib.sh"
mkdir -p base vfs stream
check=$root/tools/check_syscalls.sh

object() { # MODULE FUNCTION...: an object that calls these
    local module=$1 name
    shift
    for name in "$@"; do
        printf 'void %s(void);\n' "$name"
    done >"$module/x.c"
    printf 'void sti_x(void);\nvoid sti_x(void) {' >>"$module/x.c"
    printf ' %s();' "$@" >>"$module/x.c"
    printf ' }\n' >>"$module/x.c"
    cc -w -fno-builtin -c "$module/x.c" -o "$module/x.c.o"
}

object stream memcpy strlen snprintf sti_file_write sti_env_now sti_openat
passes "$check" stream/x.c.o
for name in open open64 __open_2 openat openat64 write pwrite pwrite64 __pread_chk fsync fdatasync rename \
    renameat unlink unlinkat mmap mmap64 ftruncate ftruncate64 fallocate mkdir mkdirat flock fopen \
    clock_gettime __clock_gettime64 time gettimeofday getrandom rand random nanosleep \
    pthread_create malloc calloc realloc free strdup printf __printf_chk fprintf puts abort; do
    object stream "$name"
    refuses " $name .* in stream" "$check" stream/x.c.o
done
object vfs openat pwritev fdatasync mmap
passes "$check" vfs/x.c.o
object vfs malloc
refuses 'memory is for base' "$check" vfs/x.c.o
object base malloc clock_gettime getrandom abort __fprintf_chk
passes "$check" base/x.c.o
refuses 'no objects' "$check"
echo "checker ok: syscalls"
