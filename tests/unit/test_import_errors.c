#include "data/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "support/assert_close.h"
#include "text_files.h"

#define HEADER "userId,movieId,rating,timestamp\n"
#define IDS "; ids are integers from 0 to 9223372036854775807"
#define NOT_A_RATING " is not a number; a finite decimal number such as 3.5 is expected"
#define HUNDRED "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
#define FLOAT_RANGE " is out of range; numbers from -3.40282347e+38 to 3.40282347e+38 (float) are allowed"

typedef struct bad_text {
    const char *text, *message; /* the message behind the path */
} bad_text;

static const bad_text bad_ratings[] = {
    {"", ": is empty"},
    {"\xef\xbb\xbf", ": is empty"},
    {"\n\r\n\n", ": is empty, it holds blank lines only"},
    {HEADER, ": holds no rating, only a header"},
    {HEADER "\n\n", ": holds no rating, only a header"},
    {"userId,movieId,timestamp\n1,1,1\n",
     ":1: the header of a file of ratings needs a column rating; the first line is "
     "\"userId,movieId,timestamp\""},
    {"who,movieId,rating\r\n1,1,1\n",
     ":1: the header of a file of ratings needs a column userId, user_id, user; the first "
     "line is \"who,movieId,rating\""},
    {"\n1,2,3\n",
     ":2: the header of a file of ratings needs a column userId, user_id, user; the first line is \"1,2,3\""},
    {"userId,movieId,rating,rating\n1,1,1,1\n", ":1: the header names the column \"rating\" twice"},
    {HEADER "1,2,3,4\n1,3,fife,4\n", ":3: rating \"fife\"" NOT_A_RATING},
    {HEADER "1,2,nan,4\n", ":2: rating \"nan\"" NOT_A_RATING},
    {HEADER "1,2,inf,4\n", ":2: rating \"inf\"" NOT_A_RATING},
    {HEADER "1,2, 3,4\n", ":2: rating \" 3\"" NOT_A_RATING},
    {HEADER "1,2,0x1p3,4\n", ":2: rating \"0x1p3\"" NOT_A_RATING},
    {HEADER "1,2,,4\n", ":2: rating is empty; a finite decimal number such as 3.5 is expected"},
    {HEADER "1,2,1e39,4\n", ":2: rating \"1e39\"" FLOAT_RANGE},
    {HEADER "1,2,-3.5e38,4\n", ":2: rating \"-3.5e38\"" FLOAT_RANGE},
    {HEADER "1,2,1e999,4\n", ":2: rating \"1e999\"" FLOAT_RANGE},
    {HEADER "-5,2,3,4\n", ":2: user id \"-5\" is negative" IDS},
    {HEADER "1,2,3,4\n1,-7,3,4\n", ":3: item id \"-7\" is negative" IDS},
    {HEADER "9223372036854775808,2,3,4\n", ":2: user id \"9223372036854775808\" is out of range" IDS},
    {HEADER "1,9223372036854775808,3,4\n", ":2: item id \"9223372036854775808\" is out of range" IDS},
    {HEADER "1,2,3,4\n1.5,2,3,4\n", ":3: user id \"1.5\" is not a number, but the first one in the ratings is" IDS},
    {HEADER ",2,3,4\n", ":2: user id is empty" IDS},
    {HEADER "a,2,3,4\n,2,3,4\n", ":3: user id is empty"},
    {HEADER "1,2,3,noon\n", ":2: timestamp \"noon\" is not a number; an integer (seconds) is expected"},
    {HEADER "1,2,3,\n", ":2: timestamp is empty; an integer (seconds) is expected"},
    {HEADER "1,2,3,99999999999999999999\n",
     ":2: timestamp \"99999999999999999999\" is out of range; an integer (seconds) is expected"},
    {HEADER "1,2,3,4\n1,3,4", ":3: has 3 fields where the header has 4; the last line may be cut off"},
    {HEADER "1,2,3,4\n1", ":3: has 1 field where the header has 4; the last line may be cut off"},
    {HEADER "1,2,3\n1,2,3,4\n", ":2: has 3 fields where the header has 4"},
    {HEADER "1,2,3,4,5\n1,2,3,4\n", ":2: has 5 fields where the header has 4"},
    {HEADER "1,2,3,4\n1,2,\"3,4\n1,5,3,4\n", ":3: unbalanced quote: a quoted field begins here and does not end before "
                                             "the file does"},
    {HEADER "1,2,\"3\"4,5\n",
     ":2: unbalanced quote: text follows the closing quote of a field (a quote inside a quoted "
     "field is written twice)"},
    {HEADER "1,2,3\"4,5\n", ":2: unbalanced quote: a quote inside a field that does not begin with one"},
    {HEADER "1,2,3,4\n1,\xe9,3,4\n",
     ":3: byte 0xe9 is not UTF-8; if the file is Latin-1, convert it: iconv -f latin1 -t utf8"},
    {"1::2::3::4\n1::2::3\n", ":2: has 3 fields where the first line has 4; the last line may be cut off"},
    {"1::2::3::4::5::6\n", ":1: a file of ratings in dat form has 3 or 4 fields a line, this one has 6"},
    {"1\t2\t3\t4\n1\t2\tx\t4\n", ":2: rating \"x\"" NOT_A_RATING},
    {"1\t2\n", ":1: a file of ratings in tsv form has 3 or 4 fields a line, this one has 2"},
};

