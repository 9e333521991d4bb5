/* The communicator as MPI knows it, for libraries that speak MPI themselves: parallel HDF5, in store. */
#ifndef BMF_COMM_HANDLE_H
#define BMF_COMM_HANDLE_H

#include <mpi.h>

#include "comm/comm.h"

/* Borrowed. Local. */
MPI_Comm bmf_comm_handle(const bmf_comm *comm);

#endif
