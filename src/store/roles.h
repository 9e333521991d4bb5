/* Where the row-wise arrays of a model file lie, and which groups they are in: what its writer and its reader share. */
#ifndef BMF_STORE_ROLES_H
#define BMF_STORE_ROLES_H

#include "store/h5_array.h"
#include "store/model_file.h"

/* The groups: the root, /state, /state/best, /time. */
typedef enum bmf_role_group {
    BMF_GROUP_ROOT,
    BMF_GROUP_STATE,
    BMF_GROUP_BEST,
    BMF_GROUP_TIME,
    BMF_ROLE_GROUPS
} bmf_role_group;

bmf_role_group bmf_role_group_of(bmf_role role);

/* The name within its group, the type of an element, and whether it has two dimensions in the file. */
const char *bmf_role_leaf(bmf_role role);
bmf_h5_type bmf_role_type(bmf_role role);
bool bmf_role_is_matrix(bmf_role role);

#endif
