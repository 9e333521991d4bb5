/* Features of items and users beyond words: titles, whole tags, columns, and equal weights. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "data/columns.h"
#include "data/import.h"
#include "data/titles.h"
#include "support/assert_close.h"
#include "text_files.h"

#define RATINGS "userId,movieId,rating\n1,10,3\n1,20,2\n2,30,4\n3,40,4\n"

static bmf_import_options options_for(const char *items)
{
    bmf_import_options options = bmf_import_defaults();
    options.ratings_path = text_file("ratings.csv", RATINGS);
    options.items_path = items ? text_file("items.csv", items) : NULL;
    options.split = BMF_SPLIT_NONE;
    options.threads = 1;
    return options;
}

static bmf_dataset import_with(const bmf_import_options *options)
{
    bmf_error err = BMF_ERROR_INIT;
    bmf_dataset dataset;
    assert_ok(bmf_import(options, &dataset, &err), err);
    return dataset;
}

/* Names of a row's features with blanks between them. */
static const char *row_of(const bmf_content *content, int64_t row)
{
    static char text[1024];
    size_t at = 0;
    const bmf_csr *m = &content->matrix;
    text[0] = '\0';
    for (int64_t e = m->indptr[row]; e < m->indptr[row + 1]; e++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? " " : "",
                               bmf_strings_get(&content->feature, m->indices[e]));
    return text;
}

static void years_of_titles(void **state)
{
    (void)state;
    static const struct {
        const char *title;
        int year, name;
    } titles[] = {
        {"Toy Story (1995)", 1995, 10},
        {"Toy Story (1995)  ", 1995, 10},
        {"Se7en (a.k.a. Seven) (1995)", 1995, 21},
        {"Death Note (2006\xe2\x80\x93"
         "2007)",
         2006, 11},
        {"Fireplace (2009\xe2\x80\x93 )", 2009, 10},
        {"(1984)", 1984, 0},
        {"2001: A Space Odyssey", 0, 21},
        {"Room 1408 (1408)", 0, 16},
        {"Long (19951)", 0, 12},
        {"Short (199)", 0, 11},
        {"Word (nineteen)", 0, 15},
        {"Open 1995)", 0, 10},
        {"Early (1799)", 0, 12},
        {"Inside (1995) more", 0, 18},
        {"", 0, 0},
        {")", 0, 1},
    };
    for (size_t t = 0; t < sizeof titles / sizeof *titles; t++) {
        int64_t name = -1;
        assert_int_equal(bmf_title_year(titles[t].title, (int64_t)strlen(titles[t].title), &name), titles[t].year);
        assert_int_equal(name, titles[t].name);
    }
}

static void lists_are_read_and_printed(void **state)
{
    (void)state;
    bmf_error err = BMF_ERROR_INIT;
    bmf_title_features features;
    char text[BMF_TITLE_FEATURES];
    static const char *const lists[][2] = {{NULL, "none"},
                                           {"none", "none"},
                                           {"words,year", "year,words"},
                                           {"decade", "decade"},
                                           {"year,decade,words,year", "year,decade,words"}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        assert_ok(bmf_title_features_parse(lists[i][0], &features, &err), err);
        bmf_title_features_print(&features, text);
        assert_string_equal(text, lists[i][1]);
    }
}

#define FILMS                                                                                                          \
    "movieId,title,genres\n10,The Matrix (1999),Action|Sci-Fi\n20,Matrix Reloaded (2003),Action\n"                     \
    "30,\"Shrek (2001)\",Comedy\n50,Untitled,Comedy\n"
#define TAGS "userId,movieId,tag\n1,10,Based on a Book\n2,10, based on a book \n1,30,ogre\n2,40,Book\n3,40, \n"

static void titles_and_tags_become_features(void **state)
{
    (void)state;
    bmf_import_options options = options_for(FILMS);
    options.tags_path = text_file("tags.csv", TAGS);
    options.title_features = "year,decade,words";
    options.tag_features = BMF_TAG_PHRASES;
    bmf_dataset d = import_with(&options);
    assert_string_equal(
        row_of(&d.content, 0),
        "action decade:1990 fi sci tag:based on a book title:matrix year:1999"); /* "The" is a stop word */
    assert_string_equal(row_of(&d.content, 1), "action decade:2000 title:matrix title:reloaded year:2003");
    assert_string_equal(row_of(&d.content, 2), "comedy decade:2000 tag:ogre title:shrek year:2001");
    assert_string_equal(row_of(&d.content, 3), "tag:book"); /* 40 is rated and not listed */
    assert_string_equal(row_of(&d.content, 4), "comedy title:untitled");
    assert_string_equal(d.import.title_features, "year,decade,words");
    assert_string_equal(d.import.tag_features, "phrases");
    assert_string_equal(d.import.feature_weighting, "tfidf");
    double rare = log(6.0 / 2) + 1, twice = log(6.0 / 3) + 1, squares = 0; /* 5 items */
    const float *row = d.content.matrix.data;
    const double wanted[] = {twice, rare, rare, rare, 2 * rare, twice, rare}; /* one tag was given twice */
    for (int f = 0; f < 7; f++)
        squares += wanted[f] * wanted[f];
    for (int f = 0; f < 7; f++)
        assert_close(row[f], wanted[f] / sqrt(squares), 1e-7);
    bmf_dataset_clear(&d);
}

