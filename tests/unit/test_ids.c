#include "data/ids.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/id_column.h"
#include "data/key_set.h"
#include "support/assert_close.h"

static bmf_ids numbers(const int64_t *number, int64_t count)
{
    bmf_ids ids = {.kind = BMF_ID_INT64, .count = count};
    ids.number = bmf_alloc(count, sizeof *number, "ids", NULL);
    assert_non_null(ids.number);
    if (count)
        memcpy(ids.number, number, (size_t)count * sizeof *number);
    return ids;
}

static bmf_ids texts(const char *const *text, int64_t count)
{
    bmf_ids ids = {.kind = BMF_ID_STRING, .count = count};
    for (int64_t i = 0; i < count; i++)
        assert_int_equal(bmf_strings_add(&ids.text, text[i], (int64_t)strlen(text[i]), NULL), BMF_OK);
    return ids;
}

static void finds_numbers(void **state)
{
    (void)state;
    bmf_ids ids = numbers((const int64_t[]){0, 3, 54890, INT64_MAX}, 4);
    assert_int_equal(bmf_ids_find_number(&ids, 0), 0);
    assert_int_equal(bmf_ids_find_number(&ids, 54890), 2);
    assert_int_equal(bmf_ids_find_number(&ids, INT64_MAX), 3);
    assert_int_equal(bmf_ids_find_number(&ids, 1), -1);
    assert_int_equal(bmf_ids_find_number(&ids, -1), -1);
    assert_int_equal(bmf_ids_find_text(&ids, "0054890", 7), 2);
    assert_int_equal(bmf_ids_find_text(&ids, "3x", 2), -1);
    assert_int_equal(bmf_ids_find_text(&ids, "3x", 1), 1);
    assert_int_equal(bmf_ids_find_text(&ids, "9223372036854775808", 19), -1);
    char buffer[24];
    assert_string_equal(bmf_ids_print(&ids, 3, buffer), "9223372036854775807");
    bmf_ids_clear(&ids);
}

static void finds_texts(void **state)
{
    (void)state;
    bmf_ids ids = texts((const char *const[]){"10", "9", "a", "ab", "\xc3\xa9"}, 5);
    bmf_error err = BMF_ERROR_INIT;
    assert_ok(bmf_ids_check(&ids, "users", &err), err);
    assert_int_equal(bmf_ids_find_text(&ids, "ab", 2), 3);
    assert_int_equal(bmf_ids_find_text(&ids, "ab", 1), 2);
    assert_int_equal(bmf_ids_find_text(&ids, "\xc3\xa9", 2), 4);
    assert_int_equal(bmf_ids_find_text(&ids, "", 0), -1);
    assert_int_equal(bmf_ids_find_text(&ids, "zzz", 3), -1);
    assert_int_equal(bmf_ids_find_number(&ids, 9), -1);
    char buffer[24];
    assert_string_equal(bmf_ids_print(&ids, 1, buffer), "9");
    bmf_ids_clear(&ids);
}

static void check_names_the_first_offence(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    bmf_ids ids = numbers((const int64_t[]){1, 5, 5}, 3);
    assert_int_equal(bmf_ids_check(&ids, "items", &err), BMF_ERR_INPUT);
    assert_string_equal(err.text, "items: id 5 at 2 follows 5, ids must ascend strictly");
    bmf_ids_clear(&ids);
    ids = numbers((const int64_t[]){-1, 5}, 2);
    bmf_error_clear(&err);
    assert_int_equal(bmf_ids_check(&ids, "items", &err), BMF_ERR_INPUT);
    assert_string_equal(err.text, "items: id -1 at 0 is negative");
    bmf_ids_clear(&ids);
    ids = texts((const char *const[]){"b", "a"}, 2);
    bmf_error_clear(&err);
    assert_int_equal(bmf_ids_check(&ids, "users", &err), BMF_ERR_INPUT);
    assert_string_equal(err.text, "users: id \"a\" at 1 follows \"b\", ids must ascend strictly by bytes");
    bmf_ids_clear(&ids);
}

static void compares_and_copies(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    bmf_ids a = numbers((const int64_t[]){2, 4, 6}, 3), copy;
    bmf_ids b = texts((const char *const[]){"2", "4"}, 2);
    assert_ok(bmf_ids_copy_range(&a, 0, 3, &copy, &err), err);
    assert_true(bmf_ids_equal(&a, &copy));
    assert_false(bmf_ids_equal(&a, &b));
    assert_int_equal(bmf_ids_find_same(&copy, &a, 2), 2);
    assert_int_equal(bmf_ids_find_same(&a, &b, 0), -1);
    bmf_ids_clear(&copy);
    assert_ok(bmf_ids_copy_range(&b, 1, 2, &copy, &err), err);
    assert_int_equal(copy.count, 1);
    assert_string_equal(bmf_strings_get(&copy.text, 0), "4");
    assert_int_equal(bmf_ids_find_same(&b, &copy, 0), 1);
    bmf_ids_clear(&copy);
    assert_ok(bmf_ids_copy_range(&b, 1, 1, &copy, &err), err);
    assert_int_equal(copy.count, 0);
    bmf_ids_clear(&copy);
    bmf_ids_clear(&a);
    bmf_ids_clear(&b);
}

