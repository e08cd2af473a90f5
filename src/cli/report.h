/* SPDX-License-Identifier: MIT
 *
 * report.h: making error messages, as the library does.
 */
#ifndef STI_CLI_REPORT_H
#define STI_CLI_REPORT_H

#include <stele/error.h>

/* Set *err, and return the code. */
stele_code sti_cli_fail(stele_error *err, stele_code code, const char *format, ...)
        STELE_PRINTF(3, 4);

/* Put text and ": " in front of the message of a failure, and return its code. */
stele_code sti_cli_wrap(stele_error *err, stele_code code, const char *format, ...)
        STELE_PRINTF(3, 4);

/* A failure with the text of an errno value behind the message. */
stele_code sti_cli_fail_errno(stele_error *err, int sys_errno, const char *what);

#endif /* STI_CLI_REPORT_H */
