/* Adaptive product Gauss-Legendre cubature of vector integrands over boxes of two or three dimensions.
 *
 * A rule is a list of boxes in the unit cube, stored in the slot of its segment in place of nodes, so that it stays
 * frozen while the ends of its region move with the unknowns. A box is halved across the dimension in which halving
 * changes it most; its error is the largest such change. */

enum {
    MAX_DIMENSION = 3,
    MAX_REGION_NODE = 512,  /* of one box */
    MAX_BOX = 20000,        /* of one region */
    MAX_BOX_GENERATION = 60
};

/* Adds the sums over n nodes; node j has the coordinates t[j], t[n + j], ... on the unit cube. */
typedef void (*region_function)(const quadrature *rule, const double *restrict s, const double *restrict a,
                                const double *restrict b, const double *restrict t, const double *restrict w, int n,
                                double *restrict sum);

static const double gauss_node_12[6] = {0.1252334085114689155, 0.3678314989981801938, 0.5873179542866174473,
                                        0.7699026741943046870, 0.9041172563704748567, 0.9815606342467192507};
static const double gauss_weight_12[6] = {0.2491470458134027850, 0.2334925365383548088, 0.2031674267230659217,
                                          0.1600783285433462263, 0.1069393259953184310, 0.0471753363865118272};
static const double gauss_node_8[4] = {0.1834346424956498049, 0.5255324099163289858, 0.7966664774136267396,
                                       0.9602898564975362317};
static const double gauss_weight_8[4] = {0.3626837833783619830, 0.3137066458778872873, 0.2223810344533744706,
                                         0.1012285362903762592};

typedef struct {
    int dim, order, nodes; /* nodes = order^dim */
    const double *node, *weight;
    region_function fn;
    const double *s, *a, *b;
    int n_integrand;
} region;

static region region_of(int dim, region_function fn, const double *s, int n_integrand, const double *a,
                        const double *b)
{
    region r = {dim, GAUSS_ORDER, GAUSS_ORDER, gauss_node, gauss_weight, fn, s, a, b, n_integrand};
    if (dim == 2) {
        r.order = 12, r.nodes = 144, r.node = gauss_node_12, r.weight = gauss_weight_12;
    } else if (dim == 3) {
        r.order = 8, r.nodes = 512, r.node = gauss_node_8, r.weight = gauss_weight_8;
    }
    return r;
}

/* Add the integral over one box of the unit cube, given by its lower and then its upper corner. */
static void box_evaluate(const quadrature *rule, const region *r, const double *box, double *sum)
{
    double t[MAX_DIMENSION * MAX_REGION_NODE], w[MAX_REGION_NODE];
    double axis_t[MAX_DIMENSION][GAUSS_ORDER], axis_w[MAX_DIMENSION][GAUSS_ORDER];
    const int half = r->order / 2;
    for (int d = 0; d < r->dim; ++d) {
        const double centre = 0.5 * (box[d] + box[r->dim + d]), size = 0.5 * (box[r->dim + d] - box[d]);
        for (int j = 0; j < half; ++j) {
            axis_t[d][half - 1 - j] = centre - size * r->node[j];
            axis_t[d][half + j] = centre + size * r->node[j];
            axis_w[d][half - 1 - j] = axis_w[d][half + j] = size * r->weight[j];
        }
    }
    for (int j = 0; j < r->nodes; ++j) {
        double weight = 1;
        for (int d = 0, rest = j; d < r->dim; ++d, rest /= r->order) {
            t[d * r->nodes + j] = axis_t[d][rest % r->order];
            weight *= axis_w[d][rest % r->order];
        }
        w[j] = weight;
    }
    r->fn(rule, r->s, r->a, r->b, t, w, r->nodes, sum);
}

/* Rounding of a difference of terms near one: all that is known of an integrand that is the square of a small one. */
static const double difference_rounding = 1e-15;

/* Largest error of an integral against a finer one, in units of what is allowed; see panel_error. */
static double box_error(double tolerance, int n_integrand, const double *scale, const double *coarse,
                        const double *first, const double *second)
{
    if (!(scale[0] > 1e-300)) return 0;
    const double relative = fmax(tolerance, 4e-15) + 1e-17 / scale[0];
    double worst = 0;
    for (int i = 0; i < n_integrand; ++i) {
        const double error = fabs(coarse[i] - first[i] - second[i]);
        const double rounding = difference_rounding * sqrt(scale[0]);
        const double allowed = relative * scale[i] + rounding * (sqrt(scale[i]) + rounding);
        if (error > 0 && scale[i] > 1e-300) worst = fmax(worst, error / allowed);
    }
    return worst;
}

/* Append a box (two corners, then sums) to a growing list; 0 if memory is exhausted. */
static double *box_append(double **list, int *n, int *capacity, int stride)
{
    if (*n == *capacity) {
        const int larger = *capacity ? 2 * *capacity : 64;
        double *grown = realloc(*list, (size_t)larger * stride * sizeof(double));
        if (!grown) return NULL;
        *list = grown;
        *capacity = larger;
    }
    return *list + (size_t)(*n)++ * stride;
}