static void equal_weights(void **state)
{
    (void)state;
    bmf_import_options options = options_for(FILMS);
    options.tags_path = text_file("tags.csv", TAGS);
    options.title_features = "year";
    options.feature_weighting = BMF_WEIGHTING_BINARY;
    bmf_dataset d = import_with(&options);
    assert_string_equal(row_of(&d.content, 0), "action based book fi sci year:1999");
    for (int64_t row = 0; row < d.items.count; row++) {
        int64_t first = d.content.matrix.indptr[row], end = d.content.matrix.indptr[row + 1];
        for (int64_t e = first; e < end; e++)
            assert_close(d.content.matrix.data[e], 1 / sqrt((double)(end - first)), 1e-7);
    }
    for (int64_t f = 0; f < d.content.feature.count; f++)
        assert_true(d.content.idf[f] == 1);
    bmf_dataset_clear(&d);
}

/* The limit counts words, phrases and words of titles; years, decades and columns stay. */
static void the_limit_spares_years_and_columns(void **state)
{
    (void)state;
    bmf_import_options options = options_for("movieId,title,genres,studio\n10,Aa Zz (1999),War|War,Acme\n"
                                             "20,Bb Zz (2003),War|Drama,\n30,Cc (2001),Drama,Bell\n");
    options.tags_path = text_file("tags.csv", "userId,movieId,tag\n1,10,grim\n1,20,grim\n1,30,grim\n1,30,war\n");
    options.title_features = "year,words";
    options.item_columns = "Studio";
    options.max_features = 2;
    bmf_dataset d = import_with(&options);
    static const char *const names[] = {"grim",      "studio:acme", "studio:bell", "war",
                                        "year:1999", "year:2001",   "year:2003"};
    assert_int_equal(d.content.feature.count, 7);
    for (int f = 0; f < 7; f++)
        assert_string_equal(bmf_strings_get(&d.content.feature, f), names[f]);
    bmf_dataset_clear(&d);
    options.max_features = 4; /* drama and title:zz come next */
    d = import_with(&options);
    assert_int_equal(d.content.feature.count, 9);
    assert_string_equal(row_of(&d.content, 0), "grim studio:acme title:zz war year:1999");
    bmf_dataset_clear(&d);
}

static void text_columns(void **state)
{
    (void)state;
    bmf_import_options options = options_for(
        "movieId,title,Director,Country,flag\n10,A,Lana W.| LILLY W. ,USA,1\n20,B,\"Wong \"\"K\"\" War\",||HK|usa,0\n"
        "30,C,,N/A,1\n");
    options.item_columns = "country,director,flag=text";
    bmf_dataset d = import_with(&options);
    assert_string_equal(row_of(&d.content, 0), "country:usa director:lana w. director:lilly w. flag:1");
    assert_string_equal(row_of(&d.content, 1), "country:hk country:usa director:wong \"k\" war flag:0");
    assert_string_equal(row_of(&d.content, 2), "country:n/a flag:1");
    assert_string_equal(row_of(&d.content, 3), "");
    assert_string_equal(d.import.item_columns, "country,director,flag=text");
    bmf_dataset_clear(&d);
}

static void few_numbers_stand_for_themselves(void **state)
{
    (void)state;
    bmf_import_options options =
        options_for("movieId,stars,year\n10, 2.50 ,-0\n20,2.5,NA\n30,1e1,0\n40,0.1,nan\n50,,null\n60,\\N,7\n");
    options.item_columns = "stars,year";
    bmf_dataset d = import_with(&options);
    static const char *const rows[] = {"stars:2.5 year:0", "stars:2.5", "stars:10 year:0", "stars:0.1", "", "year:7"};
    for (int i = 0; i < 6; i++)
        assert_string_equal(row_of(&d.content, i), rows[i]);
    bmf_dataset_clear(&d);
}

/* 200 numbers, one of them 60 times: ranges hold about as many each, equal values are together, and every number is between
 * the ends of its own range. */
