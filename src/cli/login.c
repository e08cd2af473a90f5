/* SPDX-License-Identifier: MIT
 *
 * login.c: from options to what libstele-nats is told of a server.
 */
#include "cli/login.h"

#ifdef STELE_HAVE_NATS

#include "cli/report.h"
#include "cli/word.h"

#include <string.h>

/* The first line of a file. */
static stele_code read_password(
        const char *path, char out[STI_LOGIN_PASSWORD_SIZE], stele_error *err)
{
    struct sti_input in;
    size_t len = 0;
    size_t got = 1;
    stele_code code = sti_input_open(&in, path, err);

    if (code != STELE_OK) {
        return code;
    }
    while (code == STELE_OK && got > 0 && len < STI_LOGIN_PASSWORD_SIZE) {
        code = sti_input_read(&in, out + len, STI_LOGIN_PASSWORD_SIZE - len, &got, err);
        len += code == STELE_OK ? got : 0;
    }
    sti_input_close(&in);
    if (code == STELE_OK && len == STI_LOGIN_PASSWORD_SIZE) {
        return sti_cli_fail(err, STELE_ETOOBIG, "%s: a password of more than %d bytes", path,
                STI_LOGIN_PASSWORD_SIZE - 1);
    }
    if (code == STELE_OK) {
        out[len] = '\0';
        out[strcspn(out, "\r\n")] = '\0';
    }
    return code;
}

static stele_code check(const struct sti_login *login, stele_error *err)
{
    const int ways = (login->credentials != NULL) + (login->nkey != NULL) + (login->user != NULL);

    if (ways > 1) {
        return sti_cli_fail(err, STELE_EINVAL, "give one of --creds, --nkey and --user");
    }
    if ((login->nkey == NULL) != (login->nkey_seed == NULL)) {
        return sti_cli_fail(err, STELE_EINVAL, "--nkey and --nkey-seed belong together");
    }
    if ((login->user == NULL) != (login->password_file == NULL)) {
        return sti_cli_fail(err, STELE_EINVAL, "--user and --password-file belong together");
    }
    if ((login->tls_cert == NULL) != (login->tls_key == NULL)) {
        return sti_cli_fail(err, STELE_EINVAL, "--tls-cert and --tls-key belong together");
    }
    return STELE_OK;
}

stele_code sti_login_read(const struct sti_login *login, char password[STI_LOGIN_PASSWORD_SIZE],
        stele_nats_server *out, stele_error *err)
{
    stele_code code = check(login, err);

    if (code == STELE_OK && login->password_file != NULL) {
        code = read_password(login->password_file, password, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    out->url = login->url;
    out->credentials_file = login->credentials;
    out->nkey = login->nkey;
    out->nkey_seed_file = login->nkey_seed;
    out->user = login->user;
    out->password = login->user == NULL ? NULL : password;
    out->tls_ca_file = login->tls_ca;
    out->tls_cert_file = login->tls_cert;
    out->tls_key_file = login->tls_key;
    out->tls_hostname = login->tls_name;
    out->tls = login->tls || login->tls_ca != NULL || login->tls_cert != NULL ||
               login->tls_name != NULL;
    out->tls_with_old_libnats = login->tls_old_libnats;
    return STELE_OK;
}

#else

/* Nobody logs in anywhere; a file has to have something. */
typedef int sti_login_is_empty;

#endif
