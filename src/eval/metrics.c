#include "eval/metrics.h"

#include <math.h>

static double discount(int64_t place)
{
    return 1.0 / log2((double)place + 2.0);
}

bmf_ranking_quality bmf_ranking_quality_of(const bool *hit, int64_t listed, int64_t top, int64_t relevant)
{
    bmf_ranking_quality quality = {0, 0, 0, 0};
    if (relevant == 0)
        return quality;
    int64_t hits = 0, reachable = relevant < top ? relevant : top;
    double gain = 0, ideal = 0, precisions = 0;
    for (int64_t j = 0; j < listed; j++) {
        if (!hit[j])
            continue;
        hits++;
        gain += discount(j);
        precisions += (double)hits / (double)(j + 1);
    }
    for (int64_t j = 0; j < reachable; j++)
        ideal += discount(j);
    quality.precision = (double)hits / (double)top;
    quality.recall = (double)hits / (double)relevant;
    quality.ndcg = gain / ideal;
    quality.map = precisions / (double)reachable;
    return quality;
}

void bmf_metric_sums_add_error(bmf_metric_sums *sums, double error)
{
    sums->ratings++;
    sums->squared += error * error;
    sums->absolute += fabs(error);
}

void bmf_metric_sums_add_user(bmf_metric_sums *sums, bmf_ranking_quality quality)
{
    sums->users++;
    sums->ranking.precision += quality.precision;
    sums->ranking.recall += quality.recall;
    sums->ranking.ndcg += quality.ndcg;
    sums->ranking.map += quality.map;
}

void bmf_metric_sums_merge(bmf_metric_sums *sums, const bmf_metric_sums *other)
{
    sums->ratings += other->ratings;
    sums->users += other->users;
    sums->squared += other->squared;
    sums->absolute += other->absolute;
    sums->ranking.precision += other->ranking.precision;
    sums->ranking.recall += other->ranking.recall;
    sums->ranking.ndcg += other->ranking.ndcg;
    sums->ranking.map += other->ranking.map;
}

static double mean(double sum, int64_t count)
{
    return count ? sum / (double)count : NAN;
}

bmf_metrics bmf_metrics_of(const bmf_metric_sums *sums, int64_t covered, int64_t items)
{
    bmf_metrics metrics = {.ratings = sums->ratings, .users = sums->users};
    metrics.rmse = sqrt(mean(sums->squared, sums->ratings));
    metrics.mae = mean(sums->absolute, sums->ratings);
    metrics.precision = mean(sums->ranking.precision, sums->users);
    metrics.recall = mean(sums->ranking.recall, sums->users);
    metrics.ndcg = mean(sums->ranking.ndcg, sums->users);
    metrics.map = mean(sums->ranking.map, sums->users);
    metrics.coverage = sums->users ? mean((double)covered, items) : NAN;
    return metrics;
}