static void unites(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    int32_t map_a[3], map_b[3];
    bmf_ids out, a = numbers((const int64_t[]){1, 4, 9}, 3), b = numbers((const int64_t[]){0, 4, 5}, 3);
    assert_ok(bmf_ids_union(&a, &b, &out, map_a, map_b, &err), err);
    assert_int_equal(out.count, 5);
    assert_ok(bmf_ids_check(&out, "union", &err), err);
    assert_memory_equal(map_a, ((int32_t[]){1, 2, 4}), sizeof map_a);
    assert_memory_equal(map_b, ((int32_t[]){0, 2, 3}), sizeof map_b);
    bmf_ids_clear(&out);
    bmf_ids_clear(&a);
    bmf_ids_clear(&b);
    a = texts((const char *const[]){"a", "c"}, 2);
    b = (bmf_ids){.kind = BMF_ID_STRING};
    assert_ok(bmf_ids_union(&b, &a, &out, map_b, map_a, &err), err);
    assert_true(bmf_ids_equal(&out, &a));
    bmf_ids_clear(&out);
    bmf_ids_clear(&a);
}

/* Maps ids cut into pieces and checks that every row finds its own id again. */
static void check_mapping(const int64_t *id, int64_t rows, bool wide, int threads)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_id_column column;
    bmf_id_piece piece[3] = {0};
    bmf_ids ids;
    int32_t *index = NULL;
    assert_ok(bmf_id_column_create(&column, BMF_ID_INT64, wide, rows, &err), err);
    for (int p = 0; p < 3; p++) {
        piece[p].first = rows * p / 3;
        piece[p].count = rows * (p + 1) / 3 - piece[p].first;
        piece[p].largest = -1;
        for (int64_t r = piece[p].first; r < piece[p].first + piece[p].count; r++) {
            assert_true(bmf_id_column_put(&column, r, id[r]));
            piece[p].largest = id[r] > piece[p].largest ? id[r] : piece[p].largest;
        }
    }
    assert_ok(bmf_id_column_map(&column, piece, 3, threads, &ids, &index, &err), err);
    assert_ok(bmf_ids_check(&ids, "ids", &err), err);
    for (int64_t r = 0; r < rows; r++)
        assert_int_equal(ids.number[index[r]], id[r]);
    for (int64_t i = 0; i < ids.count; i++) { /* none that nobody has */
        int64_t r = 0;
        while (r < rows && index[r] != i)
            r++;
        assert_true(r < rows);
    }
    bmf_ids_clear(&ids);
    bmf_free(index);
}

static void maps_numbers_by_table_and_by_set(void **state)
{
    (void)state;
    int64_t small[200], large[200], huge[200];
    for (int64_t i = 0; i < 200; i++) {
        small[i] = i * 37 % 101;
        large[i] = (i * 7919 % 150) * 28000000;
        huge[i] = INT64_MAX - (i * 31 % 77) * 1000000007;
    }
    for (int threads = 1; threads <= 2; threads++) {
        check_mapping(small, 200, false, threads);
        check_mapping(small, 200, true, threads);
        check_mapping(large, 200, false, threads);
        check_mapping(huge, 200, true, threads);
    }
    bmf_id_column narrow;
    bmf_error err = BMF_ERROR_INIT;
    assert_ok(bmf_id_column_create(&narrow, BMF_ID_INT64, false, 1, &err), err);
    assert_true(bmf_id_column_put(&narrow, 0, UINT32_MAX));
    assert_false(bmf_id_column_put(&narrow, 0, (int64_t)UINT32_MAX + 1));
    bmf_id_column_clear(&narrow);
}

static void sets_grow_and_number_in_order(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    bmf_number_set numbers_set = {0};
    bmf_string_set strings_set = {0};
    for (int round = 0; round < 2; round++)
        for (int64_t i = 0; i < 5000; i++) {
            char text[24];
            int length = snprintf(text, sizeof text, "id%ld", (long)(i * i));
            assert_int_equal(bmf_number_set_add(&numbers_set, i * i, &err), i);
            assert_int_equal(bmf_string_set_add(&strings_set, text, length, &err), i);
        }
    assert_int_equal(bmf_number_set_find(&numbers_set, 81), 9);
    assert_int_equal(bmf_number_set_find(&numbers_set, 82), -1);
    bmf_number_set_clear(&numbers_set);
    bmf_string_set_clear(&strings_set);
    assert_int_equal(bmf_number_set_find(&numbers_set, 81), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_numbers),
        cmocka_unit_test(finds_texts),
        cmocka_unit_test(check_names_the_first_offence),
        cmocka_unit_test(compares_and_copies),
        cmocka_unit_test(unites),
        cmocka_unit_test(maps_numbers_by_table_and_by_set),
        cmocka_unit_test(sets_grow_and_number_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
