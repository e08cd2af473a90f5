/* SPDX-License-Identifier: MIT
 *
 * cmd_store_open.c: opening a store; names, keys and values as arguments.
 */
#include "cli/cmd_store.h"
#include "cli/output.h"
#include "cli/report.h"

void sti_store_writer_options(
        const struct sti_store_args *args, stele_env *env, stele_store_options *out)
{
    stele_env_init(env);
    env->log = sti_print_log;
    stele_store_options_init(out);
    out->env = env;
    out->lock_wait_ms = sti_ms_of_us(args->common.lock_wait.value);
}

stele_code sti_store_open_writer(const struct sti_run *run, enum sti_store_missing missing,
        stele_store **out, stele_error *err)
{
    static stele_env env; /* until close */
    stele_store_options opts;

    sti_store_writer_options(run->args, &env, &opts);
    opts.create_dirs = missing == STI_STORE_CREATE;
    opts.must_exist = missing == STI_STORE_MUST_EXIST;
    return stele_store_open(out, run->operands->items[0], &opts, err);
}

stele_code sti_store_open_reader(const struct sti_run *run, stele_store **out, stele_error *err)
{
    stele_store_options opts;

    stele_store_options_init(&opts);
    opts.read_only = true;
    return stele_store_open(out, run->operands->items[0], &opts, err);
}

stele_code sti_store_begin_reader(
        const struct sti_run *run, stele_store **s, stele_store_read **read, stele_error *err)
{
    stele_code code = sti_store_open_reader(run, s, err);

    if (code != STELE_OK) {
        return code;
    }
    code = stele_store_read_begin(read, *s, err);
    if (code != STELE_OK) {
        (void)stele_store_close(*s, NULL); /* the first failure counts */
    }
    return code;
}

void sti_store_end_reader(stele_store *s, stele_store_read *read)
{
    stele_store_read_end(read);
    (void)stele_store_close(s, NULL); /* it has nothing to write */
}

stele_code sti_store_done(stele_store *s, stele_code code, stele_error *err)
{
    const stele_code closed = stele_store_close(s, code < STELE_OK ? NULL : err);

    return code < STELE_OK ? code : closed;
}

/* ---- Bytes. ---- */

stele_code sti_store_operand(
        const struct sti_run *run, size_t index, struct sti_data *out, stele_error *err)
{
    static const char *const names[] = {"DIR", "BUCKET", "KEY", "VALUE"};
    stele_code code = sti_parse_data(run->operands->items[index], out, err);

    return code == STELE_OK ? code : sti_cli_wrap(err, code, "%s", names[index]);
}
