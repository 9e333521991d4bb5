#include "eval/evaluate.h"

#include <inttypes.h>
#include <math.h>

#include "base/memory.h"
#include "eval/collective.h"
#include "eval/ranking.h"

const char *bmf_segment_name(bmf_segment segment)
{
    static const char *const name[BMF_SEGMENTS] = {"warm", "new_item", "new_user"};
    return (unsigned)segment < BMF_SEGMENTS ? name[segment] : "unknown";
}

static int check_options(const bmf_evaluate_options *options, bmf_error *err)
{
    if ((unsigned)options->split >= BMF_SPLITS)
        return bmf_fail(err, BMF_ERR_USAGE, "split %d is not one of train, val, test", (int)options->split);
    if (options->top < 1)
        return bmf_fail(err, BMF_ERR_USAGE, "top %" PRId64 " is not allowed; it must be at least 1", options->top);
    if (!isfinite(options->threshold))
        return bmf_fail(err, BMF_ERR_USAGE, "threshold %g is not a finite number", options->threshold);
    if (options->candidates != BMF_CANDIDATES_RATED && options->candidates != BMF_CANDIDATES_ALL)
        return bmf_fail(err, BMF_ERR_USAGE, "candidates %d is not one of rated, all", (int)options->candidates);
    if (options->threads < 1)
        return bmf_fail(err, BMF_ERR_USAGE, "threads %" PRId64 " is not allowed; it must be at least 1",
                        options->threads);
    return BMF_OK;
}

/* Everything an evaluation holds. */
typedef struct eval_job {
    bmf_comm *comm;
    const bmf_evaluate_options *options;
    bmf_eval_inputs inputs;
    bmf_baselines baselines;
    int64_t *item_count; /* (items) training ratings over all ranks */
    int64_t *covered;    /* (subjects × items) */
    bmf_eval_sums *sums; /* one per block dealt here */
    bmf_eval_sums *all;  /* rank 0: one per block of the data set */
    int64_t *bytes;      /* rank 0: (ranks) */
} eval_job;

static void job_clear(eval_job *job)
{
    bmf_eval_inputs_clear(&job->inputs);
    bmf_baselines_clear(&job->baselines);
    bmf_free(job->item_count);
    bmf_free(job->covered);
    bmf_free(job->sums);
    bmf_free(job->all);
    bmf_free(job->bytes);
}

/* The ranks must have met the same file, or their collective calls would not match. Collective. */
static int agree_on_shape(const eval_job *job, bmf_error *err)
{
    const bmf_dataset_shape *mine = &job->inputs.shape;
    bmf_dataset_shape first = *mine;
    if (job->comm)
        bmf_comm_broadcast(job->comm, &first, (int64_t)sizeof first, 0);
    int status = BMF_OK;
    if (first.users != mine->users || first.items != mine->items)
        status = bmf_fail(err, BMF_ERR_INPUT,
                          "the data set has %" PRId64 " users and %" PRId64 " items here, but %" PRId64 " and %" PRId64
                          " on rank 0; was it replaced while it was being read?",
                          mine->users, mine->items, first.users, first.items);
    return bmf_eval_agree(job->comm, status, err);
}

static int job_allocate(eval_job *job, bmf_error *err)
{
    int64_t items = job->inputs.shape.items, subjects = job->options->baselines ? BMF_EVAL_SUBJECTS : 1;
    int64_t blocks = job->inputs.blocks.last - job->inputs.blocks.first;
    job->item_count = bmf_alloc_zero(items, sizeof *job->item_count, "counts of items", err);
    job->covered = bmf_alloc_zero(subjects * items, sizeof *job->covered, "marks of listed items", err);
    job->sums = bmf_alloc_zero(blocks, sizeof *job->sums, "sums of blocks", err);
    bool complete = job->item_count && job->covered && job->sums;
    if (job->comm && bmf_eval_rank(job->comm) == 0) {
        job->all = bmf_alloc_zero(bmf_eval_blocks(job->inputs.shape.users), sizeof *job->all, "sums of blocks", err);
        job->bytes = bmf_alloc_zero(bmf_eval_size(job->comm), sizeof *job->bytes, "sizes of parts", err);
        complete = complete && job->all && job->bytes;
    }
    return complete ? BMF_OK : BMF_ERR_MEMORY;
}

static void count_items(eval_job *job)
{
    const bmf_csr *train = &job->inputs.ratings[BMF_TRAIN].matrix;
    for (int64_t e = 0; e < bmf_csr_count(train); e++)
        job->item_count[train->indices[e]]++;
    bmf_eval_sum_int64(job->comm, job->item_count, job->inputs.shape.items);
}