static void many_numbers_become_ranges(void **state)
{
    (void)state;
    char text[8192] = "movieId,runtime\n";
    size_t at = strlen(text);
    double value[201];
    int members[BMF_COLUMN_SINGLE_VALUES] = {0};
    for (int i = 1; i <= 200; i++) {
        value[i] = i % 10 < 3 ? 90 : (i * 37 % 200) + 0.5;
        at += (size_t)snprintf(text + at, sizeof text - at, "%d,%g\n", 10 * i, value[i]);
    }
    bmf_import_options options = options_for(text);
    options.item_columns = "runtime";
    bmf_dataset d = import_with(&options);
    assert_true(d.content.feature.count >= 7 && d.content.feature.count <= BMF_COLUMN_BINS);
    for (int i = 1; i <= 200; i++) {
        double low, high;
        int64_t e = d.content.matrix.indptr[i - 1];
        assert_int_equal(d.content.matrix.indptr[i], e + 1);
        const char *name = bmf_strings_get(&d.content.feature, d.content.matrix.indices[e]);
        int ends = sscanf(name, "runtime:%lf..%lf", &low, &high);
        assert_true(ends >= 1 && low <= value[i] && value[i] <= (ends == 2 ? high : low));
        members[d.content.matrix.indices[e]]++;
    }
    int large = 0;
    for (int64_t f = 0; f < d.content.feature.count; f++) { /* about a tenth each, but for what cannot be parted */
        large += members[f] >= 60;
        assert_true(members[f] > 0 && (members[f] <= 30 || (members[f] >= 60 && members[f] <= 90)));
    }
    assert_int_equal(large, 1);
    bmf_dataset_clear(&d);
}

/* A column of numbers but for one is text, unless it is said to hold numbers (test_import_errors). */
static void a_word_among_numbers_makes_text(void **state)
{
    (void)state;
    bmf_import_options options = options_for("movieId,stars\n10,1.0\n20,2\n30,three\n");
    options.item_columns = "stars";
    bmf_dataset d = import_with(&options);
    assert_string_equal(row_of(&d.content, 0), "stars:1.0");
    assert_string_equal(row_of(&d.content, 2), "stars:three");
    bmf_dataset_clear(&d);
}

static void users_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *columns, *row[3];
    } forms[] = {
        {"1|24|M|technician|85711\n3|53|F|other|94043\n9|23|M|writer|32067\n",
         NULL,
         {"age:24 gender:m occupation:technician", "", "age:53 gender:f occupation:other"}},
        {"1|24|M|technician|85711\n3|53|F|other|94043\n", "zip=text,Age", {"age:24 zip:85711", "", "age:53 zip:94043"}},
        {"1::F::1::10::48067\r\n2::M::56::16::70072\r\n",
         NULL,
         {"age:1 gender:f occupation:10", "age:56 gender:m occupation:16", ""}},
        {"country,user_id,Likes\nno,2,\"a|b\"\nse,1,\n", NULL, {"country:se", "country:no likes:a likes:b", ""}},
        {"user\tcountry\tage\n2\tno\t7\n", "age", {"", "age:7", ""}},
    };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        bmf_import_options options = options_for(NULL);
        options.users_path = text_file("users.txt", forms[f].text);
        options.user_columns = forms[f].columns;
        options.feature_weighting = BMF_WEIGHTING_BINARY;
        bmf_dataset d = import_with(&options);
        assert_int_equal(d.user_content.matrix.rows, 3);
        assert_int_equal(d.content.feature.count, 0);
        for (int u = 0; u < 3; u++)
            assert_string_equal(row_of(&d.user_content, u), forms[f].row[u]);
        assert_string_equal(d.import.users, "users.txt");
        bmf_dataset_report report = bmf_dataset_report_of(&d);
        assert_int_equal(report.user_features, d.user_content.feature.count);
        assert_int_equal(report.users_without_content, f == 4 ? 2 : 1);
        bmf_dataset_clear(&d);
    }
}

static void users_with_text_ids(void **state)
{
    (void)state;
    bmf_import_options options = options_for(NULL);
    options.ratings_path = text_file("ids.csv", "userId,movieId,rating\nzoe,1,4\nal,2,3\n");
    options.users_path = text_file("users.csv", "userId,age\nzoe,3\nzo,4\n");
    bmf_dataset d = import_with(&options);
    assert_string_equal(row_of(&d.user_content, 0), "");
    assert_string_equal(row_of(&d.user_content, 1), "age:3");
    bmf_dataset_clear(&d);
}

int main(void)
{
    bmf_log_set_level(BMF_LOG_SILENT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(years_of_titles),
        cmocka_unit_test(lists_are_read_and_printed),
        cmocka_unit_test(titles_and_tags_become_features),
        cmocka_unit_test(equal_weights),
        cmocka_unit_test(the_limit_spares_years_and_columns),
        cmocka_unit_test(text_columns),
        cmocka_unit_test(few_numbers_stand_for_themselves),
        cmocka_unit_test(many_numbers_become_ranges),
        cmocka_unit_test(a_word_among_numbers_makes_text),
        cmocka_unit_test(users_in_every_form),
        cmocka_unit_test(users_with_text_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
