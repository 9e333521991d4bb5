#include "train/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "store/atomic_file.h"
#include "train/best.h"
#include "train/save.h"

#define DAMAGED_SUFFIX ".damaged"
#define MOST_DAMAGED 1000 /* the last of them is overwritten */

/* The file to go on from, as rank 0 found it. */
typedef enum source { SOURCE_NONE, SOURCE_LAST, SOURCE_PREVIOUS } source;

bool bmf_checkpoint_is_late(const bmf_trainer *t)
{
    const bmf_train_files *files = t->files;
    return files->checkpoint && files->checkpoint_seconds > 0 &&
           bmf_clock_seconds() - t->saved >= files->checkpoint_seconds;
}

bool bmf_checkpoint_is_due(const bmf_trainer *t)
{
    const bmf_train_files *files = t->files;
    if (!files->checkpoint)
        return false;
    return t->asked.save > 0 || (files->checkpoint_epochs > 0 && t->state.epoch % files->checkpoint_epochs == 0);
}

/* Whether the best epoch's parameters differ from those of the model as it is. */
static bool needs_best(const bmf_trainer *t)
{
    return t->best_epoch > 0 && (t->best_epoch < t->state.epoch || t->state.window > 0);
}

int bmf_checkpoint_save(bmf_trainer *t, bmf_error *err)
{
    const double started = bmf_clock_seconds();
    bmf_model_meta meta;
    bmf_train_state state = t->state;
    bmf_trainer_blend_users(t);
    bmf_trainer_describe(t, &meta);
    state.patience = t->options.patience;
    state.epochs = t->options.epochs;
    state.exact_train_loss = t->options.exact_train_loss;
    state.weights = t->model.W ? t->model.pattern->indptr[t->model.users] : 0;
    bmf_comm_sum_int64(t->comm, &state.weights, 1);
    state.best = needs_best(t);
    const bmf_save save = {
        .path = t->files->checkpoint,
        .model = &t->model,
        .meta = &meta,
        .dataset = t->file,
        .reduced = &t->reduced,
        .user_ratings = t->shard.user_ratings,
        .item_ratings = t->shard.item_ratings,
        .history = t->history,
        .epochs = state.epoch,
        .state = &state,
        .best = state.best ? &t->best : NULL,
        .io = t->options.io,
        .time = &t->time,
    };
    int status = bmf_save_model(t->comm, &save, err);
    t->saved = bmf_clock_seconds();
    t->checkpoint_seconds += t->saved - started;
    if (status == BMF_OK) {
        t->checkpoints++;
        t->unsaved = false;
    }
    return status;
}

/* "<path><suffix>", from bmf_alloc. */
static char *with_suffix(const char *path, const char *suffix, bmf_error *err)
{
    const size_t room = strlen(path) + strlen(suffix) + 1;
    char *name = bmf_alloc((int64_t)room, 1, "path", err);
    if (name)
        snprintf(name, room, "%s%s", path, suffix);
    return name;
}

/* "<path>.damaged", or the first of "<path>.damaged-2", ... that is not there yet: an older one may still be wanted. */
static char *free_name(const char *path, bmf_error *err)
{
    char suffix[sizeof DAMAGED_SUFFIX + 16] = DAMAGED_SUFFIX;
    char *name = with_suffix(path, suffix, err);
    for (int number = 2; name && access(name, F_OK) == 0 && number < MOST_DAMAGED; number++) {
        bmf_free(name);
        snprintf(suffix, sizeof suffix, DAMAGED_SUFFIX "-%d", number);
        name = with_suffix(path, suffix, err);
    }
    return name;
}

/* The last checkpoint cannot be used for what `err` says: takes the one before, and puts the last aside, so that it does not
 * become the one before when the next is written. */
static int fall_back(const char *path, const char *previous, source *from, bmf_error *err)
{
    bmf_error of_previous = BMF_ERROR_INIT;
    const bool missing = access(path, F_OK) != 0 && errno == ENOENT;
    int status = bmf_model_file_verify(previous, &of_previous);
    if (status != BMF_OK)
        return bmf_fail(err, status, "%s", of_previous.text); /* or what is the matter with the last one */
    *from = SOURCE_PREVIOUS;
    if (missing) {
        bmf_log_warning("%s is missing: going on from %s", path, previous);
        return BMF_OK;
    }
    char *aside = free_name(path, err);
    if (!aside)
        return BMF_ERR_MEMORY;
    const bool moved = rename(path, aside) == 0;
    bmf_log_warning("%s; going on from %s%s%s", err->text, previous, moved ? "; the damaged file is now " : "",
                    moved ? aside : "");
    bmf_free(aside);
    bmf_error_clear(err);
    return BMF_OK;
}

