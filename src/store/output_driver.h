/* The HDF5 driver that files are written through: plain reads and writes on a descriptor, but a failed write (disk full,
 * quota, limit) never reaches HDF5. HDF5 1.10 cannot close a file whose last writes fail, and crashes when the process
 * ends. So the first failure is noted for us to report, and from then on nothing more goes to disk; metadata written
 * later is kept in memory, so that HDF5 can finish and close. The file is then removed. */
#ifndef BMF_STORE_OUTPUT_DRIVER_H
#define BMF_STORE_OUTPUT_DRIVER_H

#include <hdf5.h>

/* Makes files created under this access list use descriptor `fd` (borrowed; the name given to HDF5 is ignored).
 * *failure, which must outlive the file, becomes the errno of the first failed write, or of a failed read.
 * Negative on failure. Local. */
herr_t bmf_output_driver_set(hid_t access, int fd, int *failure);

/* The errno noted for the file that `object` lies in, 0 if all went well. Only for files of this driver. Local. */
int bmf_output_driver_failure(hid_t object);

#endif
