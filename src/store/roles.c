#include "store/roles.h"

/* What the rows of an array are. */
typedef enum rows_of { OF_USERS, OF_ITEMS, OF_FEATURES, OF_USER_FEATURES, OF_WEIGHTS, OF_BINS } rows_of;

/* Which models have an array. */
typedef enum condition {
    IF_ANY,
    IF_EMBED,
    IF_WEIGHTS,
    IF_USER_FEATURES,
    IF_IMPLICIT,
    IF_USER_PARTS,
    IF_TIME_OF_ITEMS,
    IF_TIME_OF_USERS
} condition;

static const struct {
    const char *name; /* in the file */
    int leaf;         /* where the name within the group begins */
    bmf_role_group group;
    condition present;
    rows_of rows;
    bool matrix; /* k columns, or one for each range of time */
    bmf_h5_type type;
} roles[BMF_ROLES] = {
    [BMF_ROLE_P] = {"P", 0, BMF_GROUP_ROOT, IF_ANY, OF_USERS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_Q] = {"Q", 0, BMF_GROUP_ROOT, IF_ANY, OF_ITEMS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_V] = {"V", 0, BMF_GROUP_ROOT, IF_EMBED, OF_FEATURES, true, BMF_H5_FLOAT32},
    [BMF_ROLE_USER_BIAS] = {"user_bias", 0, BMF_GROUP_ROOT, IF_ANY, OF_USERS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_ITEM_BIAS] = {"item_bias", 0, BMF_GROUP_ROOT, IF_ANY, OF_ITEMS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_FEATURE_BIAS] = {"feature_bias", 0, BMF_GROUP_ROOT, IF_EMBED, OF_FEATURES, false, BMF_H5_FLOAT32},
    [BMF_ROLE_USER_V] = {"user_V", 0, BMF_GROUP_ROOT, IF_USER_FEATURES, OF_USER_FEATURES, true, BMF_H5_FLOAT32},
    [BMF_ROLE_USER_FEATURE_BIAS] = {"user_feature_bias", 0, BMF_GROUP_ROOT, IF_USER_FEATURES, OF_USER_FEATURES, false,
                                    BMF_H5_FLOAT32},
    [BMF_ROLE_IMPLICIT_V] = {"implicit_V", 0, BMF_GROUP_ROOT, IF_IMPLICIT, OF_ITEMS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_W] = {"state/W", 6, BMF_GROUP_STATE, IF_WEIGHTS, OF_WEIGHTS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_W_SCALE] = {"state/W_scale", 6, BMF_GROUP_STATE, IF_WEIGHTS, OF_USERS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_W_NORM2] = {"state/W_norm2", 6, BMF_GROUP_STATE, IF_WEIGHTS, OF_USERS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_OWN_P] = {"state/own_P", 6, BMF_GROUP_STATE, IF_USER_PARTS, OF_USERS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_OWN_USER_BIAS] = {"state/own_user_bias", 6, BMF_GROUP_STATE, IF_USER_PARTS, OF_USERS, false,
                                BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_P] = {"state/best/P", 11, BMF_GROUP_BEST, IF_ANY, OF_USERS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_Q] = {"state/best/Q", 11, BMF_GROUP_BEST, IF_ANY, OF_ITEMS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_USER_BIAS] = {"state/best/user_bias", 11, BMF_GROUP_BEST, IF_ANY, OF_USERS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_ITEM_BIAS] = {"state/best/item_bias", 11, BMF_GROUP_BEST, IF_ANY, OF_ITEMS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_V] = {"state/best/V", 11, BMF_GROUP_BEST, IF_EMBED, OF_FEATURES, true, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_FEATURE_BIAS] = {"state/best/feature_bias", 11, BMF_GROUP_BEST, IF_EMBED, OF_FEATURES, false,
                                    BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_W] = {"state/best/W", 11, BMF_GROUP_BEST, IF_WEIGHTS, OF_WEIGHTS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_W_SCALE] = {"state/best/W_scale", 11, BMF_GROUP_BEST, IF_WEIGHTS, OF_USERS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_BEST_W_NORM2] = {"state/best/W_norm2", 11, BMF_GROUP_BEST, IF_WEIGHTS, OF_USERS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_BEST_OWN_P] = {"state/best/own_P", 11, BMF_GROUP_BEST, IF_USER_PARTS, OF_USERS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_OWN_USER_BIAS] = {"state/best/own_user_bias", 11, BMF_GROUP_BEST, IF_USER_PARTS, OF_USERS, false,
                                     BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_USER_V] = {"state/best/user_V", 11, BMF_GROUP_BEST, IF_USER_FEATURES, OF_USER_FEATURES, true,
                              BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_USER_FEATURE_BIAS] = {"state/best/user_feature_bias", 11, BMF_GROUP_BEST, IF_USER_FEATURES,
                                         OF_USER_FEATURES, false, BMF_H5_FLOAT32},
    [BMF_ROLE_BEST_IMPLICIT_V] = {"state/best/implicit_V", 11, BMF_GROUP_BEST, IF_IMPLICIT, OF_ITEMS, true,
                                  BMF_H5_FLOAT32},
    [BMF_ROLE_TIME_BEGIN] = {"time/begin", 5, BMF_GROUP_TIME, IF_TIME_OF_ITEMS, OF_BINS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_TIME_ITEM] = {"time/item_effect", 5, BMF_GROUP_TIME, IF_TIME_OF_ITEMS, OF_ITEMS, true, BMF_H5_FLOAT32},
    [BMF_ROLE_TIME_SLOPE] = {"time/user_slope", 5, BMF_GROUP_TIME, IF_TIME_OF_USERS, OF_USERS, false, BMF_H5_FLOAT32},
    [BMF_ROLE_TIME_FIRST] = {"time/user_first", 5, BMF_GROUP_TIME, IF_TIME_OF_USERS, OF_USERS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_TIME_MEAN] = {"time/user_mean", 5, BMF_GROUP_TIME, IF_TIME_OF_USERS, OF_USERS, false, BMF_H5_FLOAT64},
    [BMF_ROLE_TIME_LAST] = {"time/user_last", 5, BMF_GROUP_TIME, IF_TIME_OF_USERS, OF_USERS, false, BMF_H5_FLOAT64},
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

static bool is_met(const bmf_model_meta *meta, condition present)
{
    switch (present) {
    case IF_EMBED:
        return meta->content == BMF_CONTENT_EMBED && meta->features > 0;
    case IF_WEIGHTS:
        return bmf_model_meta_has_weights(meta);
    case IF_USER_FEATURES:
        return meta->user_features > 0;
    case IF_IMPLICIT:
        return meta->implicit_feedback != 0;
    case IF_USER_PARTS:
        return bmf_model_meta_has_user_parts(meta);
    case IF_TIME_OF_ITEMS:
        return bmf_time_mode_has_items(meta->time_effects);
    case IF_TIME_OF_USERS:
        return bmf_time_mode_has_users(meta->time_effects);
    default:
        return true;
    }
}

static bool is_there(const bmf_model_meta *meta, const bmf_train_state *state, bmf_role role)
{
    const bmf_role_group group = roles[role].group;
    const bool has_group =
        group == BMF_GROUP_ROOT || group == BMF_GROUP_TIME || (state && (group == BMF_GROUP_STATE || state->best));
    return has_group && is_met(meta, roles[role].present);
}

bmf_extent bmf_role_extent(const bmf_model_meta *meta, const bmf_train_state *state, bmf_role role)
{
    if (!is_there(meta, state, role))
        return (bmf_extent){0, 0};
    const int64_t rows[] = {
        [OF_USERS] = meta->users,
        [OF_ITEMS] = meta->items,
        [OF_FEATURES] = meta->features,
        [OF_USER_FEATURES] = meta->user_features,
        [OF_WEIGHTS] = state ? state->weights : 0,
        [OF_BINS] = meta->time_bins,
    };
    const int64_t columns = role == BMF_ROLE_TIME_ITEM ? meta->time_bins : meta->factors;
    return (bmf_extent){rows[roles[role].rows], roles[role].matrix ? columns : 1};
}
