#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "store/h5.h"

#define CHECKED_BYTES 4096 /* of a record with the names of its fields */

/* A text of length 0 is stored as one NUL: HDF5 has no type of 0 bytes. */
static hid_t stored_type_of(bmf_h5_type type, const void *value)
{
    if (type != BMF_H5_TEXT)
        return H5Tcopy(bmf_h5_stored_type(type));
    size_t length = strlen(value);
    return bmf_h5_text_type(length ? length : 1);
}

int bmf_h5_write_attribute(hid_t object, const char *name, bmf_h5_type type, int64_t count, const void *value,
                           bmf_error *err)
{
    int status = BMF_OK;
    hsize_t extent = (hsize_t)count;
    bool scalar = type == BMF_H5_TEXT || count == 1;
    hid_t stored = stored_type_of(type, value), attribute = -1;
    hid_t space = scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &extent, NULL);
    if (stored >= 0 && space >= 0)
        attribute = H5Acreate2(object, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0 || H5Awrite(attribute, type == BMF_H5_TEXT ? stored : bmf_h5_native_type(type), value) < 0)
        status = bmf_h5_fail(err, object, name, "cannot write the attribute");
    bmf_h5_close(&attribute);
    bmf_h5_close(&space);
    bmf_h5_close(&stored);
    return status;
}

static int open_attribute(hid_t object, const char *name, hid_t *out, bmf_error *err)
{
    *out = -1;
    htri_t exists = H5Aexists(object, name);
    if (exists == 0)
        return bmf_fail(err, BMF_ERR_INPUT, "the file has no such attribute");
    if (exists > 0)
        *out = H5Aopen(object, name, H5P_DEFAULT);
    return *out < 0 ? bmf_h5_fail(err, object, NULL, "cannot open the attribute") : BMF_OK;
}

static int check_count(hid_t attribute, int64_t count, bmf_error *err)
{
    hid_t space = H5Aget_space(attribute);
    if (space < 0)
        return bmf_h5_fail(err, attribute, NULL, "cannot read the attribute's shape");
    hssize_t found = H5Sget_simple_extent_npoints(space);
    int status = BMF_OK;
    if (H5Sget_simple_extent_type(space) == H5S_NULL || found != (hssize_t)count)
        status = bmf_fail(err, BMF_ERR_INPUT, "the attribute holds %" PRId64 " values, %" PRId64 " are expected",
                          (int64_t)found, count);
    bmf_h5_close(&space);
    return status;
}

/* Text is read in the file's own character set: HDF5 does not convert between them. */
static int read_text(hid_t attribute, hid_t stored, int64_t room, char *value, bmf_error *err)
{
    size_t size = H5Tget_size(stored);
    if (size >= (size_t)room)
        return bmf_fail(err, BMF_ERR_INPUT, "the attribute is %zu bytes long, at most %" PRId64 " are expected", size,
                        room - 1);
    int status = BMF_OK;
    hid_t type = H5Tcopy(stored);
    if (type < 0 || H5Tset_size(type, (size_t)room) < 0 || H5Tset_strpad(type, H5T_STR_NULLTERM) < 0 ||
        H5Aread(attribute, type, value) < 0)
        status = bmf_h5_fail(err, attribute, NULL, "cannot read the attribute");
    value[room - 1] = '\0';
    bmf_h5_close(&type);
    return status;
}

int bmf_h5_read_attribute(hid_t object, const char *name, bmf_h5_type type, int64_t count, void *value, bmf_error *err)
{
    hid_t attribute = -1, stored = -1;
    int status = open_attribute(object, name, &attribute, err);
    if (status != BMF_OK)
        goto done;
    stored = H5Aget_type(attribute);
    if (stored < 0) {
        status = bmf_h5_fail(err, object, NULL, "cannot read the attribute's type");
        goto done;
    }
    status = bmf_h5_check_type(stored, type, err);
    if (status == BMF_OK)
        status = check_count(attribute, type == BMF_H5_TEXT ? 1 : count, err);
    if (status != BMF_OK)
        goto done;
    if (type == BMF_H5_TEXT)
        status = read_text(attribute, stored, count, value, err);
    else if (H5Aread(attribute, bmf_h5_native_type(type), value) < 0)
        status = bmf_h5_fail(err, object, NULL, "cannot read the attribute");
done:
    bmf_h5_close(&stored);
    bmf_h5_close(&attribute);
    if (status != BMF_OK)
        bmf_context(err, "attribute '%s'", name);
    return status;
}

