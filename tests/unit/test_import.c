#include "data/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "support/assert_close.h"
#include "text_files.h"

static bmf_import_options options_for(const char *ratings)
{
    bmf_import_options options = bmf_import_defaults();
    options.ratings_path = ratings;
    options.split = BMF_SPLIT_NONE;
    options.threads = 1;
    return options;
}

static bmf_dataset import_with(const bmf_import_options *options)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_dataset dataset;
    assert_ok(bmf_import(options, &dataset, &err), err);
    assert_true(bmf_dataset_report_of(&dataset).totals_consistent);
    return dataset;
}

static bmf_dataset import_text(const char *name, const char *text)
{
    bmf_import_options options = options_for(text_file(name, text));
    return import_with(&options);
}

/* User u's training ratings as "item:rating@time ...", items by id. */
static const char *row_of(const bmf_dataset *d, int64_t u)
{
    static char text[512];
    size_t at = 0;
    const bmf_ratings *r = &d->split[BMF_TRAIN];
    text[0] = '\0';
    for (int64_t e = r->matrix.indptr[u]; e < r->matrix.indptr[u + 1]; e++) {
        char id[24];
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s:%g", at ? " " : "",
                               bmf_ids_print(&d->items, r->matrix.indices[e], id), (double)r->matrix.data[e]);
        if (r->timestamp)
            at += (size_t)snprintf(text + at, sizeof text - at, "@%ld", (long)r->timestamp[e]);
    }
    return text;
}

/* The same two users in every form that is read. */
static void reads_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *format;
    } forms[] = {
        {"a.csv", "userId,movieId,rating,timestamp\n7,20,3.5,5\n3,10,4,9\n7,10,1,4\n", "csv"},
        {"b.csv", "\xef\xbb\xbfuserId,movieId,rating,timestamp\r\n7,20,3.5,5\r\n3,10,4,9\r\n7,10,1,4", "csv"},
        {"c.csv", "timestamp,extra,RATING,item,user_id\n5,,3.5,20,7\n9,\"a,\"\"b\n\",4,10,3\n4,x,1,10,7\n", "csv"},
        {"d.csv",
         "\"userId\",\"movieId\",\"rating\",\"timestamp\"\n\"7\",\"20\",\"3.5\",\"5\"\n3,10,4,9\n\n7,10,1,4\n\n",
         "csv"},
        {"e.dat", "7::20::3.5::5\n3::10::4::9\n7::10::1::4\n", "dat"},
        {"f.data", "7\t20\t3.5\t5\n3\t10\t4\t9\n7\t10\t1\t4\n", "tsv"},
        {"g.tsv", "user\titem\trating\ttimestamp\n7\t20\t3.5\t5\n3\t10\t4\t9\n7\t10\t1\t4\n", "tsv"},
        {"h.dat", "007::0020::35e-1::5\r\n3::10::+4.0::9\r\n7::10::1::4\r\n", "dat"},
    };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        bmf_dataset d = import_text(forms[f].name, forms[f].text);
        assert_string_equal(d.import.format, forms[f].format);
        assert_string_equal(d.import.source, forms[f].name);
        assert_int_equal(d.users.count, 2);
        assert_int_equal(d.users.number[0], 3);
        assert_string_equal(row_of(&d, 0), "10:4@9");
        assert_string_equal(row_of(&d, 1), "10:1@4 20:3.5@5");
        bmf_dataset_clear(&d);
    }
}

static void text_ids_are_kept(void **state)
{
    (void)state;
    bmf_dataset d = import_text("ids.csv", "userId,movieId,rating\nzoe,tt2,4\nAl,12,3\n\"B,\"\"b\",tt2,2\n");
    assert_int_equal(d.users.kind, BMF_ID_STRING);
    assert_int_equal(d.items.kind, BMF_ID_STRING);
    assert_string_equal(bmf_strings_get(&d.users.text, 0), "Al");
    assert_string_equal(bmf_strings_get(&d.users.text, 1), "B,\"b");
    assert_string_equal(bmf_strings_get(&d.users.text, 2), "zoe");
    assert_string_equal(row_of(&d, 1), "tt2:2");
    assert_null(d.split[BMF_TRAIN].timestamp);
    bmf_dataset_clear(&d);
}

