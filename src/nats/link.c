/* SPDX-License-Identifier: MIT
 *
 * link.c: how connections to a server are made.
 */
#include "nats/link.h"

#include <stele/vfs.h>

#include "nats/memory.h"
#include "nats/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    URLS_MAX = 16,
    WRITE_DEADLINE_MS = 2000,
    DELAY_MAX_MS = 2000,
    PATH_SIZE = 4096,
    LIBNATS_SAFE_TLS = 0x030B00,
    ATTEMPTS = 5, /* until a refusal counts */
    NAME_AT = 1   /* of the strings */
};

/* ---- What the caller gave. ---- */

static stele_code copy_strings(struct sti_nats_server *s, stele_error *err)
{
    const char **fields[] = {&s->given.url, &s->given.name, &s->given.credentials_file,
            &s->given.nkey_seed_file, &s->given.nkey, &s->given.user, &s->given.password,
            &s->given.tls_ca_file, &s->given.tls_cert_file, &s->given.tls_key_file,
            &s->given.tls_hostname};

    _Static_assert(sizeof fields / sizeof fields[0] == sizeof s->strings / sizeof s->strings[0],
            "a place for each string");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (*fields[i] != NULL) {
            s->strings[i] = sti_nats_strdup(*fields[i]);
            if (s->strings[i] == NULL) {
                sti_nats_server_free(s);
                return sti_nats_fail_memory(err, strlen(*fields[i]));
            }
            *fields[i] = s->strings[i];
        }
    }
    return STELE_OK;
}

