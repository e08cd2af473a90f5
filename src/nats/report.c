/* SPDX-License-Identifier: MIT
 *
 * report.c: errors of this library, and what those of libnats mean.
 */
#include "nats/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

stele_code sti_nats_fail(stele_error *err, stele_code code, const char *format, ...)
{
    va_list args;

    if (err == NULL) {
        return code;
    }
    memset(err, 0, sizeof *err);
    err->code = code;
    err->position = -1;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return code;
}

stele_code sti_nats_fail_memory(stele_error *err, size_t size)
{
    return sti_nats_fail(err, STELE_ENOMEM, "no memory for %zu bytes", size);
}

stele_code sti_nats_code(natsStatus status)
{
    switch (status) {
    case NATS_OK:
        return STELE_OK;
    case NATS_NO_RESPONDERS:
    /* Nobody can be reached while there is no connection. That the buffer is full says the same:
     * it has no room at all, see link.c. */
    case NATS_CONNECTION_DISCONNECTED:
    case NATS_NOT_YET_CONNECTED:
    case NATS_NO_SERVER:
    case NATS_STALE_CONNECTION:
    case NATS_INSUFFICIENT_BUFFER:
        return STELE_ENOPEER;
    case NATS_TIMEOUT:
        return STELE_ETIMEDOUT;
    case NATS_CONNECTION_CLOSED:
    case NATS_DRAINING:
        return STELE_ECLOSED;
    case NATS_MAX_PAYLOAD:
        return STELE_ETOOBIG;
    case NATS_SLOW_CONSUMER:
        return STELE_EBUSY;
    case NATS_NO_MEMORY:
        return STELE_ENOMEM;
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
        return STELE_EPERM;
    case NATS_INVALID_ARG:
    case NATS_INVALID_SUBJECT:
        return STELE_EINVAL;
    case NATS_NOT_FOUND:
        return STELE_ENOTFOUND;
    default:
        return STELE_EIO;
    }
}

bool sti_nats_is_final(natsStatus status)
{
    switch (status) {
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
    case NATS_INVALID_ARG:
    case NATS_NO_MEMORY:
    case NATS_SSL_ERROR:
    case NATS_SECURE_CONNECTION_REQUIRED:
    case NATS_SECURE_CONNECTION_WANTED:
    case NATS_ADDRESS_MISSING:
        return true;
    default:
        return false;
    }
}

stele_code sti_nats_fail_status(stele_error *err, natsStatus status, const char *doing)
{
    stele_code code = sti_nats_code(status);

    return code == STELE_OK ? code
                            : sti_nats_fail(err, code, "%s: %s", doing, natsStatus_GetText(status));
}
