/* Chunks read past HDF5: the checksum is Fletcher's sums done plainly, the values are those HDF5 reads, and whatever is
 * damaged or laid out otherwise is left to HDF5. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/rng.h"
#include "store/fletcher32.h"
#include "store/h5_array.h"
#include "store/h5_chunks.h"
#include "store/h5_file.h"
#include "support/assert_close.h"
#include "unit/store_faults.h"
#include "unit/store_samples.h"

#define ROWS 100003 /* no multiple of a chunk */

static bmf_error err;

static int clear_error(void **state)
{
    (void)state;
    bmf_error_clear(&err);
    return 0;
}

/* Word by word, reduced by folding, as the filter is specified. */
static uint32_t plain_fletcher32(const unsigned char *data, size_t size)
{
    uint32_t first = 0, second = 0;
    for (size_t at = 0; at < size; at += 2) {
        first += (uint32_t)data[at] << 8 | (at + 1 < size ? data[at + 1] : 0);
        first = (first & 0xffff) + (first >> 16);
        second += first;
        second = (second & 0xffff) + (second >> 16);
    }
    return second << 16 | first;
}

static void checksum_is_the_plain_one(void **state)
{
    (void)state;
    static unsigned char data[3 << 17];
    for (size_t size = 0; size <= 700; size++)
        assert_int_equal(bmf_fletcher32(data, size), 0); /* zeros alone give 0 */
    memset(data, 0xff, sizeof data);
    for (size_t size = 0; size <= 700; size++)
        assert_int_equal(bmf_fletcher32(data, size), plain_fletcher32(data, size));
    assert_int_equal(bmf_fletcher32(data, sizeof data), plain_fletcher32(data, sizeof data)); /* the largest lanes */
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)bmf_rng_draw(7, i);
    for (size_t size = 0; size <= 20000; size += size < 700 ? 1 : 97)
        assert_int_equal(bmf_fletcher32(data + size % 5, size), plain_fletcher32(data + size % 5, size));
    assert_int_equal(bmf_fletcher32(data, sizeof data), plain_fletcher32(data, sizeof data));
}

/* A multiple of 65535 that is not 0 must come out as 65535, in either sum. */
static void sums_never_fall_to_zero(void **state)
{
    (void)state;
    unsigned char data[64] = {0};
    for (int at = 0; at < 64; at += 2) {
        memset(data, 0, sizeof data);
        data[at] = data[at + 1] = 0xff;
        assert_int_equal(bmf_fletcher32(data, sizeof data), 0xffffffffu);
        assert_int_equal(plain_fletcher32(data, sizeof data), 0xffffffffu);
    }
}

typedef struct open_array {
    hid_t file;
    bmf_h5_array array;
} open_array;

static void write_array(const char *path, const int32_t *value, bool compress)
{
    bmf_atomic_file place;
    bmf_h5_array array;
    hid_t file = -1;
    assert_ok(bmf_atomic_file_create(&place, path, &err), err);
    assert_ok(bmf_h5_file_create(&place, BMF_H5_DATASET, BMF_H5_DATASET_VERSION, 1 << 20, &file, &err), err);
    bmf_h5_shape shape = {ROWS, -1};
    assert_ok(bmf_h5_array_create(file, "x", BMF_H5_INT32, 0, shape, compress, &array, &err), err);
    assert_ok(bmf_h5_array_write(&array, 0, ROWS, value, &err), err);
    assert_ok(bmf_h5_array_close(&array, &err), err);
    assert_ok(bmf_h5_file_finish(&place, &file, &err), err);
}

static open_array open_it(const char *path)
{
    open_array out;
    assert_ok(bmf_h5_file_open(path, BMF_H5_DATASET, &out.file, &err), err);
    assert_ok(bmf_h5_array_open(out.file, "x", BMF_H5_INT32, false, &out.array, &err), err);
    return out;
}

static void close_it(open_array *open)
{
    (void)bmf_h5_array_close(&open->array, NULL);
    bmf_h5_close(&open->file);
}

static bool read_rows(const open_array *open, hid_t type, int64_t first, int64_t rows, int threads, void *out)
{
    bmf_h5_chunk_request request = {open->array.id, type, 1, first, rows, threads};
    return bmf_h5_chunks_read(&request, out);
}

