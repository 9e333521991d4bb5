#include <inttypes.h>
#include <math.h>

#include "base/memory.h"
#include "store/parts.h"

int bmf_h5_write_projection(hid_t parent, const bmf_projection *projection, bmf_error *err)
{
    hid_t group = -1;
    bmf_h5_array components = BMF_H5_ARRAY_INIT;
    const int64_t features = projection->feature.count, rank = projection->rank;
    int status = bmf_h5_group_create(parent, "content_svd", &group, err);
    if (status == BMF_OK)
        status = bmf_h5_array_create(group, "components", BMF_H5_FLOAT32, 0, (bmf_h5_shape){features, rank}, true,
                                     &components, err);
    if (status == BMF_OK)
        status = bmf_h5_array_write(&components, 0, features, projection->components, err);
    int closed = bmf_h5_array_close(&components, err);
    status = status == BMF_OK ? closed : status;
    if (status == BMF_OK)
        status = bmf_h5_write_strings(group, "feature", &projection->feature, true, err);
    if (status == BMF_OK)
        status = bmf_h5_write_vector(group, "idf", BMF_H5_FLOAT64, features, projection->idf, err);
    if (status == BMF_OK)
        status = bmf_h5_write_vector(group, "singular_value", BMF_H5_FLOAT64, rank, projection->singular_value, err);
    bmf_h5_close(&group);
    return status;
}

/* A list of `count` finite numbers. */
static int read_numbers(hid_t group, const char *name, int64_t count, double **out, bmf_error *err)
{
    bmf_h5_array array;
    int status = bmf_h5_array_open(group, name, BMF_H5_FLOAT64, false, &array, err);
    if (status == BMF_OK)
        status = bmf_h5_array_expect_rows(&array, count, "as many as there are features or directions", err);
    if (status == BMF_OK && !(*out = bmf_alloc(count, sizeof **out, name, err)))
        status = BMF_ERR_MEMORY;
    if (status == BMF_OK)
        status = bmf_h5_array_read(&array, 0, count, *out, err);
    for (int64_t i = 0; i < count && status == BMF_OK; i++)
        if (!isfinite((*out)[i]))
            status = bmf_fail(err, BMF_ERR_INPUT, "/content_svd/%s: value %g at %" PRId64 " is not finite", name,
                              (*out)[i], i);
    (void)bmf_h5_array_close(&array, NULL);
    return status;
}

/* components; their number of rows is the number of features. */
static int read_components(hid_t group, int64_t rank, bmf_projection *out, int64_t *features, bmf_error *err)
{
    bmf_h5_array array;
    int status = bmf_h5_array_open(group, "components", BMF_H5_FLOAT32, true, &array, err);
    if (status == BMF_OK && (array.columns != rank || array.rows > INT32_MAX))
        status = bmf_fail(err, BMF_ERR_INPUT,
                          "/content_svd/components: is %" PRId64 " x %" PRId64 ", the content has %" PRId64 " features",
                          array.rows, array.columns, rank);
    if (status == BMF_OK) {
        *features = array.rows;
        out->components = bmf_alloc(array.rows * rank, sizeof *out->components, "components", err);
        status = out->components ? bmf_h5_array_read(&array, 0, array.rows, out->components, err) : BMF_ERR_MEMORY;
    }
    for (int64_t i = 0; status == BMF_OK && i < array.rows * rank; i++)
        if (!isfinite(out->components[i]))
            status = bmf_fail(err, BMF_ERR_INPUT, "/content_svd/components: the value in row %" PRId64 " is not finite",
                              i / rank);
    (void)bmf_h5_array_close(&array, NULL);
    return status;
}

int bmf_h5_read_projection(hid_t parent, int64_t rank, bmf_projection *out, bmf_error *err)
{
    hid_t group = -1;
    int64_t features = 0;
    *out = (bmf_projection){.rank = rank};
    int status = bmf_h5_group_open(parent, "content_svd", &group, err);
    if (status == BMF_OK)
        status = read_components(group, rank, out, &features, err);
    if (status == BMF_OK)
        status =
            bmf_h5_read_strings(group, "feature", features, "one for each row of 'components'", &out->feature, err);
    if (status == BMF_OK)
        status = read_numbers(group, "idf", features, &out->idf, err);
    if (status == BMF_OK)
        status = read_numbers(group, "singular_value", rank, &out->singular_value, err);
    if (status != BMF_OK)
        bmf_projection_clear(out);
    bmf_h5_close(&group);
    return status;
}

int64_t bmf_h5_estimate_projection(const bmf_projection *projection)
{
    const int64_t features = projection->feature.count;
    return bmf_h5_estimate(features * projection->rank, sizeof *projection->components) +
           bmf_h5_estimate_strings(&projection->feature) + bmf_h5_estimate(features, sizeof *projection->idf) +
           bmf_h5_estimate(projection->rank, sizeof *projection->singular_value);
}
