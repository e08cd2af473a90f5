#!/bin/bash
# SPDX-License-Identifier: MIT
# check_syscalls.sh OBJECT...
# Objects are .../MODULE/FILE.c.o, as CMake names them. By what `nm -u` says
# that they need from outside:
#   1. files, clocks, randomness, waiting: in vfs and base alone, so that a
#      simulated world can take their place and a test depends on its seed
#   2. memory: through base/alloc.h alone, so that each failure can be provoked
#   3. nothing prints, but base where it ends the process
# The command is no part of the library and not looked at.
set -euo pipefail
export LC_ALL=C

files='open openat creat close read pread readv preadv write pwrite writev pwritev pwritev2 lseek
    fsync fdatasync sync syncfs msync sync_file_range rename renameat renameat2 unlink unlinkat remove
    link linkat symlink symlinkat mkdir mkdirat rmdir mmap munmap mremap madvise ftruncate truncate
    fallocate posix_fallocate stat fstat lstat fstatat statx opendir fdopendir readdir closedir scandir
    flock fcntl lockf ioctl mkstemp mkostemp mkdtemp tmpfile fopen fdopen freopen fread fwrite fclose fflush'
outside='clock_gettime clock_getres time gettimeofday localtime localtime_r gmtime gmtime_r
    getrandom getentropy rand rand_r srand random srandom drand48 lrand48 arc4random
    sleep usleep nanosleep clock_nanosleep sched_yield getenv secure_getenv getpid gettid
    pthread_create pthread_join pthread_detach pthread_mutex_lock pthread_mutex_unlock
    pthread_mutex_init pthread_cond_wait pthread_cond_timedwait pthread_cond_signal'
memory='malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf aligned_alloc posix_memalign'
printing='printf vprintf fprintf vfprintf puts fputs putchar fputc perror syslog abort exit _exit'

# The words as one pattern, with the names that large files, 64-bit time and
# fortified builds give to the same functions.
pattern() {
    local words
    read -rd '' -a words <<<"$1" || true
    local IFS='|'
    printf '^_*(%s)(64|_time64|64_time64)?(_2|_chk)?$' "${words[*]}"
}
system_calls=$(pattern "$files $outside")
memory_calls=$(pattern "$memory")
printing_calls=$(pattern "$printing")

[ $# -gt 0 ] || { echo "check_syscalls: no objects given" >&2; exit 2; }
status=0
complain() {
    echo "$1: $2 in $3"
    status=1
}
for object in "$@"; do
    module=$(basename "$(dirname "$object")")
    needed=$(nm -u --format=posix "$object" | awk '{sub(/@.*/, "", $1); print $1}')
    while IFS= read -r name; do
        case $module in
        base) ;;
        vfs)
            if [[ $name =~ $memory_calls ]]; then complain "$object" "$name (memory is for base)" "$module"; fi
            if [[ $name =~ $printing_calls ]]; then complain "$object" "$name (the library does not print)" "$module"; fi
            ;;
        *)
            if [[ $name =~ $system_calls ]]; then complain "$object" "$name (for vfs and base alone)" "$module"; fi
            if [[ $name =~ $memory_calls ]]; then complain "$object" "$name (memory is for base)" "$module"; fi
            if [[ $name =~ $printing_calls ]]; then complain "$object" "$name (the library does not print)" "$module"; fi
            ;;
        esac
    done <<<"$needed"
done
[ $status -ne 0 ] || echo "system calls: ok, $# objects"
exit $status
