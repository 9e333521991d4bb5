#include "store/train_state_io.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>

#define STATE(member, type)                                                                                            \
    {                                                                                                                  \
#member, type, offsetof(bmf_train_state, member), 1                                                            \
    }

static const bmf_h5_field fields[] = {
    STATE(epoch, BMF_H5_INT64),           STATE(window, BMF_H5_INT64),
    STATE(squares, BMF_H5_FLOAT64),       STATE(learning_rate, BMF_H5_FLOAT64),
    STATE(P_mean_square, BMF_H5_FLOAT64), STATE(P_curvature, BMF_H5_FLOAT64),
    STATE(rollbacks, BMF_H5_INT64),       STATE(patience, BMF_H5_INT64),
    STATE(epochs, BMF_H5_INT64),          STATE(exact_train_loss, BMF_H5_INT64),
    STATE(weights, BMF_H5_INT64),         STATE(best, BMF_H5_INT64),
    STATE(P_energy, BMF_H5_FLOAT64),      STATE(Q_energy, BMF_H5_FLOAT64), /* younger than the first files */
};
#define FIELDS ((int64_t)(sizeof fields / sizeof fields[0]))
#define YOUNGER 2

int bmf_train_state_write(hid_t group, const bmf_train_state *state, bmf_error *err)
{
    return bmf_h5_write_checked_fields(group, fields, FIELDS, state, err);
}

static int refuse(const char *name, double value, const char *allowed, bmf_error *err)
{
    return bmf_fail(err, BMF_ERR_INPUT, "/state: attribute '%s' is %g, allowed is %s", name, value, allowed);
}

int bmf_train_state_read(hid_t group, const bmf_model_meta *meta, bmf_train_state *state, bmf_error *err)
{
    state->P_energy = state->Q_energy = 0;
    int status = bmf_h5_read_checked_fields(group, fields, FIELDS - YOUNGER, FIELDS, state, err);
    if (status != BMF_OK) {
        bmf_context(err, "/state");
        return status;
    }
    if (state->epoch < 0 || state->epoch > INT32_MAX)
        return refuse("epoch", (double)state->epoch, "0 or more", err);
    if (state->window < 0 || state->window >= meta->merges_per_epoch)
        return refuse("window", (double)state->window, "0 to merges_per_epoch - 1", err);
    if (!isfinite(state->squares) || state->squares < 0)
        return refuse("squares", state->squares, "a number of at least 0", err);
    if (!isfinite(state->learning_rate) || state->learning_rate <= 0)
        return refuse("learning_rate", state->learning_rate, "a number above 0", err);
    if (!isfinite(state->P_mean_square) || state->P_mean_square < 0)
        return refuse("P_mean_square", state->P_mean_square, "a number of at least 0", err);
    if (!isfinite(state->P_curvature) || state->P_curvature < 0)
        return refuse("P_curvature", state->P_curvature, "a number of at least 0", err);
    if (!isfinite(state->P_energy) || state->P_energy < 0)
        return refuse("P_energy", state->P_energy, "a number of at least 0", err);
    if (!isfinite(state->Q_energy) || state->Q_energy < 0)
        return refuse("Q_energy", state->Q_energy, "a number of at least 0", err);
    if (state->rollbacks < 0)
        return refuse("rollbacks", (double)state->rollbacks, "0 or more", err);
    if (state->weights < 0)
        return refuse("weights", (double)state->weights, "0 or more", err);
    if (state->best != 0 && state->best != 1)
        return refuse("best", (double)state->best, "0 or 1", err);
    if (meta->best_epoch < 0 || meta->best_epoch > state->epoch)
        return bmf_fail(err, BMF_ERR_INPUT, "attribute 'best_epoch' is %" PRId64 " after %" PRId64 " epochs",
                        meta->best_epoch, state->epoch);
    return BMF_OK;
}
