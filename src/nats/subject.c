/* SPDX-License-Identifier: MIT
 *
 * subject.c: names as tokens of subjects, and back.
 */
#include "nats/subject.h"

#include <stdio.h>
#include <string.h>

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

void sti_nats_token(char out[STI_NATS_TOKEN_SIZE], const char *name)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *name != 0; name++) {
        unsigned char c = (unsigned char)*name;

        if (is_plain(c)) {
            *out++ = *name;
        } else {
            *out++ = '=';
            *out++ = digits[c >> 4];
            *out++ = digits[c & 15];
        }
    }
    *out = 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool sti_nats_untoken(char out[STELE_FLEET_NAME_MAX + 1], const char *token, size_t len)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)token[i];

        if (used == STELE_FLEET_NAME_MAX) {
            return false;
        }
        if (c == '=') {
            int high = len - i > 2 ? hex_value(token[i + 1]) : -1;
            int low = len - i > 2 ? hex_value(token[i + 2]) : -1;

            c = high < 0 || low < 0 ? 0 : (unsigned char)(high << 4 | low);
            if (c == 0 || is_plain(c)) {
                return false;
            }
            i += 2;
        } else if (!is_plain(c)) {
            return false;
        }
        out[used++] = (char)c;
    }
    out[used] = 0;
    return used > 0;
}

bool sti_nats_sender(char out[STELE_FLEET_NAME_MAX + 1], const char *subject)
{
    const char *dot = strrchr(subject, '.');

    return dot != NULL && sti_nats_untoken(out, dot + 1, strlen(dot + 1));
}

static bool is_hex(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f'))) {
            return false;
        }
    }
    return len > 0;
}

bool sti_nats_reply_is_of(const char *reply, const char *fleet_token, const char *peer)
{
    char token[STI_NATS_TOKEN_SIZE];
    char prefix[STI_NATS_SUBJECT_SIZE];
    const char *boot;
    const char *number;
    int len;

    sti_nats_token(token, peer);
    len = snprintf(prefix, sizeof prefix, "stele.%s.in.%s.", fleet_token, token);
    if (len < 0 || strncmp(reply, prefix, (size_t)len) != 0) {
        return false;
    }
    boot = reply + len;
    number = strchr(boot, '.');
    return number != NULL && number - boot == 16 && is_hex(boot, 16) && strlen(number + 1) == 8 &&
           is_hex(number + 1, 8);
}