static void cubature_adaptively(quadrature *rule, int k, const region *r, double *sum)
{
    segment_rule *stored = rule->segment + k;
    const int dim = r->dim, n = r->n_integrand, corner = 2 * dim, stride = corner + n;
    double *now = NULL, *next = NULL, scale[n], accepted[n], halves[2 * MAX_DIMENSION][n];
    int n_now = 0, room_now = 0, n_next = 0, room_next = 0, failed = 0;
    memset(accepted, 0, sizeof accepted);
    stored->n = 0;
    double *start = box_append(&now, &n_now, &room_now, stride);
    if (!start) failed = 1;
    else {
        for (int d = 0; d < dim; ++d) start[d] = 0, start[dim + d] = 1;
        memset(start + corner, 0, (size_t)n * sizeof(double));
        box_evaluate(rule, r, start, start + corner);
    }
    for (int generation = 0; n_now > 0 && !failed; ++generation) {
        memcpy(scale, accepted, sizeof scale);
        for (int j = 0; j < n_now; ++j)
            for (int i = 0; i < n; ++i) scale[i] += fabs(now[(size_t)j * stride + corner + i]);
        int finite = 1;
        for (int i = 0; i < n; ++i) finite &= isfinite(scale[i]) != 0;
        if (!finite) { /* no rule is stored: the next evaluation, elsewhere, builds it */
            for (int i = 0; i < n; ++i) sum[i] = NAN;
            stored->n = 0;
            break;
        }
        n_next = 0;
        for (int j = 0; j < n_now && !failed; ++j) {
            const double *box = now + (size_t)j * stride, *coarse = box + corner;
            double child[2 * MAX_DIMENSION], worst = -1;
            int across = 0;
            for (int d = 0; d < dim; ++d) {
                const double middle = 0.5 * (box[d] + box[dim + d]);
                memset(halves[2 * d], 0, 2 * sizeof halves[0]);
                for (int side = 0; side < 2; ++side) {
                    memcpy(child, box, (size_t)corner * sizeof(double));
                    child[side ? d : dim + d] = middle;
                    box_evaluate(rule, r, child, halves[2 * d + side]);
                }
                const double ratio =
                    box_error(rule->tolerance, n, scale, coarse, halves[2 * d], halves[2 * d + 1]);
                if (!(ratio <= worst)) worst = ratio, across = d;
            }
            const int full = stored->n + n_now - j + n_next + 2 > MAX_BOX || generation == MAX_BOX_GENERATION;
            if (worst > 1 && !full) {
                for (int side = 0; side < 2 && !failed; ++side) {
                    double *half = box_append(&next, &n_next, &room_next, stride);
                    box = now + (size_t)j * stride;
                    if (!half) {
                        failed = 1;
                        break;
                    }
                    memcpy(half, box, (size_t)corner * sizeof(double));
                    half[side ? across : dim + across] = 0.5 * (box[across] + box[dim + across]);
                    memcpy(half + corner, halves[2 * across + side], sizeof halves[0]);
                }
                continue;
            }
            if (worst > 1) rule->flags |= QUADRATURE_PANELS_EXHAUSTED;
            double *kept = box_append(&stored->t, &stored->n, &stored->capacity, corner);
            if (!kept) {
                failed = 1;
                break;
            }
            memcpy(kept, box, (size_t)corner * sizeof(double));
            for (int i = 0; i < n; ++i) {
                double change = 0; /* of halving across each dimension */
                if (rule->mode == RULE_FINE)
                    for (int d = 0; d < dim; ++d) change += halves[2 * d][i] + halves[2 * d + 1][i] - coarse[i];
                sum[i] += coarse[i] + change;
                accepted[i] += fabs(coarse[i]);
            }
        }
        double *swap = now;
        now = next;
        next = swap;
        n_now = n_next;
        const int room = room_now;
        room_now = room_next;
        room_next = room;
    }
    if (failed) {
        rule->flags |= QUADRATURE_OUT_OF_MEMORY;
        sum[0] = NAN;
        stored->n = 0;
    }
    free(now);
    free(next);
}

/* Add the integrals of region `k` over the box with corners a and b to `sum`. */
static void integrate_region(quadrature *rule, int k, int dim, region_function fn, const double *s, int n_integrand,
                             const double *a, const double *b, double *sum)
{
    const region r = region_of(dim, fn, s, n_integrand, a, b);
    const segment_rule *stored = rule->segment + k;
    for (int d = 0; d < dim; ++d) {
        if (!isfinite(a[d]) || !isfinite(b[d])) {
            for (int i = 0; i < n_integrand; ++i) sum[i] = NAN;
            return;
        }
        if (b[d] <= a[d]) return;
    }
    if (rule->mode == RULE_FROZEN && stored->n > 0)
        for (int j = 0; j < stored->n; ++j) box_evaluate(rule, &r, stored->t + (size_t)j * 2 * dim, sum);
    else
        cubature_adaptively(rule, k, &r, sum);
}
