/* example MODEL.h5 USER ITEM..: what a model says of a user and items, through libblendmf.
 *
 *     cc example.c $(pkg-config --cflags --libs blendmf) -o example
 *
 * Prints lines of tab-separated fields: predictions of the items for the user, his best items, the items most like the first
 * one, and the best items for somebody new who gave the highest rating to the first item. The model may come from
 * `blendmf train`, or be a checkpoint. */
#include <stdio.h>
#include <stdlib.h>

#include <blendmf/model.h>

#define TOP 5
#define ID_ROOM 256

/* Tells why and gives the status on. */
static int failed(const blendmf_error *error)
{
    fprintf(stderr, "example: %s: %s\n", bmf_status_text(error->status), error->text);
    return error->status;
}

static void print_list(const blendmf_model *model, const char *what, const blendmf_ranked *list, int64_t count)
{
    char id[ID_ROOM];
    for (int64_t j = 0; j < count; j++) {
        blendmf_item_id(model, list[j].item, id, sizeof id);
        printf("%s\t%s\t%.17g\t%s\n", what, id, list[j].score, blendmf_basis_name(list[j].basis));
    }
}

static int predict(const blendmf_model *model, const char *user_id, char *const *item_id, int count)
{
    blendmf_error error;
    const int64_t user = blendmf_user_index(model, user_id);
    for (int j = 0; j < count; j++) {
        const int64_t item = blendmf_item_index(model, item_id[j]);
        double rating;
        blendmf_basis basis;
        if (blendmf_predict(model, &user, &item, 1, &rating, &basis, &error) != BMF_OK)
            return failed(&error);
        printf("predict\t%s\t%.17g\t%s\n", item_id[j], rating, blendmf_basis_name(basis));
    }
    return BMF_OK;
}

static int recommend(const blendmf_model *model, int64_t user, int64_t item)
{
    blendmf_error error;
    blendmf_ranked list[TOP];
    int64_t found;
    const blendmf_items seen = {&item, item >= 0};
    if (blendmf_recommend(model, user, seen, TOP, list, &found, &error) != BMF_OK)
        return failed(&error);
    print_list(model, "recommend", list, found);
    if (item < 0)
        return BMF_OK;
    if (blendmf_similar(model, item, TOP, list, &found, &error) != BMF_OK)
        return failed(&error);
    print_list(model, "similar", list, found);
    return BMF_OK;
}

static int welcome(const blendmf_model *model, int64_t item)
{
    blendmf_error error;
    blendmf_user *user = NULL;
    blendmf_ranked list[TOP];
    int64_t found;
    const double rating = blendmf_model_info(model).rating_max;
    if (blendmf_fold_in_user(model, &item, &rating, item >= 0, &user, &error) != BMF_OK)
        return failed(&error);
    const blendmf_items seen = {&item, item >= 0};
    int status = blendmf_user_recommend(user, seen, TOP, list, &found, &error);
    blendmf_user_free(&user);
    if (status != BMF_OK)
        return failed(&error);
    print_list(model, "newcomer", list, found);
    return BMF_OK;
}

int main(int argc, char **argv)
{
    blendmf_model *model = NULL;
    blendmf_error error;
    if (argc < 4) {
        fprintf(stderr, "usage: example MODEL.h5 USER ITEM..\n");
        return BMF_ERR_USAGE;
    }
    if (blendmf_open(argv[1], &model, &error) != BMF_OK)
        return failed(&error);
    const int64_t user = blendmf_user_index(model, argv[2]), item = blendmf_item_index(model, argv[3]);
    int status = predict(model, argv[2], argv + 3, argc - 3);
    if (status == BMF_OK)
        status = recommend(model, user, item);
    if (status == BMF_OK)
        status = welcome(model, item);
    blendmf_close(&model);
    return status;
}