static void expect(const bmf_import_options *options, int status, const char *path, const char *message)
{
    char wanted[1024];
    snprintf(wanted, sizeof wanted, "%s%s", path, message);
    for (int threads = 1; threads <= 2; threads++) {
        bmf_error err = BMF_ERROR_INIT;
        bmf_dataset dataset, zero = {0};
        bmf_import_options again = *options;
        again.threads = threads;
        int got = bmf_import(&again, &dataset, &err);
        assert_string_equal(err.text, wanted);
        assert_int_equal(got, status);
        assert_int_equal(err.status, status);
        assert_memory_equal(&dataset, &zero, sizeof zero);
    }
}

static bmf_import_options options_for(const char *ratings)
{
    bmf_import_options options = bmf_import_defaults();
    options.ratings_path = ratings;
    return options;
}

static void bad_ratings_are_named(void **state)
{
    (void)state;
    for (size_t b = 0; b < sizeof bad_ratings / sizeof *bad_ratings; b++) {
        bmf_import_options options = options_for(text_file("bad.txt", bad_ratings[b].text));
        expect(&options, BMF_ERR_INPUT, options.ratings_path, bad_ratings[b].message);
    }
}

static void one_user_or_one_item_is_refused(void **state)
{
    (void)state;
    static const bad_text one[] = {
        {HEADER "9,1,4,1\n9,2,3,2\n", ": all ratings are by user 9; ratings by at least 2 users are needed"},
        {HEADER "9,5,4,1\n8,5,3,2\n", ": all ratings are of item 5; ratings of at least 2 items are needed"},
        {HEADER "zoe,5,4,1\n", ": all ratings are by user zoe; ratings by at least 2 users are needed"},
    };
    bmf_import_options options = options_for(NULL);
    for (size_t b = 0; b < sizeof one / sizeof *one; b++) {
        options.ratings_path = text_file("one.csv", one[b].text);
        options.items_path = text_file("one_items.csv", "movieId,title,genres\n1,a,b\n5,c,d\n"); /* no help */
        expect(&options, BMF_ERR_INPUT, options.ratings_path, one[b].message);
    }
}

static void a_forced_format_is_obeyed(void **state)
{
    (void)state;
    bmf_import_options options = options_for(text_file("forced.txt", HEADER "1,2,3,4\n"));
    options.format = BMF_FORMAT_DAT;
    expect(&options, BMF_ERR_INPUT, options.ratings_path,
           ":1: a file of ratings in dat form has 3 or 4 fields a line, this one has 1");
}

