/* Proximal operators of smooth convex functions of several variables: v + S grad l(v) = x by damped Newton steps. */

enum { MAX_ROOT = 32 };

/* Gradient and Hessian (row-major) of the function at v. */
typedef void (*vector_slopes)(const double *s, const double *v, double *gradient, double *hessian);

/* Residual of the equation, and the matrix of its Newton step. */
static double rv_root_residual(vector_slopes fn, const double *s, int n, const double *spread, const double *x,
                               const double *v, double *residual, double *matrix)
{
    double gradient[MAX_ROOT], hessian[MAX_ROOT * MAX_ROOT], size = 0;
    fn(s, v, gradient, hessian);
    for (int i = 0; i < n; ++i) {
        residual[i] = v[i] - x[i];
        for (int k = 0; k < n; ++k) residual[i] += spread[i * n + k] * gradient[k];
        size += residual[i] * residual[i];
        for (int j = 0; j < n; ++j) {
            double entry = i == j;
            for (int k = 0; k < n; ++k) entry += spread[i * n + k] * hessian[k * n + j];
            matrix[i * n + j] = entry;
        }
    }
    return sqrt(size);
}

/* From the v that is given. The step is halved until the residual shrinks: 1 + S H has no eigenvalue below one, so that it does. */
static void rv_vector_root(vector_slopes fn, const double *s, int n, const double *spread, const double *x, double *v)
{
    double step[MAX_ROOT], matrix[MAX_ROOT * MAX_ROOT], next[MAX_ROOT], other[MAX_ROOT];
    int pivot[MAX_ROOT];
    double size = rv_root_residual(fn, s, n, spread, x, v, step, matrix);
    for (int round = 0; round < 100; ++round) {
        double largest = 0, reach = 1, new_size = size;
        if (!lu_factor(matrix, n, pivot)) { /* not finite */
            for (int i = 0; i < n; ++i) v[i] = NAN;
            return;
        }
        lu_solve(matrix, n, pivot, step);
        for (int halving = 0; halving < 40; ++halving, reach *= 0.5) {
            for (int i = 0; i < n; ++i) next[i] = v[i] - reach * step[i];
            new_size = rv_root_residual(fn, s, n, spread, x, next, other, matrix);
            if (new_size <= (1 - 0.25 * reach) * size) break;
        }
        for (int i = 0; i < n; ++i) {
            largest = fmax(largest, fabs(next[i] - v[i]) / (1 + fabs(next[i])));
            v[i] = next[i];
            step[i] = other[i];
        }
        size = new_size;
        if (!(largest > 1e-11)) return;
    }
}

/* The proximal operator from a start (from x if that is NaN), the gradient there, and H (1 + S H)^-1. */
static void rv_vector_solve(vector_slopes fn, const double *s, int n, const double *spread, const double *x,
                            double *start, double *result)
{
    double hessian[MAX_ROOT * MAX_ROOT], matrix[MAX_ROOT * MAX_ROOT], *stiffness = result + 2 * n;
    int finite = 1, pivot[MAX_ROOT];
    for (int i = 0; i < n; ++i) finite &= isfinite(start[i]) != 0;
    if (!finite) memcpy(start, x, (size_t)n * sizeof(double));
    rv_vector_root(fn, s, n, spread, x, start);
    memcpy(result, start, (size_t)n * sizeof(double));
    fn(s, start, result + n, hessian);
    for (int i = 0; i < n; ++i) /* (1 + H S) K = H, as H and S are symmetric */
        for (int j = 0; j < n; ++j) {
            double entry = i == j;
            for (int k = 0; k < n; ++k) entry += hessian[i * n + k] * spread[k * n + j];
            matrix[i * n + j] = entry;
        }
    memcpy(stiffness, hessian, (size_t)n * n * sizeof(double));
    if (lu_factor(matrix, n, pivot))
        for (int i = 0; i < n; ++i) lu_solve(matrix, n, pivot, stiffness + i * n); /* rows are columns, of both */
    else /* not finite */
        for (int i = 0; i < n * n; ++i) stiffness[i] = NAN;
}
