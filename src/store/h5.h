/* Checked helpers over HDF5: errors as one sentence, groups, attributes, and records of attributes. HDF5 itself never
 * prints. Messages start with the object's name in the file; callers put the path of the file before it. All Local. */
#ifndef BMF_STORE_H5_H
#define BMF_STORE_H5_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* What a value is, in memory and in the file (little-endian there). TEXT: UTF-8 of fixed length, padded with NUL. Fixed
 * because variable-length strings lie in a heap that no checksum covers. */
typedef enum bmf_h5_type {
    BMF_H5_INT32,
    BMF_H5_INT64,
    BMF_H5_UINT64,
    BMF_H5_FLOAT32,
    BMF_H5_FLOAT64,
    BMF_H5_TEXT
} bmf_h5_type;

/* The HDF5 type of values in the file and in memory; do not close them. Not for TEXT. */
hid_t bmf_h5_stored_type(bmf_h5_type type);
hid_t bmf_h5_native_type(bmf_h5_type type);
size_t bmf_h5_type_size(bmf_h5_type type);

/* A new string type of `size` bytes (≥ 1), or a negative number. The caller closes it. */
hid_t bmf_h5_text_type(size_t size);

/* BMF_OK if a stored type can be read as `type` without guessing: the same class, plain numbers of at most 8 bytes,
 * strings of fixed length, and no named (committed) type. Else BMF_ERR_INPUT naming what was found. */
int bmf_h5_check_type(hid_t stored, bmf_h5_type type, bmf_error *err);

/* Starts the library if need be, silences it, and keeps it from loading filters from elsewhere. Before any other use. */
void bmf_h5_start(void);

/* Reports the failed HDF5 call just made, BMF_ERR_IO: "<object of location>/<name>: <doing>: <HDF5's innermost reason, or
 * the system's>". name may be NULL; a negative location names nothing. Returns the status. */
int bmf_h5_fail(bmf_error *err, hid_t location, const char *name, const char *doing);

/* Puts "<object of location>/<name>: " before an error already set. */
void bmf_h5_context(bmf_error *err, hid_t location, const char *name);

/* Closes by kind (group, data set, attribute, type, space, property list, file) and sets to −1; −1 is fine. Returns
 * negative if closing failed. */
herr_t bmf_h5_close(hid_t *id);

/* Whether `parent` has a member of that name. Anything but a hard link is BMF_ERR_INPUT: our files are whole. */
int bmf_h5_exists(hid_t parent, const char *name, bool *out, bmf_error *err);

/* The member must exist and be of that kind (BMF_ERR_INPUT). */
int bmf_h5_require(hid_t parent, const char *name, H5O_type_t kind, bmf_error *err);

int bmf_h5_group_create(hid_t parent, const char *name, hid_t *out, bmf_error *err);
int bmf_h5_group_open(hid_t parent, const char *name, hid_t *out, bmf_error *err);

/* One attribute of a record. */
typedef struct bmf_h5_field {
    const char *name;
    bmf_h5_type type;
    size_t offset; /* in the record */
    int64_t count; /* values, 1 for a scalar; for TEXT the bytes of the buffer, its NUL included */
} bmf_h5_field;

/* The value(s) at `value` as attribute of an object; for TEXT a NUL-terminated string and count is ignored. */
int bmf_h5_write_attribute(hid_t object, const char *name, bmf_h5_type type, int64_t count, const void *value,
                           bmf_error *err);

/* Reads it back into count values; for TEXT into count bytes, NUL-terminated. A missing attribute, another class,
 * another count or a text that does not fit is BMF_ERR_INPUT. */
int bmf_h5_read_attribute(hid_t object, const char *name, bmf_h5_type type, int64_t count, void *value, bmf_error *err);

/* Whether an object has an attribute of that name. */
int bmf_h5_has_attribute(hid_t object, const char *name, bool *out, bmf_error *err);

int bmf_h5_write_fields(hid_t object, const bmf_h5_field *fields, int64_t count, const void *record, bmf_error *err);
int bmf_h5_read_fields(hid_t object, const bmf_h5_field *fields, int64_t count, void *record, bmf_error *err);

/* The same with one attribute more, `checksum`: XXH3-64 over names and values (scalars of 8 bytes and texts). Reading back
 * compares it: BMF_ERR_IO if it differs. Those from number `oldest` on are younger than the first files: where one is missing,
 * reading leaves the record as it is. */
int bmf_h5_write_checked_fields(hid_t object, const bmf_h5_field *fields, int64_t count, const void *record,
                                bmf_error *err);
int bmf_h5_read_checked_fields(hid_t object, const bmf_h5_field *fields, int64_t oldest, int64_t count, void *record,
                               bmf_error *err);

#endif