static void ties_keep_the_order_of_the_file(void **state)
{
    (void)state;
    char text[4096] = "userId,movieId,rating,timestamp\n", wanted[1024] = "";
    size_t at = strlen(text), end = 0;
    for (int i = 0; i < 100; i++) /* enough for the merge: times 2, 1, 0, 2, ..., all ties otherwise */
        at += (size_t)snprintf(text + at, sizeof text - at, "1,%d,3,%d\n", (i * 37) % 100, 2 - i % 3);
    (void)snprintf(text + at, sizeof text - at, "2,0,3,0\n"); /* one user alone is refused */
    for (int time = 0; time < 3; time++)
        for (int i = 2 - time; i < 100; i += 3)
            end += (size_t)snprintf(wanted + end, sizeof wanted - end, "%d ", (i * 37) % 100);
    bmf_dataset d = import_text("ties.csv", text);
    char got[1024] = "";
    end = 0;
    for (int i = 0; i < 100; i++)
        end += (size_t)snprintf(got + end, sizeof got - end, "%d ", d.split[BMF_TRAIN].matrix.indices[i]);
    assert_string_equal(got, wanted);
    bmf_dataset_clear(&d);
}

static void duplicates_in_four_ways(void **state)
{
    (void)state;
    /* item 10 three times, the last line not the latest; item 20 twice at one time */
    const char *path = text_file("dup.csv", "userId,movieId,rating,timestamp\n1,10,1,5\n1,20,2,6\n1,10,5,9\n"
                                            "1,30,3,7\n1,10,3,8\n1,20,4,6\n2,10,1,1\n");
    static const char *const wanted[] = {"20:4@6 30:3@7 10:5@9", "10:1@5 20:2@6 30:3@7", "20:3@6 30:3@7 10:3@9"};
    static const bmf_duplicates mode[] = {BMF_DUPLICATES_LAST, BMF_DUPLICATES_FIRST, BMF_DUPLICATES_MEAN};
    bmf_import_options options = options_for(path);
    for (int m = 0; m < 3; m++) {
        options.duplicates = mode[m];
        bmf_dataset d = import_with(&options);
        assert_string_equal(row_of(&d, 0), wanted[m]);
        assert_string_equal(row_of(&d, 1), "10:1@1");
        assert_int_equal(d.import.duplicate_ratings, 3);
        assert_int_equal(d.import.ratings_read, 7);
        bmf_dataset_clear(&d);
    }
    bmf_error err = BMF_ERROR_INIT;
    bmf_dataset d;
    char text[512];
    options.duplicates = BMF_DUPLICATES_ERROR;
    assert_int_equal(bmf_import(&options, &d, &err), BMF_ERR_INPUT);
    snprintf(text, sizeof text,
             "%s:4: user 1 rated item 10 before, on line 2; with --duplicates error a pair may occur "
             "once (last, first or mean accept it)",
             path);
    assert_string_equal(err.text, text);
}

/* Without times the file's order decides. */
static void duplicates_without_time(void **state)
{
    (void)state;
    bmf_import_options options =
        options_for(text_file("dup2.csv", "userId,movieId,rating\n1,10,1\n1,20,2\n1,10,4\n1,30,3\n2,10,1\n"));
    bmf_dataset d = import_with(&options);
    assert_string_equal(row_of(&d, 0), "20:2 10:4 30:3");
    bmf_dataset_clear(&d);
    options.duplicates = BMF_DUPLICATES_MEAN;
    d = import_with(&options);
    assert_string_equal(row_of(&d, 0), "20:2 10:2.5 30:3");
    bmf_dataset_clear(&d);
}

