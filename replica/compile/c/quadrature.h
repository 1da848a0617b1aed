/* Adaptive composite Gauss-Legendre quadrature of vector integrands ("segments").
 *
 * A rule is a list of panels, stored as flat nodes and weights on the unit interval, so that it can stay frozen
 * while the end points of its segment move with the unknowns: the discretised map is then smooth in the unknowns.
 * All state lives in a `quadrature`; one thread uses one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REPLICA_EXPORT __attribute__((visibility("default")))

enum {
    GAUSS_ORDER = 16,
    START_PANELS = 2,        /* uniform panels before features and bisections are added */
    MAX_PANEL = 2000,        /* of one segment */
    MAX_BISECTION = 30,
    MAX_FEATURE = 64,
    MAX_BREAKPOINT = 512,
    MAX_INNER_PANEL = 64,
    REPLICATES = 16          /* of a sample */
};

typedef enum {
    RULE_ADAPT,  /* build the rule of each segment at the present state, then use it */
    RULE_FROZEN, /* use the stored rule; build it where there is none */
    RULE_FINE    /* as ADAPT, but integrate on the bisected panels, with the inner rule doubled */
} rule_mode;

enum { QUADRATURE_PANELS_EXHAUSTED = 1, QUADRATURE_OUT_OF_MEMORY = 2 };

typedef struct {
    int n, capacity; /* nodes in use and allocated */
    double *t, *w;
} segment_rule;

typedef struct quadrature {
    const double *inner_t, *inner_w; /* rule on [0, 1] that all nested integrals share */
    int inner_n;
    rule_mode mode;
    double tolerance; /* of a panel, relative to its segment */
    int flags;
    int lost; /* a measure was narrower than the numbers around it can tell: its averages mean nothing */
    int inner_panels, n_segment, max_integrand;
    int points;              /* of one replicate of a sample */
    int replicate;           /* the only one that is used, or -1 */
    const double *sample;    /* points of all replicates, in rows */
    segment_rule *segment;
    double *inner_node, *inner_weight; /* inner rule, then the doubled one */
    double *panel[2];                  /* two generations of panels while a rule is built */
    const double *const *data;         /* tables of the sites, column after column, weights first */
    const int *rows;                   /* of each table */
} quadrature;

typedef void (*segment_function)(const quadrature *rule, const double *restrict s, double a, double b,
                                 const double *restrict t, const double *restrict w, int n,
                                 double *restrict sum);

static const double gauss_node[GAUSS_ORDER / 2] = {
    0.0950125098376374402, 0.2816035507792589132, 0.4580167776572273863, 0.6178762444026437484,
    0.7554044083550030339, 0.8656312023878317439, 0.9445750230732325761, 0.9894009349916499326};
static const double gauss_weight[GAUSS_ORDER / 2] = {
    0.1894506104550684963, 0.1826034150449235888, 0.1691565193950025382, 0.1495959888165767321,
    0.1246289712555338720, 0.0951585116824927848, 0.0622535239386478929, 0.0271524594117540949};

/* Nodes and weights of one panel [left, right] of the unit interval. */
static void gauss_panel(double left, double right, double *t, double *w)
{
    const double centre = 0.5 * (left + right), half = 0.5 * (right - left);
    for (int j = 0; j < GAUSS_ORDER / 2; ++j) {
        const int low = GAUSS_ORDER / 2 - 1 - j, high = GAUSS_ORDER / 2 + j;
        t[low] = centre - half * gauss_node[j];
        t[high] = centre + half * gauss_node[j];
        w[low] = w[high] = half * gauss_weight[j];
    }
}

static void quadrature_set_mode(quadrature *rule, rule_mode mode)
{
    const int fine = mode == RULE_FINE;
    const int offset = fine ? GAUSS_ORDER * rule->inner_panels : 0;
    rule->mode = mode;
    rule->inner_n = GAUSS_ORDER * rule->inner_panels * (fine ? 2 : 1);
    rule->inner_t = rule->inner_node + offset;
    rule->inner_w = rule->inner_weight + offset;
}

