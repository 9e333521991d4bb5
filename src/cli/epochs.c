#include "cli/epochs.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* 5.1e7: two digits and a bare exponent; "-" for what is not finite. */
static const char *short_power(double value, char buffer[32])
{
    if (!isfinite(value) || value <= 0)
        return value == 0 ? "0" : "-";
    int exponent = (int)floor(log10(value));
    double mantissa = value / pow(10, exponent);
    if (mantissa >= 9.95) {
        mantissa /= 10;
        exponent++;
    }
    snprintf(buffer, 32, "%.1fe%d", mantissa, exponent);
    return buffer;
}

void bmf_epoch_print(bmf_output *output, const bmf_epoch_record *r)
{
    char train[32], val[32], rmse[32], speed[32], seconds[32], share[32];
    bmf_output_print(output,
                     "epoch=%" PRId64 " train_mse=%s val_mse=%s val_rmse=%s learning_rate=%.6g updates_per_second=%s "
                     "seconds=%s merge_share=%s merge_bytes=%.0f\n",
                     r->epoch, bmf_output_number(r->train_mse, 5, train), bmf_output_number(r->val_mse, 5, val),
                     bmf_output_number(r->val_rmse, 5, rmse), r->learning_rate,
                     short_power(r->updates_per_second, speed), bmf_output_number(r->seconds, 5, seconds),
                     bmf_output_number(r->merge_share, 2, share), r->merge_bytes);
    bmf_output_flush(output);
}

static const char *const phase_names[BMF_PHASES] = {"order", "sweep", "wait",       "merge",
                                                    "users", "loss",  "validation", "keep_best"};

json_t *bmf_phases_json(const double *phase)
{
    bmf_json json = bmf_json_start();
    for (int p = 0; p < BMF_PHASES; p++)
        bmf_json_number(&json, phase_names[p], phase[p]);
    return bmf_json_done(&json);
}

json_t *bmf_epoch_json(const bmf_epoch_record *r)
{
    bmf_json json = bmf_json_start();
    bmf_json_int(&json, "epoch", r->epoch);
    bmf_json_number(&json, "train_mse", r->train_mse);
    bmf_json_number(&json, "train_rmse", r->train_rmse);
    bmf_json_number(&json, "val_mse", r->val_mse);
    bmf_json_number(&json, "val_rmse", r->val_rmse);
    bmf_json_number(&json, "learning_rate", r->learning_rate);
    bmf_json_number(&json, "updates_per_second", r->updates_per_second);
    bmf_json_number(&json, "seconds", r->seconds);
    bmf_json_number(&json, "merge_share", r->merge_share);
    if (r->phase[BMF_PHASE_SWEEP] > 0) { /* records read from a model do not have them */
        bmf_json_number(&json, "merge_bytes", r->merge_bytes);
        bmf_json_put(&json, "phase", bmf_phases_json(r->phase));
    }
    return bmf_json_done(&json);
}

json_t *bmf_epochs_json(const bmf_epoch_record *record, int64_t count)
{
    json_t *array = json_array();
    for (int64_t i = 0; array && i < count; i++) {
        if (json_array_append_new(array, bmf_epoch_json(&record[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

json_t *bmf_model_meta_json(const bmf_model_meta *meta)
{
    char fingerprint[24];
    bmf_json json = bmf_json_start();
    bmf_json_text(&json, "dataset", meta->dataset);
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, meta->dataset_fingerprint);
    bmf_json_text(&json, "dataset_fingerprint", fingerprint);
    bmf_json_int(&json, "users", meta->users);
    bmf_json_int(&json, "items", meta->items);
    bmf_json_int(&json, "features", meta->features);
    bmf_json_text(&json, "content", bmf_content_mode_name(meta->content));
    bmf_json_int(&json, "factors", meta->factors);
    bmf_json_number(&json, "global_mean", meta->global_mean);
    bmf_json_number(&json, "rating_min", meta->rating_min);
    bmf_json_number(&json, "rating_max", meta->rating_max);
    bmf_json_number(&json, "learning_rate", meta->learning_rate);
    bmf_json_number(&json, "bias_learning_rate", meta->bias_learning_rate);
    bmf_json_text(&json, "schedule", meta->schedule);
    bmf_json_number(&json, "learning_rate_decay", meta->learning_rate_decay);
    bmf_json_number(&json, "regularization", meta->regularization);
    bmf_json_number(&json, "bias_regularization", meta->bias_regularization);
    bmf_json_number(&json, "user_regularization", meta->user_regularization);
    bmf_json_number(&json, "item_regularization", meta->item_regularization);
    bmf_json_number(&json, "user_bias_regularization", meta->user_bias_regularization);
    bmf_json_number(&json, "item_bias_regularization", meta->item_bias_regularization);
    bmf_json_number(&json, "regularization_scaling", meta->regularization_scaling);
    bmf_json_number(&json, "content_regularization", meta->content_regularization);
    bmf_json_number(&json, "content_weight", meta->content_weight);
    bmf_json_int(&json, "user_features", meta->user_features);
    bmf_json_number(&json, "user_content_weight", meta->user_content_weight);
    bmf_json_bool(&json, "implicit_feedback", meta->implicit_feedback);
    bmf_json_text(&json, "time_effects", bmf_time_mode_name(meta->time_effects));
    if (meta->time_effects != BMF_TIME_NONE) {
        bmf_json_int(&json, "time_bins", meta->time_bins);
        bmf_json_int(&json, "time_first", meta->time_first);
        bmf_json_int(&json, "time_last", meta->time_last);
        bmf_json_number(&json, "time_item_damping", meta->time_item_damping);
        bmf_json_number(&json, "time_user_damping", meta->time_user_damping);
    }
    bmf_json_number(&json, "init_std", meta->init_std);
    bmf_json_number(&json, "clip", meta->clip);
    bmf_json_text(&json, "merge", meta->merge);
    bmf_json_int(&json, "hosts", meta->hosts);
    bmf_json_text(&json, "merge_precision", meta->merge_precision);
    bmf_json_int(&json, "merges_per_epoch", meta->merges_per_epoch);
    bmf_json_int(&json, "ranks", meta->ranks);
    bmf_json_int(&json, "threads", meta->threads);
    bmf_json_int(&json, "seed", meta->seed);
    return bmf_json_done(&json);
}
