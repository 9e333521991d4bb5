#include <inttypes.h>
#include <math.h>
#include <stddef.h>

#include "train/rates.h"
#include "train/time_effects.h"

static const char *const merge_rule_names[BMF_MERGE_RULES] = {"saturating", "average", "weighted", "sum"};

const char *bmf_merge_rule_name(bmf_merge_rule rule)
{
    return merge_rule_names[rule];
}

const char *bmf_user_content_name(bmf_user_content content)
{
    static const char *const names[BMF_USER_CONTENTS] = {"none", "embed"};
    return names[content];
}

const char *bmf_content_updates_name(bmf_content_updates updates)
{
    static const char *const names[BMF_UPDATES] = {"window", "step"};
    return names[updates];
}

const char *bmf_schedule_name(bmf_schedule schedule)
{
    static const char *const names[BMF_SCHEDULES] = {"decay", "bold-driver", "adagrad"};
    return names[schedule];
}

const char *bmf_model_io_name(bmf_model_io io)
{
    static const char *const names[BMF_IOS] = {"rank0", "collective"};
    return names[io];
}

const char *bmf_stop_reason_name(bmf_stop_reason reason)
{
    static const char *const names[] = {"epochs", "patience", "signal", "time"};
    return names[reason];
}

bmf_train_options bmf_train_defaults(void)
{
    return (bmf_train_options){
        .content = BMF_CONTENT_EMBED,
        .user_content = BMF_USER_CONTENT_EMBED,
        .factors = 32,
        .epochs = 100,
        .learning_rate = 0.01,
        .bias_learning_rate = NAN,
        .learning_rate_decay = 1,
        .regularization = 0.04,
        .bias_regularization = 0.0005,
        .user_regularization = NAN,
        .item_regularization = NAN,
        .user_bias_regularization = NAN,
        .item_bias_regularization = NAN,
        .content_regularization = 0.01,
        .content_weight = 1,
        .user_content_weight = 1,
        .init_std = 0.05,
        .clip = 5,
        .patience = 5,
        .threads = 1,
        .merge = BMF_MERGE_SATURATING,
        .merges_per_epoch = BMF_MERGES_AUTO,
        .merge_precision = BMF_PRECISION_INT8,
        .seed = 1,
        .io = BMF_IO_RANK0,
        .time_effects = BMF_TIME_NONE,
        .time_bins = 10,
        .time_item_damping = 40,
        .time_user_damping = 5000,
    };
}

static void take_unless_given(double *own, double of_all)
{
    if (isnan(*own))
        *own = of_all;
}

bmf_train_options bmf_train_resolved(const bmf_train_options *options)
{
    bmf_train_options resolved = *options;
    take_unless_given(&resolved.bias_learning_rate, options->learning_rate);
    take_unless_given(&resolved.user_regularization, options->regularization);
    take_unless_given(&resolved.item_regularization, options->regularization);
    take_unless_given(&resolved.user_bias_regularization, options->bias_regularization);
    take_unless_given(&resolved.item_bias_regularization, options->bias_regularization);
    return resolved;
}

typedef struct count_bound {
    const char *name;
    size_t offset;
    int64_t low, high;
} count_bound;

typedef struct real_bound {
    const char *name;
    size_t offset;
    double low, high;
    bool open; /* low itself is not allowed */
} real_bound;

#define AT(field) offsetof(bmf_train_options, field)

static const count_bound count_bounds[] = {
    {"factors", AT(factors), 1, 4096},
    {"epochs", AT(epochs), 1, 1000000},
    {"patience", AT(patience), 0, 1000000},
    {"threads", AT(threads), 1, 1024},
    {"content-svd", AT(content_svd), 0, BMF_CONTENT_SVD_MOST},
    {"merges-per-epoch", AT(merges_per_epoch), BMF_MERGES_AUTO, 100000},
    {"ranks-per-host", AT(merge_group), 0, 1000000},
    {"time-bins", AT(time_bins), 1, BMF_TIME_BINS_MOST},
};