static void catalogue_keeps_every_item(void **state)
{
    (void)state;
    bmf_import_options options = options_for(text_file("r.csv", "userId,movieId,rating\n1,30,3\n1,5,2\n2,99,4\n"));
    options.items_path = text_file("movies.csv", "movieId,title,genres\n30,\"Thirty, \"\"the\"\"\nmovie\",War|Drama\n"
                                                 "5,Five,(no genres listed)\n70,Seventy,Comedy\n");
    options.tags_path = text_file("tags.csv", "userId,movieId,tag,timestamp\n1,99,Space Opera,1\n9,30,grim,2\n"
                                              "1,1000,lost,3\n2,99,opera,4\n1,1001,lost,5\n");
    options.max_bad_lines = 2;
    bmf_dataset d = import_with(&options);
    assert_int_equal(d.items.count, 4);
    assert_memory_equal(d.items.number, ((int64_t[]){5, 30, 70, 99}), 4 * sizeof(int64_t));
    assert_string_equal(bmf_strings_get(&d.title, 0), "Five");
    assert_string_equal(bmf_strings_get(&d.title, 1), "Thirty, \"the\"\nmovie");
    assert_string_equal(bmf_strings_get(&d.title, 2), "Seventy");
    assert_string_equal(bmf_strings_get(&d.title, 3), "");
    assert_string_equal(row_of(&d, 0), "30:3 5:2");
    assert_int_equal(d.import.unknown_tags, 2);
    static const char *const terms[] = {"comedy", "drama", "genres", "grim", "listed", "opera", "space", "war"};
    assert_int_equal(d.content.feature.count, 8);
    for (int t = 0; t < 8; t++)
        assert_string_equal(bmf_strings_get(&d.content.feature, t), terms[t]);
    assert_memory_equal(d.content.matrix.indptr, ((int64_t[]){0, 2, 5, 6, 8}), 5 * sizeof(int64_t));
    assert_memory_equal(d.content.matrix.indices, ((int32_t[]){2, 4, 1, 3, 7, 0, 5, 6}), 8 * sizeof(int32_t));
    assert_close(d.content.matrix.data[6], 2 / sqrt(5), 1e-6); /* "space opera opera", both with the same idf */
    bmf_dataset_clear(&d);
    options.max_features = 0;
    d = import_with(&options);
    assert_int_equal(d.content.feature.count, 0);
    assert_int_equal(d.items.count, 4);
    bmf_dataset_clear(&d);
}

static void dat_catalogue_in_latin1_or_utf8(void **state)
{
    (void)state;
    bmf_import_options options = options_for(text_file("r.dat", "1::4::3::9\n2::5::3::9\n"));
    static const char *const forms[] = {"4::\xc9l\xe8ve: a film (1999)::Drama\n",
                                        "4::\xc3\x89l\xc3\xa8ve: a film (1999)::Drama\n"};
    for (int f = 0; f < 2; f++) {
        options.items_path = text_file("movies.dat", forms[f]);
        bmf_dataset d = import_with(&options);
        assert_string_equal(bmf_strings_get(&d.title, 0), "\xc3\x89l\xc3\xa8ve: a film (1999)");
        bmf_dataset_clear(&d);
    }
}

static void uitem_flags_become_genres(void **state)
{
    (void)state;
    bmf_import_options options = options_for(text_file("u.data", "1\t2\t3\t9\n5\t1\t3\t9\n"));
    options.items_path =
        text_file("u.item", "2|Caf\xe9:: (1995)|01-Jan-1995||http://x/?a|0|0|0|0|0|1|0|0|1|0|0|0|0|0|0|0|0|0|0\n"
                            "1|None (1990)|||http://y|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|1|0|0|0\n");
    bmf_dataset d = import_with(&options);
    assert_string_equal(bmf_strings_get(&d.title, 1), "Caf\xc3\xa9:: (1995)");
    assert_int_equal(d.content.feature.count, 4);
    static const char *const terms[] = {"comedy", "drama", "fi", "sci"};
    for (int t = 0; t < 4; t++)
        assert_string_equal(bmf_strings_get(&d.content.feature, t), terms[t]);
    assert_memory_equal(d.content.matrix.indptr, ((int64_t[]){0, 2, 4}), 3 * sizeof(int64_t));
    bmf_dataset_clear(&d);
}