/* A file that cannot be opened, or is something else, is nobody's damage: it stays, and nothing is done without a word. */
static int refuse_other(const char *path, bmf_error *err)
{
    char kind[32];
    int64_t version;
    bmf_error of_kind = BMF_ERROR_INIT;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? BMF_OK : bmf_fail(err, BMF_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    close(fd);
    if (bmf_file_kind(path, kind, &version, &of_kind) == BMF_OK && strcmp(kind, "model") != 0)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: is a %s, a checkpoint is expected", path, kind);
    return BMF_OK;
}

/* Which file to go on from: looked at whole. Rank 0. */
static int choose(const char *path, const char *previous, source *from, bmf_error *err)
{
    const bool has_last = access(path, F_OK) == 0 || errno != ENOENT;
    const bool has_previous = access(previous, F_OK) == 0 || errno != ENOENT;
    *from = has_last ? SOURCE_LAST : SOURCE_NONE;
    int status = refuse_other(path, err);
    if (status != BMF_OK)
        return status;
    if (has_last) {
        status = bmf_model_file_verify(path, err);
        if (status == BMF_OK || status == BMF_ERR_MEMORY)
            return status;
    }
    if (has_previous)
        return fall_back(path, previous, from, err);
    if (!has_last) {
        bmf_log_info("%s does not exist yet: starting afresh", path);
        return BMF_OK;
    }
    const bmf_error of_last = *err;
    bmf_error_clear(err);
    return bmf_fail(err, status, "%s; there is no %s to fall back to", of_last.text, previous);
}

/* A sentence that grows: "--factors 32 (now 16), --seed 1 (now 2)". */
typedef struct differences {
    char text[600];
    size_t length;
} differences;

static void __attribute__((format(printf, 2, 3))) differ(differences *all, const char *format, ...)
{
    va_list args;
    if (all->length > 0 && all->length < sizeof all->text)
        all->length += (size_t)snprintf(all->text + all->length, sizeof all->text - all->length, ", ");
    if (all->length >= sizeof all->text)
        return;
    va_start(args, format);
    all->length += (size_t)vsnprintf(all->text + all->length, sizeof all->text - all->length, format, args);
    va_end(args);
}

static void differ_in_number(differences *all, const char *name, double then, double now)
{
    if (then != now)
        differ(all, "--%s %.15g (now %.15g)", name, then, now);
}

static void differ_in_count(differences *all, const char *name, int64_t then, int64_t now)
{
    if (then != now)
        differ(all, "--%s %" PRId64 " (now %" PRId64 ")", name, then, now);
}

static void differ_in_word(differences *all, const char *name, const char *then, const char *now)
{
    if (strcmp(then, now) != 0)
        differ(all, "--%s %s (now %s)", name, then, now);
}

/* Options that would make another run of it. */
static int check_options(const bmf_trainer *t, const bmf_model_file *file, const char *path, bmf_error *err)
{
    const bmf_model_meta *meta = bmf_model_file_meta(file);
    const bmf_train_options *o = &t->options;
    differences all = {.length = 0};
    differ_in_word(&all, "content", bmf_content_mode_name(meta->content), bmf_content_mode_name(o->content));
    differ_in_count(&all, "factors", meta->factors, o->factors);
    differ_in_number(&all, "user-regularization", meta->user_regularization, o->user_regularization);
    differ_in_number(&all, "item-regularization", meta->item_regularization, o->item_regularization);
    differ_in_number(&all, "user-bias-regularization", meta->user_bias_regularization, o->user_bias_regularization);
    differ_in_number(&all, "item-bias-regularization", meta->item_bias_regularization, o->item_bias_regularization);
    differ_in_number(&all, "regularization-scaling", meta->regularization_scaling, o->regularization_scaling);
    differ_in_word(&all, "schedule", meta->schedule, bmf_schedule_name(o->schedule));
    if (o->content != BMF_CONTENT_NONE) {
        differ_in_number(&all, "content-regularization", meta->content_regularization, o->content_regularization);
        differ_in_count(&all, "content-svd", bmf_model_file_content_svd(file), o->content_svd);
        differ_in_number(&all, "content-weight", meta->content_weight, o->content_weight);
    }
    differ_in_word(&all, "user-content", bmf_user_content_name(meta->user_features > 0),
                   bmf_user_content_name(o->user_content));
    differ_in_count(&all, "implicit-feedback", meta->implicit_feedback, o->implicit_feedback);
    if (o->content == BMF_CONTENT_NONE && (o->user_content != BMF_USER_CONTENT_NONE || o->implicit_feedback))
        differ_in_number(&all, "content-regularization", meta->content_regularization, o->content_regularization);
    if (o->user_content != BMF_USER_CONTENT_NONE)
        differ_in_number(&all, "user-content-weight", meta->user_content_weight, o->user_content_weight);
    differ_in_number(&all, "init-std", meta->init_std, o->init_std);
    differ_in_number(&all, "clip", meta->clip, o->clip);
    differ_in_word(&all, "merge", meta->merge, bmf_merge_rule_name(o->merge));
    differ_in_count(&all, "seed", meta->seed, (int64_t)o->seed);
    differ_in_word(&all, "time-effects", bmf_time_mode_name(meta->time_effects), bmf_time_mode_name(o->time_effects));
    if (meta->time_effects == o->time_effects && t->time.item_effect) {
        differ_in_count(&all, "time-bins", meta->time_bins, o->time_bins);
        differ_in_number(&all, "time-item-damping", meta->time_item_damping, o->time_item_damping);
    }
    if (meta->time_effects == o->time_effects && t->time.user_slope)
        differ_in_number(&all, "time-user-damping", meta->time_user_damping, o->time_user_damping);
    if (all.length == 0)
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_USAGE,
                    "--resume: %s was made with %s; only --learning-rate, --bias-learning-rate, --learning-rate-decay, "
                    "--epochs, --patience, --merges-per-epoch, --merge-precision, --ranks-per-host and the numbers of "
                    "ranks and threads may change",
                    path, all.text);
}

