#include "train/saturation.h"

#include "train/merge.h"

void bmf_saturation_init(bmf_saturation *table, double a, int64_t largest)
{
    table->a = a;
    table->levels = 0;
    double unit = 1;
    do {
        for (int d = 0; d < 1 << BMF_SATURATION_BITS; d++)
            table->level[table->levels][d] = bmf_merge_saturation(a, unit * d);
        table->levels++;
        unit *= 1 << BMF_SATURATION_BITS;
    } while (unit <= (double)largest && table->levels < BMF_SATURATION_LEVELS);
}

double bmf_saturation_beyond(const bmf_saturation *table, double n)
{
    return bmf_merge_saturation(table->a, n);
}
