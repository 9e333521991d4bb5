/* The 1st, 2nd, 3rd .. allocation of each call fails: the status says so, nothing is handed out, nothing is lost (the balance
 * at the program's end). Linked with bmf_alloc and its sisters wrapped. */
#include "support/assert_close.h"

#include <string.h>

#include "base/memory.h"
#include "blendmf/model.h"
#include "unit/serve_world.h"
#include "unit/store_faults.h"

static int64_t left; /* allocations until one fails; below 0: none will */

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

void *__real_bmf_alloc(int64_t count, size_t size, const char *what, bmf_error *err);
void *__real_bmf_alloc_zero(int64_t count, size_t size, const char *what, bmf_error *err);
int __real_bmf_grow(void **array, int64_t *capacity, int64_t needed, size_t size, const char *what, bmf_error *err);
void *__wrap_bmf_alloc(int64_t count, size_t size, const char *what, bmf_error *err);
void *__wrap_bmf_alloc_zero(int64_t count, size_t size, const char *what, bmf_error *err);
int __wrap_bmf_grow(void **array, int64_t *capacity, int64_t needed, size_t size, const char *what, bmf_error *err);

static void refuse(const char *what, bmf_error *err)
{
    bmf_fail(err, BMF_ERR_MEMORY, "no memory for %s, on purpose", what);
}

void *__wrap_bmf_alloc(int64_t count, size_t size, const char *what, bmf_error *err)
{
    if (!fails())
        return __real_bmf_alloc(count, size, what, err);
    refuse(what, err);
    return NULL;
}

void *__wrap_bmf_alloc_zero(int64_t count, size_t size, const char *what, bmf_error *err)
{
    if (!fails())
        return __real_bmf_alloc_zero(count, size, what, err);
    refuse(what, err);
    return NULL;
}

int __wrap_bmf_grow(void **array, int64_t *capacity, int64_t needed, size_t size, const char *what, bmf_error *err)
{
    if (!fails())
        return __real_bmf_grow(array, capacity, needed, size, what, err);
    refuse(what, err);
    return BMF_ERR_MEMORY;
}

static blendmf_model *model;
static blendmf_error error;

typedef int call(void); /* a status */

static int open_model(void)
{
    blendmf_model *opened = (void *)&error;
    int status = blendmf_open(test_path("model.h5"), &opened, &error);
    assert_true((opened != NULL) == (status == BMF_OK));
    blendmf_close(&opened);
    return status;
}

static int recommend(void)
{
    const int64_t user[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    int64_t found[9];
    blendmf_ranked out[9 * 3];
    return blendmf_recommend_many(model, user, 9, NULL, 3, 2, 0, out, found, &error);
}

static int similar(void)
{
    int64_t found;
    blendmf_ranked out[3];
    return blendmf_similar(model, 5, 3, out, &found, &error);
}

static int new_user(void)
{
    const int64_t item[3] = {4, 5, 6};
    const double rating[3] = {4, 3, 5};
    blendmf_user *user = (void *)&error;
    int status = blendmf_fold_in_user(model, item, rating, 3, &user, &error);
    assert_true((user != NULL) == (status == BMF_OK));
    blendmf_user_free(&user);
    return status;
}

static int new_item(void)
{
    const int64_t user[3] = {4, 5, 6}, feature[1] = {2};
    const double rating[3] = {4, 3, 5}, value[1] = {0.5};
    blendmf_item *item = (void *)&error;
    int status = blendmf_fold_in_item(model, feature, value, 1, user, rating, 3, &item, &error);
    assert_true((item != NULL) == (status == BMF_OK));
    blendmf_item_free(&item);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static call *const calls[] = {open_model, recommend, similar, new_user, new_item};
    static const bmf_content_mode modes[] = {BMF_CONTENT_NONE, BMF_CONTENT_CONCAT, BMF_CONTENT_EMBED};
    for (int mode = 0; mode < 3; mode++) {
        serve_world world;
        left = -1;
        world_make(&world, modes[mode], 21, 40, 5, 3);
        world_write(&world, test_path("model.h5"));
        assert_ok(blendmf_open(test_path("model.h5"), &model, &error), error);
        for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
            int64_t failed = 0;
            if (calls[c] == new_item && mode == 0)
                continue; /* there is no feature */
            for (int status = -1; status != BMF_OK; failed++) {
                left = failed;
                status = calls[c]();
                if (status == BMF_OK)
                    break;
                assert_int_equal(status, BMF_ERR_MEMORY);
                assert_int_equal(error.status, BMF_ERR_MEMORY);
                assert_non_null(strstr(error.text, "no memory for "));
            }
            assert_true(failed >= 2);
            left = -1;
        }
        blendmf_close(&model);
        world_clear(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