static int check_dataset(const bmf_trainer *t, const bmf_model_meta *meta, const char *path, bmf_error *err)
{
    if (meta->dataset_fingerprint == t->fingerprint && meta->users == t->shard.all_users &&
        meta->items == t->shard.items)
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_INPUT,
                    "%s: was made from another data set (%s, %" PRId64 " users x %" PRId64
                    " items, fingerprint %016" PRIx64 "; %s has %" PRId64 " x %" PRId64 " and %016" PRIx64 ")",
                    path, meta->dataset, meta->users, meta->items, meta->dataset_fingerprint, t->files->dataset,
                    t->shard.all_users, t->shard.items, t->fingerprint);
}

/* Entries of W of the ranks before this one, and of all. Collective. */
static int64_t weights_before(bmf_trainer *t, int64_t *all)
{
    const int64_t own = t->model.W ? t->pattern.indptr[t->model.users] : 0;
    *all = own;
    bmf_comm_sum_int64(t->comm, all, 1);
    return bmf_comm_sum_before(t->comm, own);
}

/* W as it lay in memory: roles W, W_scale, W_norm2 or those of the best epoch. Local. */
static int read_weights(bmf_model_file *file, bmf_role W, int64_t first_weight, bmf_model *model, bmf_error *err)
{
    if (!model->W)
        return BMF_OK;
    const int64_t weights = model->pattern->indptr[model->users];
    int status = bmf_model_file_read_rows(file, W, first_weight, weights, model->W, err);
    if (status == BMF_OK)
        status = bmf_model_file_read_rows(file, W + 1, model->first_user, model->users, model->W_scale, err);
    if (status == BMF_OK)
        status = bmf_model_file_read_rows(file, W + 2, model->first_user, model->users, model->W_norm2, err);
    return status;
}
_Static_assert(BMF_ROLE_W_SCALE == BMF_ROLE_W + 1 && BMF_ROLE_W_NORM2 == BMF_ROLE_W + 2, "read one after the other");
_Static_assert(BMF_ROLE_BEST_W_SCALE == BMF_ROLE_BEST_W + 1 && BMF_ROLE_BEST_W_NORM2 == BMF_ROLE_BEST_W + 2,
               "read one after the other");

/* The epochs that are over, with room for those to come. */
static int read_history(bmf_trainer *t, bmf_model_file *file, bmf_error *err)
{
    bmf_epoch_record *history = NULL;
    int64_t count = 0;
    int status = bmf_model_file_read_history(file, &history, &count, err);
    if (status == BMF_OK) {
        bmf_free(t->history);
        t->history =
            bmf_alloc_zero(count > t->options.epochs ? count : t->options.epochs, sizeof *t->history, "history", err);
        status = t->history ? BMF_OK : BMF_ERR_MEMORY;
    }
    if (status == BMF_OK)
        memcpy(t->history, history, (size_t)count * sizeof *history);
    bmf_free(history);
    return status;
}