static void binary_files_are_named(void **state)
{
    (void)state;
    bmf_import_options options = options_for(text_file_of("binary", "\x89HDF\r\n\x1a\n\0\0", 10));
    expect(&options, BMF_ERR_INPUT, options.ratings_path,
           ": is a binary file (NUL at byte 8), a text file is expected");
    options = options_for(text_file_of("binary.gz", "\x1f\x8b\x08\0\0", 5));
    expect(&options, BMF_ERR_INPUT, options.ratings_path,
           ": is a binary file (NUL at byte 3), a text file is expected; it looks compressed, unpack it first");
    options = options_for(text_file_of("late", HEADER "1,2,3,4\n1,\0,3,4\n", sizeof HEADER "1,2,3,4\n1,\0,3,4\n" - 1));
    expect(&options, BMF_ERR_INPUT, options.ratings_path,
           ": is a binary file (NUL at byte 42), a text file is expected");
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    bmf_import_options options = options_for(text_path("none.csv"));
    expect(&options, BMF_ERR_IO, options.ratings_path, ": cannot be opened: No such file or directory");
    const char *directory = text_path("folder");
    assert_int_equal(mkdir(directory, 0700), 0);
    options = options_for(directory);
    expect(&options, BMF_ERR_IO, directory, ": is a directory, a text file is expected");
    const char *secret = text_file("secret.csv", HEADER "1,2,3,4\n");
    assert_int_equal(chmod(secret, 0), 0);
    if (access(secret, R_OK) == 0)
        print_message("not checked: this user reads files without permission\n");
    options = options_for(secret);
    if (access(secret, R_OK) != 0)
        expect(&options, BMF_ERR_IO, secret, ": cannot be opened: Permission denied");
}

static void bad_items_are_named(void **state)
{
    (void)state;
    static const bad_text bad_items[] = {
        {"", ": is empty"},
        {"movieId,title,genres\n", ": holds no item, only a header"},
        {"name,title\n1,a\n", ":1: the header of a file of items needs a column movieId, itemId, item, movie_id, "
                              "item_id, movie; the first line "
                              "is \"name,title\""},
        {"movieId,title,genres\n1,a,b\nx,a,b\n",
         ":3: item id \"x\" is not a number, but the first one in the ratings is" IDS},
        {"movieId,title,genres\n1,a,b\n2,\"x\ny\",b\n1,c,d\n",
         ":5: item \"1\" was listed before, on line 2; an item is "
         "listed once"},
        {"movieId,title,genres\n1,\"a\nb\",c\n2,a\n",
         ":4: has 2 fields where the header has 3; the last line may be cut off"},
        {"movieId,title,genres\n1,a,\"b\n",
         ":2: unbalanced quote: a quoted field begins here and does not end before the "
         "file does"},
        {"1::a::b::c\n", ":1: a file of items in dat form has 2 or 3 fields a line, this one has 4"},
        {"1|a|b||u|0|0|0|0|0|1|0|0|1|0|0|0|0|0|0|0|0|0|2\n", ":1: genre flag \"2\" in field 24 is neither 0 nor 1"},
    };
    bmf_import_options options = options_for(text_file("good.csv", HEADER "1,2,3,4\n2,3,3,4\n"));
    for (size_t b = 0; b < sizeof bad_items / sizeof *bad_items; b++) {
        options.ratings_path = text_path("good.csv"); /* paths live for eight calls */
        options.items_path = text_file("items.txt", bad_items[b].text);
        expect(&options, BMF_ERR_INPUT, options.items_path, bad_items[b].message);
    }
    options.items_path = text_path("none.csv");
    expect(&options, BMF_ERR_IO, options.items_path, ": cannot be opened: No such file or directory");
}

