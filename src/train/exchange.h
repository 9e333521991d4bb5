/* The merge across hosts, in as few bytes as there may be.
 *
 * The ranks of a host sum up their rows first. Then each host is given an even part of the rows, receives them from the
 * others, merges them and sends the result to all: what an allreduce does (reduce-scatter and allgather), but with rows in
 * few bytes (train/compact.h) and without those that a host left alone. Every rank ends with the same rows. */
#ifndef BMF_TRAIN_EXCHANGE_H
#define BMF_TRAIN_EXCHANGE_H

#include "comm/comm.h"
#include "train/compact.h"

/* Floats behind the k of a row: what is summed up beside them, and what every rank needs of it. */
#define BMF_EXCHANGE_SIDES 4 /* bias delta, steps, saturations of factors and bias */
#define BMF_EXCHANGE_KEPT 2  /* bias delta, steps */
#define BMF_EXCHANGE_TAIL_MOST 16

typedef struct bmf_exchange bmf_exchange;

/* Makes of the summed row (k + BMF_EXCHANGE_SIDES) of an item the merged one: its deltas as they are applied. `tail` has what
 * was summed beside the rows. Called by several threads at once. */
typedef void bmf_exchange_finish(int64_t item, float *row, const float *tail, const void *context);

typedef struct bmf_exchange_settings {
    bmf_merge_precision precision; /* between hosts */
    int64_t group;                 /* consecutive ranks that count as a host; 0: those that share memory */
    int64_t factors, rows, tail;   /* k; most rows at once; floats beside them, few */
    int64_t threads;
} bmf_exchange_settings;

/* Collective, one status for all. */
int bmf_exchange_create(bmf_comm *comm, const bmf_exchange_settings *settings, bmf_exchange **out, bmf_error *err);
void bmf_exchange_destroy(bmf_exchange **exchange);

/* rows (count, k + BMF_EXCHANGE_SIDES) of the items item (count), the same on all ranks, and `tail` floats behind them: this
 * rank's in, what is merged out. Only the k + BMF_EXCHANGE_KEPT first values of a row count then. `key` is for rounding, the
 * same on all ranks, another in each call. Collective. */
void bmf_exchange_merge(bmf_exchange *exchange, float *rows, const int32_t *item, int64_t count, uint64_t key,
                        bmf_exchange_finish *finish, const void *context);

/* Hosts, and the bytes that this rank has sent to others since it was last asked, as if a sum within a host took the fewest
 * bytes that it can. */
int bmf_exchange_hosts(const bmf_exchange *exchange);
int64_t bmf_exchange_take_bytes(bmf_exchange *exchange);

/* Bytes held on a rank where `hosts` hosts merge so many rows at once. Pure. */
int64_t bmf_exchange_bytes(bmf_merge_precision precision, int64_t factors, int64_t rows, int64_t hosts);

#endif
