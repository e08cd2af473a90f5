/* SPDX-License-Identifier: MIT
 *
 * keys.c: nats_keys DIR: keys and credentials for a test, and configurations of servers that know
 * them.
 *
 * Two users, "kitchen" and "bath", may be peers of the fleet "home" under their own names alone,
 * and "mirror" may use JetStream. For each there are NAME.pub and NAME.seed, a key of its own,
 * which nkey.conf lists, and NAME.creds, a JWT and its seed, which jwt.conf trusts: an operator has
 * signed an account, which has signed the users.
 *
 *     key:  base32 of 1 kind | 32 public key | 2 CRC-16 of what precedes, little endian
 *     seed: base32 of 2 bits of "seed" and the kind | 32 private key | 2 CRC-16
 *     JWT:  base64url of a header, of claims, and of the signature of the two before, with dots
 */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    RAW = 32,
    SIGNATURE = 64,
    TEXT = 64, /* room for a key or a seed */
    JWT_SIZE = 4096,
    KIND_USER = 20 << 3,
    KIND_ACCOUNT = 0,
    KIND_OPERATOR = 14 << 3,
    KIND_SEED = 18 << 3
};

struct key {
    EVP_PKEY *pair;
    char public_key[TEXT];
    char seed[TEXT];
};

static void must(int holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "nats_keys: %s failed\n", what);
        exit(1);
    }
}

/* ---- Text. ---- */

static uint16_t crc16(const uint8_t *data, size_t len)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc ^= (uint32_t)data[i] << 8;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000) != 0 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1 & 0xffff;
        }
    }
    return (uint16_t)crc;
}

/* Digits of `bits` bits each, the last one filled up with zeros. */
static void digits(char *out, const char *alphabet, unsigned bits, const uint8_t *data, size_t len)
{
    uint32_t held = 0;
    unsigned count = 0;

    for (size_t i = 0; i < len; i++) {
        held = (held << 8 | data[i]) & 0xffff;
        count += 8;
        while (count >= bits) {
            count -= bits;
            *out++ = alphabet[held >> count & ((1U << bits) - 1)];
        }
    }
    if (count > 0) {
        *out++ = alphabet[held << (bits - count) & ((1U << bits) - 1)];
    }
    *out = 0;
}

static void base32_checked(char out[TEXT], uint8_t *data, size_t len)
{
    uint16_t crc = crc16(data, len);

    data[len] = (uint8_t)(crc & 0xff);
    data[len + 1] = (uint8_t)(crc >> 8);
    digits(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 5, data, len + 2);
}

static void base64url(char *out, const void *data, size_t len)
{
    digits(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 6, data, len);
}

/* ---- Keys, and what they sign. ---- */

static void make_key(struct key *k, uint8_t kind)
{
    uint8_t bytes[2 + RAW + 2] = {kind};
    size_t len = RAW;

    k->pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    must(k->pair != NULL, "making a key");
    must(EVP_PKEY_get_raw_public_key(k->pair, bytes + 1, &len) == 1 && len == RAW, "a public key");
    base32_checked(k->public_key, bytes, 1 + RAW);
    bytes[0] = (uint8_t)(KIND_SEED | kind >> 5);
    bytes[1] = (uint8_t)((kind & 31) << 3);
    must(EVP_PKEY_get_raw_private_key(k->pair, bytes + 2, &len) == 1 && len == RAW,
            "a private key");
    base32_checked(k->seed, bytes, 2 + RAW);
}

static void sign(const struct key *k, const char *text, uint8_t out[SIGNATURE])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = SIGNATURE;

    must(ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pair) == 1 &&
                    EVP_DigestSign(ctx, out, &len, (const uint8_t *)text, strlen(text)) == 1,
            "signing");
    EVP_MD_CTX_free(ctx);
}

/* `about`: the member "nats" of the claims. */
static void make_jwt(char out[JWT_SIZE], const struct key *issuer, const struct key *subject,
        const char *name, const char *about)
{
    static const char header[] = "{\"typ\":\"JWT\",\"alg\":\"ed25519-nkey\"}";
    char claims[JWT_SIZE / 2];
    uint8_t signature[SIGNATURE];
    int len = snprintf(claims, sizeof claims,
            "{\"jti\":\"%s\",\"iat\":%" PRId64
            ",\"iss\":\"%s\",\"name\":\"%s\",\"sub\":\"%s\",\"nats\":%s}",
            subject->public_key, (int64_t)time(NULL), issuer->public_key, name, subject->public_key,
            about);

    must(len > 0 && (size_t)len < sizeof claims, "room for claims");
    base64url(out, header, strlen(header));
    (void)strcat(out, ".");
    base64url(out + strlen(out), claims, strlen(claims));
    sign(issuer, out, signature);
    (void)strcat(out, ".");
    base64url(out + strlen(out), signature, sizeof signature);
}

/* ---- Files. ---- */

static const char *directory;

