/* SPDX-License-Identifier: MIT
 *
 * login.h: how to reach a server of NATS, and to prove who one is: options of several verbs.
 *
 * A password is in a file, as the words of a command are there for all users to read.
 */
#ifndef STI_CLI_LOGIN_H
#define STI_CLI_LOGIN_H

#ifdef STELE_HAVE_NATS
#include <stele/nats.h>
#endif

#include "cli/command.h"

struct sti_login {
    const char *url;
    const char *credentials;
    const char *nkey;
    const char *nkey_seed;
    const char *user;
    const char *password_file;
    const char *tls_ca;
    const char *tls_cert;
    const char *tls_key;
    const char *tls_name;
    bool tls;
    bool tls_old_libnats;
};

/* Entries of an area's table; `at` is where the area's argument struct has its sti_login. */
#define STI_OPTION_LOGIN(at, name, field, value, help)                                      \
    {                                                                                       \
        (name), 0, STI_OPT_TEXT, (at) + offsetof(struct sti_login, field), (value), (help), \
    }
#define STI_OPTION_CREDS(at) \
    STI_OPTION_LOGIN(at, "creds", credentials, "FILE", "log in with a file of credentials")
#define STI_OPTION_NKEY(at) \
    STI_OPTION_LOGIN(at, "nkey", nkey, "KEY", "log in with this public key, and --nkey-seed")
#define STI_OPTION_NKEY_SEED(at) \
    STI_OPTION_LOGIN(at, "nkey-seed", nkey_seed, "FILE", "a file with the seed of --nkey")
#define STI_OPTION_USER(at) \
    STI_OPTION_LOGIN(at, "user", user, "NAME", "log in as this user, with --password-file")
#define STI_OPTION_PASSWORD_FILE(at) \
    STI_OPTION_LOGIN(                \
            at, "password-file", password_file, "FILE", "a file with the password of --user")
#define STI_OPTION_TLS_CA(at) \
    STI_OPTION_LOGIN(         \
            at, "tls-ca", tls_ca, "FILE", "trust who these certificates vouch for; with TLS")
#define STI_OPTION_TLS_CERT(at) \
    STI_OPTION_LOGIN(at, "tls-cert", tls_cert, "FILE", "one's own certificate; with TLS")
#define STI_OPTION_TLS_KEY(at) STI_OPTION_LOGIN(at, "tls-key", tls_key, "FILE", "and its key")
#define STI_OPTION_TLS_NAME(at) \
    STI_OPTION_LOGIN(           \
            at, "tls-name", tls_name, "HOST", "what the server's certificate says; with TLS")
#define STI_OPTION_TLS(at)                                                                       \
    {                                                                                            \
        "tls", 0, STI_OPT_FLAG, (at) + offsetof(struct sti_login, tls), NULL, "connect with TLS" \
    }
#define STI_OPTION_TLS_OLD_LIBNATS(at)                                                          \
    {                                                                                           \
        "tls-old-libnats", 0, STI_OPT_FLAG, (at) + offsetof(struct sti_login, tls_old_libnats), \
                NULL,                                                                           \
                "with TLS also by a libnats before 3.11, two\nthreads of which may disturb "    \
                "each other then"                                                               \
    }

enum {
    STI_LOGIN_PASSWORD_SIZE = 1024
};

#ifdef STELE_HAVE_NATS
/* What the options say; `password` has room for what is read. STELE_EINVAL: options that do not
 * belong together; STELE_EIO, STELE_ENOTFOUND, STELE_ETOOBIG: the file of the password. */
stele_code sti_login_read(const struct sti_login *login, char password[STI_LOGIN_PASSWORD_SIZE],
        stele_nats_server *out, stele_error *err);
#endif

#endif /* STI_CLI_LOGIN_H */