static void bad_tags_are_named(void **state)
{
    (void)state;
    static const bad_text bad_tags[] = {
        {"userId,movieId,timestamp\n1,1,1\n", ":1: the header of a file of tags needs a column tag; the first line is "
                                              "\"userId,movieId,timestamp\""},
        {"userId,movieId,tag\n1,2,a\n1,x,a\n",
         ":3: item id \"x\" is not a number, but the first one in the ratings is" IDS},
        {"userId,movieId,tag\n1,2,a\n1,2,\"a\n", ":3: unbalanced quote: a quoted field begins here and does not end "
                                                 "before the file does"},
        {"userId,movieId,tag\n1,2,a\n1,9,b\n",
         ":3: tag for item \"9\", which is neither in the file of items nor rated; only those may have tags "
         "(--max-bad-lines N skips up to N such lines)"},
        {"userId,movieId,tag\n1,2,a\n1,2\n", ":3: has 2 fields where the header has 3; the last line may be cut off"},
    };
    bmf_import_options options = options_for(text_file("good.csv", HEADER "1,2,3,4\n2,3,3,4\n"));
    for (size_t b = 0; b < sizeof bad_tags / sizeof *bad_tags; b++) {
        options.tags_path = text_file("tags.txt", bad_tags[b].text);
        expect(&options, BMF_ERR_INPUT, options.tags_path, bad_tags[b].message);
    }
}

static void bad_columns_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *items, *columns;
        int status;
        const char *message; /* behind the path, or all of it for wrong usage; one %s is the path */
    } bad[] = {
        {"movieId,title,Director\n1,a,b\n", "director,year", BMF_ERR_USAGE,
         "--item-columns: \"year\" is not a column of %s (allowed: title, Director)"},
        {"movieId,title\n1,a\n", "movieId", BMF_ERR_USAGE,
         "--item-columns: \"movieId\" is not a column of %s (allowed: title)"},
        {"movieId,title\n1,a\n", "title,TITLE", BMF_ERR_USAGE, "--item-columns: \"title\" is named twice"},
        {"1::a::b\n", "title", BMF_ERR_USAGE,
         "--item-columns: %s has no header that names its columns, \"title\" cannot be found (csv and tsv may have "
         "one)"},
        {"movieId,stars\n1,4\n2,NA\n3,four\n", "stars=number", BMF_ERR_INPUT,
         "%s:4: column \"stars\": \"four\" is not a number; --item-columns stars=number allows numbers and missing "
         "values "
         "(NA, N/A, NaN, null, \\N or nothing)"},
        {"movieId,stars\n1,1e999\n", "stars=number", BMF_ERR_INPUT,
         "%s:2: column \"stars\": \"1e999\" is not a number; --item-columns stars=number allows numbers and missing "
         "values "
         "(NA, N/A, NaN, null, \\N or nothing)"},
        {"movieId,plot\n1,x\n2,y|" HUNDRED HUNDRED "+\n", "plot", BMF_ERR_INPUT,
         "%s:3: column \"plot\": \"012345678901234567890123456789012345678901234567890123456789...\" has 201 bytes; a "
         "value "
         "is a category of at most 200"},
    };
    bmf_import_options options = options_for(text_file("good.csv", HEADER "1,2,3,4\n2,3,3,4\n"));
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
        char wanted[512];
        const char *mark = strstr(bad[b].message, "%s");
        options.ratings_path = text_path("good.csv");
        options.items_path = text_file("items.txt", bad[b].items);
        options.item_columns = bad[b].columns;
        int before = mark ? (int)(mark - bad[b].message) : (int)strlen(bad[b].message);
        snprintf(wanted, sizeof wanted, "%.*s%s%s", before, bad[b].message, mark ? options.items_path : "",
                 mark ? mark + 2 : "");
        expect(&options, bad[b].status, "", wanted);
    }
}

