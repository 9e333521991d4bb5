#include "store/h5.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REASON_TEXT 400
#define OBJECT_NAME 256

hid_t bmf_h5_stored_type(bmf_h5_type type)
{
    switch (type) {
    case BMF_H5_INT32:
        return H5T_STD_I32LE;
    case BMF_H5_INT64:
        return H5T_STD_I64LE;
    case BMF_H5_UINT64:
        return H5T_STD_U64LE;
    case BMF_H5_FLOAT32:
        return H5T_IEEE_F32LE;
    case BMF_H5_FLOAT64:
        return H5T_IEEE_F64LE;
    default:
        return -1;
    }
}

hid_t bmf_h5_native_type(bmf_h5_type type)
{
    switch (type) {
    case BMF_H5_INT32:
        return H5T_NATIVE_INT32;
    case BMF_H5_INT64:
        return H5T_NATIVE_INT64;
    case BMF_H5_UINT64:
        return H5T_NATIVE_UINT64;
    case BMF_H5_FLOAT32:
        return H5T_NATIVE_FLOAT;
    case BMF_H5_FLOAT64:
        return H5T_NATIVE_DOUBLE;
    default:
        return -1;
    }
}

size_t bmf_h5_type_size(bmf_h5_type type)
{
    static const size_t size[] = {4, 8, 8, 4, 8, 1};
    return size[type];
}

hid_t bmf_h5_text_type(size_t size)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0)
        return type;
    if (H5Tset_size(type, size) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0)
        bmf_h5_close(&type);
    return type;
}

static const char *class_name(H5T_class_t class)
{
    switch (class) {
    case H5T_INTEGER:
        return "integers";
    case H5T_FLOAT:
        return "floating-point numbers";
    case H5T_STRING:
        return "strings";
    default:
        return "values of another type";
    }
}

/* Every bit belongs to the value, in one of the two byte orders. */
static bool is_plain_number(hid_t stored, H5T_class_t class, size_t size)
{
    if (class == H5T_INTEGER)
        return (size & (size - 1)) == 0 && H5Tget_precision(stored) == 8 * size && H5Tget_offset(stored) == 0;
    const hid_t known[] = {H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_IEEE_F32BE, H5T_IEEE_F64BE};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (H5Tequal(stored, known[i]) > 0)
            return true;
    return false;
}

int bmf_h5_check_type(hid_t stored, bmf_h5_type type, bmf_error *err)
{
    static const H5T_class_t wanted[] = {H5T_INTEGER, H5T_INTEGER, H5T_INTEGER, H5T_FLOAT, H5T_FLOAT, H5T_STRING};
    H5T_class_t class = H5Tget_class(stored);
    if (class != wanted[type])
        return bmf_fail(err, BMF_ERR_INPUT, "holds %s, %s are expected", class_name(class), class_name(wanted[type]));
    if (H5Tcommitted(stored) != 0)
        return bmf_fail(err, BMF_ERR_INPUT, "has a type of its own name, a plain type is expected");
    if (type == BMF_H5_TEXT)
        return H5Tis_variable_str(stored) == 0
                   ? BMF_OK
                   : bmf_fail(err, BMF_ERR_INPUT, "holds strings of variable length, fixed length is expected");
    size_t size = H5Tget_size(stored);
    if (size < 1 || size > 8)
        return bmf_fail(err, BMF_ERR_INPUT, "holds %s of %zu bytes, at most 8 are expected", class_name(class), size);
    if (!is_plain_number(stored, class, size))
        return bmf_fail(err, BMF_ERR_INPUT, "holds %s of an unusual form, plain ones are expected", class_name(class));
    return BMF_OK;
}

void bmf_h5_start(void)
{
    (void)H5open();
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    (void)H5PLset_loading_state(0);
}

static herr_t keep_innermost(unsigned n, const H5E_error2_t *entry, void *text)
{
    if (n == 0 && entry->desc)
        snprintf(text, REASON_TEXT, "%s", entry->desc);
    return 0;
}

/* HDF5 wraps errno in a long sentence with pointers and times; the system's own words are enough. */
static const char *shorten(char *text)
{
    static const char mark[] = "error message = '";
    char *start = strstr(text, mark);
    if (!start)
        return text;
    start += sizeof mark - 1;
    char *end = strchr(start, '\'');
    if (end)
        *end = '\0';
    return start;
}

