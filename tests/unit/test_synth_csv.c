/* Planted data as text: the same as the data set, whole or not there at all, and what data/sample holds. */
#include "support/assert_close.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/import.h"
#include "data/synth.h"

static bmf_error err;
static char home[64]; /* a directory of this run */

static const char *const table[] = {"ratings.csv", "movies.csv", "tags.csv", "users.csv"};

static char *in_home(const char *name)
{
    static char path[4][256];
    static int next = 0;
    next = (next + 1) % 4;
    (void)snprintf(path[next], sizeof path[next], "%s/%s", home, name);
    return path[next];
}

static int make_home(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(home, sizeof home, "%.40s/blendmf_synth_XXXXXX", base ? base : "/tmp");
    return mkdtemp(home) == NULL;
}

static int files_in(const char *directory)
{
    int files = 0;
    DIR *dir = opendir(directory);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        files += entry->d_name[0] != '.';
    (void)closedir(dir);
    return files;
}

static void remove_directory(const char *directory)
{
    char path[512];
    for (int t = 0; t < 4; t++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, table[t]);
        (void)remove(path);
    }
    assert_int_equal(rmdir(directory), 0); /* nothing else was left in it */
}

static int remove_home(void **state)
{
    (void)state;
    return rmdir(home);
}

static char *read_whole(const char *directory, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be opened", path);
    struct stat about;
    assert_int_equal(fstat(fileno(file), &about), 0);
    char *text = calloc(1, (size_t)about.st_size + 1);
    assert_int_equal(fread(text, 1, (size_t)about.st_size, file), about.st_size);
    (void)fclose(file);
    return text;
}

static void import_directory(const char *directory, const bmf_synth_options *o, bmf_dataset *out)
{
    char path[4][512];
    for (int t = 0; t < 4; t++)
        (void)snprintf(path[t], sizeof path[t], "%s/%s", directory, table[t]);
    bmf_import_options import = bmf_import_defaults();
    import.ratings_path = path[0];
    import.items_path = path[1];
    import.tags_path = path[2];
    import.users_path = o->user_features > 0 ? path[3] : NULL;
    import.max_features = 1 << 30;
    memcpy(import.split_ratio, o->split_ratio, sizeof import.split_ratio);
    assert_ok(bmf_import(&import, out, &err), err);
}

static void expect_same_csr(const bmf_csr *a, const bmf_csr *b)
{
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->columns, b->columns);
    assert_memory_equal(a->indptr, b->indptr, (size_t)(a->rows + 1) * sizeof *a->indptr);
    size_t count = (size_t)bmf_csr_count(a);
    if (count == 0)
        return;
    assert_memory_equal(a->indices, b->indices, count * sizeof *a->indices);
    assert_memory_equal(a->data, b->data, count * sizeof *a->data);
}

static void expect_same_strings(const bmf_strings *a, const bmf_strings *b)
{
    assert_int_equal(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++)
        assert_string_equal(bmf_strings_get(a, i), bmf_strings_get(b, i));
}

static void expect_same_dataset(const bmf_dataset *a, const bmf_dataset *b)
{
    assert_true(bmf_ids_equal(&a->users, &b->users));
    assert_true(bmf_ids_equal(&a->items, &b->items));
    expect_same_strings(&a->title, &b->title);
    for (int s = 0; s < BMF_SPLITS; s++) {
        size_t count = (size_t)bmf_csr_count(&a->split[s].matrix);
        expect_same_csr(&a->split[s].matrix, &b->split[s].matrix);
        if (count)
            assert_memory_equal(a->split[s].timestamp, b->split[s].timestamp, count * sizeof(int64_t));
    }
    expect_same_csr(&a->content.matrix, &b->content.matrix);
    expect_same_strings(&a->content.feature, &b->content.feature);
    if (a->content.feature.count)
        assert_memory_equal(a->content.idf, b->content.idf, (size_t)a->content.feature.count * sizeof(double));
    expect_same_strings(&a->user_content.feature, &b->user_content.feature);
    if (a->user_content.feature.count)
        expect_same_csr(&a->user_content.matrix, &b->user_content.matrix);
}

static void csv_imports_to_the_same_data_set(void **state)
{
    (void)state;
    const int64_t size[][5] = {{2, 2, 3, 3, 0}, {30, 40, 900, 0, 12}, {300, 500, 20000, 150, 300}, {50, 7, 333, 12, 1}};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        bmf_synth_options o = bmf_synth_defaults();
        bmf_dataset made, imported;
        o.users = size[i][0];
        o.items = size[i][1];
        o.ratings = size[i][2];
        o.features = size[i][3];
        o.user_features = size[i][4];
        o.seed = i;
        const char *directory = in_home("csv");
        assert_ok(bmf_synth_write_csv(&o, directory, &err), err);
        assert_int_equal(files_in(directory), o.user_features > 0 ? 4 : 3);
        import_directory(directory, &o, &imported);
        assert_ok(bmf_synth(&o, &made, &err), err);
        expect_same_dataset(&made, &imported);
        assert_int_equal(made.user_content.feature.count, o.user_features);
        bmf_dataset_clear(&made);
        bmf_dataset_clear(&imported);
        remove_directory(directory);
    }
}

