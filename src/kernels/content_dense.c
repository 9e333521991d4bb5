#include "kernels/instances.h"

void bmf_content_step_dense(const bmf_sweep *sweep, float *W, double *scale, double *norm2, int32_t item, float eta_e)
{
    const float clip = sweep->clip, decay = sweep->learning_rate * sweep->content_regularization;
    const float old_scale = (float)*scale;
    const bmf_content_rows *content = sweep->content;
    const bmf_content_group *first = content->group + content->row[item].first;
    const int64_t entries = (int64_t)content->row[item].groups * BMF_CONTENT_GROUP;
    double norm = 0;
    for (int64_t f = 0, j = 0; f < content->features; f++) {
        const bmf_content_group *group = first + j / BMF_CONTENT_GROUP;
        float w = old_scale * W[f], x = 0;
        if (j < entries && group->feature[j % BMF_CONTENT_GROUP] == f)
            x = group->value[j++ % BMF_CONTENT_GROUP];
        float delta = eta_e * x - decay * w;
        w += delta > clip ? clip : delta < -clip ? -clip : delta;
        W[f] = w;
        norm += (double)w * (double)w;
    }
    *scale = 1;
    *norm2 = norm;
}