static int32_t *make_values(void)
{
    int32_t *value = bmf_alloc(ROWS, sizeof *value, "values", &err);
    assert_non_null(value);
    for (int64_t i = 0; i < ROWS; i++)
        value[i] = (int32_t)bmf_rng_draw(3, (uint64_t)i);
    return value;
}

static void ranges_are_read(void **state)
{
    (void)state;
    const char *path = test_path("chunks.h5");
    static const int64_t range[][2] = {{0, ROWS}, {1, ROWS - 1},  {0, 1},    {ROWS - 1, 1},
                                       {63, 2},   {33000, 40000}, {7, 99990}};
    int32_t *value = make_values(), *back = bmf_alloc(ROWS, sizeof *back, "values", &err);
    write_array(path, value, false);
    open_array open = open_it(path);
    for (size_t r = 0; r < sizeof range / sizeof *range; r++)
        for (int threads = 1; threads <= 3; threads++) {
            int64_t first = range[r][0], rows = range[r][1];
            memset(back, 0xa5, ROWS * sizeof *back);
            assert_true(read_rows(&open, H5T_NATIVE_INT32, first, rows, threads, back));
            assert_memory_equal(back, value + first, (size_t)rows * sizeof *back);
            if (rows < ROWS) /* nothing behind the rows is touched */
                assert_int_equal((uint32_t)back[rows], 0xa5a5a5a5u);
        }
    close_it(&open);
    bmf_free(value);
    bmf_free(back);
    (void)unlink(path);
}

static void other_layouts_are_left_to_hdf5(void **state)
{
    (void)state;
    const char *path = test_path("other.h5");
    int32_t *value = make_values();
    double *wide = bmf_alloc(ROWS, sizeof *wide, "values", &err);
    write_array(path, value, false);
    open_array open = open_it(path);
    assert_false(read_rows(&open, H5T_NATIVE_DOUBLE, 0, ROWS, 1, wide));
    assert_false(read_rows(&open, H5T_NATIVE_UINT32, 0, ROWS, 1, wide));
    close_it(&open);
    write_array(path, value, true);
    open = open_it(path);
    assert_false(read_rows(&open, H5T_NATIVE_INT32, 0, ROWS, 1, wide));
    assert_ok(bmf_h5_array_read(&open.array, 0, ROWS, wide, &err), err);
    assert_memory_equal(wide, value, ROWS * sizeof *value);
    close_it(&open);
    bmf_free(value);
    bmf_free(wide);
    (void)unlink(path);
}

/* Flips a bit `shift` bytes behind the beginning of row `row`, which is found in the file by its values. */
static void flip(const char *path, const int32_t *value, int64_t row, int64_t shift)
{
    int64_t size = file_size(path);
    unsigned char *bytes = bmf_alloc(size, 1, "file", &err);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, (size_t)size, file), size);
    unsigned char *place = memmem(bytes, (size_t)size, value + row, 4 * sizeof *value);
    assert_non_null(place);
    place[shift] ^= 4;
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, (size_t)size, file), size);
    assert_int_equal(fclose(file), 0);
    bmf_free(bytes);
}

static void flips_are_left_to_hdf5_which_reports_them(void **state)
{
    (void)state;
    const char *path = test_path("flip.h5");
    static const int64_t row[] = {0, 1, 40000, ROWS - 4};
    int32_t *value = make_values(), *back = bmf_alloc(ROWS, sizeof *back, "values", &err);
    for (size_t r = 0; r < sizeof row / sizeof *row; r++)
        for (int64_t shift = 0; shift < 16; shift += 5) {
            write_array(path, value, false);
            flip(path, value, row[r], shift);
            open_array open = open_it(path);
            assert_false(read_rows(&open, H5T_NATIVE_INT32, 0, ROWS, 2, back));
            assert_int_equal(bmf_h5_array_read(&open.array, 0, ROWS, back, &err), BMF_ERR_IO);
            assert_non_null(strstr(err.text, "Fletcher32"));
            bmf_error_clear(&err);
            close_it(&open);
        }
    bmf_free(value);
    bmf_free(back);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(checksum_is_the_plain_one, clear_error),
        cmocka_unit_test_setup(sums_never_fall_to_zero, clear_error),
        cmocka_unit_test_setup(ranges_are_read, clear_error),
        cmocka_unit_test_setup(other_layouts_are_left_to_hdf5, clear_error),
        cmocka_unit_test_setup(flips_are_left_to_hdf5_which_reports_them, clear_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
