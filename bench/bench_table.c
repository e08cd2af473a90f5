/* SPDX-License-Identifier: MIT
 *
 * bench_table: read lines of JSON from the benchmarks, write the table.
 *
 * A row of the table is Stele beside one other. The ratio says how many times
 * better Stele is: less time, or more a second.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

enum {
    ROWS_MAX = 256
};

static const char *text(const json_t *line, const char *field)
{
    const char *value = json_string_value(json_object_get(line, field));

    return value != NULL ? value : "";
}

static double median(const json_t *line)
{
    return json_number_value(json_object_get(line, "median"));
}

static void figure(char *out, size_t size, double value)
{
    if (value >= 1000) {
        char digits[32];
        size_t len = (size_t)snprintf(digits, sizeof digits, "%.0f", value);
        size_t at = 0;

        for (size_t i = 0; i < len && at + 2 < size; i++) {
            if (i > 0 && (len - i) % 3 == 0) {
                out[at++] = ',';
            }
            out[at++] = digits[i];
        }
        out[at] = '\0';
    } else {
        (void)snprintf(out, size, value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value);
    }
}

static bool more_is_better(const json_t *line)
{
    return strcmp(text(line, "better"), "more") == 0 || strcmp(text(line, "unit"), "/s") == 0;
}

static void write_own(const json_t *line)
{
    double aim = json_number_value(json_object_get(line, "aim"));
    bool more = more_is_better(line);
    char value[32];
    char wanted[48] = "";

    figure(value, sizeof value, median(line));
    (void)printf("%-42s %-11s %11s", text(line, "work"), text(line, "unit"), value);
    if (aim > 0) {
        char number[32];

        figure(number, sizeof number, aim);
        (void)snprintf(wanted, sizeof wanted, "%s %s", more ? ">=" : "<=", number);
        (void)printf(" %10s  %-5s", wanted,
                (more ? median(line) >= aim : median(line) <= aim) ? "yes" : "NO");
    } else {
        (void)printf(" %10s  %-5s", "", "");
    }
}

static void write_peer(const json_t *own, const json_t *line)
{
    double ratio = more_is_better(own) ? median(own) / median(line) : median(line) / median(own);
    char value[32];
    char times[32];

    figure(value, sizeof value, median(line));
    figure(times, sizeof times, ratio);
    (void)printf("  %-22s %10s %9s x\n", text(line, "who"), value, times);
}

static size_t read_lines(json_t **lines)
{
    char buffer[8192];
    size_t count = 0;

    while (count < ROWS_MAX && fgets(buffer, sizeof buffer, stdin) != NULL) {
        lines[count] = json_loads(buffer, 0, NULL);
        if (!json_is_object(lines[count])) {
            (void)fprintf(stderr, "bench_table: line %zu is no line of a benchmark\n", count + 1);
            exit(1);
        }
        count++;
    }
    return count;
}

int main(void)
{
    static json_t *lines[ROWS_MAX];
    size_t count = read_lines(lines);

    (void)printf("%-42s %-11s %11s %10s  %-5s  %-22s %10s %9s\n", "work", "unit", "stele", "aim",
            "there", "beside", "it", "stele is");
    for (size_t i = 0; i < count; i++) {
        bool alone = true;

        if (strcmp(text(lines[i], "who"), "stele") != 0) {
            continue;
        }
        write_own(lines[i]);
        for (size_t k = i + 1; k < count; k++) {
            if (strcmp(text(lines[k], "work"), text(lines[i], "work")) == 0) {
                if (!alone) {
                    (void)printf("%-42s %-11s %11s %10s  %-5s", "", "", "", "", "");
                }
                write_peer(lines[i], lines[k]);
                alone = false;
            }
        }
        if (alone) {
            (void)printf(
                    "%s%s\n", *text(lines[i], "note") != '\0' ? "  " : "", text(lines[i], "note"));
        }
    }
    for (size_t i = 0; i < count; i++) {
        json_decref(lines[i]);
    }
    return 0;
}