static void quadrature_set_inner(quadrature *rule, int panels)
{
    rule->inner_panels = panels < 1 ? 1 : panels > MAX_INNER_PANEL ? MAX_INNER_PANEL : panels;
    double *t = rule->inner_node, *w = rule->inner_weight;
    for (int n = rule->inner_panels; n <= 2 * rule->inner_panels; n += rule->inner_panels)
        for (int j = 0; j < n; ++j, t += GAUSS_ORDER, w += GAUSS_ORDER)
            gauss_panel((double)j / n, (double)(j + 1) / n, t, w);
    quadrature_set_mode(rule, rule->mode);
}

static void quadrature_free(quadrature *rule)
{
    if (!rule) return;
    if (rule->segment)
        for (int k = 0; k < rule->n_segment; ++k) free(rule->segment[k].t);
    free(rule->segment);
    free(rule->inner_node);
    free(rule->panel[0]);
    free(rule);
}

static quadrature *quadrature_create(int n_segment, int max_integrand, double tolerance, int inner_panels)
{
    quadrature *rule = calloc(1, sizeof *rule);
    if (!rule) return NULL;
    const size_t generation = (size_t)MAX_PANEL * (3 + max_integrand);
    const size_t inner = 3 * (size_t)GAUSS_ORDER * MAX_INNER_PANEL;
    rule->n_segment = n_segment;
    rule->max_integrand = max_integrand;
    rule->tolerance = tolerance;
    rule->replicate = -1;
    rule->segment = calloc((size_t)n_segment + 1, sizeof *rule->segment);
    rule->inner_node = malloc(2 * inner * sizeof(double));
    rule->panel[0] = malloc(2 * generation * sizeof(double));
    if (!rule->segment || !rule->inner_node || !rule->panel[0]) {
        quadrature_free(rule);
        return NULL;
    }
    rule->inner_weight = rule->inner_node + inner;
    rule->panel[1] = rule->panel[0] + generation;
    quadrature_set_inner(rule, inner_panels);
    return rule;
}

static int segment_append(quadrature *rule, segment_rule *segment, double left, double right)
{
    if (segment->n + GAUSS_ORDER > segment->capacity) {
        const int capacity = segment->capacity ? 2 * segment->capacity : 16 * GAUSS_ORDER;
        double *block = malloc(2 * (size_t)capacity * sizeof(double));
        if (!block) {
            rule->flags |= QUADRATURE_OUT_OF_MEMORY;
            return 0;
        }
        if (segment->n) {
            memcpy(block, segment->t, (size_t)segment->n * sizeof(double));
            memcpy(block + capacity, segment->w, (size_t)segment->n * sizeof(double));
        }
        free(segment->t);
        segment->t = block;
        segment->w = block + capacity;
        segment->capacity = capacity;
    }
    gauss_panel(left, right, segment->t + segment->n, segment->w + segment->n);
    segment->n += GAUSS_ORDER;
    return 1;
}

/* Panel edges on [0, 1] from which bisection starts. Around a feature of centre c and width d they lie at c and
 * c +- d {2, 8, 32, ...}: Gauss-Legendre panels of that grading resolve a pole at distance d to 1e-15, and no
 * dip of width d can hide between their nodes. A wide neighbour gives way to a narrow one. */