static FILE *make_file(const char *name, const char *suffix)
{
    char path[4096];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s%s", directory, name, suffix);
    f = fopen(path, "w");
    must(f != NULL, path);
    return f;
}

static void end_file(FILE *f)
{
    must(fclose(f) == 0, "writing");
}

static void put_line(const char *name, const char *suffix, const char *text)
{
    FILE *f = make_file(name, suffix);

    (void)fprintf(f, "%s\n", text);
    end_file(f);
}

static void put_credentials(const char *name, const char *jwt, const struct key *k)
{
    FILE *f = make_file(name, ".creds");

    (void)fprintf(f,
            "-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n"
            "-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n",
            jwt, k->seed);
    end_file(f);
}

/* ---- Users. ---- */

enum {
    USERS = 3,
    MIRROR = 2
};

static const char *const names[USERS] = {"kitchen", "bath", "mirror"};

/* Lists of subjects, which are the same in JWT and in configurations. */
static void subjects(char publish[512], char subscribe[512], int user)
{
    const char *n = names[user];

    if (user == MIRROR) {
        (void)strcpy(publish, "[\"stele.log.>\",\"$JS.>\"]");
        (void)strcpy(subscribe, "[\"stele.stream.>\"]");
        return;
    }
    (void)snprintf(publish, 512,
            "[\"stele.home.all.%s\",\"stele.home.to.*.%s\",\"stele.home.hb.%s\","
            "\"stele.home.in.*.*.*.%s\"]",
            n, n, n, n);
    (void)snprintf(subscribe, 512,
            "[\"stele.home.all.*\",\"stele.home.hb.*\",\"stele.home.to.%s.*\",\"stele.home.in.%s.>\"]",
            n, n);
}

static void make_users(FILE *nkey_conf, const struct key *account)
{
    for (int i = 0; i < USERS; i++) {
        char publish[512];
        char subscribe[512];
        char about[1536];
        char jwt[JWT_SIZE];
        struct key own;
        struct key user;

        subjects(publish, subscribe, i);
        make_key(&own, KIND_USER);
        put_line(names[i], ".pub", own.public_key);
        put_line(names[i], ".seed", own.seed);
        (void)fprintf(nkey_conf, "  { nkey: %s, permissions: { publish: %s, subscribe: %s } }\n",
                own.public_key, publish, subscribe);
        make_key(&user, KIND_USER);
        (void)snprintf(about, sizeof about,
                "{\"pub\":{\"allow\":%s},\"sub\":{\"allow\":%s},\"subs\":-1,\"data\":-1,"
                "\"payload\":-1,\"type\":\"user\",\"version\":2}",
                publish, subscribe);
        make_jwt(jwt, account, &user, names[i], about);
        put_credentials(names[i], jwt, &user);
        EVP_PKEY_free(own.pair);
        EVP_PKEY_free(user.pair);
    }
}

/* The operator, the account of the servers themselves, and that of the users. */
static void make_accounts(const struct key *account)
{
    static const char about[] =
            "{\"limits\":{\"subs\":-1,\"data\":-1,\"payload\":-1,\"imports\":-1,\"exports\":-1,"
            "\"wildcards\":true,\"conn\":-1,\"leaf\":-1%s},\"default_permissions\":{\"pub\":{},"
            "\"sub\":{}},\"type\":\"account\",\"version\":2}";
    static const char store[] =
            ",\"mem_storage\":-1,\"disk_storage\":-1,\"streams\":-1,\"consumer\":-1";
    char text[sizeof about + sizeof store];
    char jwt[JWT_SIZE];
    struct key operator_key;
    struct key system;
    FILE *f = make_file("jwt", ".conf");

    make_key(&operator_key, KIND_OPERATOR);
    make_key(&system, KIND_ACCOUNT);
    make_jwt(jwt, &operator_key, &operator_key, "tests", "{\"type\":\"operator\",\"version\":2}");
    (void)fprintf(f, "operator: %s\nresolver: MEMORY\nsystem_account: %s\nresolver_preload: {\n",
            jwt, system.public_key);
    (void)snprintf(text, sizeof text, about, "");
    make_jwt(jwt, &operator_key, &system, "SYS", text);
    (void)fprintf(f, "  %s: %s\n", system.public_key, jwt);
    (void)snprintf(text, sizeof text, about, store);
    make_jwt(jwt, &operator_key, account, "home", text);
    (void)fprintf(f, "  %s: %s\n}\n", account->public_key, jwt);
    end_file(f);
    EVP_PKEY_free(system.pair);
    EVP_PKEY_free(operator_key.pair);
}

int main(int argc, char **argv)
{
    struct key account;
    FILE *f;

    must(argc == 2, "usage: nats_keys DIR;");
    directory = argv[1];
    make_key(&account, KIND_ACCOUNT);
    make_accounts(&account);
    f = make_file("nkey", ".conf");
    (void)fprintf(f, "authorization { users = [\n");
    make_users(f, &account);
    (void)fprintf(f, "] }\n");
    end_file(f);
    EVP_PKEY_free(account.pair);
    return 0;
}