/* libnats would find out when it connects, and say less. */
static stele_code check_file(const char *path, const char *what, stele_error *err)
{
    const stele_vfs *vfs = stele_vfs_posix();
    const char *slash = path == NULL ? NULL : strrchr(path, '/');
    char dir_name[PATH_SIZE] = ".";
    stele_dir *dir = NULL;
    stele_file *file = NULL;
    int failed;

    if (path == NULL) {
        return STELE_OK;
    }
    if (slash != NULL) {
        (void)snprintf(
                dir_name, sizeof dir_name, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    }
    failed = vfs->ops->open_dir(vfs, dir_name, STELE_OPEN_READ, &dir);
    if (failed == 0) {
        failed = dir->ops->open(dir, slash == NULL ? path : slash + 1, STELE_OPEN_READ, &file);
        (void)dir->ops->close(dir);
    }
    if (failed == 0) {
        (void)file->ops->close(file);
        return STELE_OK;
    }
    return sti_nats_fail(err, STELE_EPERM, "%s: the %s cannot be read: %s", path, what,
            failed == -ENOENT ? "it is not there" : "no permission, or no file");
}

static stele_code check_files(const stele_nats_server *s, stele_error *err)
{
    stele_code rc = check_file(s->credentials_file, "file of credentials", err);

    rc = rc == STELE_OK ? check_file(s->nkey_seed_file, "file of a seed", err) : rc;
    rc = rc == STELE_OK ? check_file(s->tls_ca_file, "file of certificates", err) : rc;
    rc = rc == STELE_OK ? check_file(s->tls_cert_file, "file of a certificate", err) : rc;
    return rc == STELE_OK ? check_file(s->tls_key_file, "file of a key", err) : rc;
}

/* libnats puts these between quotes as they are, in the middle of what it tells the server: a quote
 * would end them, and what follows would count as something else. */
static bool is_quotable(char c)
{
    return (unsigned char)c >= ' ' && c != 127 && c != '"' && c != '\\';
}

static stele_code check_quotable(const char *text, const char *what, stele_error *err)
{
    for (; text != NULL && *text != 0; text++) {
        if (!is_quotable(*text)) {
            return sti_nats_fail(err, STELE_EINVAL,
                    "a %s with \", \\ or a control character, which libnats cannot send", what);
        }
    }
    return STELE_OK;
}

static size_t count_urls(const char *urls)
{
    size_t count = 1;

    for (; *urls != 0; urls++) {
        count += *urls == ',';
    }
    return count;
}

static stele_code check(const stele_nats_server *s, stele_error *err)
{
    if (count_urls(s->url) > URLS_MAX) {
        return sti_nats_fail(
                err, STELE_EINVAL, "%zu URLs; %d at most", count_urls(s->url), URLS_MAX);
    }
    if ((s->nkey_seed_file == NULL) != (s->nkey == NULL)) {
        return sti_nats_fail(
                err, STELE_EINVAL, "an nkey has a public key and a file with its seed");
    }
    if ((s->tls_cert_file == NULL) != (s->tls_key_file == NULL)) {
        return sti_nats_fail(err, STELE_EINVAL, "a certificate has a key, each in a file");
    }
    if (s->tls && !s->tls_with_old_libnats && nats_GetVersionNumber() < LIBNATS_SAFE_TLS) {
        return sti_nats_fail(err, STELE_ENOTSUP,
                "TLS needs libnats 3.11, this is %s: older ones use one OpenSSL object from two "
                "threads at once. Connect to a server on this machine without TLS, and let that "
                "one join the others with it",
                nats_GetVersion());
    }
    if (check_quotable(s->user, "user", err) != STELE_OK ||
            check_quotable(s->password, "password", err) != STELE_OK) {
        return STELE_EINVAL;
    }
    return check_files(s, err);
}

stele_code sti_nats_server_copy(
        struct sti_nats_server *out, const stele_nats_server *server, stele_error *err)
{
    stele_nats_server *s = &out->given;
    stele_code rc;

    *out = (struct sti_nats_server){.given = *server};
    s->url = s->url == NULL ? "nats://127.0.0.1:4222" : s->url;
    s->tls = s->tls || strstr(s->url, "tls://") != NULL;
    s->ping_ms = s->ping_ms <= 0 ? 2000 : s->ping_ms;
    s->connect_ms = s->connect_ms <= 0 ? 1000 : s->connect_ms;
    s->reconnect_ms = s->reconnect_ms <= 0 ? 250 : s->reconnect_ms;
    rc = check(s, err);
    rc = rc == STELE_OK ? copy_strings(out, err) : rc;
    for (char *c = rc == STELE_OK ? out->strings[NAME_AT] : NULL; c != NULL && *c != 0; c++) {
        *c = is_quotable(*c) ? *c : '?'; /* it is for people */
    }
    return rc;
}

void sti_nats_server_free(struct sti_nats_server *server)
{
    for (size_t i = 0; i < sizeof server->strings / sizeof server->strings[0]; i++) {
        sti_nats_free(server->strings[i]);
        server->strings[i] = NULL;
    }
}

/* Of each URL what is behind its last @ and before the next comma. */
void sti_nats_server_show(const struct sti_nats_server *server, char out[STI_NATS_URL_SIZE])
{
    const char *at = server->given.url;
    size_t used = 0;

    while (*at != 0 && used < STI_NATS_URL_SIZE - 1) {
        size_t len = strcspn(at, ",");
        size_t from = len;

        while (from > 0 && at[from - 1] != '@') {
            from--;
        }
        len += at[len] == ',';
        for (size_t i = from; i < len && used < STI_NATS_URL_SIZE - 1; i++) {
            out[used++] = at[i];
        }
        at += len;
    }
    out[used] = 0;
}

/* ---- What libnats is told. ---- */

static natsStatus set_urls(natsOptions *o, const char *urls)
{
    const char *list[URLS_MAX];
    char *copy = sti_nats_strdup(urls);
    char *at = copy;
    int count = 0;
    natsStatus s;

    if (copy == NULL) {
        return NATS_NO_MEMORY;
    }
    while (at != NULL && count < URLS_MAX) {
        char *comma = strchr(at, ',');

        if (comma != NULL) {
            *comma++ = 0;
        }
        list[count++] = at;
        at = comma;
    }
    s = natsOptions_SetServers(o, list, count);
    sti_nats_free(copy);
    return s;
}

static natsStatus set_identity(natsOptions *o, const stele_nats_server *server)
{
    if (server->credentials_file != NULL) {
        return natsOptions_SetUserCredentialsFromFiles(o, server->credentials_file, NULL);
    }
    if (server->nkey != NULL) {
        return natsOptions_SetNKeyFromSeed(o, server->nkey, server->nkey_seed_file);
    }
    return server->user == NULL ? NATS_OK
                                : natsOptions_SetUserInfo(o, server->user, server->password);
}

/* A server that insists on TLS gets it from libnats, asked for or not. No certificate is for this
 * name, so that it fails where it must not be used. */
static natsStatus forbid_tls(natsOptions *o)
{
    return nats_GetVersionNumber() < LIBNATS_SAFE_TLS
                   ? natsOptions_SetExpectedHostname(o, "tls-was-not-asked-for.invalid")
                   : NATS_OK;
}

static natsStatus set_tls(natsOptions *o, const stele_nats_server *server)
{
    natsStatus s = server->tls ? natsOptions_SetSecure(o, true) : forbid_tls(o);

    if (s == NATS_OK && server->tls && server->tls_ca_file != NULL) {
        s = natsOptions_LoadCATrustedCertificates(o, server->tls_ca_file);
    }
    if (s == NATS_OK && server->tls && server->tls_cert_file != NULL) {
        s = natsOptions_LoadCertificatesChain(o, server->tls_cert_file, server->tls_key_file);
    }
    if (s == NATS_OK && server->tls && server->tls_hostname != NULL) {
        s = natsOptions_SetExpectedHostname(o, server->tls_hostname);
    }
    return s;
}

/* Each attempt later than the one before, up to a bound that a fleet can wait for. */
static int64_t delay(natsConnection *nc, int attempts, void *closure)
{
    const struct sti_nats_server *server = closure;
    int64_t ms = server->given.reconnect_ms * (attempts < 1 ? 1 : attempts);

    (void)nc;
    return ms < DELAY_MAX_MS ? ms : DELAY_MAX_MS;
}

static natsStatus set_times(natsOptions *o, const struct sti_nats_server *server)
{
    /* A silent partition is noticed by pings alone, by default after minutes. */
    natsStatus s = natsOptions_SetPingInterval(o, server->given.ping_ms);

    s = s != NATS_OK ? s : natsOptions_SetMaxPingsOut(o, 2);
    /* Without it, who publishes into a partition waits for its end, and the pings with him. */
    s = s != NATS_OK ? s : natsOptions_SetWriteDeadline(o, WRITE_DEADLINE_MS);
    s = s != NATS_OK ? s : natsOptions_SetTimeout(o, server->given.connect_ms);
    /* By default it gives up after 60 attempts, for good. */
    s = s != NATS_OK ? s : natsOptions_SetMaxReconnect(o, -1);
    s = s != NATS_OK ? s : natsOptions_SetReconnectWait(o, server->given.reconnect_ms);
    s = s != NATS_OK ? s
                     : natsOptions_SetCustomReconnectDelay(
                               o, delay, (void *)(uintptr_t)(const void *)server);
    /* What would wait here is sent again before others have subscribed again, and is lost after
     * the sender was told that it is on its way; requests would be done after they failed. */
    return s != NATS_OK ? s : natsOptions_SetReconnectBufSize(o, 0);
}

stele_code sti_nats_link_options(
        natsOptions **out, const struct sti_nats_server *server, stele_error *err)
{
    natsOptions *o = NULL;
    natsStatus s = natsOptions_Create(&o);

    s = s != NATS_OK ? s : set_urls(o, server->given.url);
    if (s == NATS_OK && server->given.name != NULL) {
        s = natsOptions_SetName(o, server->given.name);
    }
    s = s != NATS_OK ? s : set_identity(o, &server->given);
    s = s != NATS_OK ? s : set_tls(o, &server->given);
    s = s != NATS_OK ? s : set_times(o, server);
    /* By default each message waits for a thread that comes every millisecond. */
    s = s != NATS_OK ? s : natsOptions_SetSendAsap(o, true);
    s = s != NATS_OK ? s : natsOptions_SetNoEcho(o, true);
    s = s != NATS_OK ? s : natsOptions_SetFailRequestsOnDisconnect(o, true);
    if (s != NATS_OK) {
        natsOptions_Destroy(o);
        return sti_nats_fail_status(err, s, "options of the connection");
    }
    *out = o;
    return STELE_OK;
}

/* Before version 3.8 libnats leaves a signature out now and then, whatever the key: one refusal
 * says nothing then. */
natsStatus sti_nats_link_connect(
        natsConnection **out, natsOptions *o, const struct sti_nats_server *server)
{
    const bool is_signed = server->given.credentials_file != NULL || server->given.nkey != NULL;
    natsStatus s = natsConnection_Connect(out, o);

    for (int i = 1; i < ATTEMPTS && is_signed && s == NATS_CONNECTION_AUTH_FAILED; i++) {
        s = natsConnection_Connect(out, o);
    }
    return s;
}