static void bad_lines_may_be_skipped(void **state)
{
    (void)state;
    const char *path = text_file("bad.csv", "userId,movieId,rating\n1,1,4\n1,x,3\n1,2,nan\n2,3,2\n1,4\n");
    bmf_import_options options = options_for(path);
    options.max_bad_lines = 3;
    bmf_dataset d = import_with(&options);
    assert_string_equal(row_of(&d, 0), "1:4");
    assert_string_equal(row_of(&d, 1), "3:2");
    assert_int_equal(d.import.bad_lines, 3);
    assert_int_equal(d.import.ratings_read, 2);
    bmf_dataset_clear(&d);
    options.max_bad_lines = 2;
    bmf_error err = BMF_ERROR_INIT;
    char text[512];
    assert_int_equal(bmf_import(&options, &d, &err), BMF_ERR_INPUT);
    snprintf(text, sizeof text,
             "%s:6: has 2 fields where the header has 3; the last line may be cut off (bad line number "
             "3, 2 allowed by --max-bad-lines)",
             path);
    assert_string_equal(err.text, text);
}

/* Bad lines of ratings and tags of unknown items are allowed together. */
static void bad_lines_and_unknown_tags_share_a_limit(void **state)
{
    (void)state;
    bmf_import_options options = options_for(text_file("both.csv", "userId,movieId,rating\n1,1,4\n1,x,3\n2,3,2\n"));
    options.tags_path = text_file("both_tags.csv", "userId,movieId,tag\n1,1,a\n1,8,b\n1,3,c\n1,9,d\n");
    options.max_bad_lines = 3;
    bmf_dataset d = import_with(&options);
    assert_int_equal(d.import.bad_lines, 1);
    assert_int_equal(d.import.unknown_tags, 2);
    bmf_dataset_clear(&d);
    options.max_bad_lines = 2;
    bmf_error err = BMF_ERROR_INIT;
    char text[512];
    assert_int_equal(bmf_import(&options, &d, &err), BMF_ERR_INPUT);
    snprintf(text, sizeof text,
             "%s:5: tag for item \"9\", which is neither in the file of items nor rated; only those may have tags (bad "
             "line number 3, 2 allowed by --max-bad-lines)",
             options.tags_path);
    assert_string_equal(err.text, text);
}

/* A form is known by the first separator, whatever stands in later fields. */
static void text_does_not_change_the_form(void **state)
{
    (void)state;
    bmf_import_options options = options_for(text_file("form.csv", "userId,movieId,rating\n1,2,4\n2,3,5\n"));
    options.tags_path = text_file("form_tags.tsv", "1\t2\tStar::Wars\n1\t3\tcalm\n");
    options.items_path = text_file("form_items.dat", "2::Tab\there::Drama\n");
    bmf_dataset d = import_with(&options);
    assert_string_equal(bmf_strings_get(&d.title, 0), "Tab\there");
    static const char *const terms[] = {"calm", "drama", "star", "wars"};
    assert_int_equal(d.content.feature.count, 4);
    for (int t = 0; t < 4; t++)
        assert_string_equal(bmf_strings_get(&d.content.feature, t), terms[t]);
    bmf_dataset_clear(&d);
}

