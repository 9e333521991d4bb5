#include "store/roles.h"

/* What the rows of an array are. */
typedef enum rows_of { OF_USERS, OF_ITEMS, OF_FEATURES, OF_WEIGHTS, OF_BINS } rows_of;

static const struct {
    const char *name; /* in the file */
    int leaf;         /* where the name within the group begins */
    bmf_role_group group;
    rows_of rows;
    bool matrix; /* k columns, or one for each range of time */
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
    [BMF_ROLE_TIME_BEGIN] = {"time/begin", 5, BMF_GROUP_TIME, OF_BINS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_TIME_ITEM] = {"time/item_effect", 5, BMF_GROUP_TIME, OF_ITEMS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_TIME_SLOPE] = {"time/user_slope", 5, BMF_GROUP_TIME, OF_USERS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_TIME_FIRST] = {"time/user_first", 5, BMF_GROUP_TIME, OF_USERS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_TIME_MEAN] = {"time/user_mean", 5, BMF_GROUP_TIME, OF_USERS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_TIME_LAST] = {"time/user_last", 5, BMF_GROUP_TIME, OF_USERS, false, BMF_H5_FLOAT64},
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
    case BMF_ROLE_TIME_BEGIN:
    case BMF_ROLE_TIME_ITEM:
        return bmf_time_mode_has_items(meta->time_effects);
    case BMF_ROLE_TIME_SLOPE:
    case BMF_ROLE_TIME_FIRST:
    case BMF_ROLE_TIME_MEAN:
    case BMF_ROLE_TIME_LAST:
        return bmf_time_mode_has_users(meta->time_effects);
    default:
        return roles[role].group != BMF_GROUP_BEST || (state && state->best);
    }
}

bmf_extent bmf_role_extent(const bmf_model_meta *meta, const bmf_train_state *state, bmf_role role)
{
    if (!is_there(meta, state, role))
        return (bmf_extent){0, 0};
    const int64_t rows[] = {
        [OF_USERS] = meta->users,       [OF_ITEMS] = meta->items,
        [OF_FEATURES] = meta->features, [OF_WEIGHTS] = state ? state->weights : 0,
        [OF_BINS] = meta->time_bins,
    };
    const int64_t columns = role == BMF_ROLE_TIME_ITEM ? meta->time_bins : meta->factors;
    return (bmf_extent){rows[roles[role].rows], roles[role].matrix ? columns : 1};
}