int bmf_h5_has_attribute(hid_t object, const char *name, bool *out, bmf_error *err)
{
    htri_t exists = H5Aexists(object, name);
    *out = exists > 0;
    return exists < 0 ? bmf_h5_fail(err, object, name, "cannot look for the attribute") : BMF_OK;
}

int bmf_h5_write_fields(hid_t object, const bmf_h5_field *fields, int64_t count, const void *record, bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t i = 0; i < count && status == BMF_OK; i++)
        status = bmf_h5_write_attribute(object, fields[i].name, fields[i].type, fields[i].count,
                                        (const char *)record + fields[i].offset, err);
    return status;
}

int bmf_h5_read_fields(hid_t object, const bmf_h5_field *fields, int64_t count, void *record, bmf_error *err)
{
    int status = BMF_OK;
    for (int64_t i = 0; i < count && status == BMF_OK; i++)
        status = bmf_h5_read_attribute(object, fields[i].name, fields[i].type, fields[i].count,
                                       (char *)record + fields[i].offset, err);
    return status;
}

/* Adds name, a NUL, the value in little-endian bytes or the text with its NUL: the same on every machine. */
static size_t add_field(unsigned char *bytes, size_t length, const bmf_h5_field *field, const void *record)
{
    const char *value = (const char *)record + field->offset;
    const size_t name = strlen(field->name) + 1;
    const size_t size = field->type == BMF_H5_TEXT ? strlen(value) + 1 : sizeof(uint64_t);
    assert(length + name + size <= CHECKED_BYTES); /* tables are constant, and texts of bounded length */
    memcpy(bytes + length, field->name, name);
    memcpy(bytes + length + name, value, size);
    if (field->type != BMF_H5_TEXT) {
        uint64_t bits;
        memcpy(&bits, value, sizeof bits);
        bits = htole64(bits);
        memcpy(bytes + length + name, &bits, sizeof bits);
    }
    return length + name + size;
}

int bmf_h5_write_checked_fields(hid_t object, const bmf_h5_field *fields, int64_t count, const void *record,
                                bmf_error *err)
{
    unsigned char bytes[CHECKED_BYTES] = {0};
    size_t length = 0;
    int status = bmf_h5_write_fields(object, fields, count, record, err);
    for (int64_t i = 0; i < count; i++)
        length = add_field(bytes, length, &fields[i], record);
    const uint64_t sum = XXH3_64bits(bytes, length);
    return status == BMF_OK ? bmf_h5_write_attribute(object, "checksum", BMF_H5_UINT64, 1, &sum, err) : status;
}

int bmf_h5_read_checked_fields(hid_t object, const bmf_h5_field *fields, int64_t oldest, int64_t count, void *record,
                               bmf_error *err)
{
    unsigned char bytes[CHECKED_BYTES] = {0};
    size_t length = 0;
    uint64_t stored = 0;
    int status = BMF_OK;
    for (int64_t i = 0; i < count && status == BMF_OK; i++) {
        if (i >= oldest && H5Aexists(object, fields[i].name) == 0)
            continue;
        status = bmf_h5_read_fields(object, &fields[i], 1, record, err);
        if (status == BMF_OK)
            length = add_field(bytes, length, &fields[i], record);
    }
    if (status == BMF_OK)
        status = bmf_h5_read_attribute(object, "checksum", BMF_H5_UINT64, 1, &stored, err);
    if (status != BMF_OK)
        return status;
    const uint64_t found = XXH3_64bits(bytes, length);
    if (stored == found)
        return BMF_OK;
    return bmf_fail(err, BMF_ERR_IO,
                    "its attributes have the checksum %016" PRIx64 ", %016" PRIx64
                    " is recorded: the file is damaged, or an attribute was changed by hand",
                    found, stored);
}
