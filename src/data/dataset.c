#include "data/dataset.h"

#include "base/memory.h"

const char *bmf_split_name(bmf_split split)
{
    static const char *const names[BMF_SPLITS] = {"train", "val", "test"};
    return names[split];
}

void bmf_content_clear(bmf_content *content)
{
    bmf_csr_clear(&content->matrix);
    bmf_strings_clear(&content->feature);
    bmf_free(content->idf);
    *content = (bmf_content){0};
}

void bmf_dataset_clear(bmf_dataset *dataset)
{
    bmf_ids_clear(&dataset->users);
    bmf_ids_clear(&dataset->items);
    bmf_strings_clear(&dataset->title);
    for (int s = 0; s < BMF_SPLITS; s++)
        bmf_ratings_clear(&dataset->split[s]);
    bmf_content_clear(&dataset->content);
    bmf_content_clear(&dataset->user_content);
    *dataset = (bmf_dataset){0};
}
