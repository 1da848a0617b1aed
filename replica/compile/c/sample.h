/* Averages over standard normal points, which are given and the same at every evaluation.
 *
 * The slot of a segment stores the values that the proximal operator had at the points of a sample, from which the next
 * evaluation starts. */

/* Adds the sums over n points, point j at t[j * SAMPLED]; v are the values that it may start from. */
typedef void (*sample_function)(const quadrature *rule, const double *restrict s, const double *restrict t,
                                double *restrict v, int n, double *restrict sum);

/* Set `sum` to the averages over the points of all replicates, or of the one that the rule is limited to. */
static void average_sample(quadrature *rule, int k, int dim, sample_function fn, const double *s, int n_integrand,
                           double *sum)
{
    segment_rule *stored = rule->segment + k;
    const size_t size = (size_t)rule->points * dim;
    if (!stored->t) {
        stored->t = malloc(REPLICATES * size * sizeof(double));
        if (!stored->t) {
            rule->flags |= QUADRATURE_OUT_OF_MEMORY;
            for (int i = 0; i < n_integrand; ++i) sum[i] = NAN;
            return;
        }
        for (size_t i = 0; i < REPLICATES * size; ++i) stored->t[i] = NAN;
    }
    const int first = rule->replicate < 0 ? 0 : rule->replicate;
    const int last = rule->replicate < 0 ? REPLICATES - 1 : rule->replicate;
    for (int r = first; r <= last; ++r)
        fn(rule, s, rule->sample + (size_t)r * rule->points * SAMPLED, stored->t + r * size, rule->points, sum);
    for (int i = 0; i < n_integrand; ++i) sum[i] /= (double)rule->points * (last - first + 1);
}