static void report_counts(void **state)
{
    (void)state;
    bmf_import_options options = options_for(
        text_file("rep.csv", "userId,movieId,rating,timestamp\n1,1,4,1\n1,2,0,2\n1,3,-1,3\n1,4,2,4\n2,1,5,1\n"));
    options.items_path = text_file("rep_movies.csv", "movieId,title,genres\n1,A,Drama\n50,B,\n");
    options.split = BMF_SPLIT_TEMPORAL;
    bmf_import_options ratios = options;
    memcpy(ratios.split_ratio, (double[]){0.5, 0.25, 0.25}, sizeof ratios.split_ratio);
    bmf_dataset d = import_with(&ratios);
    bmf_dataset_report r = bmf_dataset_report_of(&d);
    assert_int_equal(r.users, 2);
    assert_int_equal(r.items, 5);
    assert_int_equal(r.features, 1);
    assert_int_equal(r.items_without_content, 4);
    assert_int_equal(r.split[BMF_TRAIN].ratings, 2);
    assert_int_equal(r.split[BMF_VAL].ratings, 1);
    assert_int_equal(r.split[BMF_TEST].ratings, 2);
    assert_int_equal(r.split[BMF_TRAIN].users, 1);
    assert_int_equal(r.split[BMF_TEST].users, 2);
    assert_int_equal(r.split[BMF_TEST].items, 2);
    assert_int_equal(r.all.ratings, 5);
    assert_int_equal(r.all.users, 2);
    assert_int_equal(r.all.items, 4);
    assert_int_equal(r.all.not_positive, 2);
    assert_int_equal(r.split[BMF_TRAIN].not_positive, 1);
    assert_int_equal(r.all.missing, 0);
    assert_close(r.all.minimum, -1, 0);
    assert_close(r.all.maximum, 5, 0);
    assert_close(r.all.mean, 2, 1e-12);
    assert_close(r.split[BMF_TEST].mean, 3.5, 1e-12);
    assert_close(r.sparsity, 0.5, 1e-12);
    assert_true(r.totals_consistent);
    d.split[BMF_TEST].matrix.data[0] = NAN;
    int32_t *moved = d.split[BMF_TEST].matrix.indices, was = moved[0];
    moved[0] = d.split[BMF_TRAIN].matrix.indices[0];
    r = bmf_dataset_report_of(&d);
    assert_int_equal(r.split[BMF_TEST].missing, 1);
    assert_false(r.totals_consistent);
    moved[0] = was;
    assert_true(bmf_dataset_report_of(&d).totals_consistent);
    d.import.ratings_read++; /* a rating got lost between reading and splitting */
    assert_false(bmf_dataset_report_of(&d).totals_consistent);
    d.import.duplicate_ratings++; /* no: it was merged */
    assert_true(bmf_dataset_report_of(&d).totals_consistent);
    bmf_dataset_clear(&d);
}

static void a_pipe_is_read_as_well(void **state)
{
    (void)state;
    char command[600], path[64];
    snprintf(command, sizeof command, "cat '%s'", text_file("pipe.csv", "userId,movieId,rating\n1,1,4\n2,2,3\n"));
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    snprintf(path, sizeof path, "/dev/fd/%d", fileno(pipe));
    bmf_import_options options = options_for(path);
    bmf_dataset d = import_with(&options);
    assert_string_equal(row_of(&d, 0), "1:4");
    bmf_dataset_clear(&d);
    pclose(pipe);
}

int main(void)
{
    bmf_log_set_level(BMF_LOG_SILENT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form),
        cmocka_unit_test(text_ids_are_kept),
        cmocka_unit_test(ties_keep_the_order_of_the_file),
        cmocka_unit_test(duplicates_in_four_ways),
        cmocka_unit_test(duplicates_without_time),
        cmocka_unit_test(catalogue_keeps_every_item),
        cmocka_unit_test(dat_catalogue_in_latin1_or_utf8),
        cmocka_unit_test(uitem_flags_become_genres),
        cmocka_unit_test(bad_lines_may_be_skipped),
        cmocka_unit_test(bad_lines_and_unknown_tags_share_a_limit),
        cmocka_unit_test(text_does_not_change_the_form),
        cmocka_unit_test(report_counts),
        cmocka_unit_test(a_pipe_is_read_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
