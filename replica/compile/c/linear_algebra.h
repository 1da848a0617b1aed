/* Small dense linear algebra: LU factors and eigenvalues of matrices. */
#include <complex.h>
#include <float.h>

/* Factor a row-major matrix in place with partial pivoting; 0 if it is singular or not finite. */
static int lu_factor(double *matrix, int n, int *pivot)
{
    for (int k = 0; k < n; ++k) {
        int best = k;
        for (int i = k + 1; i < n; ++i)
            if (fabs(matrix[i * n + k]) > fabs(matrix[best * n + k])) best = i;
        pivot[k] = best;
        if (!(fabs(matrix[best * n + k]) > 0) || !isfinite(matrix[best * n + k])) return 0;
        for (int j = 0; j < n && best != k; ++j) {
            const double swap = matrix[k * n + j];
            matrix[k * n + j] = matrix[best * n + j];
            matrix[best * n + j] = swap;
        }
        for (int i = k + 1; i < n; ++i) {
            const double factor = matrix[i * n + k] /= matrix[k * n + k];
            for (int j = k + 1; j < n; ++j) matrix[i * n + j] -= factor * matrix[k * n + j];
        }
    }
    return 1;
}

static void lu_solve(const double *factor, int n, const int *pivot, double *vector)
{
    for (int k = 0; k < n; ++k) { /* all exchanges first: they were applied to whole rows */
        const double swap = vector[k];
        vector[k] = vector[pivot[k]];
        vector[pivot[k]] = swap;
    }
    for (int k = 0; k < n; ++k)
        for (int i = k + 1; i < n; ++i) vector[i] -= factor[i * n + k] * vector[k];
    for (int k = n - 1; k >= 0; --k) {
        for (int j = k + 1; j < n; ++j) vector[k] -= factor[k * n + j] * vector[j];
        vector[k] /= factor[k * n + k];
    }
}

/* Scale rows and columns by powers of two until their norms agree: unknowns have very different units. */
static void balance(double *matrix, int n)
{
    for (int sweep = 0, changed = 1; changed && sweep < 40; ++sweep) {
        changed = 0;
        for (int i = 0; i < n; ++i) {
            double row = 0, column = 0;
            for (int j = 0; j < n; ++j)
                if (j != i) {
                    row += fabs(matrix[i * n + j]);
                    column += fabs(matrix[j * n + i]);
                }
            if (row == 0 || column == 0) continue;
            const int exponent = (int)lround(0.5 * log2(row / column));
            if (exponent == 0) continue;
            changed = 1;
            for (int j = 0; j < n; ++j) {
                matrix[i * n + j] = ldexp(matrix[i * n + j], -exponent);
                matrix[j * n + i] = ldexp(matrix[j * n + i], exponent);
            }
        }
    }
}

/* Reduce to upper Hessenberg form by Gaussian similarity transformations. */
static void hessenberg(double *matrix, int n)
{
    for (int k = 1; k < n - 1; ++k) {
        int best = k;
        for (int i = k + 1; i < n; ++i)
            if (fabs(matrix[i * n + k - 1]) > fabs(matrix[best * n + k - 1])) best = i;
        if (matrix[best * n + k - 1] == 0) continue;
        for (int j = 0; j < n && best != k; ++j) {
            const double swap = matrix[best * n + j];
            matrix[best * n + j] = matrix[k * n + j];
            matrix[k * n + j] = swap;
        }
        for (int i = 0; i < n && best != k; ++i) {
            const double swap = matrix[i * n + best];
            matrix[i * n + best] = matrix[i * n + k];
            matrix[i * n + k] = swap;
        }
        for (int i = k + 1; i < n; ++i) {
            const double factor = matrix[i * n + k - 1] / matrix[k * n + k - 1];
            if (factor == 0) continue;
            for (int j = 0; j < n; ++j) matrix[i * n + j] -= factor * matrix[k * n + j];
            for (int j = 0; j < n; ++j) matrix[j * n + k] += factor * matrix[j * n + i];
            matrix[i * n + k - 1] = 0;
        }
    }
}

/* A norm of a complex number that costs less than its modulus. */
static double magnitude(double complex z) { return fabs(creal(z)) + fabs(cimag(z)); }

/* Eigenvalues by the complex shifted QR iteration with deflation; 0 on failure (then they are NaN). */
static int eigenvalues(const double *input, int n, double *real, double *imag)
{
    double work[n * n];
    double complex h[n][n];
    for (int i = 0; i < n; ++i) real[i] = imag[i] = NAN;
    for (int i = 0; i < n * n; ++i)
        if (!isfinite(work[i] = input[i])) return 0;
    balance(work, n);
    hessenberg(work, n);
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) h[i][j] = j < i - 1 ? 0 : work[i * n + j];
    int last = n - 1, count = 0;
    while (last >= 0) {
        int first = last;
        while (first > 0) {
            const double sub = magnitude(h[first][first - 1]);
            const double neighbours = magnitude(h[first][first]) + magnitude(h[first - 1][first - 1]);
            if (sub <= DBL_EPSILON * neighbours || sub < DBL_MIN) break;
            --first;
        }
        if (first == last) {
            real[last] = creal(h[last][last]);
            imag[last] = cimag(h[last][last]);
            --last;
            count = 0;
            continue;
        }
        if (++count > 200) return 0;
        /* Wilkinson shift: the eigenvalue of the trailing 2x2 block closest to its last entry. */
        const double complex a = h[last - 1][last - 1], d = h[last][last];
        const double complex half = 0.5 * (a - d);
        const double complex root = csqrt(half * half + h[last - 1][last] * h[last][last - 1]);
        double complex shift = magnitude(half + root) < magnitude(half - root) ? d + half + root : d + half - root;
        if (count % 10 == 0) shift += magnitude(h[last][last - 1]); /* break a cycle */
        double complex cosine[n], sine[n];
        for (int k = first; k <= last; ++k) h[k][k] -= shift;
        for (int k = first; k < last; ++k) {
            const double norm = hypot(cabs(h[k][k]), cabs(h[k + 1][k]));
            cosine[k] = norm > 0 ? h[k][k] / norm : 1;
            sine[k] = norm > 0 ? h[k + 1][k] / norm : 0;
            for (int j = k; j <= last; ++j) {
                const double complex upper = h[k][j], lower = h[k + 1][j];
                h[k][j] = conj(cosine[k]) * upper + conj(sine[k]) * lower;
                h[k + 1][j] = cosine[k] * lower - sine[k] * upper;
            }
        }
        for (int k = first; k < last; ++k)
            for (int i = first; i <= k + 1; ++i) {
                const double complex left = h[i][k], right = h[i][k + 1];
                h[i][k] = cosine[k] * left + sine[k] * right;
                h[i][k + 1] = conj(cosine[k]) * right - conj(sine[k]) * left;
            }
        for (int k = first; k <= last; ++k) h[k][k] += shift;
    }
    return 1;
}
