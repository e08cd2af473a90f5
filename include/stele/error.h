/* SPDX-License-Identifier: MIT
 *
 * error.h: result codes and error messages.
 *
 * Every function that can fail returns a stele_code and takes, as its last
 * parameter, a `stele_error *` that may be NULL:
 *
 *     == 0   STELE_OK, done; all out parameters are set
 *      > 0   STELE_END, not a failure: an iterator has no more items
 *      < 0   failed; out parameters are untouched, *err says why
 *
 * The code is for programs, the message for people: it grows from the inside
 * out ("open stream /var/x: segment 00000000000000000042.log: short header,
 * 3 of 8 bytes"). Codes never change their number; code may switch on them,
 * and must have a default, since later versions may add some.
 */
#ifndef STELE_ERROR_H
#define STELE_ERROR_H

#include <stele/export.h>

STELE_BEGIN_DECLS

/* X(name, number, text). Numbers are grouped by tens, with room to grow. */
#define STELE_CODE_MAP(X)                                         \
    X(OK, 0, "success")                                           \
    X(END, 1, "no more items")                                    \
    /* Caller and resources. */                                   \
    X(ENOMEM, -1, "out of memory")                                \
    X(EINVAL, -2, "invalid argument")                             \
    X(ESTATE, -3, "call not allowed in this state")               \
    X(EREADONLY, -4, "opened read-only")                          \
    X(ETOOBIG, -5, "larger than the limit")                       \
    X(ENOTSUP, -6, "not supported")                               \
    /* Files. */                                                  \
    X(EIO, -10, "input/output error")                             \
    X(ENOSPC, -11, "no space left")                               \
    X(EPERM, -12, "permission denied")                            \
    X(EEXIST, -13, "already exists")                              \
    X(ENOTFOUND, -14, "not found")                                \
    X(EBUSY, -15, "locked by another owner")                      \
    X(EFAILED, -16, "an earlier write failed; reopen to recover") \
    /* Formats. */                                                \
    X(ECORRUPT, -20, "stored data is corrupt")                    \
    X(EVERSION, -21, "unknown format version")                    \
    X(EMISMATCH, -22, "options differ from those on disk")        \
    /* Streams. */                                                \
    X(EOFFSET, -30, "offset out of range")                        \
    X(ENOINDEX, -31, "the stream has no such index")              \
    /* Documents. */                                              \
    X(ECONFLICT, -40, "conflicts with what is stored")            \
    X(ESTALE, -41, "an equal or newer version is stored")         \
    X(ETYPE, -42, "unknown document type")                        \
    /* Waiting and peers. */                                      \
    X(ETIMEDOUT, -50, "timed out")                                \
    X(ECANCELED, -51, "canceled")                                 \
    X(ECLOSED, -52, "closed while waiting")                       \
    X(ENOPEER, -53, "no such peer")                               \
    X(EPEER, -54, "the peer reported a failure")

typedef enum stele_code {
#define STELE_CODE_ENUM(name, number, text) STELE_##name = (number),
    STELE_CODE_MAP(STELE_CODE_ENUM)
#undef STELE_CODE_ENUM
} stele_code;

#define STELE_ERROR_MESSAGE_SIZE 512
#define STELE_ERROR_FILE_SIZE    128

/* Owned by the caller, on the stack as a rule: reporting an error never
 * allocates. Written only when a call fails. */
typedef struct stele_error {
    stele_code code;
    int sys_errno;                    /* errno of the system call that failed, or 0 */
    int64_t position;                 /* byte in `file` that is at fault, or -1 */
    char file[STELE_ERROR_FILE_SIZE]; /* name of the file at fault, or "" */
    char message[STELE_ERROR_MESSAGE_SIZE];
} stele_error;

/* Fixed text of a code, "unknown code" for others; never NULL. */
STELE_API const char *stele_code_text(stele_code code);

/* Name of a code as in the enum, such as "STELE_EIO"; never NULL. */
STELE_API const char *stele_code_name(stele_code code);

STELE_END_DECLS

#endif /* STELE_ERROR_H */
