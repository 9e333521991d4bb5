#include "store/roles.h"

#include <inttypes.h>
#include <math.h>

/* What the rows of an array are. */
typedef enum rows_of { OF_USERS, OF_ITEMS, OF_FEATURES, OF_WEIGHTS } rows_of;

static const struct {
    const char *name; /* in the file */
    int leaf;         /* where the name within the group begins */
    bmf_role_group group;
    rows_of rows;
    bool matrix; /* k columns */
    bmf_h5_type type;
} roles[BMF_ROLES] = {
    [BMF_ROLE_P] = {"P", 0, BMF_GROUP_ROOT, OF_USERS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_Q] = {"Q", 0, BMF_GROUP_ROOT, OF_ITEMS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_V] = {"V", 0, BMF_GROUP_ROOT, OF_FEATURES, true, BMF_H5_FLOAT32},
    [BMF_ROLE_USER_BIAS] = {"user_bias", 0, BMF_GROUP_ROOT, OF_USERS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_ITEM_BIAS] = {"item_bias", 0, BMF_GROUP_ROOT, OF_ITEMS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_FEATURE_BIAS] = {"feature_bias", 0, BMF_GROUP_ROOT, OF_FEATURES, false, BMF_H5_FLOAT32},
    [BMF_ROLE_W] = {"state/W", 6, BMF_GROUP_STATE, OF_WEIGHTS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_W_SCALE] = {"state/W_scale", 6, BMF_GROUP_STATE, OF_USERS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_W_NORM2] = {"state/W_norm2", 6, BMF_GROUP_STATE, OF_USERS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_BEST_P] = {"state/best/P", 11, BMF_GROUP_BEST, OF_USERS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_Q] = {"state/best/Q", 11, BMF_GROUP_BEST, OF_ITEMS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_USER_BIAS] = {"state/best/user_bias", 11, BMF_GROUP_BEST, OF_USERS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_ITEM_BIAS] = {"state/best/item_bias", 11, BMF_GROUP_BEST, OF_ITEMS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_V] = {"state/best/V", 11, BMF_GROUP_BEST, OF_FEATURES, true, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_FEATURE_BIAS] = {"state/best/feature_bias", 11, BMF_GROUP_BEST, OF_FEATURES, false, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_W] = {"state/best/W", 11, BMF_GROUP_BEST, OF_WEIGHTS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_W_SCALE] = {"state/best/W_scale", 11, BMF_GROUP_BEST, OF_USERS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_BEST_W_NORM2] = {"state/best/W_norm2", 11, BMF_GROUP_BEST, OF_USERS, false, BMF_H5_FLOAT64},
};

const char *bmf_role_name(bmf_role role)
{
    return roles[role].name;
}

const char *bmf_role_leaf(bmf_role role)
{
    return roles[role].name + roles[role].leaf;
}

bmf_role_group bmf_role_group_of(bmf_role role)
{
    return roles[role].group;
}

bmf_h5_type bmf_role_type(bmf_role role)
{
    return roles[role].type;
}

int64_t bmf_role_size(bmf_role role)
{
    return (int64_t)bmf_h5_type_size(roles[role].type);
}

bool bmf_role_is_matrix(bmf_role role)
{
    return roles[role].matrix;
}

static bool is_there(const bmf_model_meta *meta, const bmf_train_state *state, bmf_role role)
{
    switch (role) {
    case BMF_ROLE_V:
    case BMF_ROLE_FEATURE_BIAS:
        return meta->content == BMF_CONTENT_EMBED && meta->features > 0;
    case BMF_ROLE_BEST_V:
    case BMF_ROLE_BEST_FEATURE_BIAS:
        return state && state->best && meta->content == BMF_CONTENT_EMBED && meta->features > 0;
    case BMF_ROLE_W:
    case BMF_ROLE_W_SCALE:
    case BMF_ROLE_W_NORM2:
        return state && bmf_model_meta_has_weights(meta);
    case BMF_ROLE_BEST_W:
    case BMF_ROLE_BEST_W_SCALE:
    case BMF_ROLE_BEST_W_NORM2:
        return state && state->best && bmf_model_meta_has_weights(meta);
    default:
        return roles[role].group != BMF_GROUP_BEST || (state && state->best);
    }
}

bmf_extent bmf_role_extent(const bmf_model_meta *meta, const bmf_train_state *state, bmf_role role)
{
    if (!is_there(meta, state, role))
        return (bmf_extent){0, 0};
    const int64_t rows[] = {
        [OF_USERS] = meta->users,
        [OF_ITEMS] = meta->items,
        [OF_FEATURES] = meta->features,
        [OF_WEIGHTS] = state ? state->weights : 0,
    };
    return (bmf_extent){rows[roles[role].rows], roles[role].matrix ? meta->factors : 1};
}

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
};
#define FIELDS ((int64_t)(sizeof fields / sizeof fields[0]))

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
    int status = bmf_h5_read_checked_fields(group, fields, FIELDS, FIELDS, state, err);
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
