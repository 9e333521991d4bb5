#include "cli/serving.h"

#include "data/values.h"

int bmf_id_text_read(const bmf_field *field, const char *what, const bmf_ids *ids, bmf_id_text *out, bmf_error *err)
{
    *out = (bmf_id_text){.text = field->text, .length = field->length};
    if (ids->kind == BMF_ID_INT64)
        return bmf_value_id(field, what, &out->number, err);
    return field->length > 0 ? BMF_OK : bmf_fail(err, BMF_ERR_INPUT, "%s id is empty", what);
}

int64_t bmf_id_text_find(const bmf_id_text *id, const bmf_ids *ids)
{
    return ids->kind == BMF_ID_INT64 ? bmf_ids_find_number(ids, id->number)
                                     : bmf_ids_find_text(ids, id->text, id->length);
}

void bmf_id_text_put(const bmf_id_text *id, const bmf_ids *ids, bmf_rows *rows)
{
    if (ids->kind == BMF_ID_INT64)
        bmf_rows_int(rows, id->number);
    else
        bmf_rows_text(rows, id->text, id->length);
}

int bmf_serving_status(int status, const blendmf_error *why, bmf_error *err)
{
    return status == BMF_OK ? BMF_OK : bmf_fail(err, status, "%s", why->text);
}

int bmf_serving_open(const char *path, blendmf_model **out, bmf_error *err)
{
    blendmf_error why = {0};
    int status = blendmf_open(path, out, &why);
    return bmf_serving_status(status, &why, err);
}