static bmf_synth_options small_options(void)
{
    bmf_synth_options o = bmf_synth_defaults();
    o.users = 100;
    o.items = 200;
    o.ratings = 3000;
    return o;
}

/* A disk that fills up is imitated by a limit on the size of files. */
static int write_with_limit(const bmf_synth_options *o, const char *directory, rlim_t limit, bmf_error *error)
{
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = limit;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    int status = bmf_synth_write_csv(o, directory, error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, before);
    return status;
}

static void failed_write_leaves_nothing(void **state)
{
    (void)state;
    bmf_synth_options o = small_options();
    bmf_error error = BMF_ERROR_INIT;
    const char *directory = in_home("full");
    assert_int_equal(write_with_limit(&o, directory, 10000, &error), BMF_ERR_IO);
    assert_non_null(strstr(error.text, "ratings.csv: cannot be written: File too large"));
    assert_int_not_equal(access(directory, F_OK), 0);
}

static void failed_write_keeps_the_old_files(void **state)
{
    (void)state;
    bmf_synth_options o = small_options();
    bmf_error error = BMF_ERROR_INIT;
    char *old[3];
    const char *directory = in_home("old");
    assert_ok(bmf_synth_write_csv(&o, directory, &err), err);
    for (int t = 0; t < 3; t++)
        old[t] = read_whole(directory, table[t]);
    o.seed++;
    assert_int_equal(write_with_limit(&o, directory, 10000, &error), BMF_ERR_IO);
    assert_int_equal(files_in(directory), 3);
    for (int t = 0; t < 3; t++) {
        char *now = read_whole(directory, table[t]);
        assert_string_equal(now, old[t]);
        free(now);
        free(old[t]);
    }
    remove_directory(directory);
}

static void second_run_replaces_the_files(void **state)
{
    (void)state;
    bmf_synth_options o = small_options();
    const char *directory = in_home("twice");
    assert_ok(bmf_synth_write_csv(&o, directory, &err), err);
    char *first = read_whole(directory, table[0]);
    o.seed++;
    assert_ok(bmf_synth_write_csv(&o, directory, &err), err);
    char *second = read_whole(directory, table[0]);
    assert_string_not_equal(first, second);
    assert_int_equal(files_in(directory), 3);
    free(first);
    free(second);
    remove_directory(directory);
}

static void bad_directories_are_named(void **state)
{
    (void)state;
    bmf_synth_options o = small_options();
    bmf_error error = BMF_ERROR_INIT;
    assert_int_equal(bmf_synth_write_csv(&o, in_home("no/where"), &error), BMF_ERR_IO);
    assert_non_null(strstr(error.text, "no/where: cannot be made: No such file or directory"));
    bmf_error_clear(&error);

    const char *blocked = in_home("blocked"), *target = in_home("blocked/tags.csv");
    assert_int_equal(mkdir(blocked, 0777), 0);
    assert_int_equal(mkdir(target, 0777), 0);
    assert_int_equal(bmf_synth_write_csv(&o, blocked, &error), BMF_ERR_IO);
    assert_non_null(strstr(error.text, "blocked/tags.csv: is not a regular file"));
    assert_int_equal(files_in(blocked), 1);
    assert_int_equal(rmdir(target), 0);
    remove_directory(blocked);
    bmf_error_clear(&error);

    FILE *file = fopen(in_home("file"), "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(bmf_synth_write_csv(&o, in_home("file"), &error), BMF_ERR_IO);
    assert_non_null(strstr(error.text, "Not a directory"));
    assert_int_equal(remove(in_home("file")), 0);
}

/* The options of the command in data/sample/README.md. Another mathematics library may round a rating or a count the other
 * way, so ratings are compared as sets of lines that may differ in one of a thousand. */
static void sample_is_what_its_readme_says(void **state)
{
    (void)state;
    bmf_synth_options o = bmf_synth_defaults();
    o.users = 300;
    o.items = 2500;
    o.ratings = 28000;
    o.factors = 8;
    o.features = 60;
    o.noise = 0.5;
    o.seed = 1;
    const char *directory = in_home("sample");
    assert_ok(bmf_synth_write_csv(&o, directory, &err), err);
    for (int t = 1; t < 3; t++) {
        char *made = read_whole(directory, table[t]), *kept = read_whole(SAMPLE_DIR, table[t]);
        assert_string_equal(made, kept);
        free(made);
        free(kept);
    }
    char *made = read_whole(directory, table[0]), *kept = read_whole(SAMPLE_DIR, table[0]);
    char *rest_made = made, *rest_kept = kept, *line_made, *line_kept;
    int lines = 0, different = 0;
    while ((line_made = strsep(&rest_made, "\n")) && (line_kept = strsep(&rest_kept, "\n"))) {
        lines++;
        different += strcmp(line_made, line_kept) != 0;
    }
    assert_null(rest_kept);
    assert_int_equal(lines, 28000 + 2); /* the header, and nothing behind the last line feed */
    assert_true(different <= 28);
    free(made);
    free(kept);
    remove_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_imports_to_the_same_data_set), cmocka_unit_test(failed_write_leaves_nothing),
        cmocka_unit_test(failed_write_keeps_the_old_files), cmocka_unit_test(second_run_replaces_the_files),
        cmocka_unit_test(bad_directories_are_named),        cmocka_unit_test(sample_is_what_its_readme_says),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