static const real_bound real_bounds[] = {
    {"learning-rate", AT(learning_rate), 0, 10, true},
    {"bias-learning-rate", AT(bias_learning_rate), 0, 10, true},
    {"learning-rate-decay", AT(learning_rate_decay), 0, 1, true},
    {"regularization", AT(regularization), 0, 10, false},
    {"bias-regularization", AT(bias_regularization), 0, 10, false},
    {"user-regularization", AT(user_regularization), 0, 10, false},
    {"item-regularization", AT(item_regularization), 0, 10, false},
    {"user-bias-regularization", AT(user_bias_regularization), 0, 10, false},
    {"item-bias-regularization", AT(item_bias_regularization), 0, 10, false},
    {"regularization-scaling", AT(regularization_scaling), 0, 1, false},
    {"content-regularization", AT(content_regularization), 0, 10, false},
    {"content-weight", AT(content_weight), 0, 1000, false},
    {"user-content-weight", AT(user_content_weight), 0, 1000, false},
    {"init-std", AT(init_std), 0, 10, false},
    {"clip", AT(clip), 0, 1e6, true},
    {"max-seconds", AT(max_seconds), 0, 1e9, false},
    {"time-item-damping", AT(time_item_damping), 0, 1e9, true},
    {"time-user-damping", AT(time_user_damping), 0, 1e9, true},
};

/* No step may take a parameter past zero. */
static int check_decays(const bmf_train_options *options, bmf_error *err)
{
    const struct {
        const char *rate, *name;
        double eta, value;
    } decays[] = {
        {"learning-rate", "regularization", options->learning_rate, options->regularization},
        {"bias-learning-rate", "bias-regularization", options->bias_learning_rate, options->bias_regularization},
        {"learning-rate", "user-regularization", options->learning_rate, options->user_regularization},
        {"learning-rate", "item-regularization", options->learning_rate, options->item_regularization},
        {"bias-learning-rate", "user-bias-regularization", options->bias_learning_rate,
         options->user_bias_regularization},
        {"bias-learning-rate", "item-bias-regularization", options->bias_learning_rate,
         options->item_bias_regularization},
        {"learning-rate", "content-regularization", options->learning_rate, options->content_regularization},
    };
    for (size_t i = 0; i < sizeof decays / sizeof *decays; i++)
        if (decays[i].eta * decays[i].value >= 1)
            return bmf_fail(err, BMF_ERR_USAGE,
                            "--%s %g times --%s %g is %g: a step would take a parameter past zero (allowed: below 1)",
                            decays[i].rate, decays[i].eta, decays[i].name, decays[i].value,
                            decays[i].eta * decays[i].value);
    return BMF_OK;
}

int bmf_train_check(const bmf_train_options *options, bmf_error *err)
{
    const char *base = (const char *)options;
    for (size_t i = 0; i < sizeof count_bounds / sizeof *count_bounds; i++) {
        const count_bound *b = &count_bounds[i];
        int64_t value = *(const int64_t *)(const void *)(base + b->offset);
        if (value < b->low || value > b->high)
            return bmf_fail(err, BMF_ERR_USAGE,
                            "--%s: %" PRId64 " is out of range (allowed: %" PRId64 " to %" PRId64 ")", b->name, value,
                            b->low, b->high);
    }
    for (size_t i = 0; i < sizeof real_bounds / sizeof *real_bounds; i++) {
        const real_bound *b = &real_bounds[i];
        double value = *(const double *)(const void *)(base + b->offset);
        if (!(value >= b->low && value <= b->high) || (b->open && value <= b->low))
            return bmf_fail(err, BMF_ERR_USAGE, "--%s: %g is out of range (allowed: %s%g to %g)", b->name, value,
                            b->open ? "above " : "", b->low, b->high);
    }
    if (options->content == BMF_CONTENT_EMBED && options->content_updates == BMF_UPDATES_STEP && options->threads > 1)
        return bmf_fail(err, BMF_ERR_USAGE, "--content-updates step: runs with one thread, not with --threads %" PRId64,
                        options->threads);
    if (options->content == BMF_CONTENT_NONE && options->content_svd > 0)
        return bmf_fail(err, BMF_ERR_USAGE, "--content-svd %" PRId64 " needs content, --content none has none",
                        options->content_svd);
    if (bmf_rates_are_wanted(options) && options->content == BMF_CONTENT_CONCAT)
        return bmf_fail(err, BMF_ERR_USAGE,
                        "--schedule adagrad and --regularization-scaling: not with --content concat");
    if (bmf_rates_are_wanted(options) && options->content == BMF_CONTENT_EMBED &&
        options->content_updates == BMF_UPDATES_STEP)
        return bmf_fail(err, BMF_ERR_USAGE,
                        "--schedule adagrad and --regularization-scaling: not with --content-updates step");
    return check_decays(options, err);
}
