/* What writer and reader of the data-set file share. */
#ifndef BMF_STORE_DATASET_LAYOUT_H
#define BMF_STORE_DATASET_LAYOUT_H

#include "store/h5.h"

/* The attributes of /import: fields of bmf_import_record. */
extern const bmf_h5_field bmf_import_fields[];
extern const int64_t bmf_import_field_count;
extern const int64_t bmf_import_first_fields; /* what every data set has; older programs wrote no others */

#endif
