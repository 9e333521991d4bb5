#include "train/progress.h"

#include <math.h>

#include "train/merge.h"

void bmf_pull_describe(bmf_pull *pull, double learning_rate, double lambda, double content_lambda, double h,
                       double h_max, int sides, int64_t largest)
{
    pull->a = bmf_merge_pull(learning_rate, lambda, h);
    pull->eta = learning_rate;
    pull->decay = pull->a > 0 ? lambda * learning_rate / pull->a : 0;
    pull->curvature = learning_rate * h_max * sides;
    pull->content_decay = learning_rate * content_lambda;
    bmf_saturation_init(&pull->saturation, pull->a, largest);
}

bmf_progress bmf_progress_of(const bmf_pull *pull, int64_t n)
{
    const double s = bmf_saturation_of(&pull->saturation, n);
    return (bmf_progress){s, s > 0 ? pull->a * (double)n / s : 1, pull->decay};
}

bmf_progress bmf_progress_of_row(const bmf_pull *pull, float eta, float decay, double h, int64_t n)
{
    const double a = bmf_merge_row_pull(eta, decay, h), s = bmf_merge_saturation(a, (double)n);
    return (bmf_progress){s, s > 0 ? a * (double)n / s * pull->eta / (double)eta : 1, a > 0 ? (double)decay / a : 0};
}

float bmf_damping(double R)
{
    return R > 0 ? (float)(-expm1(-R) / R) : 1;
}