/* This rank's part of the file. Local. */
static int read_state(bmf_trainer *t, bmf_model_file *file, const char *path, int64_t first_weight, int64_t weights,
                      bmf_error *err)
{
    const bmf_model_meta *meta = bmf_model_file_meta(file);
    t->state = *bmf_model_file_state(file);
    if (t->state.weights != weights)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: /state/W has %" PRId64 " entries, %" PRId64 " are expected", path,
                        t->state.weights, weights);
    int status = read_history(t, file, err);
    if (status == BMF_OK)
        status = bmf_model_read(file, &bmf_model_roles_now, &t->model, err);
    if (status == BMF_OK)
        status = read_weights(file, BMF_ROLE_W, first_weight, &t->model, err);
    if (status == BMF_OK && t->state.best) {
        status = bmf_model_read(file, &bmf_model_roles_best, &t->best, err);
        if (status == BMF_OK)
            status = read_weights(file, BMF_ROLE_BEST_W, first_weight, &t->best, err);
    } else if (status == BMF_OK) {
        bmf_keep_model(t);
    }
    if (status == BMF_OK) {
        bmf_trainer_blend(t);
        bmf_trainer_blend_users(t);
    }
    t->best_epoch = meta->best_epoch;
    t->best_loss = meta->val_mse;
    return status;
}

/* Where the epoch that was left goes on when it is cut into other windows: as far into it, the sums in proportion. */
static void fit_window(bmf_trainer *t, const bmf_model_meta *meta)
{
    const int64_t windows = t->options.merges_per_epoch;
    bmf_train_state *state = &t->state;
    if (windows == meta->merges_per_epoch || state->window == 0)
        return;
    const double done = (double)state->window / (double)meta->merges_per_epoch;
    state->window = (int64_t)(done * (double)windows);
    state->squares *= (double)state->window / (double)windows / done;
}

/* What was changed on purpose. */
static void take_changes(bmf_trainer *t, const bmf_model_meta *meta)
{
    const bmf_train_options *o = &t->options;
    differences all = {.length = 0};
    differ_in_number(&all, "learning-rate", meta->learning_rate, o->learning_rate);
    if (meta->bias_learning_rate * o->learning_rate != o->bias_learning_rate * meta->learning_rate)
        differ_in_number(&all, "bias-learning-rate", meta->bias_learning_rate, o->bias_learning_rate);
    differ_in_number(&all, "learning-rate-decay", meta->learning_rate_decay, o->learning_rate_decay);
    differ_in_count(&all, "epochs", t->state.epochs, o->epochs);
    differ_in_count(&all, "patience", t->state.patience, o->patience);
    differ_in_count(&all, "exact-train-loss", t->state.exact_train_loss, o->exact_train_loss);
    differ_in_count(&all, "merges-per-epoch", meta->merges_per_epoch, o->merges_per_epoch);
    if (meta->hosts != bmf_merge_hosts(t->merge))
        differ(&all, "%" PRId64 " host(s) (now %d)", meta->hosts, bmf_merge_hosts(t->merge));
    differ_in_word(&all, "merge-precision", meta->merge_precision, bmf_merge_precision_name(o->merge_precision));
    differ_in_count(&all, "threads", meta->threads, o->threads);
    if (meta->ranks != bmf_comm_size(t->comm))
        differ(&all, "%" PRId64 " rank(s) (now %d)", meta->ranks, bmf_comm_size(t->comm));
    if (meta->learning_rate != o->learning_rate) {
        t->state.learning_rate = o->learning_rate;
        t->state.rollbacks = 0;
    }
    if (all.length > 0 && bmf_comm_rank(t->comm) == 0)
        bmf_log_info("the checkpoint was made with %s", all.text);
}

/* What every rank has read must be one file: theirs may come from other disks, or from before another run replaced it. The
 * rank's own status in and out. Collective. */
static int compare_with_first(bmf_trainer *t, const bmf_model_meta *meta, const char *path, int status, bmf_error *err)
{
    struct {
        bmf_train_state state;
        int64_t best_epoch;
        uint64_t fingerprint;
    } own, first;
    memset(&own, 0, sizeof own);
    if (status == BMF_OK) {
        own.state = t->state;
        own.best_epoch = meta->best_epoch;
        own.fingerprint = meta->dataset_fingerprint;
    }
    first = own;
    int64_t failed = status != BMF_OK;
    bmf_comm_sum_int64(t->comm, &failed, 1);
    bmf_comm_broadcast(t->comm, &first, (int64_t)sizeof first, 0);
    if (failed == 0 && memcmp(&own, &first, sizeof own) != 0)
        return bmf_fail(err, BMF_ERR_IO, "%s: is not the file that rank 0 has read", path);
    return status;
}

