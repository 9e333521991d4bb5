/* Content reduced to a few features by truncated SVD, also known as latent semantic analysis. */
#ifndef BMF_TRAIN_CONTENT_SVD_H
#define BMF_TRAIN_CONTENT_SVD_H

#include "comm/comm.h"
#include "data/projection.h"
#include "store/dataset_file.h"

/* {0}: the content is used as it is. */
typedef struct bmf_reduced_content {
    bmf_content content;       /* (n × D); names and idf on rank 0 only */
    bmf_projection projection; /* rank 0 only */
} bmf_reduced_content;

/* The data set's content rows times their leading `rank` right singular vectors, scaled to length 1 again (bmf_projection_apply);
 * rank 0 reads and computes, and tells the log how much of the variance is kept. An item without features has an empty row.
 * `rank` 0 does nothing. BMF_ERR_USAGE if there
 * are fewer features or items than that. Collective, one status for all. */
int bmf_reduce_content(bmf_comm *comm, bmf_dataset_file *file, int64_t rank, int threads, bmf_reduced_content *out,
                       bmf_error *err);
void bmf_reduced_content_clear(bmf_reduced_content *reduced);

#endif