static int starting_edges(double a, double b, int n_feature, const double *features, double *edge)
{
    struct { double position, size; } point[MAX_BREAKPOINT];
    const double length = b - a;
    int n_point = 0, n = 2;
    if (n_feature > MAX_FEATURE) n_feature = MAX_FEATURE;
    for (int k = 0; k < n_feature; ++k) {
        const double centre = (features[2 * k] - a) / length, width = fabs(features[2 * k + 1]) / length;
        if (!isfinite(centre) || !(width < 0.25)) continue;
        if (n_point < MAX_BREAKPOINT) {
            point[n_point].position = centre;
            point[n_point++].size = width;
        }
        if (width < 1e-15) continue;
        const double reach = fmax(fabs(centre), fabs(1 - centre));
        for (double distance = 2 * width; distance < reach; distance *= 4)
            for (int side = -1; side <= 1 && n_point < MAX_BREAKPOINT; side += 2) {
                const double position = centre + side * distance;
                if (!(position > 0 && position < 1)) continue;
                point[n_point].position = position;
                point[n_point++].size = distance;
            }
    }
    for (int k = 1; k < START_PANELS && n_point < MAX_BREAKPOINT; ++k) {
        point[n_point].position = (double)k / START_PANELS;
        point[n_point++].size = 1.0 / START_PANELS;
    }
    edge[0] = 0;
    edge[1] = 1;
    for (;;) { /* insert the finest point that is left, unless it lies on top of an edge */
        int finest = -1;
        for (int k = 0; k < n_point; ++k)
            if (point[k].size >= 0 && (finest < 0 || point[k].size < point[finest].size)) finest = k;
        if (finest < 0) return n;
        const double position = point[finest].position, size = point[finest].size;
        point[finest].size = -1;
        int at = 0;
        while (at < n && edge[at] < position) ++at;
        if (at == 0 || at == n || edge[at] == position) continue;
        const double gap = fmax(0.4 * size, 1e-15);
        if (position - edge[at - 1] < gap || edge[at] - position < gap) continue;
        memmove(edge + at + 1, edge + at, (size_t)(n - at) * sizeof *edge);
        edge[at] = position;
        ++n;
    }
}

/* One panel while a rule is built: left, right, error ratio of its parent, sums on 16 nodes. */
static void panel_evaluate(const quadrature *rule, segment_function fn, const double *s, double a, double b,
                           int n_integrand, double left, double right, double *panel)
{
    double t[GAUSS_ORDER], w[GAUSS_ORDER];
    gauss_panel(left, right, t, w);
    panel[0] = left;
    panel[1] = right;
    memset(panel + 3, 0, (size_t)n_integrand * sizeof(double));
    fn(rule, s, a, b, t, w, GAUSS_ORDER, panel + 3);
}

/* Largest error of a panel (against its halves) in units of what is allowed. The allowance is relative to the
 * whole segment, and grows where the segment carries almost nothing of the measure (integrand 0 is its density):
 * 1e-17 of a unit measure is below round-off, and the far tails of special functions are noisy. */
static double panel_error(double tolerance, int n_integrand, const double *scale, const double *panel,
                          const double *first, const double *second)
{
    const double relative = scale[0] > 1e-300 ? tolerance + 1e-17 / scale[0] : INFINITY;
    double worst = 0;
    for (int i = 0; i < n_integrand; ++i) {
        const double error = fabs(panel[3 + i] - first[3 + i] - second[3 + i]);
        const double size = fmax(scale[i], fabs(first[3 + i]) + fabs(second[3 + i]));
        if (error > 0 && size > 1e-300) worst = fmax(worst, error / (relative * size));
    }
    return worst;
}

