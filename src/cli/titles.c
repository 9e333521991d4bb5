#include "cli/titles.h"

#include "base/memory.h"
#include "store/dataset_file.h"

void bmf_titles_clear(bmf_titles *titles)
{
    bmf_strings_clear(&titles->text);
    bmf_free(titles->of_item);
    *titles = (bmf_titles){0};
}

static int read_titles(bmf_dataset_file *file, const char *path, const bmf_ids *items, bmf_titles *out, bmf_error *err)
{
    bmf_ids theirs = {0};
    int status = bmf_dataset_file_read_items(file, &theirs, err);
    if (status == BMF_OK)
        status = bmf_dataset_file_read_titles(file, &out->text, err);
    if (status == BMF_OK &&
        out->text.count == (out->text.offset ? out->text.offset[out->text.count] : 0)) /* all empty */
        status = bmf_fail(err, BMF_ERR_INPUT,
                          "%s has no titles: it was imported without --items, or from a file without "
                          "a column title",
                          path);
    if (status == BMF_OK && !(out->of_item = bmf_alloc(items->count, sizeof *out->of_item, "titles", err)))
        status = BMF_ERR_MEMORY;
    for (int64_t i = 0; status == BMF_OK && i < items->count; i++)
        out->of_item[i] = bmf_ids_find_same(&theirs, items, i);
    bmf_ids_clear(&theirs);
    return status;
}

int bmf_titles_read(const char *path, const bmf_ids *items, bmf_titles *out, bmf_error *err)
{
    bmf_dataset_file *file;
    *out = (bmf_titles){0};
    int status = bmf_dataset_file_open(path, &file, err);
    if (status == BMF_OK)
        status = read_titles(file, path, items, out, err);
    bmf_dataset_file_close(&file);
    if (status != BMF_OK)
        bmf_titles_clear(out);
    return status;
}

const char *bmf_titles_get(const bmf_titles *titles, int64_t item)
{
    int64_t at = titles->of_item[item];
    return at < 0 ? "" : bmf_strings_get(&titles->text, at);
}