static void object_name(hid_t location, const char *name, char text[OBJECT_NAME])
{
    ssize_t length = H5Iget_name(location, text, OBJECT_NAME);
    if (length <= 0)
        length = snprintf(text, OBJECT_NAME, "/");
    if (!name || length >= OBJECT_NAME)
        return;
    size_t end = (size_t)length;
    snprintf(text + end, OBJECT_NAME - end, "%s%s", text[end - 1] == '/' ? "" : "/", name);
}

int bmf_h5_fail(bmf_error *err, hid_t location, const char *name, const char *doing)
{
    char reason[REASON_TEXT] = "unknown reason", object[OBJECT_NAME];
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, reason); /* first: other calls clear the stack */
    object_name(location, name, object);
    (void)H5Eclear2(H5E_DEFAULT);
    if (location < 0)
        return bmf_fail(err, BMF_ERR_IO, "%s: %s", doing, shorten(reason));
    return bmf_fail(err, BMF_ERR_IO, "%s: %s: %s", object, doing, shorten(reason));
}

void bmf_h5_context(bmf_error *err, hid_t location, const char *name)
{
    char object[OBJECT_NAME];
    object_name(location, name, object);
    bmf_context(err, "%s", object);
}

herr_t bmf_h5_close(hid_t *id)
{
    hid_t closing = *id;
    *id = -1;
    if (closing < 0)
        return 0;
    switch (H5Iget_type(closing)) {
    case H5I_FILE:
        return H5Fclose(closing);
    case H5I_GROUP:
        return H5Gclose(closing);
    case H5I_DATASET:
        return H5Dclose(closing);
    case H5I_ATTR:
        return H5Aclose(closing);
    case H5I_DATATYPE:
        return H5Tclose(closing);
    case H5I_DATASPACE:
        return H5Sclose(closing);
    case H5I_GENPROP_LST:
        return H5Pclose(closing);
    default:
        return -1;
    }
}

int bmf_h5_exists(hid_t parent, const char *name, bool *out, bmf_error *err)
{
    *out = false;
    htri_t exists = H5Lexists(parent, name, H5P_DEFAULT);
    if (exists < 0)
        return bmf_h5_fail(err, parent, name, "cannot be looked up");
    if (!exists)
        return BMF_OK;
    H5L_info_t info;
    if (H5Lget_info(parent, name, &info, H5P_DEFAULT) < 0)
        return bmf_h5_fail(err, parent, name, "cannot be looked up");
    *out = info.type == H5L_TYPE_HARD;
    if (*out)
        return BMF_OK;
    int status = bmf_fail(err, BMF_ERR_INPUT, "is a link to elsewhere, the data itself is expected");
    bmf_h5_context(err, parent, name);
    return status;
}

int bmf_h5_require(hid_t parent, const char *name, H5O_type_t kind, bmf_error *err)
{
    const char *what = kind == H5O_TYPE_GROUP ? "group" : "data set";
    bool exists;
    int status = bmf_h5_exists(parent, name, &exists, err);
    if (status != BMF_OK)
        return status;
    H5O_info_t info;
    if (!exists)
        status = bmf_fail(err, BMF_ERR_INPUT, "the file has no such %s", what);
    else if (H5Oget_info_by_name2(parent, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        return bmf_h5_fail(err, parent, name, "cannot be opened");
    else if (info.type != kind)
        status = bmf_fail(err, BMF_ERR_INPUT, "is not a %s", what);
    if (status != BMF_OK)
        bmf_h5_context(err, parent, name);
    return status;
}

int bmf_h5_group_create(hid_t parent, const char *name, hid_t *out, bmf_error *err)
{
    hid_t properties = H5Pcreate(H5P_GROUP_CREATE);
    *out = -1;
    /* compact: attributes and links stay in the object header, which has a checksum; no times: equal input, equal file */
    if (properties >= 0 && H5Pset_obj_track_times(properties, false) >= 0 &&
        H5Pset_attr_phase_change(properties, 64, 0) >= 0 && H5Pset_link_phase_change(properties, 64, 0) >= 0)
        *out = H5Gcreate2(parent, name, H5P_DEFAULT, properties, H5P_DEFAULT);
    int status = *out < 0 ? bmf_h5_fail(err, parent, name, "cannot be created") : BMF_OK;
    bmf_h5_close(&properties);
    return status;
}

int bmf_h5_group_open(hid_t parent, const char *name, hid_t *out, bmf_error *err)
{
    *out = -1;
    int status = bmf_h5_require(parent, name, H5O_TYPE_GROUP, err);
    if (status != BMF_OK)
        return status;
    *out = H5Gopen2(parent, name, H5P_DEFAULT);
    return *out < 0 ? bmf_h5_fail(err, parent, name, "cannot be opened") : BMF_OK;
}