/* Build the rule of a segment by bisection, generation by generation, and integrate on the way. */
static void integrate_adaptively(quadrature *rule, int k, segment_function fn, const double *s, int n_integrand,
                                 double a, double b, int n_feature, const double *features, double *sum)
{
    segment_rule *segment = rule->segment + k;
    const int stride = 3 + n_integrand;
    double edge[MAX_BREAKPOINT + 2], scale[n_integrand], accepted[n_integrand];
    double scratch[4][stride];
    double *now = rule->panel[0], *next = rule->panel[1];
    int n_now = starting_edges(a, b, n_feature, features, edge) - 1;
    segment->n = 0;
    memset(accepted, 0, sizeof accepted);
    for (int j = 0; j < n_now; ++j)
        panel_evaluate(rule, fn, s, a, b, n_integrand, edge[j], edge[j + 1], now + j * stride);
    for (int generation = 0; n_now > 0; ++generation) {
        int n_next = 0;
        memcpy(scale, accepted, sizeof scale);
        for (int j = 0; j < n_now; ++j)
            for (int i = 0; i < n_integrand; ++i) scale[i] += fabs(now[j * stride + 3 + i]);
        int finite = 1;
        for (int i = 0; i < n_integrand; ++i) finite &= isfinite(scale[i]) != 0;
        if (!finite) { /* no rule is stored: the next evaluation, elsewhere, builds it */
            for (int j = 0; j < n_now; ++j)
                for (int i = 0; i < n_integrand; ++i) sum[i] += now[j * stride + 3 + i];
            segment->n = 0;
            return;
        }
        const int group = generation == 0 ? 1 : 2; /* siblings are judged together */
        for (int j = 0; j < n_now; j += group) {
            double ratio[2] = {0, 0};
            for (int q = 0; q < group; ++q) {
                const double *panel = now + (j + q) * stride;
                const double middle = 0.5 * (panel[0] + panel[1]);
                panel_evaluate(rule, fn, s, a, b, n_integrand, panel[0], middle, scratch[2 * q]);
                panel_evaluate(rule, fn, s, a, b, n_integrand, middle, panel[1], scratch[2 * q + 1]);
                ratio[q] = panel_error(rule->tolerance, n_integrand, scale, panel, scratch[2 * q], scratch[2 * q + 1]);
            }
            /* A small error that bisection does not reduce on either side is round-off, not structure. */
            const double parent = now[j * stride + 2];
            const int noise = group == 2 && ratio[0] > 1 && ratio[1] > 1 && parent * rule->tolerance < 1e-8
                              && ratio[0] + ratio[1] > 0.25 * parent;
            for (int q = 0; q < group; ++q) {
                const double *panel = now + (j + q) * stride;
                const int full = segment->n / GAUSS_ORDER + n_now - j + n_next + 2 > MAX_PANEL
                                 || generation == MAX_BISECTION;
                if (ratio[q] > 1 && !noise && !full) {
                    for (int child = 0; child < 2; ++child, ++n_next) {
                        scratch[2 * q + child][2] = ratio[q];
                        memcpy(next + n_next * stride, scratch[2 * q + child], sizeof scratch[0]);
                    }
                    continue;
                }
                if (ratio[q] > 1 && full) rule->flags |= QUADRATURE_PANELS_EXHAUSTED;
                if (!segment_append(rule, segment, panel[0], panel[1])) {
                    sum[0] = NAN;
                    return;
                }
                for (int i = 3; i < stride; ++i) {
                    const double fine = scratch[2 * q][i] + scratch[2 * q + 1][i];
                    sum[i - 3] += rule->mode == RULE_FINE ? fine : panel[i];
                    accepted[i - 3] += fabs(fine);
                }
            }
        }
        double *swap = now;
        now = next;
        next = swap;
        n_now = n_next;
    }
}

/* Add the integrals of segment `k` over [a, b] to `sum`. */
static void integrate(quadrature *rule, int k, segment_function fn, const double *s, int n_integrand, double a,
                      double b, int n_feature, const double *features, double *sum)
{
    const segment_rule *segment = rule->segment + k;
    if (!isfinite(a) || !isfinite(b)) {
        for (int i = 0; i < n_integrand; ++i) sum[i] = NAN;
        return;
    }
    if (b <= a) return;
    if (rule->mode == RULE_FROZEN && segment->n > 0)
        fn(rule, s, a, b, segment->t, segment->w, segment->n, sum);
    else
        integrate_adaptively(rule, k, fn, s, n_integrand, a, b, n_feature, features, sum);
}

/* A measure of which nothing was met is lost. An iteration may pass such a place; no result is given there. */
static void notice_measure(quadrature *rule, int n_integrand, double *sum)
{
    if (sum[0] != 0) return;
    rule->lost = 1;
    if (rule->mode == RULE_FINE)
        for (int i = 0; i < n_integrand; ++i) sum[i] = NAN;
}