/* Opens, checks and reads on every rank. Collective. */
static int go_on_from(bmf_trainer *t, const char *path, bmf_error *err)
{
    bmf_model_file *file = NULL;
    int64_t weights = 0;
    const int64_t first_weight = weights_before(t, &weights);
    int status = bmf_model_file_open(path, &file, err);
    if (status == BMF_OK && !bmf_model_file_state(file))
        status = bmf_fail(err, BMF_ERR_INPUT, "%s: is a model but no checkpoint: it has no group /state", path);
    const bmf_model_meta *meta = status == BMF_OK ? bmf_model_file_meta(file) : NULL;
    if (status == BMF_OK)
        status = check_dataset(t, meta, path, err);
    if (status == BMF_OK)
        status = check_options(t, file, path, err);
    if (status == BMF_OK)
        status = read_state(t, file, path, first_weight, weights, err);
    status = bmf_comm_agree(t->comm, compare_with_first(t, meta, path, status, err), err);
    if (status == BMF_OK) {
        if (meta->ranks != bmf_comm_size(t->comm) || meta->threads != t->options.threads)
            bmf_trainer_measure_P(t); /* what did not merge has not measured it */
        fit_window(t, meta);
        take_changes(t, meta);
        bmf_item_copies_restart(&t->copies);
        if (bmf_comm_rank(t->comm) == 0)
            bmf_log_info("going on from %s: epoch %" PRId64 "%s, best so far epoch %" PRId64 ", learning rate %g", path,
                         t->state.epoch, t->state.window > 0 ? " and a part of the next" : "", t->best_epoch,
                         t->state.learning_rate);
    }
    bmf_model_file_close(&file);
    return status;
}

/* What is there and not of our making is never replaced; an empty file may be. Damage of ours is left to --resume. */
static int check_replaceable(const char *path, bmf_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0 || info.st_size == 0)
        return BMF_OK;
    bmf_error why = BMF_ERROR_INIT;
    const int status = bmf_model_file_check_signature(path, &why);
    if (status == BMF_OK)
        return BMF_OK;
    return bmf_fail(err, status, "--checkpoint: %s; move it away, or name another file", why.text);
}

int bmf_checkpoint_warn(const bmf_trainer *t, bmf_error *err)
{
    const char *path = t->files->checkpoint;
    const bool exists = bmf_comm_rank(t->comm) == 0 && access(path, F_OK) == 0;
    const int status = bmf_comm_agree(t->comm, exists ? check_replaceable(path, err) : BMF_OK, err);
    if (status == BMF_OK && exists)
        bmf_log_warning("%s exists and will be replaced, kept as %s" BMF_PREVIOUS_SUFFIX
                        " for one checkpoint more; --resume would go on from it",
                        path, path);
    return status;
}

int bmf_checkpoint_lock(bmf_trainer *t, bmf_error *err)
{
    t->lock = (bmf_run_lock)BMF_RUN_LOCK_INIT;
    int status = BMF_OK;
    if (t->files->checkpoint && bmf_comm_rank(t->comm) == 0)
        status = bmf_run_lock_take(&t->lock, t->files->checkpoint, err);
    return bmf_comm_agree(t->comm, status, err);
}

int bmf_checkpoint_resume(bmf_trainer *t, bmf_error *err)
{
    const char *path = t->files->checkpoint;
    int64_t from = SOURCE_NONE;
    char *target = bmf_atomic_file_target(path, err); /* which the others lie beside */
    char *previous = target ? with_suffix(target, BMF_PREVIOUS_SUFFIX, err) : NULL;
    int status = previous ? BMF_OK : BMF_ERR_MEMORY;
    if (status == BMF_OK && bmf_comm_rank(t->comm) == 0) {
        source found = SOURCE_NONE;
        status = choose(target, previous, &found, err);
        from = found;
    }
    status = bmf_comm_agree(t->comm, status, err);
    if (status == BMF_OK)
        bmf_comm_broadcast(t->comm, &from, (int64_t)sizeof from, 0);
    if (status == BMF_OK && from != SOURCE_NONE)
        status = go_on_from(t, from == SOURCE_LAST ? target : previous, err);
    bmf_free(previous);
    bmf_free(target);
    return status;
}
