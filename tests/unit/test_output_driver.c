/* The driver below HDF5: what cannot be read is an error and noted, not a block of zeros. */
#include "store/output_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/assert_close.h"
#include "unit/store_faults.h"

#define COUNT 100000 /* more than HDF5 keeps in its sieve */

static hid_t create_file(int fd, int *failure)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    assert_true(bmf_output_driver_set(access, fd, failure) >= 0);
    hid_t file = H5Fcreate("unused", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    assert_true(file >= 0);
    return file;
}

/* Writes an array and reads it back through descriptor `fd`; what HDF5 says of the reading. */
static herr_t write_and_read(hid_t file, int *values)
{
    hsize_t count = COUNT;
    hid_t space = H5Screate_simple(1, &count, NULL);
    hid_t set = H5Dcreate2(file, "values", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    for (int i = 0; i < COUNT; i++)
        values[i] = i + 1;
    assert_true(H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    herr_t done;
    H5E_BEGIN_TRY
    {
        done = H5Dread(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    }
    H5E_END_TRY;
    H5Dclose(set);
    H5Sclose(space);
    return done;
}

/* A descriptor for writing alone fails every read. */
static void failed_reads_are_noted(void **state)
{
    (void)state;
    static const struct {
        int flags, failure;
    } cases[] = {{O_RDWR, 0}, {O_WRONLY, EBADF}};
    int *values = malloc(COUNT * sizeof *values);
    assert_non_null(values);
    for (int c = 0; c < 2; c++) {
        int failure = -1, fd = open(test_path("driver.h5"), cases[c].flags | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0);
        hid_t file = create_file(fd, &failure);
        assert_int_equal(failure, 0);
        assert_int_equal(write_and_read(file, values) < 0, cases[c].failure != 0);
        assert_int_equal(bmf_output_driver_failure(file), cases[c].failure);
        assert_int_equal(failure, cases[c].failure);
        if (!cases[c].failure)
            assert_int_equal(values[COUNT - 1], COUNT);
        assert_true(H5Fclose(file) >= 0);
        close(fd);
    }
    free(values);
    check_nothing_open();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_reads_are_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
