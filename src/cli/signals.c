/* SPDX-License-Identifier: MIT
 *
 * signals.c: verbs that run until they are told to end.
 */
#include "cli/signals.h"

#include "cli/report.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Set by SIGINT and SIGTERM: a handler has no other place to leave a word. Other threads look. */
static atomic_int came;

static void note(int signal_number)
{
    (void)signal_number;
    atomic_store(&came, 1);
}

/* Without SA_RESTART, so that a write to a reader who does not read ends too. */
stele_code sti_signals_catch(stele_error *err)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = note;
    if (sigemptyset(&action.sa_mask) != 0 || sigaction(SIGINT, &action, NULL) != 0 ||
            sigaction(SIGTERM, &action, NULL) != 0) {
        return sti_cli_fail_errno(err, errno, "catching signals");
    }
    return STELE_OK;
}

bool sti_signals_came(void)
{
    return atomic_load(&came) != 0;
}

stele_code sti_signals_forgive(stele_code code)
{
    if (code == STELE_EIO && sti_signals_came() && ferror(stdout) != 0) {
        clearerr(stdout);
        return STELE_OK;
    }
    return code;
}
