/* Trapezoidal sums over independent standard normal variables: the nodes of a grid inside a ball. */

#define NORMAL_CUT 7.5 /* standard deviations; a tail of 6e-14, in two dimensions of 6e-13 */

/* Nodes on every axis: a trapezoidal sum needs fewer than the panels of the inner rule. */
static int normal_axis(const quadrature *rule)
{
    return rule->inner_n * 5 / 8;
}

/* Fill coordinates t[d * room + j] and weights w[j], room = axis^dim; return the number of nodes. */
static int normal_nodes(int dim, int axis, int room, double *restrict t, double *restrict w)
{
    const double step = 2 * NORMAL_CUT / axis;
    const double norm = pow(step / sqrt(2 * 3.14159265358979323846), dim);
    int n = 0;
    for (int j = 0; j < room; ++j) {
        double x[dim], square = 0;
        for (int d = 0, rest = j; d < dim; ++d, rest /= axis) {
            x[d] = (rest % axis + 0.5) * step - NORMAL_CUT;
            square += x[d] * x[d];
        }
        if (square > NORMAL_CUT * NORMAL_CUT) continue;
        for (int d = 0; d < dim; ++d) t[d * room + n] = x[d];
        w[n++] = norm * exp(-0.5 * square);
    }
    return n;
}