/* Sums of all blocks, added in the order of the blocks on rank 0, on every rank. Collective. */
static bmf_eval_sums reduce_sums(eval_job *job)
{
    int64_t users = job->inputs.shape.users, blocks = bmf_eval_blocks(users);
    int64_t mine = (job->inputs.blocks.last - job->inputs.blocks.first) * (int64_t)sizeof(bmf_eval_sums);
    const bmf_eval_sums *all = job->sums;
    bmf_eval_sums total = {0};
    if (job->comm) {
        for (int r = 0; job->bytes && r < bmf_eval_size(job->comm); r++) {
            bmf_eval_range range = bmf_eval_deal(users, r, bmf_eval_size(job->comm));
            job->bytes[r] = (range.last - range.first) * (int64_t)sizeof(bmf_eval_sums);
        }
        bmf_comm_gather(job->comm, job->sums, mine, job->all, job->bytes);
        all = job->all;
    }
    for (int64_t b = 0; all && b < blocks; b++)
        bmf_eval_sums_merge(&total, &all[b]);
    if (job->comm)
        bmf_comm_broadcast(job->comm, &total, (int64_t)sizeof total, 0);
    return total;
}

static int64_t covered_count(const eval_job *job, int subject)
{
    int64_t items = job->inputs.shape.items, count = 0;
    for (int64_t i = 0; i < items; i++)
        count += job->covered[subject * items + i] > 0;
    return count;
}

static double sparsity_of(const bmf_dataset_shape *shape)
{
    double cells = (double)shape->users * (double)shape->items;
    double ratings = (double)(shape->ratings[BMF_TRAIN] + shape->ratings[BMF_VAL] + shape->ratings[BMF_TEST]);
    return cells > 0 ? 1.0 - ratings / cells : NAN;
}

/* From the sums to the means. Collective. */
static void conclude(eval_job *job, bmf_evaluation *out)
{
    int subjects = job->options->baselines ? BMF_EVAL_SUBJECTS : 1;
    int64_t items = job->inputs.shape.items;
    bmf_eval_sums total = reduce_sums(job);
    bmf_eval_sum_int64(job->comm, job->covered, subjects * items);
    for (int s = 0; s < subjects; s++) {
        bmf_metrics *metrics = s == BMF_EVAL_MODEL ? &out->model : &out->baseline[s - 1];
        *metrics = bmf_metrics_of(&total.subject[s], covered_count(job, s), items);
    }
    for (int s = 0; s < BMF_SEGMENTS; s++) {
        int64_t count = total.segment_count[s];
        out->segment[s].count = count;
        out->segment[s].rmse = count ? sqrt(total.segment_squared[s] / (double)count) : NAN;
    }
    bool blended = job->inputs.model.content != BMF_CONTENT_NONE && out->model.ratings > 0;
    out->rmse_without_content = blended ? sqrt(total.without_content / (double)out->model.ratings) : NAN;
    out->sparsity = sparsity_of(&job->inputs.shape);
}

static int read_all(eval_job *job, const char *model_path, const char *dataset_path, bmf_error *err)
{
    int status = check_options(job->options, err);
    if (status == BMF_OK)
        status = bmf_eval_inputs_read(model_path, dataset_path, job->options, bmf_eval_rank(job->comm),
                                      bmf_eval_size(job->comm), &job->inputs, err);
    if (status == BMF_OK)
        status = job_allocate(job, err);
    status = bmf_eval_agree(job->comm, status, err);
    return status == BMF_OK ? agree_on_shape(job, err) : status;
}

int bmf_evaluate(bmf_comm *comm, const char *model_path, const char *dataset_path, const bmf_evaluate_options *options,
                 bmf_evaluation *out, bmf_error *err)
{
    eval_job job = {.comm = comm, .options = options};
    *out = (bmf_evaluation){.options = *options};
    int status = read_all(&job, model_path, dataset_path, err);
    if (status != BMF_OK)
        goto done;
    count_items(&job);
    if (options->baselines)
        status = bmf_baselines_fit(comm, &job.inputs.ratings[BMF_TRAIN].matrix, job.inputs.user.first, job.item_count,
                                   options->seed, &job.baselines, err);
    if (status != BMF_OK)
        goto done;
    bmf_eval_task task = {options, &job.inputs, job.item_count, options->baselines ? &job.baselines : NULL};
    status = bmf_eval_agree(comm, bmf_eval_run(&task, job.sums, job.covered, err), err);
    if (status == BMF_OK)
        conclude(&job, out);
done:
    job_clear(&job);
    return status;
}