static void bad_users_are_named(void **state)
{
    (void)state;
    static const bad_text bad_users[] = {
        {"", ": is empty"},
        {"userId,age\n", ": holds no user, only a header"},
        {"userId,age\n7,1\n8,1\n", ": lists none of the 2 users who have rated (2 others)"},
        {"name,age\n1,2\n", ":1: the header of a file of users needs a column userId, user_id, user; the first line is "
                            "\"name,age\""},
        {"1\t24\n",
         ":1: the header of a file of users needs a column userId, user_id, user; the first line is \"1\\x0924\""},
        {"userId,age\n1,2\nx,3\n", ":3: user id \"x\" is not a number, but the first one in the ratings is" IDS},
        {"userId,age\n1,2\n9,3\n1,3\n", ":4: user \"1\" was listed before, on line 2; a user is listed once"},
        {"1|24|M|writer|85711\n2|24|M|writer\n",
         ":2: has 4 fields where the first line has 5; the last line may be cut off"},
        {"1::F::24\n",
         ":1: a file of users in dat form has 5 fields a line (user, gender, age, occupation, zip), this one "
         "has 3"},
        {"userId,age\n1,\"2\n",
         ":2: unbalanced quote: a quoted field begins here and does not end before the file does"},
    };
    bmf_import_options options = options_for(text_file("good.csv", HEADER "1,2,3,4\n2,3,3,4\n"));
    for (size_t b = 0; b < sizeof bad_users / sizeof *bad_users; b++) {
        options.ratings_path = text_path("good.csv");
        options.users_path = text_file("users.txt", bad_users[b].text);
        expect(&options, BMF_ERR_INPUT, options.users_path, bad_users[b].message);
    }
    options.users_path = text_path("none.csv");
    expect(&options, BMF_ERR_IO, options.users_path, ": cannot be opened: No such file or directory");
}

static void bad_options_are_named(void **state)
{
    (void)state;
    bmf_import_options options = options_for(text_file("good.csv", HEADER "1,2,3,4\n2,3,3,4\n"));
    bmf_import_options bad = options;
    bad.split_ratio[BMF_TRAIN] = 0.8;
    expect(&bad, BMF_ERR_USAGE, "", "--split-ratios: 0.8, 0.15, 0.15 add up to 1.1, they must add up to 1");
    bad.split_ratio[BMF_VAL] = -0.1;
    expect(&bad, BMF_ERR_USAGE, "", "--split-ratios: -0.1 for val must be 0 to 1");
    bad = options;
    bad.cold_items = 1;
    expect(&bad, BMF_ERR_USAGE, "", "the fraction of cold items 1 is not in [0, 1)");
    bad = options;
    bad.max_bad_lines = -1;
    expect(&bad, BMF_ERR_USAGE, "", "the number of bad lines -1 is negative");
    bad = options;
    bad.max_features = -1;
    expect(&bad, BMF_ERR_USAGE, "", "the number of features -1 is negative");
    bad = options;
    bad.title_features = "year,genre";
    expect(&bad, BMF_ERR_USAGE, "",
           "--title-features: \"genre\" is not a choice (allowed: none, or some of year, decade and words with commas "
           "between them)");
    bad.title_features = "year";
    expect(&bad, BMF_ERR_USAGE, "", "--title-features needs --items, a file with titles");
    bad.items_path = "items.csv";
    bad.max_features = 0;
    expect(&bad, BMF_ERR_USAGE, "",
           "--max-features 0 leaves out all content of items, --title-features and --item-columns ask for some");
    bad = options;
    bad.item_columns = "year";
    expect(&bad, BMF_ERR_USAGE, "", "--item-columns needs --items, a file with these columns");
    bad = options;
    bad.user_columns = "age";
    expect(&bad, BMF_ERR_USAGE, "", "--user-columns needs --users, a file with these columns");
    static const char *const lists[][2] = {{"a,,b", "a name is empty"},
                                           {"a,", "a name is empty"},
                                           {"=text", "a name is empty"},
                                           {"a=flag", "\"flag\" is no kind of column"}};
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        char wanted[256];
        bad.user_columns = lists[l][0];
        snprintf(
            wanted, sizeof wanted,
            "--user-columns: %s (allowed: names of columns with commas between them, with =text or =number behind a "
            "name if need be)",
            lists[l][1]);
        expect(&bad, BMF_ERR_USAGE, "", wanted);
    }
}

int main(void)
{
    bmf_log_set_level(BMF_LOG_SILENT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_ratings_are_named),  cmocka_unit_test(a_forced_format_is_obeyed),
        cmocka_unit_test(binary_files_are_named), cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(bad_items_are_named),    cmocka_unit_test(bad_tags_are_named),
        cmocka_unit_test(bad_columns_are_named),  cmocka_unit_test(bad_users_are_named),
        cmocka_unit_test(bad_options_are_named),  cmocka_unit_test(one_user_or_one_item_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
