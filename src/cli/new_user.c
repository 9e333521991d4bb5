#include "cli/new_user.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "data/table_stream.h"
#include "data/values.h"

void bmf_new_user_close(bmf_new_user *user)
{
    blendmf_user_free(&user->user);
    bmf_free(user->item);
    bmf_free(user->rating);
    *user = (bmf_new_user){0};
}

typedef struct own_rating {
    int64_t item, line;
    double rating;
} own_rating;

static int compare_ratings(const void *a, const void *b)
{
    const own_rating *x = a, *y = b;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

typedef struct own_ratings {
    own_rating *at;
    int64_t count, capacity, unknown, outside; /* outside: beyond the ratings of training */
} own_ratings;

static int add_record(bmf_table_stream *stream, const blendmf_model *model, own_ratings *to, bmf_error *err)
{
    const bmf_ids *items = &model->items;
    blendmf_info info = blendmf_model_info(model);
    bmf_field item = bmf_table_stream_field(stream, BMF_COLUMN_ITEM);
    bmf_field rating = bmf_table_stream_field(stream, BMF_COLUMN_RATING);
    bmf_id_text id;
    float value = 0;
    int status = bmf_id_text_read(&item, "item", items, &id, err);
    if (status == BMF_OK)
        status = bmf_value_rating(&rating, &value, err);
    if (status == BMF_OK)
        status = bmf_grow((void **)&to->at, &to->capacity, to->count + 1, sizeof *to->at, "ratings", err);
    if (status != BMF_OK)
        return bmf_table_stream_context(stream, stream->here, err);
    int64_t index = bmf_id_text_find(&id, items);
    to->outside += (double)value < info.rating_min || (double)value > info.rating_max;
    if (index < 0)
        to->unknown++;
    else
        to->at[to->count++] = (own_rating){index, bmf_text_file_line(&stream->piece, stream->here), value};
    return BMF_OK;
}

static int read_ratings(const char *path, const blendmf_model *model, own_ratings *to, bmf_error *err)
{
    bmf_table_stream stream;
    bool more = true, row = true;
    int status = bmf_table_stream_open(path, BMF_TABLE_OWN_RATINGS, &stream, err);
    while (status == BMF_OK && more) {
        status = bmf_table_stream_next(&stream, &row, err);
        if (status == BMF_OK && row)
            status = add_record(&stream, model, to, err);
        else if (status == BMF_OK)
            status = bmf_table_stream_fill(&stream, &more, err);
    }
    bmf_table_stream_close(&stream);
    return status;
}

static int check_ratings(const char *path, const blendmf_model *model, const own_ratings *r, bmf_error *err)
{
    char id[64];
    blendmf_info info = blendmf_model_info(model);
    for (int64_t i = 1; i < r->count; i++)
        if (r->at[i].item == r->at[i - 1].item) {
            blendmf_item_id(model, r->at[i].item, id, sizeof id);
            return bmf_fail(err, BMF_ERR_INPUT,
                            "%s:%" PRId64 ": item \"%s\" was rated before, on line %" PRId64
                            "; one rating an item, and "
                            "the ratings of one user, are allowed",
                            path, r->at[i].line, id, r->at[i - 1].line);
        }
    if (r->count == 0)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: the model knows none of its items", path);
    if (r->unknown > 0)
        bmf_log_warning("%s: %" PRId64 " ratings are of items that the model does not know, and tell it nothing", path,
                        r->unknown);
    if (r->outside > 0)
        bmf_log_warning("%s: %" PRId64 " ratings are outside the range of the training ratings, %g to %g; are they on "
                        "the same scale?",
                        path, r->outside, info.rating_min, info.rating_max);
    return BMF_OK;
}

static int fold_in(const blendmf_model *model, const own_ratings *ratings, bmf_new_user *out, bmf_error *err)
{
    out->count = ratings->count;
    out->unknown = ratings->unknown;
    out->item = bmf_alloc(out->count, sizeof *out->item, "ratings", err);
    out->rating = bmf_alloc(out->count, sizeof *out->rating, "ratings", err);
    if (!out->item || !out->rating)
        return BMF_ERR_MEMORY;
    for (int64_t i = 0; i < out->count; i++) {
        out->item[i] = ratings->at[i].item;
        out->rating[i] = ratings->at[i].rating;
    }
    blendmf_error why = {0};
    int status = blendmf_fold_in_user(model, out->item, out->rating, out->count, &out->user, &why);
    return bmf_serving_status(status, &why, err);
}

int bmf_new_user_open(const char *path, const blendmf_model *model, bmf_new_user *out, bmf_error *err)
{
    own_ratings ratings = {0};
    *out = (bmf_new_user){0};
    int status = read_ratings(path, model, &ratings, err);
    if (status == BMF_OK && ratings.count > 0)
        qsort(ratings.at, (size_t)ratings.count, sizeof *ratings.at, compare_ratings);
    if (status == BMF_OK)
        status = check_ratings(path, model, &ratings, err);
    if (status == BMF_OK)
        status = fold_in(model, &ratings, out, err);
    bmf_free(ratings.at);
    if (status != BMF_OK)
        bmf_new_user_close(out);
    return status;
}
