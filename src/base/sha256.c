/* SPDX-License-Identifier: MIT
 *
 * sha256.c: libcrypto's SHA-256.
 */
#include "base/sha256.h"

#include "base/alloc.h"
#include "base/error.h"

#include <openssl/evp.h>

static stele_code refused(stele_error *err)
{
    return sti_fail(err, STELE_ENOTSUP, "SHA-256 is not to be had");
}

stele_code sti_sha256_init(struct sti_sha256 *hash, stele_error *err)
{
    bool again = hash->context != NULL;

    if (!again) {
        hash->context = EVP_MD_CTX_new();
    }
    if (hash->context == NULL) {
        return sti_fail_memory(err, STI_SHA256_SIZE);
    }
    return EVP_DigestInit_ex(hash->context, again ? NULL : EVP_sha256(), NULL) == 1 ? STELE_OK
                                                                                    : refused(err);
}

stele_code sti_sha256_add(struct sti_sha256 *hash, const void *data, size_t len, stele_error *err)
{
    if (len > 0 && EVP_DigestUpdate(hash->context, data, len) != 1) {
        return refused(err);
    }
    return STELE_OK;
}

stele_code sti_sha256_end(struct sti_sha256 *hash, uint8_t out[STI_SHA256_SIZE], stele_error *err)
{
    return EVP_DigestFinal_ex(hash->context, out, NULL) == 1 ? STELE_OK : refused(err);
}

void sti_sha256_free(struct sti_sha256 *hash)
{
    EVP_MD_CTX_free(hash->context);
    hash->context = NULL;
}

stele_code sti_sha256_again(struct sti_sha256 *hash, const stele_bytes *pieces, size_t count,
        uint8_t out[STI_SHA256_SIZE], stele_error *err)
{
    stele_code rc = sti_sha256_init(hash, err);

    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        rc = sti_sha256_add(hash, pieces[i].data, pieces[i].len, err);
    }
    return rc == STELE_OK ? sti_sha256_end(hash, out, err) : rc;
}

stele_code sti_sha256(
        const stele_bytes *pieces, size_t count, uint8_t out[STI_SHA256_SIZE], stele_error *err)
{
    struct sti_sha256 hash = {.context = NULL};
    stele_code rc = sti_sha256_again(&hash, pieces, count, out, err);

    sti_sha256_free(&hash);
    return rc;
}
