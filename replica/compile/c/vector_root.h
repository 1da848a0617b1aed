/* Proximal operators of smooth convex functions of several variables: v + S grad l(v) = x by damped Newton steps. */

enum { MAX_ROOT = 12 };

/* Gradient and Hessian (row-major) of the function at v. */
typedef void (*vector_slopes)(const double *s, const double *v, double *gradient, double *hessian);

/* Solve the n x n system a x = b by elimination with pivoting; x replaces b. */
static void rv_eliminate(double *a, double *b, int n)
{
    for (int k = 0; k < n; ++k) {
        int pivot = k;
        for (int i = k + 1; i < n; ++i)
            if (fabs(a[i * n + k]) > fabs(a[pivot * n + k])) pivot = i;
        for (int j = 0; j < n; ++j) {
            const double swap = a[k * n + j];
            a[k * n + j] = a[pivot * n + j];
            a[pivot * n + j] = swap;
        }
        const double swap = b[k];
        b[k] = b[pivot];
        b[pivot] = swap;
        for (int i = k + 1; i < n; ++i) {
            const double factor = a[i * n + k] / a[k * n + k];
            for (int j = k; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
            b[i] -= factor * b[k];
        }
    }
    for (int k = n - 1; k >= 0; --k) {
        for (int j = k + 1; j < n; ++j) b[k] -= a[k * n + j] * b[j];
        b[k] /= a[k * n + k];
    }
}

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

/* The step is halved until the residual shrinks: 1 + S H has no eigenvalue below one, so that it does. */
static void rv_vector_root(vector_slopes fn, const double *s, int n, const double *spread, const double *x, double *v)
{
    double step[MAX_ROOT], matrix[MAX_ROOT * MAX_ROOT], next[MAX_ROOT], other[MAX_ROOT];
    for (int i = 0; i < n; ++i) v[i] = x[i];
    double size = rv_root_residual(fn, s, n, spread, x, v, step, matrix);
    for (int round = 0; round < 100; ++round) {
        double largest = 0, reach = 1, new_size = size;
        rv_eliminate(matrix, step, n);
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
