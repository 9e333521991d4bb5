#include "data/ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/parse.h"

void bmf_ids_clear(bmf_ids *ids)
{
    bmf_free(ids->number);
    bmf_strings_clear(&ids->text);
    *ids = (bmf_ids){0};
}

int bmf_ids_compare_text(const char *a, int64_t a_length, const char *b, int64_t b_length)
{
    int order = memcmp(a, b, (size_t)(a_length < b_length ? a_length : b_length));
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int check_numbers(const bmf_ids *ids, const char *what, bmf_error *err)
{
    for (int64_t i = 0; i < ids->count; i++) {
        if (ids->number[i] < 0)
            return bmf_fail(err, BMF_ERR_INPUT, "%s: id %" PRId64 " at %" PRId64 " is negative", what, ids->number[i],
                            i);
        if (i > 0 && ids->number[i] <= ids->number[i - 1])
            return bmf_fail(err, BMF_ERR_INPUT,
                            "%s: id %" PRId64 " at %" PRId64 " follows %" PRId64 ", ids must ascend strictly", what,
                            ids->number[i], i, ids->number[i - 1]);
    }
    return BMF_OK;
}

static int check_texts(const bmf_ids *ids, const char *what, bmf_error *err)
{
    const bmf_strings *text = &ids->text;
    if (text->count != ids->count)
        return bmf_fail(err, BMF_ERR_INPUT, "%s: %" PRId64 " strings for %" PRId64 " ids", what, text->count,
                        ids->count);
    for (int64_t i = 1; i < ids->count; i++) {
        const char *last = bmf_strings_get(text, i - 1), *this = bmf_strings_get(text, i);
        if (bmf_ids_compare_text(last, bmf_strings_length(text, i - 1), this, bmf_strings_length(text, i)) >= 0)
            return bmf_fail(err, BMF_ERR_INPUT,
                            "%s: id \"%.80s\" at %" PRId64 " follows \"%.80s\", ids must ascend strictly by bytes",
                            what, this, i, last);
    }
    return BMF_OK;
}

int bmf_ids_check(const bmf_ids *ids, const char *what, bmf_error *err)
{
    return ids->kind == BMF_ID_INT64 ? check_numbers(ids, what, err) : check_texts(ids, what, err);
}

int64_t bmf_ids_find_number(const bmf_ids *ids, int64_t number)
{
    if (ids->kind != BMF_ID_INT64 || ids->count == 0)
        return -1;
    const int64_t guess =
        number - ids->number[0]; /* right where the ids have no gaps, as those of users often have not */
    if (number >= 0 && guess >= 0 && guess < ids->count && ids->number[guess] == number)
        return guess;
    int64_t low = 0, high = ids->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (ids->number[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ids->count && ids->number[low] == number ? low : -1;
}

static int64_t find_string(const bmf_ids *ids, const char *text, int64_t length)
{
    int64_t low = 0, high = ids->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = bmf_ids_compare_text(bmf_strings_get(&ids->text, middle), bmf_strings_length(&ids->text, middle),
                                         text, length);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

int64_t bmf_ids_find_text(const bmf_ids *ids, const char *text, int64_t length)
{
    if (ids->kind == BMF_ID_STRING)
        return find_string(ids, text, length);
    int64_t number = 0;
    if (length < 0 || bmf_parse_int64(text, (size_t)length, &number) != BMF_PARSE_OK)
        return -1;
    return bmf_ids_find_number(ids, number);
}

int64_t bmf_ids_find_same(const bmf_ids *ids, const bmf_ids *other, int64_t i)
{
    if (ids->kind != other->kind)
        return -1;
    if (ids->kind == BMF_ID_INT64)
        return bmf_ids_find_number(ids, other->number[i]);
    return find_string(ids, bmf_strings_get(&other->text, i), bmf_strings_length(&other->text, i));
}

const char *bmf_ids_print(const bmf_ids *ids, int64_t i, char buffer[24])
{
    if (ids->kind == BMF_ID_STRING)
        return bmf_strings_get(&ids->text, i);
    snprintf(buffer, 24, "%" PRId64, ids->number[i]);
    return buffer;
}

bool bmf_ids_equal(const bmf_ids *a, const bmf_ids *b)
{
    if (a->kind != b->kind || a->count != b->count)
        return false;
    if (a->count == 0)
        return true;
    if (a->kind == BMF_ID_INT64)
        return memcmp(a->number, b->number, (size_t)a->count * sizeof *a->number) == 0;
    return memcmp(a->text.offset, b->text.offset, (size_t)(a->count + 1) * sizeof *a->text.offset) == 0 &&
           memcmp(a->text.bytes, b->text.bytes, (size_t)a->text.offset[a->count]) == 0;
}

static int copy_texts(const bmf_strings *text, int64_t first, int64_t last, bmf_strings *out, bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t i = first; i < last && status == BMF_OK; i++)
        status = bmf_strings_add(out, bmf_strings_get(text, i), bmf_strings_length(text, i), err);
    return status;
}

int bmf_ids_copy_range(const bmf_ids *ids, int64_t first, int64_t last, bmf_ids *out, bmf_error *err)
{
    *out = (bmf_ids){.kind = ids->kind, .count = last - first};
    int status = BMF_OK;
    if (ids->kind == BMF_ID_STRING) {
        status = copy_texts(&ids->text, first, last, &out->text, err);
    } else {
        out->number = bmf_alloc(out->count, sizeof *out->number, "ids", err);
        if (!out->number)
            status = BMF_ERR_MEMORY;
        else if (out->count > 0)
            memcpy(out->number, ids->number + first, (size_t)out->count * sizeof *out->number);
    }
    if (status != BMF_OK)
        bmf_ids_clear(out);
    return status;
}

/* Order of id i of a and id j of b. */
static int compare_ids(const bmf_ids *a, int64_t i, const bmf_ids *b, int64_t j)
{
    if (a->kind == BMF_ID_INT64)
        return (a->number[i] > b->number[j]) - (a->number[i] < b->number[j]);
    return bmf_ids_compare_text(bmf_strings_get(&a->text, i), bmf_strings_length(&a->text, i),
                                bmf_strings_get(&b->text, j), bmf_strings_length(&b->text, j));
}

static int append_id(bmf_ids *out, const bmf_ids *from, int64_t i, bmf_error *err)
{
    int status = BMF_OK;
    if (from->kind == BMF_ID_INT64)
        out->number[out->count] = from->number[i];
    else
        status = bmf_strings_add(&out->text, bmf_strings_get(&from->text, i), bmf_strings_length(&from->text, i), err);
    out->count += status == BMF_OK;
    return status;
}

int bmf_ids_union(const bmf_ids *a, const bmf_ids *b, bmf_ids *out, int32_t *map_a, int32_t *map_b, bmf_error *err)
{
    *out = (bmf_ids){.kind = b->kind};
    int status = BMF_OK;
    if (a->count + b->count > INT32_MAX)
        return bmf_fail(err, BMF_ERR_INPUT, "more than %" PRId32 " different ids", INT32_MAX);
    if (b->kind == BMF_ID_INT64 && !(out->number = bmf_alloc(a->count + b->count, sizeof *out->number, "ids", err)))
        return BMF_ERR_MEMORY;
    for (int64_t i = 0, j = 0; status == BMF_OK && (i < a->count || j < b->count);) {
        int order = i == a->count ? 1 : j == b->count ? -1 : compare_ids(a, i, b, j);
        int32_t at = (int32_t)out->count;
        status = order <= 0 ? append_id(out, a, i, err) : append_id(out, b, j, err);
        if (order <= 0)
            map_a[i++] = at;
        if (order >= 0)
            map_b[j++] = at;
    }
    if (status != BMF_OK)
        bmf_ids_clear(out);
    return status;
}
