/* SPDX-License-Identifier: MIT
 *
 * nats.c: a program that uses an installed libstele-nats, without a server.
 */
#include <stele/nats.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    const stele_wait none = {0, NULL};
    stele_nats_options opts;
    stele_fleet *f = NULL;
    stele_error err = {STELE_OK, 0, -1, "", ""};
    int done;

    stele_nats_options_init(&opts);
    opts.server.url = "nats://127.0.0.1:1";
    if (stele_nats_open(&f, "consumer", &opts, &err) != STELE_OK) {
        (void)fprintf(stderr, "consumer: %s\n", err.message);
        return 1;
    }
    done = stele_nats_ready(f, &none, &err) == STELE_ETIMEDOUT &&
           strcmp(f->ops->self(f), "consumer") == 0;
    stele_fleet_close(f);
    (void)printf("stele-nats %s\n", done ? "ok" : "failed");
    return !done;
}
